"""A repository that was made to harm whoever indexes it: each trick costs it at most a line in a report.

What files may be is in test_hostile_files.py, what exports may be in test_transfer.py; here is the tree as a whole,
through the commands that people use.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from conftest import Tree
from treemill.cli import run
from treemill.configuration import explain_settings
from treemill.errors import StorageError
from treemill.settings import Settings, schema
from treemill.storage.ownership import data_folder, read_mark
from treemill.storage.sqlite import SqliteStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")

CODE = "def find_me(needle):\n    return needle\n"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m"
RTL = "\u202egpj.exe\u202c"

# None of it may take longer, on a machine however slow: what hangs, hangs for ever.
SECONDS = 60


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR", "inline")


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    try:
        code = run([str(word) for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


@contextmanager
def in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SECONDS


def cannot_steer(text: str) -> bool:
    """Whether a terminal shows a text as it is: no controls but line feeds and tabs, no marks of direction."""
    return all(character.isprintable() or character in "\n\t" for character in text)


# ── names ──

NAMES = [
    f"{ESCAPES}.py",
    f"{RTL}.py",
    "two\nlines.py",
    "a\rb.py",
    "tab\there.py",
    b"\xff\xfe\x80.py".decode("utf-8", "surrogateescape"),
    "-rf.py",
    "$(touch owned).py",
    "`touch owned`.py",
    "a;touch owned;.py",
    "..hidden.py",
    "x" * 240 + ".py",
    " .py",
    "CON.py",
    "\u0000".replace("\u0000", "\u200b") + ".py",
]


@pytest.fixture
def named(tree: Tree) -> Path:
    root = tree({})
    for name in NAMES:
        (root / name).write_text(CODE)
    return root


COMMANDS = [
    ("search", "find_me", "ROOT", "-k", "50"),
    ("search", "find_me", "ROOT", "-k", "50", "-l"),
    ("search", "find_me", "ROOT", "-k", "50", "--scores"),
    ("search", "-e", "find_me", "ROOT", "-k", "50"),
    ("index", "ROOT", "--progress", "files"),
    ("index", "ROOT", "--progress", "lines"),
    ("status", "ROOT"),
    ("doctor", "ROOT"),
    ("chunk", "ROOT"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_names_never_steer_a_terminal(named, capsys, monkeypatch, command):
    monkeypatch.chdir(named)
    if command[0] == "status":
        said(capsys, "index", named, "-q")
    code, out, err = said(capsys, *(named if word == "ROOT" else word for word in command))
    assert code == 0
    assert cannot_steer(out), out
    assert cannot_steer(err), err
    assert not (named / "owned").exists()


def test_a_name_with_a_line_feed_stands_on_one_line(named, capsys):
    _, out, _ = said(capsys, "search", "find_me", named, "-k", "50", "-l")
    assert len(out.splitlines()) == len([name for name in NAMES if not name.startswith(".")])


def test_for_programs_names_and_contents_are_what_they_are(named, capsys):
    _, out, _ = said(capsys, "search", "find_me", named, "-k", "50", "--json")
    assert cannot_steer(out)
    paths = {hit["file_path"] for hit in json.loads(out)["results"]}
    assert paths == {name for name in NAMES if not name.startswith(".")}


@pytest.mark.parametrize("name", NAMES)
def test_why_says_a_name_that_cannot_steer(named, capsys, name):
    said(capsys, "index", named, "-q")
    _, out, err = said(capsys, "why", f"{named}/{name}")
    assert cannot_steer(out + err)


def test_contents_never_steer_a_terminal(tree, capsys):
    root = tree({"a.py": f"def find_me():\n    '''{ESCAPES} {RTL}'''\n", "b.md": f"# find_me {ESCAPES}\n"})
    for command in COMMANDS:
        _, out, err = said(capsys, *(root if word == "ROOT" else word for word in command))
        assert cannot_steer(out + err), command


# ── a `.treemill/` that came with the tree ──


def foreign(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a tree with an index in it that another user's Treemill made, and that lies."""
    root = tree({"a.py": CODE})
    with monkeypatch.context() as other:
        other.setenv("TREEMILL_STATE_DIR", str(tmp_path / "somebody"))
        assert run(["index", str(root), "-q", "--no-cache"]) == 0
    return root


def assert_refused_then_replaced(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with in_time():
        code, out, err = said(capsys, "search", "find_me", root)
        assert (code, out) == (6, "")
        assert "treemill index --rebuild" in err
        assert said(capsys, "status", root)[0] == 6
        assert said(capsys, "doctor", root)[0] == 6
        assert said(capsys, "clear", "-y", root)[0] == 6
        assert said(capsys, "index", "--rebuild", "-q", root)[0] == 0
        assert "a.py:1-2" in said(capsys, "search", "find_me", root)[1]


def test_the_index_of_another_user_is_not_opened(tree, tmp_path, monkeypatch, capsys):
    assert_refused_then_replaced(foreign(tree, monkeypatch, tmp_path), capsys)


def make_fifo(place: Path) -> None:
    place.mkdir()
    os.mkfifo(place / "owner")


def make_huge(place: Path) -> None:
    place.mkdir()
    with open(place / "owner", "wb") as file:
        file.truncate(1 << 40)


def make_deep(place: Path) -> None:
    place.mkdir()
    (place / "owner").write_text("00" * 16 + "\n" + "0" * 64 + "\n")
    (place / ("00" * 16)).mkdir()
    with open(place / ("00" * 16) / "index.db", "wb") as file:
        file.truncate(1 << 40)


PLANTED = {
    "a file": lambda place: place.write_text("x"),
    "a FIFO": lambda place: os.mkfifo(place),
    "an empty folder": lambda place: place.mkdir(),
    "a mark that is a FIFO": make_fifo,
    "a mark of a terabyte": make_huge,
    "a database of a terabyte": make_deep,
    "a link in a circle": lambda place: place.symlink_to(".treemill"),
    "a link that leads nowhere": lambda place: place.symlink_to("/nowhere/at/all"),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_was_planted_as_an_index_is_refused_at_once_and_replaced_on_request(tree, capsys, plant):
    root = tree({"a.py": CODE})
    plant(root / ".treemill")
    assert_refused_then_replaced(root, capsys)


def test_a_link_to_another_index_of_mine_is_neither_opened_nor_harmed(tree, capsys):
    mine, hostile = tree({"mine.py": CODE}), tree({"a.py": CODE})
    said(capsys, "index", mine, "-q")
    held = [path for path in (mine / ".treemill").rglob("*") if not path.name.endswith(("-shm", "-wal"))]
    (hostile / ".treemill").symlink_to(mine / ".treemill")
    assert_refused_then_replaced(hostile, capsys)
    assert all(path.exists() for path in held)
    assert "mine.py" in said(capsys, "search", "find_me", mine, "--no-update")[1]


def test_what_an_index_of_mine_became_by_other_hands_is_refused(tree, capsys):
    root = tree({"a.py": CODE})
    said(capsys, "index", root, "-q")
    data = data_folder(root / ".treemill", read_mark(root / ".treemill"))
    for harm in (
        lambda: (data / "evil").symlink_to("/etc/passwd"),
        lambda: os.mkfifo(data / "evil"),
        lambda: (data / "evil").mkdir(),
        lambda: ((data / "evil").write_text("x"), os.chmod(data / "evil", 0o666)),
    ):
        harm()
        with pytest.raises(StorageError, match="not made by your Treemill"):
            SqliteStore(root / ".treemill")
        (data / "evil").rmdir() if (data / "evil").is_dir() else (data / "evil").unlink()
    SqliteStore(root / ".treemill").close()


def test_a_doctored_database_runs_nothing_and_answers_nothing(tree, capsys):
    root = tree({"a.py": CODE})
    said(capsys, "index", root, "-q")
    data = data_folder(root / ".treemill", read_mark(root / ".treemill"))
    with closing(sqlite3.connect(data / "index.db")) as connection, connection:
        connection.execute("ALTER TABLE files RENAME TO kept")
        connection.execute(
            "CREATE VIEW files AS SELECT path, content_id, size, stamp, changed_ns, seen_ns, status, reason,"
            " load_extension('/tmp/evil.so') AS detail, sum FROM kept"
        )
    code, out, err = said(capsys, "search", "find_me", root, "--no-update")
    assert code in (0, 6)
    assert said(capsys, "index", root, "-q")[0] == 6
    assert "Traceback" not in out + err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_an_index_that_belongs_to_somebody_else_is_refused(tree, capsys):
    root = tree({"a.py": CODE})
    said(capsys, "index", root, "-q")
    for path in (root / ".treemill", *(root / ".treemill").rglob("*")):
        os.lchown(path, 12345, 12345)
    code, _, err = said(capsys, "search", "find_me", root)
    assert code == 6
    assert "belongs to user 12345" in err


def test_what_is_written_is_private(tree, capsys, monkeypatch):
    root = tree({f"{n}.py": f"{CODE}x = {n}\n" for n in range(150)})
    before = os.umask(0)
    try:
        assert said(capsys, "index", root, "-q")[0] == 0
        assert said(capsys, "export", root / "out.treemill", root)[0] == 0
    finally:
        os.umask(before)
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "treemill"
    state = Path(os.environ["TREEMILL_STATE_DIR"])
    data = data_folder(root / ".treemill", read_mark(root / ".treemill"))
    private = [data, *data.iterdir(), root / "out.treemill", state / "key", *(cache / "contents").iterdir()]
    assert any(path.suffix == ".segment" for path in private)
    assert [path for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert (root / ".treemill").stat().st_mode & 0o077 == 0


# ── ignore files and settings in the tree ──

PATTERNS = {
    "nested stars": "(a*)*b\n" + "*" * 500 + "x\n" + "**/" * 300 + "x\n",
    "classes": "[" * 2_000 + "\n" + "[a-z]" * 500 + "*\n" + "[!" * 500 + "\n",
    "a million lines": "x*y*z*\n" * 500_000,
    "different lines": "".join(f"*{n}*{n + 1}*\n" for n in range(100_000)),
    "one line of a megabyte": "a" * 1_000_000 + "\n",
    "noise": "\x00\x01\xff[]{}()\\\n" * 1_000,
}


@pytest.mark.parametrize("name", [".gitignore", ".treemillignore"])
@pytest.mark.parametrize("patterns", PATTERNS.values(), ids=PATTERNS)
def test_patterns_made_to_hang_do_not(tree, capsys, name, patterns):
    root = tree({"a" * 200 + ".py": CODE, "deep/er/still/b.py": CODE, name: patterns})
    with in_time():
        assert said(capsys, "index", root, "-q")[0] == 0
        assert "find_me" in said(capsys, "search", "find_me", root)[1]


def test_an_ignore_file_that_never_ends_is_not_read(tree, capsys):
    root = tree({"a.py": CODE, "sub/b.py": CODE, "other/c.py": CODE})
    os.mkfifo(root / ".gitignore")
    (root / "sub/.gitignore").symlink_to("/dev/zero")
    with open(root / "other/.treemillignore", "wb") as file:
        file.truncate(1 << 40)
    with in_time():
        assert said(capsys, "index", root, "-q")[0] == 0
        assert len(said(capsys, "search", "find_me", root, "-l")[1].splitlines()) == 3


def dotted(kind: type, above: str = "") -> Iterator[tuple[str, bool]]:
    """Yield every setting and whether it is taken from the user alone."""
    for name, declared in schema(kind).items():
        if isinstance(declared.hint, type) and hasattr(declared.hint, "__dataclass_fields__"):
            yield from dotted(declared.hint, f"{above}{name}.")
        else:
            yield above + name, bool(declared.metadata.get("trusted_only"))


HARMLESS = {"chunker", "discovery", "search"}


def test_every_setting_that_a_tree_may_give_is_known_to_stay_in_it():
    """A new setting that reaches beyond the tree must be `trusted_only`; one that does not belongs in this list."""
    open_to_trees = {name for name, trusted in dotted(Settings) if not trusted}
    others = {name for name in open_to_trees if name.split(".")[0] not in HARMLESS}
    assert others <= {"storage.commit_seconds", "embedding.batch_size", "watch.debounce_seconds"}, others


def test_settings_in_a_tree_that_reach_beyond_it_are_said_and_not_obeyed(tree):
    root = tree({"treemill.toml": "[storage]\ncache_mb = 1\n"})
    resolved = explain_settings(root)
    assert resolved.settings.storage.cache_mb == 1000
    assert "cache_mb" in resolved.warnings[0]


SETTINGS_FILES = {
    "nesting": "a = " + "[" * 100_000,
    "a table of tables": "".join(f"[a{'.b' * n}]\n" for n in range(1_000)),
    "a number of a million digits": "[search]\ntop_k = " + "9" * 1_000_000,
    "escapes": f'[search]\n"{ESCAPES!r}" = 1\n',
    "noise": "\x00\x01\x02",
}


@pytest.mark.parametrize("text", SETTINGS_FILES.values(), ids=SETTINGS_FILES)
def test_settings_made_to_harm_are_an_error_in_one_sentence(tree, capsys, text):
    root = tree({"a.py": CODE, "treemill.toml": text})
    with in_time():
        code, _, err = said(capsys, "index", root)
    assert code == 2
    assert len(err) < 2_000
    assert cannot_steer(err)
    assert "Traceback" not in err


# ── what lies outside ──


def test_nothing_outside_the_root_is_read(tree, tmp_path, capsys):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("def find_me_secret(): ...\n")
    root = tree({"a.py": CODE})
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside)
    (root / "up").symlink_to("..")
    (root / "etc").symlink_to("/etc")
    (root / "zero.py").symlink_to("/dev/zero")
    os.mkfifo(root / "fifo.py")
    with in_time():
        assert said(capsys, "index", root, "-q")[0] == 0
    assert "secret" not in said(capsys, "search", "secret", root, "-k", "50")[1]
    with SqliteStore(root / ".treemill") as store, store.snapshot() as snapshot:
        assert list(snapshot.files().paths) == ["a.py"]


def test_a_folder_that_becomes_a_link_while_it_is_walked_leads_nowhere(tree, tmp_path, capsys):
    outside = tmp_path / "outside"
    shutil.copytree(tree({f"s{n}.py": "def find_me_secret(): ...\n" for n in range(20)}), outside)
    root = tree({f"d/s{n}.py": CODE for n in range(20)})
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(root / "d", root / ".d")
            os.symlink(outside, root / "d")
            os.unlink(root / "d")
            os.rename(root / ".d", root / "d")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(5):
            said(capsys, "index", root, "-q")
    finally:
        stop.set()
        swapping.join()
    assert "secret" not in said(capsys, "search", "find_me_secret", root, "-k", "50", "--no-update")[1]
