"""Other processes for tests: Python programs that say when they are ready, and die when told."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src"


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which Treemill and the tests' support can be imported."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(TESTS)]), **more}


def folders_in(home: Path) -> dict[str, str]:
    """Return the variables that keep keys, caches and settings of a person in a folder."""
    (home / "config.toml").touch()
    return {
        "TREEMILL_STATE_DIR": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TREEMILL_CONFIG": str(home / "config.toml"),
    }


@contextlib.contextmanager
def program(code: str, *arguments: object, ready: str = "ready") -> Iterator[subprocess.Popen[str]]:
    """Run a program and wait until it prints a line that starts with `ready`; kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    try:
        if ready:
            line = process.stdout.readline()
            assert line.startswith(ready), f"the program said {line!r}"
        yield process
    finally:
        process.kill()
        with process:
            pass
