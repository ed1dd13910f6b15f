"""Small files that steer Treemill: settings, ignore rules, what git says. Loads next to nothing, as questions do."""

from __future__ import annotations

import os
import stat

# What steers Treemill is a few kilobytes when a person wrote it; packed-refs of git may be long.
SMALL_FILE_BYTES = 4_000_000

OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""How files are opened that may be anything: no FIFO or device is waited for."""


def read_small_file(path: str, *, follow: bool = False) -> bytes | None:
    """Return the bytes of a regular file of at most SMALL_FILE_BYTES, or None; never waits for it.

    For files that steer Treemill (settings, ignore rules). A link is followed only on request: where the file is the
    user's, not the tree's.
    """
    flags = OPEN_FLAGS if follow else OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return None
    try:
        entry = os.fstat(descriptor)
        if not stat.S_ISREG(entry.st_mode) or entry.st_size > SMALL_FILE_BYTES:
            return None
        return os.read(descriptor, SMALL_FILE_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
