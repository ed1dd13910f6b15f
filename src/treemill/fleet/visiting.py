"""What is done with one repository of a fleet: get its tree, see whether there is anything to do, index it.

    Order ─▶ tree (a folder, or fetched) ─▶ at the commit of before, and settled? ─▶ Visited, unchanged
                                             └── no ─▶ index_tree ─▶ Visited

It runs in a worker for small repositories, and in the run itself for large ones. Whatever is wrong with a repository is
in the value that comes back.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from treemill.checkouts import check_out, remote_commit
from treemill.configuration import load_settings
from treemill.embedding.registry import provider_for
from treemill.errors import TreemillError, UsageError
from treemill.fleet.listing import Repository
from treemill.git import git_facts
from treemill.indexing import index_tree
from treemill.objects import open_place
from treemill.places import Place
from treemill.publishing import publish_index, read_manifest
from treemill.recipes import governor_for, recipe_of
from treemill.records import Status
from treemill.settings import Settings
from treemill.settled import is_settled
from treemill.siblings import cache_folder
from treemill.storage import IndexStore
from treemill.storage.content_cache import ContentCache
from treemill.storage.location import locate
from treemill.storage.opening import open_store
from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """A repository to visit, and what the last visit found: its commit (None: nothing, or no git) and its files."""

    repository: Repository
    commit: str | None = None
    known: int = 0


@dataclass(frozen=True, slots=True)
class Visited:
    """What became of a repository. Fields as in `treemill.fleet.catalogue.Entry`.

    `unchanged` tells that there was nothing to do. `failures` are paths and messages of files that failed, the first
    few. Where `error` is not empty, nothing else counts.
    """

    name: str
    root: str = ""
    place: str = ""
    commit: str | None = None
    files: int = 0
    known: int = 0
    chunks: int = 0
    bytes: int = 0
    seconds: float = 0.0
    unchanged: bool = False
    cancelled: bool = False
    failed_files: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    error: str = ""


_MOST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Visit:
    """The work of a fleet's workers, and all it needs to know: see `treemill.flow.Work`.

    `flags` are dotted names and values that are said to the settings of every repository. `checkouts` is the folder of
    fetched trees, empty for one in the cache of whoever does the work. `publish` is the place below which each index is
    published under its name, empty for none. `here` are flags for workers alone.
    """

    flags: Mapping[str, Any]
    checkouts: str = ""
    publish: str = ""
    here: Mapping[str, Any] = field(default_factory=dict)

    def start(self) -> Callable[[Sequence[Order], Callable[[int], None]], list[Visited]]:
        """Make the function that visits repositories, each by itself, without other workers."""
        return self._visit_all

    def _visit_all(self, orders: Sequence[Order], mark: Callable[[int], None]) -> list[Visited]:
        visited: list[Visited] = []
        for number, order in enumerate(orders):
            mark(number)
            visited.append(visit(order, {**self.flags, **self.here}, self.checkouts, self.publish))
        return visited


def visit(
    order: Order,
    flags: Mapping[str, Any],
    checkouts: str,
    publish: str = "",
    *,
    cancel: threading.Event | None = None,
) -> Visited:
    """Bring the index of a repository up to date. Raises nothing that is the repository's fault."""
    began = time.perf_counter()
    try:
        visited = _visit(order, flags, checkouts, cancel, began)
        if publish and not visited.error and not visited.cancelled:
            _publish(visited, f"{publish.rstrip('/')}/{visited.name}", {**flags, **_called(flags, order.repository)})
        return visited
    except TreemillError as error:
        return Visited(order.repository.name, error=str(error), seconds=time.perf_counter() - began)
    except OSError as error:
        message = f"{error.strerror or error}: {error.filename or order.repository.name}"
        return Visited(order.repository.name, error=message, seconds=time.perf_counter() - began)


def _visit(
    order: Order,
    flags: Mapping[str, Any],
    checkouts: str,
    cancel: threading.Event | None,
    began: float,
) -> Visited:
    repository = order.repository
    root, commit, moved = _tree(order, checkouts)
    settings = load_settings(root, flags={**flags, **_called(flags, repository)})
    with open_store(root, locate(root), settings.storage, create=True) as store:
        place = store.described()
        if not moved and _is_fresh(order, store, settings):
            files, chunks, size = _held(store)
            took = time.perf_counter() - began
            known = order.known
            return Visited(repository.name, str(root), place, commit, files, known, chunks, size, took, unchanged=True)
        with ContentCache(settings.storage.cache_mb) as cache:
            report = index_tree(
                root,
                store,
                settings,
                provider=provider_for(settings, store.recipe()),
                cancel=cancel,
                cache=cache,
            )
        files, chunks, size = _held(store)
    stats = report.stats
    nothing = not (stats.submitted_files or report.removed)
    return Visited(
        repository.name,
        str(root),
        place,
        commit,
        files,
        report.coverage.known,
        chunks,
        size,
        time.perf_counter() - began,
        unchanged=nothing,
        cancelled=stats.cancelled,
        failed_files=report.coverage.failed,
        failures=tuple((each.path, each.message) for each in report.failures[:_MOST_FAILURES]),
        error="every file failed" if stats.failed_files and not files else "",
    )


def _publish(visited: Visited, url: str, flags: Mapping[str, Any]) -> None:
    """Publish an index, unless it has not changed and has been published."""
    if not visited.unchanged or read_manifest(open_place(url)) is None:
        root = Path(visited.root)
        publish_index(Place(root, ""), url, load_settings(root, flags=flags).storage)


def _tree(order: Order, checkouts: str) -> tuple[Path, str | None, bool]:
    """Return the working tree, its commit, and whether it may hold something else than at the last visit.

    Raises:
        UsageError: there is no such folder, or it cannot be fetched.
    """
    repository = order.repository
    if not repository.is_remote:
        root = Path(repository.source)
        if not root.is_dir():
            raise UsageError(f"there is no folder {root}", suggestion="Correct the list, or make the folder")
        facts = git_facts(root)
        return root.resolve(), None if facts is None else facts.commit, True
    folder = _checkout(repository, checkouts)
    if order.commit is not None and (folder / ".git").is_dir():
        commit = remote_commit(repository.source, repository.revision)
        here = git_facts(folder)
        if commit == order.commit and here is not None and here.commit == commit:
            return folder, commit, False
    return folder, check_out(repository.source, repository.revision, folder), True


def _checkout(repository: Repository, checkouts: str) -> Path:
    """Return where a fetched tree is: its source is in the name, so that none is taken for another's."""
    told = f"{repository.source}\0{repository.revision or ''}".encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(told, digest_size=4).hexdigest()
    folder = Path(checkouts) if checkouts else cache_folder() / "checkouts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve() / f"{repository.name}-{digest}"


def _called(flags: Mapping[str, Any], repository: Repository) -> Mapping[str, Any]:
    """Return what a repository is called in a database: as the fleet calls it, wherever its tree is."""
    return {"storage.repository": repository.name} if flags.get("storage.url") else {}


def _is_fresh(order: Order, store: IndexStore, settings: Settings) -> bool:
    provider = provider_for(settings, store.recipe())
    return is_settled(store, recipe_of(governor_for(settings, provider).recipe, provider), order.known)


def _held(store: IndexStore) -> tuple[int, int, int]:
    """Return how many files, chunks and bytes are searchable."""
    with store.snapshot() as snapshot:
        coverage = snapshot.coverage()
    size = sum(record.size for record in store.recorded() if record.status is Status.INDEXED)
    return coverage.searchable, coverage.chunks, size
