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
from contextlib import closing, contextmanager
from typing import Generic, TypeVar

from treemill.events import Event, Heartbeat, Listener, ignore
from treemill.flow import Ahead, Crew, Done, Idle, Limits, Lost, weigh_batches
from treemill.processing.crews import failure_of
from treemill.processing.herald import Herald
from treemill.processing.pace import Pace
from treemill.processing.portions import BATCH_BYTES, FIRST_BATCH_BYTES, Portions
from treemill.processing.seams import Intake, VectorStage
from treemill.processing.tally import Tally, entry_of
from treemill.records import PreparedFile, RecordedFile, Status
from treemill.reports import ProcessingStats
from treemill.storage import Writer
from treemill.types import DiscoveredFile, Failure, Skipped, SkipReason
from treemill.work import Prepared

Q = TypeVar("Q")

# So many batches a worker stand ready: what it does in the time of the longest commit, which lays out a segment.
_WAITING_BATCHES = 3

# A cancelled run still learns how many files it was given, as far as that can be known quickly.
_QUEUE_GRACE_SECONDS = 0.2


class Run(Generic[Q]):
    """One run of the engine over some files. `cancel` may be set by anyone, at any time.

    `listener` is told what happens by the dispatcher's thread; `observer` at once, by the thread in which it happens,
    and must neither block nor raise. Without `at_once`, the first file may wait a tenth of a second for its commit.
    """

    def __init__(
        self,
        intake: Intake[Q],
        *,
        limits: Limits,
        commit_seconds: float,
        listener: Listener,
        cancel: threading.Event,
        known: Callable[[], int] | None = None,
        vectors: VectorStage | None = None,
        observer: Listener = ignore,
        at_once: bool = True,
    ) -> None:
        self.tally = Tally()
        self.cancel = cancel
        self._intake = intake
        self._known = known or self.found
        self._limits = limits
        self._vectors = vectors
        self._herald = Herald(self.tally, listener, observer, self._heartbeat)
        self._pace = Pace(commit_seconds, at_once=at_once)
        self._portions = Portions()
        self._begun: dict[str, DiscoveredFile] = {}
        self._marks: list[RecordedFile] = []
        self._shapes: dict[str, tuple[int, str | None]] = {}
        self._ahead: Ahead[Q] | None = None
        self._writer: Writer
        self._crew: Crew[DiscoveredFile, Prepared] | None = None
        self._ended = False

    @contextmanager
    def queue(self, files: Iterable[Sequence[Q]], *, compact: bool = False) -> Iterator[None]:
        """Take in files, some at a time, and tell of them while entered: the first is told of before there is a worker.

        `work` belongs inside, and whatever shall be over when the listener is told that the run is. With `compact`,
        files can be pickled, and those that wait long take less memory.
        """
        queued = self._queued if self._herald.tells_of_files else None
        with self._herald, Ahead(files, queued, compact=compact) as ahead:
            self._ahead = ahead
            self._herald.wait_for_first()
            try:
                yield
            finally:
                self._count_the_rest()
                self.tally.close(cancelled=self.cancel.is_set())
                self._herald.ended()

    def work(
        self,
        crew: Crew[DiscoveredFile, Prepared],
        writer: Writer,
        before_last_commit: Callable[[], object] = lambda: None,
    ) -> ProcessingStats:
        """Process what is queued and return the statistics; what could be committed is, however the run ends.

        A `Skipped` among the files is a file that was asked for and cannot be had: it counts as submitted. What is
        written `before_last_commit` is committed with the last files; that is not called in a run that is cancelled.

        Raises:
            StorageError: the store failed; what was committed before stays.
            WorkersError: workers cannot be started.
        """
        assert self._ahead is not None, "work belongs inside queue"
        self._writer, self._crew = writer, crew
        try:
            with closing(crew.map(self._batches(self._ahead), waiting=_WAITING_BATCHES)) as outcomes:
                self._take(outcomes)
                self._take_last_vectors()
            if not self.cancel.is_set():
                before_last_commit()
            self._commit()
        finally:
            try:
                writer.rollback()
            finally:
                self._count_the_rest()
        return self.tally.close(cancelled=self.cancel.is_set())

    def post(self, event: Event) -> None:
        """Tell the observer and the listener of something else that happens meanwhile."""
        self._herald.post(event)

    def found(self) -> int:
        """How many files the queue has brought so far."""
        return 0 if self._ahead is None else self._ahead.found

    def _queued(self, item: Q) -> None:
        self._herald.queued(self._intake.name(item))

    def _batches(self, items: Iterable[Sequence[Q]]) -> Iterator[tuple[DiscoveredFile, ...]]:
        """Group the queue into batches for the workers, until it ends or the run is cancelled."""
        portions = weigh_batches(
            self._wanted(items), self._portions.weigh, BATCH_BYTES, first=FIRST_BATCH_BYTES, share=self._fair_share
        )
        for batch in portions:
            self._herald.started(batch)
            yield batch

    def _wanted(self, items: Iterable[Sequence[Q]]) -> Iterator[list[DiscoveredFile]]:
        """Yield the files to work on, by some at a time, and none where the next one takes a while."""
        for some in items:
            files = self._described(some)
            if files or not some:
                yield files
            if some and self.cancel.is_set():
                return

    def _described(self, items: Sequence[Q]) -> list[DiscoveredFile]:
        """Take items in, and return those that are files to work on; the others have ended with that."""
        self.tally.stats.submitted_files += len(items)
        cancelled, describe, begun = self.cancel.is_set, self._intake.describe, self._begun
        files = []
        for item in items:
            file = None if cancelled() else describe(item)
            if isinstance(file, DiscoveredFile):
                begun[file.name] = file
                files.append(file)
            elif file is not None:
                self._pass(file)
            else:
                self._cancelled(self._intake.name(item))
        return files

    def _fair_share(self, weighed: int) -> int:
        """Return how much a batch may weigh: a part of what is left, once it is known how many files there are.

        So many of the files that are taken in are weighed and left, too.
        """
        ahead, crew, taken = self._ahead, self._crew, self.tally.stats.submitted_files
        if ahead is None or crew is None or not ahead.ended:
            return BATCH_BYTES
        return self._portions.fair_share(taken, ahead.found - taken + weighed, crew.count)

    def _take(self, outcomes: Iterator[Done[DiscoveredFile, Prepared] | Lost[DiscoveredFile] | Idle]) -> None:
        """Deal with what becomes of batches until there is no more, or the run is cancelled."""
        for outcome in outcomes:
            match outcome:
                case Done():
                    self._take_batch(outcome)
                case Lost():
                    self._fail(failure_of(outcome, outcome.item.name, self._limits))
            self._take_vectors(wait=False)
            self._commit_what_is_due()
            while self._vectors is not None and self._vectors.full() and not self.cancel.is_set():
                self._take_vectors(wait=True)
                self._commit_what_is_due()
            if self.cancel.is_set():
                return

    def _commit_what_is_due(self) -> None:
        if not self.tally.pending:
            return
        if self._pace.too_much_waits() or (self._pace.time_is_up() and self._more_comes()):
            self._commit()

    def _more_comes(self) -> bool:
        """Whether other files may follow those that are put: the last ones are committed with the end of the run."""
        ahead, stats = self._ahead, self.tally.stats
        queued = ahead is None or not ahead.ended or ahead.found > stats.submitted_files
        return queued or stats.submitted_files > stats.ended_files + len(self.tally.pending)

    def _take_batch(self, done: Done[DiscoveredFile, Prepared]) -> None:
        prepared = done.value
        self.tally.spent(prepared.stages)
        if self._crew is None or done.worker < self._crew.count:  # what is known was no worker's
            self.tally.worked(done.worker, done.seconds)
        self.tally.took(done.items, prepared.seconds)
        whole: list[PreparedFile] = []
        for file, result, shape in zip(done.items, prepared.results, prepared.shapes, strict=True):
            if isinstance(result, PreparedFile):
                if result.content is not None:
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
        self._herald.worked(done)

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
            self._commit_what_is_due()

    def _put(self, files: Sequence[PreparedFile]) -> None:
        """Put whole files into the store's transaction; those it refuses fail alone."""
        self._write_marks()
        if not files:
            return
        refused = {failure.path: failure for failure in self._writer.put(files)}
        taken = [file for file in files if file.path not in refused] if refused else files
        shape_of = self._shapes.pop
        self.tally.put([entry_of((file.path, file.size, *shape_of(file.path, (0, None)))) for file in taken])
        self._pace.put(sum([file.size for file in taken]))
        for failure in refused.values():
            self._fail(failure)

    def _commit(self) -> None:
        began = time.perf_counter()
        self._write_marks()
        self._writer.set_known(self._known())
        generation = self._writer.commit()
        self.tally.spent({"commit": time.perf_counter() - began})
        self._pace.committed()
        entries = self.tally.committed()
        for entry in entries:
            self._begun.pop(entry.path, None)
        self._herald.committed(entries, generation)

    def _pass(self, skip: Skipped, file: DiscoveredFile | None = None) -> None:
        if file is not None:
            self._begun.pop(file.name, None)
        self.tally.skipped(skip)
        if skip.reason is SkipReason.VANISHED:
            self._write_marks()
            self._writer.remove([skip.path])
        elif file is not None:
            self._mark(file, Status.SKIPPED, str(skip.reason), skip.detail)
        self._herald.passed(skip)

    def _fail(self, failure: Failure) -> None:
        file = self._begun.pop(failure.path, None)
        self._shapes.pop(failure.path, None)
        self.tally.failed(failure)
        if file is not None:
            self._mark(file, Status.FAILED, failure.error_type, failure.message)
        self._herald.passed(failure)

    def _mark(self, file: DiscoveredFile, status: Status, reason: str, detail: str) -> None:
        """Note a file that is none of the index's, for the next statement: one a batch costs what one a file does."""
        # One moment for all of a statement, so that their rows are alike; an earlier one only has a stamp trusted less.
        now = self._marks[0].seen_ns if self._marks else time.time_ns()
        self._marks.append(
            RecordedFile(file.name, file.size, file.mtime_ns, b"", now, status, reason, detail, file.changed_ns)
        )

    def _write_marks(self) -> None:
        if self._marks:
            marks, self._marks = self._marks, []
            self._writer.mark(marks)

    def _cancelled(self, path: str) -> None:
        self.tally.stats.cancelled_files += 1
        self._herald.cancelled(path)

    def _count_the_rest(self) -> None:
        """Count what was begun and not committed, and what was never begun, as cancelled. Doing it twice is fine."""
        if self._ended or self._ahead is None:
            return
        self._ended = True
        self._ahead.stop(_QUEUE_GRACE_SECONDS)
        for entry in self.tally.rolled_back():
            self._begun.pop(entry.path, None)
            self._herald.cancelled(entry.path)
        for path in list(self._begun):
            self._cancelled(path)
        self._begun.clear()
        for item in self._ahead.rest():
            self.tally.stats.submitted_files += 1
            self._cancelled(self._intake.name(item))
        stats = self.tally.stats
        never_seen = max(0, (self._intake.expected or 0) - stats.submitted_files)
        stats.submitted_files += never_seen
        stats.cancelled_files += never_seen
        if self._vectors is not None:
            self.tally.spent({"embed": self._vectors.seconds()})

    def _heartbeat(self) -> Event:
        """Say how it goes; called in the dispatcher's thread, reads only."""
        tally, ahead = self.tally, self._ahead
        held = () if self._crew is None else self._crew.in_hand()
        elapsed = max(tally.elapsed, 1e-6)
        ended = tally.stats.ended_files + len(tally.pending)
        return Heartbeat(
            tally.elapsed,
            ended,
            self.found(),
            ahead is not None and ahead.ended,
            ended / elapsed,
            tally.bytes_seen / 1e6 / elapsed,
            tally.chunks_seen / elapsed,
            tuple((worker, file.name, seconds) for worker, file, seconds in held),
            0 if self._vectors is None else self._vectors.requests(),
        )
