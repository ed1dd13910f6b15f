"""Has a run over a tree anything to do? The shortest way to know that comes before every answer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from treemill.glance import Standing, glance
from treemill.records import Recipe, RunState
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.storage.opening import RootStore

if TYPE_CHECKING:
    from treemill.freshness import Survey

# What walks a tree is loaded where a glance does not settle it.
_WALKING = "treemill.sight"


def look_unless_settled(
    root: Path,
    store: RootStore,
    settings: Settings,
    recipe: Recipe,
    standing: Callable[[], Standing | None] | None = None,
) -> Survey | None:
    """Return None where a run over a tree would have nothing to do, else a look at it; keep what shows the former.

    `standing` gives what `treemill.glance.standing` does, for those who began with that before.

    Raises:
        UsageError, StorageError: as `treemill.freshness.look`.
    """
    folder = store.private_folder()
    if folder is not None:
        known = glance(root, settings.discovery, folder, store.generation(), standing() if standing else None)
        if known is not None and rests(store, recipe, known):
            return None
    survey: Survey | None = import_module(_WALKING).look_and_keep(root, store, settings, recipe, folder)
    return survey


def rests(store: RootStore, recipe: Recipe, known: int) -> bool:
    """Whether nothing is to do where a look finds nothing; what readers could not use, a run lays out once for all."""
    return is_settled(store, recipe, known) and store.is_laid_out()


def is_settled(store: IndexStore, recipe: Recipe, known: int) -> bool:
    """Whether the last run over the tree ended, under the same recipe, with as many files as there are now."""
    run = store.last_run()
    return run is not None and run.state is RunState.COMPLETE and run.known == known and store.recipe() == recipe
