"""What tells one state of an entry from another: stamps, asked of many entries of a tree at once."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

from treemill.native import compiled

_LOW_BITS = 2**63 - 1
_NATIVE = compiled("files")


def stamp_of(entry: os.stat_result) -> tuple[int, int, int, int, int]:
    """Return size, times of modification and of any change (ns, 0 where not told), inode and device of an entry.

    Of the latter two the low 63 bits.
    """
    changed = entry.st_ctime_ns if os.name == "posix" else 0
    return entry.st_size, entry.st_mtime_ns, changed, entry.st_ino & _LOW_BITS, entry.st_dev & _LOW_BITS


def stamps_below(root: Path, paths: bytes) -> bytes:
    """Return the stamps of paths below a root, int64[n × 5]; of links themselves, and of the root for an empty path.

    The paths stand between NULs, in UTF-8, where bytes that are none stand as they are.

    Raises:
        OSError: something is not there.
    """
    found: bytes | None = None
    if _NATIVE is not None:
        found = _NATIVE.stamps(os.fsencode(root), paths)
    return stamps_plainly(root, paths) if found is None else found


def stamps_plainly(root: Path, paths: bytes) -> bytes:
    """As `stamps_below`, one by one."""
    prefix = os.path.join(root, "")
    numbers = array("q")
    for path in paths.decode("utf-8", "surrogateescape").split("\0"):
        numbers.extend(stamp_of(os.lstat(prefix + path) if path else os.stat(root)))
    return numbers.tobytes()
