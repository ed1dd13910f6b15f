"""Starting worker processes, and starting them early.

A child is a fresh interpreter with pipes, a few bytes of shared memory in which it shows what it has in hand, and a
file that takes what it says on standard error. Its start-up is mostly imports; a program that knows that it will need
workers can have children start, and import, while it is still importing itself (`warm`).
"""

from __future__ import annotations

import atexit
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from treemill.flow import wire
from treemill.flow.freeing import ENVIRONMENT
from treemill.values import dataclass

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from treemill.flow.child import main; main()"

# One megabyte holds any reply; a smaller pipe would wake the parent several times for each.
_PIPE_BYTES = 1 << 20

# Workers share the processors already: a thread pool of its own in each, spun up on import, only burns time.
_ONE_THREAD_EACH = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

# A Ctrl-C at the terminal is the parent's to handle: it must not reach the children.
_OWN_GROUP: dict[str, Any]
if sys.platform == "win32":
    _OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _OWN_GROUP = {"start_new_session": True}


@dataclass(frozen=True, slots=True)
class Child:
    """A started interpreter that waits to be told its work.

    `requests` and `replies` are the pipes, `cell` what it shows (`wire.MARKS`), `said` its standard error.
    """

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    replies: IO[bytes]
    cell: mmap.mmap
    cell_file: Path
    said: IO[bytes]

    def end(self) -> int:
        """Kill the child and close its pipes; return its exit status. `said` and `cell` stay readable."""
        self.process.kill()
        status = self.process.wait()
        for pipe in (self.requests, self.replies):
            _quietly(pipe.close)
        # The child removes the file when it has mapped it, where the platform lets it; else it is removed here.
        _quietly(lambda: self.cell_file.unlink(missing_ok=True))
        return status


_spares: list[Child] = []
_lock = threading.Lock()


def warm(count: int, module: str) -> None:
    """Have that many children import a module and wait, starting those that are missing; the next crews take them.

    Those that nobody has taken end with this process, or when they are dismissed.
    """
    if not _spares:
        atexit.register(dismiss)
    for _ in range(count - len(_spares)):
        child = launch(module)
        with _lock:
            _spares.append(child)


def dismiss() -> None:
    """End the children that were started early and that nobody has taken."""
    with _lock:
        while _spares:
            child = _spares.pop()
            child.end()
            child.said.close()


def taken_or_launched() -> Child:
    """Return a child that was started early, else start one.

    Raises:
        OSError: no process can be started.
    """
    with _lock:
        if _spares:
            return _spares.pop()
    return launch()


def launch(module: str = "") -> Child:
    """Start a child, which imports `module` before it asks for work.

    Raises:
        OSError: no process can be started.
    """
    handle, name = tempfile.mkstemp(prefix="treemill-")
    said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
    try:
        os.write(handle, wire.MARKS.pack(0.0, 0, -1, -1))
        cell = mmap.mmap(handle, wire.MARKS.size)
        path = [os.getcwd() if entry == "" else entry for entry in sys.path]
        # -P keeps the current folder, which may be anybody's tree, from shadowing modules.
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, name, _json_list(path), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            pipesize=_PIPE_BYTES,
            env={**_ONE_THREAD_EACH, **ENVIRONMENT, **os.environ},
            **_OWN_GROUP,
        )
    except BaseException:
        said.close()
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    assert process.stdin is not None
    assert process.stdout is not None
    return Child(process, process.stdin, process.stdout, cell, Path(name), said)


def _json_list(entries: list[str]) -> str:
    """Return a JSON list that survives names which are not UTF-8."""
    return "[" + ", ".join('"' + "".join(_json_character(c) for c in entry) + '"' for entry in entries) + "]"


def _json_character(character: str) -> str:
    plain = character.isascii() and character.isprintable() and character not in '"\\'
    return character if plain else f"\\u{ord(character):04x}"


def _quietly(action: Callable[[], object]) -> None:
    """Do what may fail because the other end is gone or still there, and does not matter any more."""
    try:
        action()
    except OSError:
        pass
