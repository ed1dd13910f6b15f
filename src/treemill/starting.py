"""Where an index begins: empty, or with the contents that a tree like this one has already come to.

A new worktree, a clone or a copy holds nearly the same contents as a tree that this user has indexed before: its first
run then reads and recognises files, and parses, writes and lays out only what is new.
"""

from __future__ import annotations

import contextlib
import os

from treemill.embedding.registry import provider_for
from treemill.errors import TreemillError
from treemill.places import Place
from treemill.recipes import governor_for, recipe_of
from treemill.settings import Settings
from treemill.siblings import indexes_alike, note_root
from treemill.storage.sqlite import SqliteStore
from treemill.storage.starting import start_from


def begin_index(place: Place, settings: Settings) -> None:
    """Make the index of a place from that of a tree like it, where it has none and there is such a tree.

    Nothing is raised for what cannot be had: an index can always begin empty.
    """
    if settings.storage.url or not settings.storage.cache_mb or os.path.lexists(place.folder):
        return
    for other in indexes_alike(place.root):
        with contextlib.suppress(TreemillError, OSError):
            with SqliteStore(other) as store:
                provider = provider_for(settings, store.recipe())
            if start_from(other, place.folder, recipe_of(governor_for(settings, provider).recipe, provider)):
                return


def note_index(place: Place, settings: Settings) -> None:
    """Note that a place has an index, for trees like it that come later."""
    if not settings.storage.url and settings.storage.cache_mb:
        note_root(place.root, place.folder)
