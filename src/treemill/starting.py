"""Where an index begins: empty, or with the contents that a tree like this one has already come to.

A new worktree, a clone or a copy holds nearly the same contents as a tree that this user has indexed before: its first
run then reads and recognises files, and parses, writes and lays out only what is new.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from treemill.embedding.registry import provider_for
from treemill.errors import TreemillError
from treemill.flow.aside import Aside
from treemill.freshness import Survey, first_look
from treemill.places import Place
from treemill.recipes import governor_for, recipe_of
from treemill.settings import Settings
from treemill.siblings import indexes_alike, note_root
from treemill.storage.sqlite import SqliteStore
from treemill.storage.starting import start_from

# What indexes is loaded while another index is copied.
_INDEXING = "treemill.indexing"

# A walk that ends so soon is ended before the run begins: beside it, both take twice as long.
_WALK_SECONDS = 0.2


def begin_index(place: Place, settings: Settings) -> Survey | None:
    """Make the index of a place from that of a tree like it, where it has none and there is such a tree.

    The tree is walked while that one is copied: what has been found is returned, for the run that follows. Without such
    a tree nothing is done, and None returned. Nothing is raised for what cannot be had: an index can always begin
    empty.

    Raises:
        UsageError: there is no such folder.
        SettingsError: a pattern of `include` or `exclude` is none.
    """
    if settings.storage.url or not settings.storage.cache_mb or os.path.lexists(place.folder):
        return None
    others = indexes_alike(place.root)
    if not others:
        return None
    started = Aside(partial(_start_from_one_of, others, place, settings))
    try:
        import_module(_INDEXING)
        soon = time.monotonic() + _WALK_SECONDS
        survey = first_look(place.root, settings, lambda: started.under_way or time.monotonic() < soon)
    finally:
        generation = started()
    return survey(generation)


def _start_from_one_of(others: Sequence[Path], place: Place, settings: Settings) -> int:
    """Return the generation of the index that was made; 0 where none was, as for one that begins empty."""
    for other in others:
        with contextlib.suppress(TreemillError, OSError):
            with SqliteStore(other) as store:
                provider = provider_for(settings, store.recipe())
            generation = start_from(other, place.folder, recipe_of(governor_for(settings, provider).recipe, provider))
            if generation is not None:
                return generation
    return 0


def note_index(place: Place, settings: Settings) -> None:
    """Note that a place has an index, for trees like it that come later."""
    if not settings.storage.url and settings.storage.cache_mb:
        note_root(place.root, place.folder)
