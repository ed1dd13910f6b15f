"""Which files belong to a tree, who decides, and what is said of the rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from treemill.discovery import discover, why_ignored
from treemill.errors import SettingsError, UsageError
from treemill.settings import DiscoverySettings
from treemill.types import DiscoveredFile, Skipped, SkipReason, Unreadable, changed_ns


@pytest.fixture(autouse=True)
def _no_rules_of_this_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the global excludes of whoever runs the tests out of them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)


def names(root, **settings) -> list[str]:
    return [found.name for found in discover(root, DiscoverySettings(**settings)) if isinstance(found, DiscoveredFile)]


def rest(root, **settings) -> list[Skipped | Unreadable]:
    return [found for found in discover(root, DiscoverySettings(**settings)) if not isinstance(found, DiscoveredFile)]


# ── the walk ──


def test_files_come_lazily_in_order_of_path_with_size_time_and_language(tree):
    root = tree({"b.py": "xy", "a/z.go": "", "a.c": "", "a-b.rs": "", "README": ""})
    found = discover(root, DiscoverySettings())
    assert isinstance(found, Iterator)
    files = list(found)
    assert [file.name for file in files] == ["README", "a-b.rs", "a.c", "a/z.go", "b.py"]
    last = files[-1]
    entry = os.stat(root / "b.py")
    assert last == DiscoveredFile("b.py", str(root), "python", 2, entry.st_mtime_ns, changed_ns(entry))


def test_a_root_that_is_no_folder_is_an_error_of_the_call(tree):
    root = tree({"a.py": ""})
    with pytest.raises(UsageError, match=r"a\.py' is not a folder"):
        discover(root / "a.py", DiscoverySettings())
    with pytest.raises(UsageError, match="is not a folder"):
        discover(root / "nowhere", DiscoverySettings())


def test_an_empty_folder_holds_nothing(tree):
    assert list(discover(tree({}), DiscoverySettings())) == []


def test_the_language_of_a_name_can_be_told_by_the_caller(tree):
    (file,) = discover(tree({"a.foo": ""}), language_of=lambda name: "foo")
    assert file.language == "foo"


def test_names_that_are_not_utf8_or_hold_a_line_feed_survive(tree):
    root = tree({"new\nline.py": "1"})
    odd = os.fsencode(root) + b"/caf\xe9.py"
    with open(odd, "wb") as file:
        file.write(b"12")
    found = {file.name: file for file in discover(root)}
    assert set(found) == {"new\nline.py", "caf\udce9.py"}
    assert os.fsencode(found["caf\udce9.py"].absolute) == odd
    assert os.stat(found["new\nline.py"].absolute).st_size == 1


def test_four_hundred_folders_deep_is_no_trouble(tree):
    root = tree({})
    here = os.open(root, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.py", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    assert names(root) == ["d/" * 400 + "deep.py"]


def test_folders_deeper_than_a_path_can_be_long_are_reported_as_unreadable(tree):
    root = tree({"a.py": ""})
    here = os.open(root, os.O_RDONLY)
    part = "d" * 200
    for _ in range(30):
        os.mkdir(part, dir_fd=here)
        below = os.open(part, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found = list(discover(root))
    assert found[0].name == "a.py"
    assert [type(each) for each in found[1:]] == [Unreadable]
    assert found[1].path.startswith(part + "/" + part)


def test_a_folder_deleted_while_walking_is_passed_over(tree):
    root = tree({"a.py": "", "b/c.py": "", "d.py": ""})
    found = discover(root)
    assert next(found).name == "a.py"
    (root / "b" / "c.py").unlink()
    (root / "b").rmdir()
    assert [file.name for file in found] == ["d.py"]


# ── ignore files ──


def test_gitignore_counts_without_a_repository_and_the_nearest_decides(tree):
    root = tree(
        {
            ".gitignore": "*.log\n/only_top.py\nout/\n",
            "a.log": "",
            "only_top.py": "",
            "out/x.py": "",
            "sub/only_top.py": "",
            "sub/.gitignore": "!keep.log\n*.tmp\n",
            "sub/keep.log": "",
            "sub/drop.log": "",
            "sub/t.tmp": "",
            "t.tmp": "",
        }
    )
    assert names(root) == ["sub/keep.log", "sub/only_top.py", "t.tmp"]


def test_a_gitignore_with_bom_and_crlf_and_a_bad_line_still_works(tree):
    root = tree(
        {
            ".gitignore": b"\xef\xbb\xbf*.log\r\n!\r\n[z-a\r\ntrailing\\\r\n*.tmp\r\n",
            "a.log": "",
            "a.tmp": "",
            "a.py": "",
        }
    )
    assert names(root) == ["a.py"]


def test_treemillignore_is_stronger_than_any_gitignore(tree):
    root = tree(
        {
            ".gitignore": "generated/\n",
            ".treemillignore": "!generated/\nsecret.py\n",
            "generated/a.py": "",
            "sub/.gitignore": "!secret.py\n",
            "sub/secret.py": "",
        }
    )
    assert names(root) == ["generated/a.py"]


def test_what_is_brought_back_brings_no_caches_and_no_ignored_files_along(tree):
    root = tree(
        {
            ".gitignore": "lib/\n*.log\n",
            ".treemillignore": "!lib/\n",
            "lib/a.py": "",
            "lib/a.log": "",
            "lib/node_modules/x.js": "",
            "lib/.hidden": "",
        }
    )
    assert names(root) == ["lib/a.py"]


def test_info_exclude_and_global_excludes_count(tree, monkeypatch):
    home = tree({".gitconfig": "[user]\nname = x\n[core]\n\texcludesFile = ~/mine\n", "mine": "*.swp\n"})
    monkeypatch.setenv("HOME", str(home))
    root = tree(
        {
            ".git/HEAD": "ref: refs/heads/main\n",
            ".git/info/exclude": "private/\n",
            "private/a.py": "",
            "a.swp": "",
            "a.py": "",
        }
    )
    assert names(root) == ["a.py"]


def test_the_default_place_of_global_excludes_counts(tree, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tree({"git/ignore": "*.swp\n"})))
    assert names(tree({"a.swp": "", "a.py": ""})) == ["a.py"]


def test_rules_above_the_root_count_inside_its_repository_only(tree):
    outer = tree(
        {
            ".gitignore": "*.py\n",
            "repository/.git/HEAD": "ref: refs/heads/main\n",
            "repository/.git/info/exclude": "/sub/excluded.c\n",
            "repository/.gitignore": "*.log\n/sub/anchored.c\n",
            "repository/sub/a.py": "",
            "repository/sub/a.log": "",
            "repository/sub/anchored.c": "",
            "repository/sub/excluded.c": "",
            "repository/sub/sub/anchored.c": "",
        }
    )
    assert names(outer / "repository" / "sub") == ["a.py", "sub/anchored.c"]


def test_a_root_that_rules_above_it_leave_out_is_walked_all_the_same(tree):
    root = tree(
        {".git/HEAD": "", ".gitignore": "corpora/*\n*.log\n", "corpora/django/a.py": "", "corpora/django/sub/b.py": ""}
    )
    assert names(root / "corpora" / "django") == ["a.py", "sub/b.py"]
    assert names(root) == []


def test_a_repository_inside_the_root_has_only_its_own_rules(tree):
    root = tree(
        {
            ".gitignore": "*.log\n",
            "a.log": "",
            "inner/.git/HEAD": "",
            "inner/a.log": "",
            "inner/b.tmp": "",
            "inner/.gitignore": "*.tmp\n",
        }
    )
    assert names(root) == ["inner/a.log"]


def test_no_ignore_sets_git_rules_aside_but_not_our_own(tree):
    root = tree(
        {".gitignore": "*.log\n", ".treemillignore": "*.tmp\n", "a.log": "", "a.tmp": "", "node_modules/x.js": ""}
    )
    assert names(root, no_ignore=True) == ["a.log"]


def test_five_thousand_patterns_in_one_file_all_count(tree):
    lines = "".join(f"name{number}.py\n" for number in range(5000))
    root = tree(
        {".gitignore": lines + "!name4999.py\n", "name0.py": "", "name777.py": "", "name4999.py": "", "name5000.py": ""}
    )
    assert names(root) == ["name4999.py", "name5000.py"]


# ── hidden and generated ──


def test_hidden_names_are_out_unless_asked_for_or_brought_back(tree):
    files = {".env.py": "", ".github/ci.yml": "", "a.py": ""}
    assert names(tree(files)) == ["a.py"]
    assert names(tree(files), hidden=True) == [".env.py", ".github/ci.yml", "a.py"]
    assert names(tree({**files, ".treemillignore": "!.github/\n"})) == [".github/ci.yml", "a.py"]


@pytest.mark.parametrize("folder", [".git", ".treemill"])
def test_git_and_our_own_folder_are_never_entered(tree, folder):
    root = tree({f"{folder}/x.py": "", ".treemillignore": f"!{folder}/\n!{folder}/**\n", "a.py": ""})
    found = names(root, hidden=True, no_ignore=True, include=(folder, f"{folder}/**"))
    assert [name for name in found if name.endswith(".py")] == ["a.py"]


@pytest.mark.parametrize(
    ("generated", "evidence"),
    [
        ("node_modules/x/i.js", None),
        ("pkg/__pycache__/a.py", None),
        ("treemill.egg-info/top.txt", None),
        ("env/lib/a.py", "env/pyvenv.cfg"),
        ("weird/a.py", "weird/CACHEDIR.TAG"),
        ("target/debug/a.rs", "Cargo.toml"),
        ("dist/a.js", "package.json"),
        ("out/a.c", "out/CMakeCache.txt"),
        ("app/obj/a.cs", "app/app.csproj"),
    ],
)
def test_folders_that_evidently_hold_generated_files_are_out(tree, generated, evidence):
    files = {generated: "", "main.c": ""} | ({} if evidence is None else {evidence: ""})
    assert generated not in names(tree(files))
    assert "main.c" in names(tree(files))
    top = (
        generated.split("/", 1)[0]
        if "pkg/" not in generated and "app/" not in generated
        else generated.rsplit("/", 1)[0]
    )
    assert generated in names(tree({**files, ".treemillignore": f"!{top}/\n"}))
    assert generated in names(tree(files), include=(f"{top}/**",))


@pytest.mark.parametrize(
    "name", ["target/a.rs", "dist/a.js", "build/a.py", "bin/tool.py", "vendor/x.go", "env/a.py", "deps/a.c"]
)
def test_a_folder_of_such_a_name_without_evidence_is_in(tree, name):
    assert names(tree({name: "", "a.c": ""})) == sorted([name, "a.c"])


# ── settings ──


def test_include_brings_back_what_any_rule_leaves_out_and_nothing_beside_it(tree):
    root = tree(
        {
            ".gitignore": "out/\n*.gen.py\n",
            "out/keep/a.py": "",
            "out/other/b.py": "",
            "x.gen.py": "",
            ".github/ci.yml": "",
            ".github/other.yml": "",
        }
    )
    assert names(root, include=("out/keep/**", "x.gen.py", "/.github/ci.yml")) == [
        ".github/ci.yml",
        "out/keep/a.py",
        "x.gen.py",
    ]


def test_exclude_is_stronger_than_include_and_treemillignore(tree):
    root = tree({".treemillignore": "!a.py\n", "a.py": "", "b.py": "", "c.py": ""})
    assert names(root, exclude=("a.py", "b.py"), include=("b.py",)) == ["c.py"]


def test_a_setting_that_is_no_pattern_is_an_error_of_the_call(tree):
    with pytest.raises(SettingsError, match=r"discovery\.exclude holds '!'"):
        discover(tree({}), DiscoverySettings(exclude=("!",)))


def test_a_file_at_the_cap_is_in_and_one_byte_over_is_reported(tree):
    root = tree({"at.py": b"x" * 1000, "over.py": b"x" * 1001, "way_over.py": b"x" * 3_200_000})
    assert names(root, max_file_bytes=1000) == ["at.py"]
    assert rest(root, max_file_bytes=1000) == [
        Skipped("over.py", SkipReason.TOO_LARGE, "1,001 bytes, the cap is 1,000"),
        Skipped("way_over.py", SkipReason.TOO_LARGE, "3.2 MB, the cap is 1 kB"),
    ]


# ── what is no file, and what cannot be read ──


def test_fifos_and_sockets_are_reported_and_never_opened(tree):
    root = tree({"a.py": ""})
    os.mkfifo(root / "fifo.py")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "sock.py"))
        assert names(root) == ["a.py"]
        assert rest(root) == [
            Skipped("fifo.py", SkipReason.NOT_REGULAR, "a FIFO"),
            Skipped("sock.py", SkipReason.NOT_REGULAR, "a socket"),
        ]


def test_links_are_never_followed_and_only_those_that_hide_something_are_reported(tree):
    outside = tree({"secret.py": "", "folder/deep.py": ""})
    root = tree({"a.py": "", "sub/b.py": ""})
    (root / "inside.py").symlink_to("a.py")
    (root / "loop.py").symlink_to("loop.py")
    (root / "nowhere.py").symlink_to("gone.py")
    (root / "out.py").symlink_to(outside / "secret.py")
    (root / "outer").symlink_to(outside / "folder")
    (root / "sub" / "up").symlink_to("..")
    (root / "out_of_reach.py").symlink_to(outside / "gone.py")
    assert names(root) == ["a.py", "sub/b.py"]
    assert [(each.path, each.reason) for each in rest(root)] == [
        ("out.py", SkipReason.OUTSIDE_ROOT),
        ("out_of_reach.py", SkipReason.OUTSIDE_ROOT),
        ("outer", SkipReason.OUTSIDE_ROOT),
    ]


def test_a_root_that_is_a_link_is_walked(tree):
    root = tree({"real/a.py": ""})
    (root / "link").symlink_to("real")
    assert names(root / "link") == ["a.py"]


def run_as_nobody(code: str, *arguments: str) -> str:
    """Run code in a process without the rights of root, where the tests have them."""
    drop = "import os\nif os.geteuid() == 0:\n    os.setgroups([])\n    os.setgid(65534)\n    os.setuid(65534)\n"
    loaded = "import sys\nimport treemill.ignore_patterns\nimport treemill.ignore_engine\n"
    imports = f"{loaded}from treemill.discovery import discover, why_ignored\n"
    script = imports + drop + textwrap.dedent(code)
    path = os.pathsep.join(each for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def reachable(tree, tmp_path):
    """Return `tree` where another user can get to what it plants."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tree


def test_an_unreadable_folder_is_one_line_and_the_others_go_on(reachable):
    root = reachable({"a.py": "", "closed/b.py": "", "z.py": ""})
    (root / "closed").chmod(0)
    try:
        said = run_as_nobody("for each in discover(sys.argv[1]): print(each)", str(root)).splitlines()
        why = run_as_nobody("print(why_ignored(sys.argv[1], 'closed/b.py'))", str(root))
    finally:
        (root / "closed").chmod(0o755)
    assert said[1] == "Unreadable(path='closed', detail='Permission denied')"
    assert len(said) == 3
    assert why == "the folder closed/ cannot be read: Permission denied"


def test_an_unreadable_root_is_unknown_as_a_whole(reachable):
    root = reachable({"a.py": ""})
    root.chmod(0)
    try:
        said = run_as_nobody("for each in discover(sys.argv[1]): print(each)", str(root))
    finally:
        root.chmod(0o755)
    assert said == "Unreadable(path='', detail='Permission denied')"


# ── why ──


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("a.py", None),
        ("sub", None),
        ("a.log", ".gitignore line 2: *.log leaves it out"),
        ("sub/b.tmp", "sub/.treemillignore line 1: b.* leaves it out"),
        ("out/x/y.py", "out is left out: .gitignore line 3: out/ leaves it out"),
        (".env", "hidden names are left out"),
        ("node_modules/x.js", "node_modules is left out: a folder of that name holds generated files"),
        ("venv/x.py", "venv/ is left out: pyvenv.cfg in it marks a generated folder"),
        ("big.py", "it is too large: 2 kB, the cap is 1 kB"),
        ("inside.py", "it is a link to a place inside the root, which is indexed under its own name"),
        ("empty_link.py", "it is a link to a place inside the root where nothing is"),
        ("folder_link/b.py", "folder_link is a link, and links are not followed"),
        ("gone.py", "it cannot be looked at: No such file or directory"),
        (".git/config", ".git is left out: .git is never indexed"),
        ("excluded.py", "discovery.exclude line 1: excluded.py leaves it out"),
        ("../x.py", "it is not under the root "),
    ],
)
def test_why_names_the_rule_that_keeps_a_file_out(tree, path, sentence):
    root = tree(
        {
            ".gitignore": "# rules\n*.log\nout/\n",
            ".env": "",
            ".git/config": "",
            "a.py": "",
            "a.log": "",
            "big.py": b"x" * 2000,
            "excluded.py": "",
            "node_modules/x.js": "",
            "out/x/y.py": "",
            "sub/.treemillignore": "b.*\n",
            "sub/b.tmp": "",
            "venv/pyvenv.cfg": "",
            "venv/x.py": "",
        }
    )
    (root / "inside.py").symlink_to("a.py")
    (root / "empty_link.py").symlink_to("later.py")
    (root / "folder_link").symlink_to("sub")
    settings = DiscoverySettings(max_file_bytes=1000, exclude=("excluded.py",))
    said = why_ignored(root, path, settings)
    assert (said or "").startswith(sentence or "")
    assert (said is None) == (sentence is None)
    assert why_ignored(root, root / path, settings) == said


def test_a_file_that_stands_where_a_wanted_path_has_a_folder_is_not_wanted_itself(tree):
    root = tree({"a": "x = 1\n", "b/c.py": "y = 2\n"})
    assert [found.name for found in discover(root, within=["a/c.py", "b/c.py"])] == ["b/c.py"]
    assert [found.name for found in discover(root, within=["a", "a/c.py"])] == ["a"]
