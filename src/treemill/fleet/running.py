"""A run over a fleet: the list, the catalogue, the plan, and visits until every repository has an outcome."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from treemill.checkouts import without_secrets
from treemill.fleet.catalogue import Catalogue, Entry, State
from treemill.fleet.listing import Repository
from treemill.fleet.planning import Plan, plan_by_bytes
from treemill.fleet.visiting import Order, Visit, Visited, visit
from treemill.flow import Crew, Done, Limits, Lost
from treemill.flow.outcomes import Outcome
from treemill.processing.crews import make_crew, reached
from treemill.settings import Settings
from treemill.values import dataclass

OnBegun = Callable[[str], object]
"""Told the name of a repository that is begun."""

OnVisited = Callable[[Visited, int, int], object]
"""Told of each repository that has an outcome: what became of it, how many have one now, of how many."""

# A worker that visits a repository does all of it by itself.
_ALONE = {"chunker.concurrency.executor": "inline", "chunker.concurrency.max_parallel_files": 1}


@dataclass(slots=True)
class FleetReport:
    """What a run came to: the catalogue afterwards, and the outcomes of this run, in the order in which they came.

    `forgotten` counts repositories that are no longer listed; `seconds` is the wall time.
    """

    folder: Path
    entries: tuple[Entry, ...] = ()
    visited: list[Visited] = field(default_factory=list)
    forgotten: int = 0
    cancelled: bool = False
    seconds: float = 0.0

    def count(self, state: State) -> int:
        """Return how many repositories are in a state."""
        return sum(entry.state is state for entry in self.entries)


def run_fleet(
    repositories: Sequence[Repository],
    folder: Path,
    settings: Settings,
    flags: Mapping[str, Any],
    *,
    publish: str = "",
    on_begun: OnBegun = lambda name: None,
    on_visited: OnVisited = lambda visited, done, total: None,
    cancel: threading.Event | None = None,
) -> FleetReport:
    """Bring the index of every repository up to date, and keep in `folder` what became of each.

    `settings` say who works and where indexes are kept; `flags` are said to the settings of each repository. `publish`
    is the place below which each index is published when it has changed, empty for none. Setting `cancel` ends the run
    within a second; what was committed is kept, and the next run goes on.

    Raises:
        IndexLocked: another run of this fleet is going on.
        StorageError: the catalogue cannot be written.
        UsageError, WorkersError: workers cannot be had; nothing was begun.
    """
    began = time.perf_counter()
    cancel = cancel or threading.Event()
    with Catalogue(folder, write=True) as catalogue, reached(settings.chunker):
        report = FleetReport(folder)
        report.forgotten = catalogue.begin(Entry(each.name, without_secrets(each.source)) for each in repositories)
        run = _Run(repositories, folder, settings, flags, catalogue, report, publish, on_begun, on_visited, cancel)
        run.carry_out()
        catalogue.interrupt()
        listed = catalogue.entries()
        report.entries = tuple(listed[each.name] for each in repositories)
    report.cancelled = cancel.is_set()
    report.seconds = time.perf_counter() - began
    return report


class _Run:
    """One run: who has an outcome, and what is put down of it."""

    def __init__(
        self,
        repositories: Sequence[Repository],
        folder: Path,
        settings: Settings,
        flags: Mapping[str, Any],
        catalogue: Catalogue,
        report: FleetReport,
        publish: str,
        on_begun: OnBegun,
        on_visited: OnVisited,
        cancel: threading.Event,
    ) -> None:
        self._settings = settings
        self._flags = flags
        self._catalogue = catalogue
        self._report = report
        self._publish = publish
        self._on_visited = on_visited
        self._on_begun = on_begun
        self._cancel = cancel
        self._entries = catalogue.entries()
        self._total = len(repositories)
        self._on_nodes = settings.chunker.concurrency.executor == "ray" and bool(settings.storage.url)
        self._checkouts = "" if self._on_nodes else str(folder / "checkouts")
        self._repositories = repositories

    def carry_out(self) -> None:
        """Visit all repositories as planned; those whose worker died once more, with all workers."""
        plan = self._plan()
        died: list[Order] = []
        with make_crew(self._settings.chunker, self._work(), limits=Limits()) as crew:
            for outcome in self._outcomes(crew, plan.apart):
                match outcome:
                    case Done():
                        self._take(outcome.value[0])
                    case Lost():
                        died.append(outcome.item)
                if self._cancel.is_set():
                    return
        for order in (*plan.together, *died):
            if self._cancel.is_set():
                return
            self._begun(order)
            self._take(visit(order, self._flags, self._checkouts, self._publish, cancel=self._cancel))

    def _plan(self) -> Plan:
        orders = [self._order(repository) for repository in self._repositories]
        concurrency = self._settings.chunker.concurrency
        workers = min(concurrency.max_parallel_files, os.cpu_count() or 1)
        sizes = {order.repository.name: self._size(order) for order in orders}
        remote = concurrency.executor == "ray"
        if not self._on_nodes:
            return plan_by_bytes(orders, sizes, workers, all_together=remote)
        # A node fetches and indexes what a URL names; what lies here is read here, or by all nodes.
        here = plan_by_bytes([each for each in orders if not each.repository.is_remote], sizes, 1, all_together=True)
        there = plan_by_bytes([each for each in orders if each.repository.is_remote], sizes, 1)
        return Plan(here.together, there.apart)

    def _order(self, repository: Repository) -> Order:
        entry = self._entries[repository.name]
        complete = entry.state is State.COMPLETE
        return Order(repository, entry.commit if complete else None, entry.known)

    def _size(self, order: Order) -> int:
        """Return about how many bytes a repository has: as the last visit found, or as its files are."""
        entry = self._entries[order.repository.name]
        if entry.bytes or order.repository.is_remote:
            return entry.bytes
        return _tree_bytes(order.repository.source)

    def _work(self) -> Visit:
        return Visit(self._flags, self._checkouts, self._publish, _ALONE)

    def _outcomes(
        self, crew: Crew[Order, list[Visited]], orders: Sequence[Order]
    ) -> Iterator[Outcome[Order, list[Visited]]]:
        def batches() -> Iterator[tuple[Order, ...]]:
            for order in orders:
                if self._cancel.is_set():
                    return
                self._begun(order)
                yield (order,)

        with closing(crew.map(batches())) as outcomes:
            yield from outcomes

    def _begun(self, order: Order) -> None:
        entry = replace(self._entries[order.repository.name], state=State.INDEXING)
        self._catalogue.put(entry)
        self._on_begun(entry.name)

    def _take(self, visited: Visited) -> None:
        before = self._entries[visited.name]
        if visited.error:
            entry = replace(before, state=State.FAILED, error=visited.error, seconds=visited.seconds)
        else:
            entry = Entry(
                visited.name,
                before.source,
                State.INTERRUPTED if visited.cancelled else State.COMPLETE,
                visited.root,
                visited.place,
                visited.commit,
                visited.files,
                visited.known,
                visited.chunks,
                visited.bytes,
                visited.seconds,
            )
        self._entries[visited.name] = entry
        self._catalogue.put(entry)
        self._report.visited.append(visited)
        self._on_visited(visited, len(self._report.visited), self._total)


def _tree_bytes(root: str) -> int:
    """Return how many bytes the files below a folder have, hidden ones apart; 0 where there is none."""
    total, folders = 0, [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
