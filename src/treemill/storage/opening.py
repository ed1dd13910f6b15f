"""Which store keeps the index of a root: the root's own, or the one that a URL names.

Each kind of store is a module that is loaded when it is used, so that a store that nobody asked for costs no import and
needs no package.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from treemill.errors import IndexLocked, SettingsError
from treemill.extras import module_of_extra
from treemill.settings import StorageSettings
from treemill.storage import IndexStore

STORES = {
    "": "treemill.storage.sqlite",
    "postgresql": "treemill.storage.postgres.door",
    "postgres": "treemill.storage.postgres.door",
}
"""The module of each kind of store, by the scheme of its URL; the first one needs no URL."""

# What knows the name of this machine compiles ten patterns before it says it.
_PLATFORM = "platform"

# The package that a kind of store comes from, and what installs it.
_EXTRAS = {"psycopg": "postgres"}


class WatchLease(AbstractContextManager["WatchLease"], Protocol):
    """The right to keep an index up to date by watching its tree."""


class RootStore(IndexStore, Protocol):
    """The store of one root, shared with other processes."""

    def __enter__(self) -> Self:
        """Return the store itself."""

    def locked(self) -> IndexLocked | None:
        """Return the error that `writer` would raise now, or None if nobody is writing; never waits."""

    def watcher(self) -> WatchLease:
        """Take the lease of whoever keeps this index up to date by watching its tree; never waits.

        Raises:
            IndexLocked: another process holds it.
        """

    def foresee(self) -> None:
        """Have what a look at the tree needs read already, where that can be done beside something else."""

    def described(self) -> str:
        """Return where the index is, as people may be told."""

    def held_bytes(self) -> int:
        """Return about how many bytes the index takes where it is."""

    def private_folder(self) -> Path | None:
        """Return the folder for small caches that belong to this very index, or None where there is none."""


class Replacing(Protocol):
    """A new index that grows beside the one that is there, and takes its place when `finish` is called."""

    @property
    def store(self) -> IndexStore:
        """The new index."""

    def finish(self) -> None:
        """Put the new index in the place of the old one, at once."""

    def __enter__(self) -> Self:
        """Return what this is."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the new index, unless it has been put in the old one's place."""


def open_store(root: Path, folder: Path, settings: StorageSettings, *, create: bool = False) -> RootStore:
    """Open the index of a root, in `folder` unless the settings name another place; see the stores for `create`.

    Raises:
        SettingsError: the URL is none, or of no kind that is known.
        UsageError: the packages for that kind are not installed.
        IndexMissing, IndexMismatch, StorageError: as the store says.
    """
    module = _module(settings.url)
    if not settings.url:
        store: RootStore = module.SqliteStore(folder, create=create)
    else:
        store = module.PostgresStore(settings.url, repository_name(root, settings), create=create)
    return store


def remove_index(root: Path, settings: StorageSettings) -> None:
    """Remove the index of a root from the place that a URL names.

    Raises:
        IndexMissing: there is none.
        IndexLocked: somebody is writing to it.
    """
    _module(settings.url).remove(settings.url, repository_name(root, settings))


def replacement(root: Path, settings: StorageSettings, *, wait_seconds: float) -> Callable[[], Replacing]:
    """Return what begins a new index beside the one in the place that a URL names.

    Raises:
        SettingsError, UsageError: as `open_store` does.
    """
    module = _module(settings.url)
    return lambda: module.Replacement(settings.url, repository_name(root, settings), wait_seconds=wait_seconds)


def indexed_root(path: Path, settings: StorageSettings) -> Path | None:
    """Return the nearest folder at or above a path that has an index in the place that a URL names, or None.

    Where the settings name the repository, only its name counts, and no folder is looked for.

    Raises:
        SettingsError, UsageError, StorageError: as `open_store` does.
    """
    if not settings.url or settings.repository:
        return None
    names = {repository_name(folder, settings): folder for folder in (path, *path.parents)}
    held = _module(settings.url).existing(settings.url, list(names))
    return next((folder for name, folder in names.items() if name in held), None)


def repository_name(root: Path, settings: StorageSettings) -> str:
    """Return what a root is called in a database: as the settings say, or by its machine and path."""
    name = settings.repository or f"{import_module(_PLATFORM).node()}:{root}"
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "")


def _module(url: str) -> Any:
    kind = url.partition(":")[0].lower() if url else ""
    if kind not in STORES or (url and not kind):
        raise SettingsError(
            "storage.url names no store that Treemill knows",
            suggestion="It looks like postgresql://user@host:5432/database; empty, the index is in the folder itself",
        )
    return module_of_extra(STORES[kind], f"a store on {kind} needs", _EXTRAS)
