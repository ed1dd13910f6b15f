"""What tells one state of an entry from another: stamps, asked of many entries of a tree at once."""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import NamedTuple

from treemill.native import compiled

_LOW_BITS = 2**63 - 1
_NATIVE = compiled("files")


class Entry(NamedTuple):
    """What the file system says of an entry itself, links not followed.

    Times of modification and of any change in ns, the latter 0 where it does not say; of inode and device the low 63
    bits.
    """

    mode: int
    size: int
    mtime_ns: int
    changed_ns: int
    inode: int
    device: int

    @property
    def stamp(self) -> tuple[int, int, int, int, int]:
        """What tells one state of the entry from another."""
        return self[1:]


def entry_of(said: os.stat_result) -> Entry:
    """Return what `os.stat` said as an entry."""
    changed_ns = said.st_ctime_ns if os.name == "posix" else 0  # as `treemill.types`, which a glance does not load
    inode, device = said.st_ino & _LOW_BITS, said.st_dev & _LOW_BITS
    return Entry(said.st_mode, said.st_size, said.st_mtime_ns, changed_ns, inode, device)


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
        numbers.extend(entry_of(os.lstat(prefix + path) if path else os.stat(root)).stamp)
    return numbers.tobytes()
