"""What is said of another process that writes the index: how far it is, and since when it has not come further."""

from __future__ import annotations

import time

from treemill.errors import IndexLocked, IndexMissing
from treemill.storage import IndexStore

# A writer commits twice a second; one that has not for so long is named as one that makes no progress.
_SILENT_SECONDS = 5.0


def with_progress(locked: IndexLocked, store: IndexStore) -> IndexLocked:
    """Return the error with how far the other writer is, and since when it has not come further."""
    try:
        with store.snapshot() as snapshot:
            coverage = snapshot.coverage()
    except IndexMissing:
        return IndexLocked(f"{locked.message}; nothing is searchable yet", pid=locked.pid, suggestion=locked.suggestion)
    silent = time.time() - coverage.refreshed_ns / 1e9
    text = f"{locked.message}; {coverage} are searchable so far"
    if silent > _SILENT_SECONDS:
        text += f", and it has made no progress for {silent:.0f} s"
    return IndexLocked(text, pid=locked.pid, suggestion=locked.suggestion)
