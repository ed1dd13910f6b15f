"""What the documentation shows is run: every page's examples, in order, as a reader would.

They run in a folder that holds Treemill's own source and, as something that tools made, `build/app.js`.

- The ```python blocks of a page are one story: they run as one script.
- In ```console blocks, the lines behind `$ ` are run by a shell and must end with 0, or with N where `# exit N` stands
  behind them. The lines between are what a reader sees; they are not compared. Commands that install are not run
  here: `.ci/run` does what they say, in fresh environments.
- Other blocks are not run: ```sh for what needs a network or changes the machine, ```text, ```toml.

A link to a file of this repository must lead somewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [page for page in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))] if page.exists()]
ALL_PAGES = [*PAGES, *(page for page in sorted(REPOSITORY.glob("*.md")) if page not in PAGES)]

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.M | re.S)
_EXIT = re.compile(r"\s+#\s*exit (\d+)\s*$")
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the line of the page that it starts on."""

    language: str
    text: str
    line: int


def blocks(text: str, language: str) -> list[Block]:
    """Return the blocks of one language, in order."""
    found = (Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in _BLOCK.finditer(text))
    return [block for block in found if block.language == language]


def commands(block: Block) -> list[tuple[str, int]]:
    """Return the commands of a console block, each with the exit code that it is to end with."""
    lines = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
    lines = [line for line in lines if not line.startswith(("pip ", "git clone "))]
    return [(_EXIT.sub("", line), int(match[1]) if (match := _EXIT.search(line)) else 0) for line in lines]


def script(text: str) -> str:
    """Return the Python blocks of a page as one script whose line numbers are the page's."""
    lines: list[str] = []
    for block in blocks(text, "python"):
        lines += [""] * (block.line - 1 - len(lines))
        lines += block.text.splitlines()
    return "\n".join(lines) + "\n"


def name(page: Path) -> str:
    """Return a page's path relative to the repository."""
    return page.relative_to(REPOSITORY).as_posix()


@pytest.fixture
def reader(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder like the repository's, and the environment of a reader without settings of their own."""
    root = tmp_path / "treemill"
    shutil.copytree(REPOSITORY / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (root / "build").mkdir()
    (root / "build" / "app.js").write_text("console.log('built')\n")
    home = tmp_path / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TREEMILL_", "XDG_"))}
    return root, {**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would, without a terminal."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("page", [page for page in PAGES if "```console" in page.read_text("utf-8")], ids=name)
def test_the_commands_of_a_page_do_what_it_says(page: Path, reader: tuple[Path, dict[str, str]]) -> None:
    root, environment = reader
    shell = f'treemill() {{ "{sys.executable}" -m treemill "$@"; }}\n'
    for block in blocks(page.read_text("utf-8"), "console"):
        for command, code in commands(block):
            done = run(["bash", "-c", shell + command], root, environment)
            assert done.returncode == code, f"{name(page)}:{block.line}: $ {command}\n{done.stdout}"


@pytest.mark.parametrize("page", [page for page in PAGES if "```python" in page.read_text("utf-8")], ids=name)
def test_the_python_of_a_page_runs(page: Path, reader: tuple[Path, dict[str, str]]) -> None:
    root, environment = reader
    path = root.parent / f"{page.stem}.py"
    path.write_text(script(page.read_text("utf-8")), "utf-8")
    done = run([sys.executable, str(path)], root, environment)
    assert done.returncode == 0, f"{name(page)}:\n{done.stdout}"


@pytest.mark.parametrize("page", ALL_PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert not broken


PAGE = """
```console
$ true
what it prints
$ pip install nothing
$ false  # exit 1
```

```python
x = 1
```
and then
```python
y = x / 0
```
"""


def test_examples_are_found_with_their_exit_codes_and_the_lines_of_the_page() -> None:
    (block,) = blocks(PAGE, "console")
    assert commands(block) == [("true", 0), ("false", 1)]
    lines = script(PAGE).splitlines()
    assert lines[PAGE.splitlines().index("y = x / 0")] == "y = x / 0"
