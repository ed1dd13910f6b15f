"""Is there space for an index? Asked before a run, and by doctor."""

from __future__ import annotations

import shutil
from pathlib import Path

from treemill.discovery import discover
from treemill.places import Place
from treemill.settings import Settings
from treemill.types import DiscoveredFile

LEAST_FREE_BYTES = 256 << 20
"""Below this, a disk is said to be short of space: a write-ahead log alone may take a quarter of it."""

# A cold index of a tree takes at most about this much of the bytes in it, its log included.
_INDEX_SHARE = 1.5

# The bytes of a tree are counted before a first run only where this little is free.
_AMPLE_FREE_BYTES = 8 << 30


def free_bytes(folder: Path) -> int:
    """Return how much this user can still write where a folder is, or is to be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def shortage(place: Place, settings: Settings, *, empty: bool) -> str | None:
    """Say in one sentence that the disk is too full for a run, or return None.

    A first run (`empty`) needs about as much as the tree has; its bytes are only counted where space may be short.
    """
    free = free_bytes(place.folder)
    needed = LEAST_FREE_BYTES // 4
    if empty and free < _AMPLE_FREE_BYTES:
        sizes = (each.size for each in discover(place.root, settings.discovery) if isinstance(each, DiscoveredFile))
        needed = max(needed, int(_INDEX_SHARE * sum(sizes)))
    if free >= needed:
        return None
    return (
        f"the disk of {place.folder} may be too full for the index: {free / 1e6:,.0f} MB are free, and about"
        f" {needed / 1e6:,.0f} MB are needed"
    )
