"""Showing a long text on a terminal, page by page, as git does.

The pager is `TREEMILL_PAGER`, else `PAGER`, else less; a name that is empty, or `cat`, is none. Whoever pipes the
output never meets it, and a text that fits on the screen is only printed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys

# less ends by itself where all fits, keeps colours, and leaves the text on the screen; as git has it.
_LESS = "FRX"

_NONE = ("", "cat")


def show(text: str) -> None:
    """Print a text to the terminal, through the pager where it is longer than the screen and there is a pager."""
    command = _pager() if _is_long(text) else []
    if command:
        try:
            pager = subprocess.Popen(
                command, stdin=subprocess.PIPE, env={"LESS": _LESS, **os.environ}, encoding="utf-8", errors="replace"
            )
        except OSError:
            command = []  # what cannot be started is no pager
        else:
            _feed(pager, text)
    if not command:
        sys.stdout.write(text)


def _pager() -> list[str]:
    """Return the words of the command that pages, none where there is none."""
    if os.environ.get("TERM") == "dumb":
        return []
    wanted = os.environ.get("TREEMILL_PAGER", os.environ.get("PAGER"))
    if wanted is None:
        wanted = "less" if shutil.which("less") else ""
    return [] if wanted.strip() in _NONE else shlex.split(wanted)


def _is_long(text: str) -> bool:
    """Whether a text takes more rows than the terminal has; one that does not tell its size has enough."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    wrapped = sum(len(line) // max(columns, 1) for line in text.split("\n"))
    return 0 < rows <= text.count("\n") + wrapped


def _feed(pager: subprocess.Popen[str], text: str) -> None:
    """Give a pager the text and wait until its reader has enough; Ctrl-C is the pager's meanwhile."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pager.communicate(text)
    finally:
        signal.signal(signal.SIGINT, before)
