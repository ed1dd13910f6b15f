"""The command line as people and scripts meet it: words in; text, exit code and files out."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Tree
from treemill.choices import FILE_KINDS
from treemill.cli import run
from treemill.errors import StorageError
from treemill.places import place_of
from treemill.plan import FINE_TRUST_NS
from treemill.storage.sqlite import SqliteStore

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(cart):\n    return gateway.charge(cart.total())\n",
    "README.md": "# Shop\n\nThe cart holds items until they are paid.\n",
}


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no workers where the command does not ask for them."""
    monkeypatch.setenv("TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR", "inline")


def said(capsys: pytest.CaptureFixture[str], *words: str | Path | float) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code, output and messages."""
    try:
        code = run([str(word) for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


def test_a_question_is_answered_at_once_in_a_folder_never_indexed(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(FILES)
    code, out, err = said(capsys, "search", "add an item to the cart", root)
    assert code == 0
    assert out.startswith("shop/cart.py:1-3  ")
    assert err == ""
    assert (root / ".treemill/.gitignore").read_text() == "*\n"


def test_a_definition_comes_before_what_mentions_it(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({**FILES, "a.py": "charge_card(charge_card(charge_card))\n", "test_pay.py": "def charge_card(): ...\n"})
    _, out, _ = said(capsys, "search", "charge_card", root, "-k", "1")
    assert out.startswith("shop/pay.py:1-2  charge_card  function")


def test_json_has_results_and_coverage(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "search", "charge", tree(FILES), "--json", "--scores")
    answer = json.loads(out)
    assert code == 0
    first = answer["results"][0]
    assert (first["file_path"], first["start_line"], first["end_line"]) == ("shop/pay.py", 1, 2)
    assert first["content"] == FILES["shop/pay.py"]
    assert (first["language"], first["symbol"], first["kind"]) == ("python", "charge_card", "function")
    assert first["score"] == pytest.approx(sum(first["why"].values()), abs=1e-3)
    assert (answer["coverage"]["searchable"], answer["coverage"]["known"]) == (3, 3)
    assert answer["coverage"]["complete"] is True


def test_no_match_exits_with_1_and_says_why(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "search", "zeppelin", tree(FILES))
    assert (code, out, err) == (1, "", "treemill: no match: no file holds these words\n")
    code, out, err = said(capsys, "search", "?!", tree(FILES))
    assert (code, out, err) == (1, "", "treemill: no match: the question has no words in it\n")


def test_results_are_filtered_by_folder_language_and_glob(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(FILES)
    said(capsys, "index", root)
    assert said(capsys, "search", "cart", root / "shop", "-l")[1].splitlines() == ["shop/cart.py", "shop/pay.py"]
    assert said(capsys, "search", "cart", root, "-l", "--lang", "markdown")[1] == "README.md\n"
    assert said(capsys, "search", "cart", root, "-l", "--include", "pay.*")[1] == "shop/pay.py\n"
    assert "pay" not in said(capsys, "search", "cart", root, "-l", "--exclude", "shop/p*")[1]


def test_results_are_filtered_by_kind_of_file_and_by_score(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({**FILES, "tests/test_cart.py": "def test_cart(): ...\n", "cart.toml": "cart = 1\n"})
    said(capsys, "index", root)
    kinds = {kind: said(capsys, "search", "cart", root, "-l", "--kind", kind)[1].split() for kind in FILE_KINDS}
    assert kinds.pop("code") == ["shop/cart.py", "shop/pay.py"]
    assert kinds == {"docs": ["README.md"], "config": ["cart.toml"], "tests": ["tests/test_cart.py"]}
    assert said(capsys, "search", "cart", "--kind", "docs", "--kind", "config", root, "-l")[1].count("\n") == 2
    hits = json.loads(said(capsys, "search", "cart", root, "--json")[1])["results"]
    floor = hits[1]["score"]
    assert said(capsys, "search", "cart", root, "-l", "--threshold", floor)[1].count("\n") == 2
    code, out, err = said(capsys, "search", "cart", root, "--threshold", 1000)
    assert (code, out) == (1, "")
    assert "with a score of at least 1000" in err


def test_results_are_filtered_by_time_and_by_what_git_says_has_changed(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(FILES)
    os.utime(root / "shop/pay.py", (1_700_000_000, 1_700_000_000))
    git = ("git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *words], check=True)
    (root / "shop/cart.py").write_text("class Cart:\n    new = True\n")
    (root / "shop/new.py").write_text("cart = 1\n")

    def changed(when: str, *where: Path) -> set[str]:
        code, out, _ = said(capsys, "search", "cart", "--changed-since", when, *(where or [root]), "-l")
        assert code == 0
        return set(out.split())

    assert changed("HEAD") == changed("HEAD", root / "shop") == {"shop/cart.py", "shop/new.py"}
    assert changed("2d") == {"shop/cart.py", "shop/new.py", "README.md"}
    assert changed("2023-11-01") == {"shop/cart.py", "shop/new.py", "README.md", "shop/pay.py"}
    for nonsense in ("no-such-branch", "--output=x", "2d\0"):
        code, out, err = said(capsys, "search", "cart", f"--changed-since={nonsense}", root)
        assert (code, out) == (2, "")
        assert "neither a time nor a revision" in err


def test_several_roots_are_answered_as_one_and_each_result_names_its_own(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, bank = tree({"a/cart.py": FILES["shop/cart.py"]}), tree({"pay.py": FILES["shop/pay.py"]})
    code, out, _ = said(capsys, "search", "charge the card of a cart", "-l", shop, bank, shop)
    assert (code, out.splitlines()) == (0, [f"{bank}/pay.py", f"{shop}/a/cart.py"])
    answer = json.loads(said(capsys, "search", "cart", shop, bank, "--json")[1])
    assert [(hit["root"], hit["file_path"]) for hit in answer["results"]] == [
        (str(shop), "a/cart.py"),
        (str(bank), "pay.py"),
    ]
    assert answer["coverage"]["searchable"] == 2
    assert [each["searchable"] for each in answer["roots"].values()] == [1, 1]
    assert said(capsys, "search", "cart", shop, shop / "a", "-l")[1].splitlines() == [f"{shop}/a/cart.py"]
    pages = [said(capsys, "search", "cart", shop, bank, "-l", "-k", 1, "--offset", n)[1].strip() for n in range(3)]
    assert pages == [f"{shop}/a/cart.py", f"{bank}/pay.py", ""]
    assert said(capsys, "search", "-e", r"\bcart\b", shop, bank, "-l")[1].splitlines() == [f"{bank}/pay.py"]


def test_what_changed_is_seen_unless_told_otherwise(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(FILES)
    said(capsys, "index", root)
    (root / "new.py").write_text("def launch_zeppelin(): ...\n")
    assert said(capsys, "search", "zeppelin", root, "--no-update")[0] == 1
    assert said(capsys, "search", "zeppelin", root)[1].startswith("new.py:1-1")


def test_who_does_not_wait_is_answered_from_what_is_committed_while_it_is_indexed_behind(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(FILES)
    code, out, err = said(capsys, "search", "charge", root, "--no-wait")
    assert (code, out) == (1, "")
    assert "nothing is committed yet" in err
    deadline = time.monotonic() + 30
    while code != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
        code, out, _ = said(capsys, "search", "charge", root, "--no-update")
    assert out.startswith("shop/pay.py:1-2")
    if os.name == "posix":
        pid = int(err.partition("process ")[2].split()[0])
        while is_there(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_there(pid), "a dead child is left"


def is_there(pid: int) -> bool:
    """Whether a process runs, or has ended and nobody has taken note of that."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_index_says_what_it_did(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({**FILES, "logo.bin": b"\x89\0\0\0"})
    for path in root.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    time.sleep(0.12)
    code, out, err = said(capsys, "index", root)
    assert (code, out) == (0, "")
    assert err.startswith("indexed 3 files (")
    assert "skipped  logo.bin: binary" in err
    assert "searchable: 3 of 3 files" in err
    assert said(capsys, "index", root, "--strict", "--retry")[0] == 8
    report = json.loads(said(capsys, "index", root, "--json")[1])
    assert (report["unchanged"], report["stats"]["submitted_files"]) == (4, 0)


def test_status_and_why_tell_the_truth(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({**FILES, "logo.bin": b"\x89\0\0\0", ".gitignore": "build/\n", "build/app.js": "x"})
    said(capsys, "index", root)
    code, out, _ = said(capsys, "status", root)
    assert code == 0
    assert "searchable   3 of 3 files" in out
    assert "last run     complete" in out
    assert "indexed" in said(capsys, "why", root / "shop/cart.py")[1]
    assert said(capsys, "why", root / "logo.bin")[:2] == (1, "logo.bin: skipped: binary: it holds NUL bytes\n")
    assert ".gitignore line 1" in said(capsys, "why", root / "build/app.js")[1]
    assert "there is no such file" in said(capsys, "why", root / "nowhere.py")[1]
    (root / "new.py").write_text("x = 1\n")
    assert "not indexed yet" in said(capsys, "why", root / "new.py")[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["index", "nowhere"], 2, "there is no folder nowhere. Name a folder that exists"),
        (["index", "file.py"], 2, "file.py is a file, not a folder"),
        (["search", "x", "nowhere"], 2, "there is no folder nowhere"),
        (["status", "plain"], 3, "treemill index"),
        (["search", "x", "plain", "--no-update"], 3, "treemill index"),
        (["why", "plain/a.py"], 3, "treemill index"),
        (["index", "plain", "--workers", "0"], 2, "max_parallel_files must be between 1 and 1024"),
        (["index", "broken"], 2, "treemill.toml"),
        (["index", "bad"], 2, "chunker.max_chunk_bytes"),
    ],
)
def test_bad_input_is_one_clear_sentence_with_the_next_step(
    words: list[str],
    code: int,
    message: str,
    tree: Tree,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tree(
        {
            "file.py": "",
            "plain/a.py": "",
            "broken/treemill.toml": "[chunker\n",
            "bad/treemill.toml": "[chunker]\nmax_chunk_bytes = 3\n",
        }
    )
    monkeypatch.chdir(root)
    exit_code, out, err = said(capsys, *words)
    assert (exit_code, out) == (code, "")
    assert err.startswith("treemill: ")
    assert message in err
    assert "Traceback" not in err
    assert not (root / "plain/.treemill").exists()


def test_an_empty_folder_is_nothing_to_index_and_nothing_to_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, err = said(capsys, "index", empty)
    assert code == 0
    assert "there is nothing to index" in err
    code, _, err = said(capsys, "search", "x", empty)
    assert code == 1
    assert "the index holds no files" in err


def test_a_name_that_would_steer_the_terminal_is_shown_not_obeyed(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({"evil\x1b[2J.py": "def evil(): '\x1b]0;owned\x07'\n"})
    _, out, _ = said(capsys, "search", "evil", root)
    assert "evil" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def command(*words: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "treemill", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )


def test_ctrl_c_keeps_what_is_committed_and_status_tells_the_truth(tree: Tree) -> None:
    body = "".join(f"def f{i}(a, b):\n    return a + b * {i}\n\n" for i in range(1500))
    root = tree({f"m{n:03}.py": body.replace("f0(", f"g{n}(") for n in range(150)})
    environment = {"TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR": "process", "TREEMILL_STORAGE__COMMIT_SECONDS": "0.05"}
    running = command("index", root, env=environment)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = command("status", root, "--json")
        seen, _ = status.communicate()
        if status.returncode == 0 and json.loads(seen)["coverage"]["searchable"] > 0:
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, err = running.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert running.returncode == 130, err
    assert "interrupted after" in err
    told, _ = command("status", root, "--json").communicate()
    state = json.loads(told)
    done = state["coverage"]["searchable"]
    assert f"searchable: {done} of 150 files" in err
    assert 0 < done < 150
    assert (state["run"]["state"], state["coverage"]["writer_pid"]) == ("interrupted", None)
    finishing = command("index", root, env=environment)
    _, err = finishing.communicate(timeout=60)
    assert finishing.returncode == 0
    assert "searchable: 150 of 150 files" in err


def test_a_second_writer_is_told_who_the_first_is_and_search_answers_all_the_same(tree: Tree) -> None:
    root = tree(FILES)
    command("index", root).communicate()
    with SqliteStore(place_of(root).folder) as store, store.writer():
        (root / "new.py").write_text("x = 1\n")
        second = command("index", root)
        _, err = second.communicate(timeout=20)
        assert second.returncode == 5
        assert f"process {os.getpid()}" in err
        asking = command("search", "cart", root)
        out, err = asking.communicate(timeout=20)
        assert asking.returncode == 0
        assert "shop/cart.py" in out
        assert str(os.getpid()) in err


def test_a_reader_that_has_enough_is_no_error(tree: Tree) -> None:
    root = tree({f"m{i}.py": "word = 1\n" * 30 for i in range(50)})
    asking = command("search", "word", root, "-k", "200", "--json")
    assert asking.stdout is not None
    asking.stdout.close()
    assert asking.stderr is not None
    assert "Traceback" not in asking.stderr.read()
    asking.wait(20)
    asking.stderr.close()


def test_help_and_version_start_without_the_heavy_parts() -> None:
    code = "import sys; from treemill.cli import run\ntry: run(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'numpy', 'tree_sitter', 'sqlite3', 'rich'} & set(sys.modules), sorted(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "treemill search" in done.stdout


def test_a_question_on_a_tree_that_stands_still_loads_nothing_that_walks_or_indexes(tree: Tree) -> None:
    root = tree(FILES)
    ask = [sys.executable, "-X", "importtime", "-m", "treemill", "search", "cart", str(root), "--json"]
    loaded: set[str] = set()
    for _ in range(3):
        time.sleep(1.5 * FINE_TRUST_NS / 1e9)
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["results"]
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "treemill.searching" in loaded
    assert not {"treemill.discovery", "treemill.freshness", "treemill.indexing", "treemill.types", "re2"} & loaded


def test_garbage_is_collected_from_when_a_command_is_loaded(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(FILES)
    gc.disable()
    try:
        assert said(capsys, "search", "cart", root)[0] == 0
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()


# ── started from odd places ──


def started(words: list[str], *, before: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, through a shell that does something before."""
    command = ["sh", "-c", f'{before} exec "$@"', "sh", sys.executable, "-m", "treemill", *words]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("words", [["index"], ["search", "cart"], ["why", "a.py"], ["config"], ["mcp"]], ids="_".join)
def test_a_current_folder_that_was_removed_is_told_in_one_line(tree: Tree, words: list[str]) -> None:
    done = _gone(tree, words)
    assert done.returncode == 2
    assert done.stderr == "treemill: the current folder has been removed. Change to one that is there\n"


def _gone(tree: Tree, words: list[str]) -> subprocess.CompletedProcess[str]:
    folder = tree({}) / "gone"
    folder.mkdir()
    return started(words, before="rmdir ../gone;", cwd=folder)


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_a_current_folder_that_was_removed_is_no_hindrance_where_another_one_is_named(tree: Tree) -> None:
    root = tree(FILES)
    assert _gone(tree, ["search", "charge_card", str(root), "-l"]).stdout.split()[0] == "shop/pay.py"


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nothing_to_fail_of(tree: Tree, closed: str) -> None:
    root = tree(FILES)
    done = started(["index", str(root)], before=f"exec {closed};")
    assert done.returncode == 0, done.stderr
    done = started(["search", "charge_card", str(root), "-l"], before=f"exec {closed};")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:1] == ([] if ">&- " in closed + " " and closed != "2>&-" else ["shop/pay.py"])
    assert started(["doctor", str(root)]).returncode == 0


def test_an_empty_name_is_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "index", "")
    assert (code, err) == (2, "treemill: the name of a folder is empty. Name a folder, or . for the current one\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no file here is always full")
@pytest.mark.parametrize("words", [("index", "--json"), ("search", "word", "--json"), ("status",)])
def test_output_that_cannot_be_written_is_one_line_and_no_traceback(tree: Tree, words: tuple[str, ...]) -> None:
    #  treemill … > /dev/full ─▶ exit code, and why
    root = tree({"a.py": "word = 1\n"})
    run_in(root, "index")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "treemill", *words], cwd=root, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == StorageError.exit_code
    assert done.stderr.splitlines()[-1].startswith("treemill: the output cannot be written: No space left on device.")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("--quiet",), ("--json",), ()])
def test_what_is_left_behind_by_an_index_is_whole_however_the_program_ends(tree: Tree, words: tuple[str, ...]) -> None:
    root = tree({f"f{number}.py": f"word{number} = 1\n" for number in range(70)})
    run_in(root, "index")
    (root / "new").mkdir()
    for number in range(70):
        (root / f"f{number}.py").rename(root / "new" / f"f{number}.py")
    done = run_in(root, "index", *words)
    assert not words or "--json" not in words or json.loads(done)["stats"]["files_processed"] == 70
    assert "new/f7.py" in run_in(root, "search", "word7")


def run_in(root: Path, *words: str) -> str:
    """Run a command in a folder, and return what it says."""
    command = [sys.executable, "-m", "treemill", *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
