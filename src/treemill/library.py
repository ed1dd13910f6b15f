"""The library's front door: `index`, `open` and `search` on a folder, with the index where the command line has it.

These put together what the verbs below take apart: which root, which settings, which store. Everything that needs
more control uses `treemill.indexing`, `treemill.searching` and a store directly.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, overload

from treemill.configuration import load_settings
from treemill.embedding.registry import provider_for
from treemill.errors import UsageError
from treemill.events import Listener, ignore
from treemill.freshness import IndexOptions, begin_walk
from treemill.indexing import index_tree
from treemill.places import Place, named, place_of, places_of, seated
from treemill.recipes import asking_provider
from treemill.records import Hit
from treemill.reports import IndexReport
from treemill.searching import Index
from treemill.searching.several import Indexes
from treemill.settings import Settings
from treemill.starting import begin_index, note_index
from treemill.storage import IndexStore
from treemill.storage.content_cache import ContentCache
from treemill.storage.opening import open_store


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

    Without a store, it is the folder's own (`.treemill/` in the root), and contents are shared with other folders
    through the user's content cache. Without settings, they are read as the command line does. `on_event` is called
    with each `treemill.events.Event`, from one thread, and cannot hold up the run; setting `cancel` ends the run
    within a second, keeping what is committed.

    Raises:
        UsageError: there is no such folder.
        SettingsError: a setting is wrong; the message names where it came from.
        IndexLocked: another process is indexing this folder.
        IndexMismatch: the index was built with another recipe.
        StorageError: the index cannot be written.
    """
    place = place_of(root)
    chosen = load_settings(place.root) if settings is None else settings
    with ExitStack() as stack:
        survey, walk, target = None, None, store
        if target is None:
            place = seated(place, chosen.storage)
            survey = begin_index(place, chosen)
            target = opened = open_store(place.root, place.folder, chosen.storage, create=True)
            stack.callback(opened.close)
            walk = None if survey is not None else stack.enter_context(begin_walk(place.root, opened, chosen))
            if survey is None:
                opened.foresee()
        cache = stack.enter_context(ContentCache(chosen.storage.cache_mb if store is None else 0))
        report = index_tree(
            place.root,
            target,
            chosen,
            provider=provider_for(chosen, target.recipe()),
            options=options,
            listener=on_event or ignore,
            cancel=cancel,
            survey=survey,
            walk=walk,
            cache=cache,
        )
        if store is None:
            note_index(place, chosen)
        return report


@overload
def open(root: str | os.PathLike[str], /) -> Index: ...
@overload
def open(root: str | os.PathLike[str], second: str | os.PathLike[str], /, *more: str | os.PathLike[str]) -> Indexes: ...
def open(root: str | os.PathLike[str], /, *more: str | os.PathLike[str]) -> Index | Indexes:
    """Open the index of a folder for questions: a handle that many threads may use.

    A folder below the indexed root answers for what lies below it. Several folders are asked as one; the hits name
    their root as it was given (for a folder below an indexed root: that root).

    Raises:
        UsageError: there is no such folder.
        IndexMissing: it has not been indexed.
        StorageError: the index is damaged, or not this user's.
    """
    return _open((root, *more))


def _open(roots: Sequence[str | os.PathLike[str]]) -> Index | Indexes:
    if len(roots) == 1:
        return _handle(place_of(roots[0]))
    if not roots:
        raise UsageError("no folder was given", suggestion="Name at least one")
    with ExitStack() as opened:
        handles = [(named(given, place), opened.enter_context(_handle(place))) for given, place in places_of(roots)]
        opened.pop_all()
    return Indexes(handles)


def _handle(place: Place) -> Index:
    settings = load_settings(place.root)
    place = seated(place, settings.storage)
    store = open_store(place.root, place.folder, settings.storage)
    return Index(store, asking_provider(settings, store), root=place.root, under=place.under)


def search(root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], query: str, **filters: Any) -> list[Hit]:
    """Answer one question from the index of a folder, or of several; `filters` are the other fields of `Query`.

    Raises:
        UsageError, IndexMissing, StorageError: as `open`.
    """
    roots = [root] if isinstance(root, (str, os.PathLike)) else root
    with _open(roots) as handle:
        return handle.search(query, **filters)
