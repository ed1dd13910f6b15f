"""The one flow: files in, whole files committed, every file accounted for.

    files ─▶ queue ─▶ crew of workers ─▶ [vectors from a network] ─▶ writer ─▶ commit ─▶ tally

There is no barrier between the stages: while one file is being discovered, another is parsed, a third written. The
run's own thread pulls outcomes from the crew, puts files into the store and commits what is due; it alone writes and
counts. Cancelling is asking it to stop: it commits what is whole, ends the workers, and counts the rest as cancelled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from treemill.events import (
    Cancelled,
    Committed,
    Ended,
    Event,
    Finished,
    Heartbeat,
    Listener,
    Passed,
    Queued,
    Started,
    Worked,
)
from treemill.flow import Ahead, Crew, Done, Idle, Limits, Lost, weigh_batches
from treemill.preparing import Prepared
from treemill.processing.crews import failure_of
from treemill.processing.dispatch import Dispatcher
from treemill.processing.tally import Tally
from treemill.records import PreparedFile, RecordedFile, Status
from treemill.reports import ProcessingStats
from treemill.storage import Writer
from treemill.types import DiscoveredFile, Failure, Skipped, SkipReason

# Workers take about this much source at a time: fewer, larger hand-offs cost 5 % of the parse against 25 % for one
# file each. The first batches are small, so that the first files are searchable soon.
BATCH_BYTES = 200_000
FIRST_BATCH_BYTES = 25_000

# What a file costs a worker besides its bytes: opening it, a row, a result.
_FILE_WEIGHT = 600

# Put files wait for their commit in the store's transaction; more than this is committed before its time.
_MOST_UNCOMMITTED_BYTES = 32_000_000

# A cancelled run still learns how many files it was given, as far as that can be known quickly.
_QUEUE_GRACE_SECONDS = 0.2


class VectorStage(Protocol):
    """Where files wait for vectors from a provider that runs in threads."""

    def offer(self, files: Sequence[PreparedFile]) -> None:
        """Take files that need vectors."""

    def ready(self, *, wait: bool) -> Sequence[PreparedFile | Failure]:
        """Return files whose vectors are complete; with `wait`, block a tick for the next one."""

    def full(self) -> bool:
        """Whether enough is under way to keep the provider busy."""

    def pending(self) -> bool:
        """Whether any file is still under way."""


class Run:
    """One run of the engine over some files. `cancel` may be set by anyone, at any time."""

    def __init__(
        self,
        crew: Crew[DiscoveredFile, Prepared],
        writer: Writer,
        *,
        limits: Limits,
        commit_seconds: float,
        listener: Listener,
        cancel: threading.Event,
        known: Callable[[], int] | None = None,
        vectors: VectorStage | None = None,
    ) -> None:
        self.tally = Tally()
        self.cancel = cancel
        self._crew = crew
        self._known = known or self._found
        self._writer = writer
        self._limits = limits
        self._commit_seconds = commit_seconds
        self._vectors = vectors
        self._dispatcher = Dispatcher(listener, self._heartbeat)
        self._begun: dict[str, DiscoveredFile] = {}
        self._shapes: dict[str, tuple[int, str | None]] = {}
        self._uncommitted_bytes = 0
        self._last_commit = time.monotonic()
        self._ahead: Ahead[DiscoveredFile | Skipped] | None = None
        self._in_hand: tuple[tuple[int, str, float], ...] = ()

    def process(self, files: Iterable[DiscoveredFile | Skipped]) -> ProcessingStats:
        """Process the files and return the statistics; what could be committed is, however the run ends.

        A `Skipped` among the files is a file that was asked for and cannot be had: it counts as submitted.

        Raises:
            StorageError: the store failed; what was committed before stays.
            WorkersError: workers cannot be started.
        """
        with self._dispatcher, Ahead(files, self._queued) as ahead:
            self._ahead = ahead
            try:
                with closing(self._crew.map(self._batches(ahead))) as outcomes:
                    self._take(outcomes)
                    self._take_last_vectors()
                self._commit()
            finally:
                self._writer.rollback()
                self._count_the_rest(ahead)
            stats = self.tally.close(cancelled=self.cancel.is_set())
            self.post(
                Ended(
                    self.tally.elapsed,
                    stats.files_processed,
                    stats.failed_files,
                    stats.skipped_files,
                    stats.cancelled_files,
                    stats.duration,
                )
            )
        stats.dropped_events = self._dispatcher.dropped
        return stats

    def post(self, event: Event) -> None:
        """Tell the listener."""
        self._dispatcher.post(event)

    def _found(self) -> int:
        """How many files the queue has brought so far."""
        return 0 if self._ahead is None else self._ahead.found

    def _queued(self, file: DiscoveredFile | Skipped) -> None:
        self.post(Queued(self.tally.elapsed, file.name if isinstance(file, DiscoveredFile) else file.path))

    def _batches(self, files: Iterable[DiscoveredFile | Skipped | None]) -> Iterator[tuple[DiscoveredFile, ...]]:
        """Group the queue into batches for the workers, until it ends or the run is cancelled."""

        def wanted() -> Iterator[DiscoveredFile | None]:
            for file in files:
                if file is None:
                    yield None
                    continue
                self.tally.stats.submitted_files += 1
                if isinstance(file, Skipped):
                    self._pass(file)
                elif self.cancel.is_set():
                    self._cancelled(file.name)
                    return
                else:
                    self._begun[file.name] = file
                    yield file

        weighed = weigh_batches(wanted(), lambda f: f.size + _FILE_WEIGHT, BATCH_BYTES, first=FIRST_BATCH_BYTES)
        for batch in weighed:
            for file in batch:
                self.post(Started(self.tally.elapsed, file.name))
            yield batch

    def _take(self, outcomes: Iterator[Done[DiscoveredFile, Prepared] | Lost[DiscoveredFile] | Idle]) -> None:
        """Deal with what becomes of batches until there is no more, or the run is cancelled."""
        for outcome in outcomes:
            match outcome:
                case Done():
                    self._take_batch(outcome)
                case Lost():
                    self._fail(failure_of(outcome, outcome.item.name, self._limits))
                case Idle():
                    self._in_hand = tuple(
                        (worker, item.name, seconds)
                        for worker, item, seconds in outcome.in_hand
                        if isinstance(item, DiscoveredFile)
                    )
            self._take_vectors(wait=False)
            while self._vectors is not None and self._vectors.full() and not self.cancel.is_set():
                self._take_vectors(wait=True)
            if self.cancel.is_set():
                return
            self._commit_if_due()

    def _take_batch(self, done: Done[DiscoveredFile, Prepared]) -> None:
        prepared = done.value
        self.tally.spent(prepared.stages)
        whole: list[PreparedFile] = []
        for file, result, shape, seconds in zip(
            done.items, prepared.results, prepared.shapes, prepared.seconds, strict=True
        ):
            self.tally.slow(file.name, seconds)
            if isinstance(result, PreparedFile):
                self._shapes[result.path] = shape
                whole.append(result)
            elif isinstance(result, Skipped):
                self._pass(result, self._begun.get(file.name))
            else:
                self._fail(result)
        began = time.perf_counter()
        if self._vectors is None:
            self._put(whole)
        else:
            self._put([file for file in whole if file.content is None or file.content.vectors])
            self._vectors.offer([file for file in whole if file.content is not None and not file.content.vectors])
        self.tally.spent({"write": time.perf_counter() - began})
        size = sum(file.size for file in done.items)
        self.post(
            Worked(
                self.tally.elapsed,
                done.worker,
                done.started - self.tally.began,
                done.seconds,
                len(done.items),
                size,
                done.items[0].name,
            )
        )

    def _take_vectors(self, *, wait: bool) -> None:
        """Put the files whose vectors have come."""
        if self._vectors is None:
            return
        results = self._vectors.ready(wait=wait)
        self._put([result for result in results if isinstance(result, PreparedFile)])
        for result in results:
            if isinstance(result, Failure):
                self._fail(result)

    def _take_last_vectors(self) -> None:
        while self._vectors is not None and self._vectors.pending() and not self.cancel.is_set():
            self._take_vectors(wait=True)
            self._commit_if_due()

    def _put(self, files: Sequence[PreparedFile]) -> None:
        """Put whole files into the store's transaction; those it refuses fail alone."""
        if not files:
            return
        refused = {failure.path: failure for failure in self._writer.put(files)}
        taken = [file for file in files if file.path not in refused]
        self.tally.put((file, *self._shapes.pop(file.path, (0, None))) for file in taken)
        self._uncommitted_bytes += sum(file.size for file in taken)
        for failure in refused.values():
            self._fail(failure)

    def _commit_if_due(self) -> None:
        due = time.monotonic() - self._last_commit >= self._commit_seconds
        if self.tally.pending and (due or self._uncommitted_bytes > _MOST_UNCOMMITTED_BYTES):
            self._commit()

    def _commit(self) -> None:
        began = time.perf_counter()
        self._writer.set_known(self._known())
        generation = self._writer.commit()
        self.tally.spent({"commit": time.perf_counter() - began})
        self._last_commit = time.monotonic()
        self._uncommitted_bytes = 0
        entries = self.tally.committed()
        at = self.tally.elapsed
        for entry in entries:
            self._begun.pop(entry.path, None)
            self.post(Finished(at, entry.path, entry.chunks, entry.size, entry.language))
        if entries:
            self.post(Committed(at, len(entries), generation))

    def _pass(self, skip: Skipped, file: DiscoveredFile | None = None) -> None:
        self._begun.pop(skip.path, None)
        self.tally.skipped(skip)
        if skip.reason is SkipReason.VANISHED:
            self._writer.remove([skip.path])
        elif file is not None:
            self._mark(file, Status.SKIPPED, str(skip.reason), skip.detail)
        self.post(Passed(self.tally.elapsed, skip.path, str(skip.reason), skip.detail, failed=False))

    def _fail(self, failure: Failure) -> None:
        file = self._begun.pop(failure.path, None)
        self._shapes.pop(failure.path, None)
        self.tally.failed(failure)
        if file is not None:
            self._mark(file, Status.FAILED, failure.error_type, failure.message)
        self.post(Passed(self.tally.elapsed, failure.path, failure.error_type, failure.message, failed=True))

    def _mark(self, file: DiscoveredFile, status: Status, reason: str, detail: str) -> None:
        self._writer.mark(
            [RecordedFile(file.name, file.size, file.mtime_ns, b"", time.time_ns(), status, reason, detail)]
        )

    def _cancelled(self, path: str) -> None:
        self.tally.stats.cancelled_files += 1
        self.post(Cancelled(self.tally.elapsed, path))

    def _count_the_rest(self, ahead: Ahead[DiscoveredFile | Skipped]) -> None:
        """Count what was begun and not committed, and what was never begun, as cancelled."""
        ahead.stop(_QUEUE_GRACE_SECONDS)
        uncommitted = self.tally.rolled_back()
        for entry in uncommitted:
            self._begun.pop(entry.path, None)
            self.post(Cancelled(self.tally.elapsed, entry.path))
        for path in list(self._begun):
            self._cancelled(path)
        self._begun.clear()
        for file in ahead.rest():
            self.tally.stats.submitted_files += 1
            self._cancelled(file.name if isinstance(file, DiscoveredFile) else file.path)

    def _heartbeat(self) -> Event:
        """Say how it goes; called in the dispatcher's thread, reads only."""
        tally, ahead = self.tally, self._ahead
        elapsed = max(tally.elapsed, 1e-6)
        ended = tally.stats.ended_files + len(tally.pending)
        return Heartbeat(
            tally.elapsed,
            ended,
            self._found(),
            ahead is not None and ahead.ended,
            ended / elapsed,
            tally.bytes_seen / 1e6 / elapsed,
            tally.chunks_seen / elapsed,
            self._in_hand,
        )
