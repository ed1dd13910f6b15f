"""The library's front door: `index`, `open` and `search` on a folder, with the index where the command line has it.

These put together what the verbs below take apart: which root, which settings, which store. Everything that needs
more control uses `treemill.indexing`, `treemill.searching` and a store directly.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from treemill.configuration import load_settings
from treemill.events import Listener, ignore
from treemill.freshness import IndexOptions
from treemill.indexing import index_tree
from treemill.places import place_of
from treemill.records import Hit, Query
from treemill.reports import IndexReport
from treemill.searching import Index
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.storage.sqlite import SqliteStore


def index(
    root: str | os.PathLike[str],
    store: IndexStore | None = None,
    *,
    settings: Settings | None = None,
    on_event: Listener | None = None,
    options: IndexOptions | None = None,
    cancel: threading.Event | None = None,
) -> IndexReport:
    """Bring the index of a folder up to date, making it where there is none.

    Without a store, it is the folder's own (`.treemill/` in the root). Without settings, they are read as the command
    line does. `on_event` is called with each `treemill.events.Event`, from one thread, and cannot hold up the run;
    setting `cancel` ends the run within a second, keeping what is committed.

    Raises:
        UsageError: there is no such folder.
        SettingsError: a setting is wrong; the message names where it came from.
        IndexLocked: another process is indexing this folder.
        IndexMismatch: the index was built with another recipe.
        StorageError: the index cannot be written.
    """
    place = place_of(root)
    chosen = load_settings(place.root) if settings is None else settings
    target = SqliteStore(place.folder, create=True) if store is None else store
    try:
        return index_tree(place.root, target, chosen, options=options, listener=on_event or ignore, cancel=cancel)
    finally:
        if store is None:
            target.close()


def open(root: str | os.PathLike[str]) -> Index:
    """Open the index of a folder for questions: a handle that many threads may use.

    Raises:
        UsageError: there is no such folder.
        IndexMissing: it has not been indexed.
        StorageError: the index is damaged, or not this user's.
    """
    return Index(SqliteStore(place_of(root).folder))


def search(root: str | os.PathLike[str], query: str, **filters: Any) -> list[Hit]:
    """Answer one question from the index of a folder; `filters` are the other fields of `Query`.

    A folder below the indexed root answers for what lies below it.

    Raises:
        UsageError, IndexMissing, StorageError: as `open`.
    """
    place = place_of(root)
    options: Mapping[str, Any] = {"under": place.under, **filters}
    with Index(SqliteStore(place.folder)) as handle:
        return list(handle.ask(Query(query, **options)).hits)
