"""Giving memory back to the system when it is freed.

Batches and replies are large buffers that come and go. glibc raises its idea of what is large with each of them, so
that it keeps ever more for itself, in an arena a thread. With fixed ideas, an index of 100,000 files peaks an eighth
lower.
"""

from __future__ import annotations

import ctypes
import sys

_LARGE_BYTES = 1 << 18

ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(_LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_LARGE_BYTES),
}
"""Variables with which glibc starts a process that gives memory back; other C libraries do not know them."""

# The same options by number, as in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def give_back() -> None:
    """Have this process give memory back from now on, where its C library is glibc.

    It holds for all of the process: for programs of our own, not for hosts of the library.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    set_option(_ARENA_MAX, 1)
    set_option(_MMAP_THRESHOLD, _LARGE_BYTES)
    set_option(_TRIM_THRESHOLD, _LARGE_BYTES)
