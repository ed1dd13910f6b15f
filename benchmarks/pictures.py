"""Makes the pictures of the documentation: the page as screenshots, the terminal as a recording and a still.

    python -m benchmarks.pictures [--root FOLDER]

Needs the extra `browser` and a Chromium. The recording is an asciicast (version 2) of real commands in a
pseudo-terminal, with the times at which they wrote; the still is its last screen. FOLDER is copied first, so that
nothing of the machine shows; by default it is this project's own source.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

PROJECT = Path(__file__).parent.parent
PICTURES = PROJECT / "docs" / "pictures"

COLUMNS, ROWS = 100, 30
COMMANDS = (
    "treemill index",
    'treemill search "how is a failed file reported" -k 2',
    "treemill search Host.ask -k 1",
    "treemill status",
)
_TYPING_SECONDS = 0.03
_PAUSE_SECONDS = 1.0
_SKIPPED = (
    ".git",
    ".venv",
    ".treemill",
    "corpora",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "pictures",
)
_CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=PROJECT)
    arguments = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "treemill"
        shutil.copytree(arguments.root, root, ignore=shutil.ignore_patterns(*_SKIPPED, "*.egg-info"))
        os.environ["TREEMILL_STATE_DIR"] = str(Path(place) / "state")
        record(root)
        photograph(root)


def record(root: Path) -> None:
    """Run the commands in a pseudo-terminal; write the recording and the still."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "Treemill: a first visit"}
    events: list[tuple[float, str]] = []
    now = 0.0
    for command in COMMANDS:
        for character in ["$ ", *command, "\r\n"]:
            events.append((now, character))
            now += _TYPING_SECONDS
        for at, text in _output_of(command, root):
            events.append((now + at, text))
        now = events[-1][0] + _PAUSE_SECONDS
    lines = [json.dumps(header), *(json.dumps([round(at, 3), "o", text]) for at, text in events)]
    (PICTURES / "first-visit.cast").write_text("\n".join(lines) + "\n")
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(_settled("".join(text for _, text in events))))
        console.save_svg(str(PICTURES / "terminal.svg"), title="treemill")


def _output_of(command: str, root: Path) -> list[tuple[float, str]]:
    """Return what a command writes to a terminal, and when, in seconds since it began."""
    words = re.findall(r'"([^"]*)"|(\S+)', command)
    arguments = [sys.executable, "-m", *(quoted or plain for quoted, plain in words)]
    parent, child = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    process = subprocess.Popen(arguments, cwd=root, stdin=child, stdout=child, stderr=child, env=environment)
    os.close(child)
    began, written = time.monotonic(), []
    while True:
        ready, _, _ = select.select([parent], [], [], 0.1)
        try:
            data = os.read(parent, 65_536) if ready else b""
        except OSError:
            break  # the other end is closed
        if data:
            # The copy lies in a temporary folder, which means nothing to a reader.
            shown = data.decode("utf-8", "replace").replace(str(root.parent), "~/src")
            written.append((time.monotonic() - began, shown))
        elif process.poll() is not None:
            break
    process.wait()
    os.close(parent)
    return written


def _settled(text: str) -> str:
    """Return what stays on the screen: a live display that was drawn over is left out."""
    kept = ""
    for part in re.split(r"(\x1b\[\d+F\x1b\[J)", text.replace("\r\n", "\n")):
        back = re.fullmatch(r"\x1b\[(\d+)F\x1b\[J", part)
        if back is None:
            kept += re.sub(r"\x1b\[(?:\?25[lh]|\d*[KJ])", "", part)
        else:
            kept = "".join(kept.splitlines(keepends=True)[: -int(back[1])])
    return kept


def photograph(root: Path) -> None:
    """Serve the page and take its screenshots in light and dark."""
    server = subprocess.Popen(
        [sys.executable, "-m", "treemill", "serve", "--port", "0", str(root)], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    address = server.stderr.readline().split()[-1]
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(_CHROMIUM))
            page = browser.new_page(viewport={"width": 1280, "height": 760})
            page.goto(address)
            page.locator("#coverage", has_text="files searchable").wait_for()
            page.get_by_label("Ask about the code").fill("how is a failed file reported")
            page.locator("#results li").first.get_by_role("button").click()
            page.locator("#lines li").first.wait_for()
            page.wait_for_timeout(500)
            page.evaluate("document.getElementById('root').textContent = '~/src/treemill'")
            page.screenshot(path=PICTURES / "page-search.png")
            page.emulate_media(color_scheme="dark")
            page.screenshot(path=PICTURES / "page-search-dark.png")
            page.emulate_media(color_scheme="light")
            for view in ("Map", "Indexing"):
                page.get_by_role("link", name=view, exact=True).click()
                page.wait_for_timeout(800)
                page.screenshot(path=PICTURES / f"page-{view.lower()}.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
