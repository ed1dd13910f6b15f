"""How much memory a process holds, where the platform tells cheaply."""

from __future__ import annotations

import mmap
from pathlib import Path


def resident_bytes(pid: int | str = "self") -> int:
    """Return the resident memory of a process, or 0 where the platform does not tell cheaply."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return 0
