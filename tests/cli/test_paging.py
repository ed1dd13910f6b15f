"""Pages, as a terminal of twenty rows meets them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Tree
from support.processes import environment

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals")
termios = pytest.importorskip("termios", reason="there are no pseudo-terminals")

FILES = {
    "shop/cart.py": "class Cart:\n" + "".join(f"    def add_item_{n}(self): ...\n" for n in range(40)),
    "one.py": "def alone(): ...\n",
}
# A pager that says what it was given: to a file, so that the terminal shows whether the text went there as well.
PAGER = "{python} -c \"import sys; open(sys.argv[1], 'w').write(sys.stdin.read())\" {file}"
ROWS, COLUMNS = 20, 80


def on_a_terminal(*words: str | Path, **variables: str) -> str:
    """Run a command whose standard output is a terminal, and return what the terminal was sent."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    command = [sys.executable, "-m", "treemill", *map(str, words)]
    variables = {"TERM": "xterm", "TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR": "inline", **variables}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environment(**variables)
    ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux says so where others say that the file ends
                break
            if not data:
                break
            shown += data
    os.close(ours)
    return shown.decode()


def test_a_long_answer_goes_to_the_pager_and_a_short_one_to_the_screen(tree: Tree, tmp_path: Path) -> None:
    root = tree(FILES)
    paged = tmp_path / "paged.txt"
    pager = PAGER.format(python=sys.executable, file=paged)
    shown = on_a_terminal("search", "add item", root, "--context", "40", TREEMILL_PAGER=pager)
    assert "shop/cart.py" in paged.read_text()
    assert "shop/cart.py" not in shown
    paged.unlink()
    assert "one.py" in on_a_terminal("search", "alone", root, "-k", "1", TREEMILL_PAGER=pager)
    assert not paged.exists()


@pytest.mark.parametrize(
    "variables", [{"TREEMILL_PAGER": "cat"}, {"PAGER": ""}, {"TREEMILL_PAGER": "no-such-pager"}, {"TERM": "dumb"}]
)
def test_without_a_pager_a_long_answer_is_printed(tree: Tree, variables: dict[str, str]) -> None:
    shown = on_a_terminal("search", "add item", tree(FILES), "--context", "40", **variables)
    assert "shop/cart.py" in shown


def test_what_is_piped_meets_no_pager(tree: Tree, tmp_path: Path) -> None:
    paged = tmp_path / "paged.txt"
    done = subprocess.run(
        [sys.executable, "-m", "treemill", "search", "add item", tree(FILES), "--context", "40"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment(TREEMILL_PAGER=PAGER.format(python=sys.executable, file=paged)),
    )
    assert "shop/cart.py" in done.stdout
    assert not paged.exists()
