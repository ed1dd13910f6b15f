"""Giving memory back to the system when it is freed.

Batches and replies are large buffers that come and go. glibc raises its idea of what is large with each of them, so
that it keeps ever more for itself, in an arena a thread. With fixed ideas, an index of 100,000 files peaks an eighth
lower.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_LARGE_BYTES = 1 << 18

ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(_LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_LARGE_BYTES),
}
"""Variables with which glibc starts a process that gives memory back; other C libraries do not know them."""

# The same options by number, as in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def give_back_now() -> None:
    """Give back what is free by now, also between what is not: for when much has gone at once. Takes milliseconds."""
    library = _c_library()
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def give_back() -> None:
    """Have this process give memory back from now on, where its C library is glibc.

    It holds for all of the process: for programs of our own, not for hosts of the library.
    """
    library = _c_library()
    if library is not None and hasattr(library, "mallopt"):
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)


@cache
def _c_library() -> ctypes.CDLL | None:
    """Return the C library of this process, where it may be glibc."""
    try:
        return ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    except OSError:
        return None
