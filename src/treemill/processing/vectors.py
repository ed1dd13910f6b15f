"""Vectors from a provider that waits for a network: texts in, batches across files out, in threads.

    submit ─▶ lanes, one a task ─▶ threads, each pulls a batch ─▶ provider ─▶ rows back to their tasks

Threads pull: one that is free takes a full batch, or, a moment after the first text came, what there is. So requests
are full while the provider is the bottleneck, and nothing waits while it is not. Lanes take turns by batches, so a
file of thousands of chunks holds up nobody. A text that is under way or was answered before is not asked for again.

A request that fails is cut in halves until the culprits stand alone; only their tasks fail. A request that hangs is
given up with its thread, and another thread takes its place.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider
from treemill.embedding.wrappers import (
    Limited,
    Retrying,
    VectorCache,
    checked,
    rows_of,
    text_key,
    vectors_of,
)
from treemill.errors import EmbeddingError, UsageError
from treemill.processing.lanes import Batch, Lanes, Task, Wanted
from treemill.processing.timed import Closing, Slot, Timed
from treemill.values import dataclass

THREAD_COUNT = 8
"""How many requests are under way at a time, unless told otherwise."""

BATCH_SIZE = 50
"""How many texts a request holds at most, unless told otherwise."""

# Services bound a request at 120,000 tokens and more; the estimate is rough, so there is room left.
BATCH_TOKENS = 60_000
_CHARACTERS_PER_TOKEN = 3

REQUEST_TIMEOUT_SECONDS = 60.0
"""How long a provider may take for one request before its thread is given up."""

# A free thread waits this long for a batch to fill: little beside any request, enough for the files of one hand-off.
_LINGER_SECONDS = 0.01

# A request that hung is made once more, since connections die; twice is no accident.
_MOST_TIMEOUTS = 2

# After so many texts failed alone in a row, nothing in between answered, the provider is taken to be down: from then
# on a failing batch is not cut up, only three of its texts are tried alone, until something is answered again.
_DOWN_AFTER = 32


@dataclass(frozen=True, slots=True)
class VectorResult:
    """Vectors and what was given along: `embeddings` is float32[texts, dimension], row i for text i.

    `processing_time` is in seconds, from submission.
    """

    embeddings: npt.NDArray[np.float32]
    metadata: object
    processing_time: float

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """The first row: the vector of a single text."""
        first: npt.NDArray[np.float32] = self.embeddings[0]
        return first


class VectorCalculationManager:
    """Embeds texts in threads. Use it in a `with`: leaving it waits for what was submitted, or, on an error, cancels.

    At most `thread_count` requests are under way at a time, each of at most `batch_size` texts, whoever submitted them.
    Retryable errors are tried again; a provider's Retry-After holds for all threads.
    """

    def __init__(
        self,
        embedding_provider: EmbeddingProvider,
        thread_count: int,
        *,
        batch_size: int = BATCH_SIZE,
        batch_tokens: int = BATCH_TOKENS,
        requests_per_second: float | None = None,
        request_timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> None:
        """Get ready; threads start with the first text.

        Raises:
            UsageError: fewer than one thread, or batches of fewer than one text.
        """
        if thread_count < 1 or batch_size < 1:
            raise UsageError(
                f"{thread_count} threads with batches of {batch_size} can do nothing",
                suggestion="Ask for at least 1 of each",
            )
        self.provider = embedding_provider
        self.thread_count = thread_count
        self.batch_size = batch_size
        self._timeout = request_timeout_seconds
        self._closed = threading.Event()
        self._timed = Timed(embedding_provider, self._closed)
        limited = Limited(self._timed, per_second=requests_per_second, sleep=self._pause)
        self._asked = Retrying(limited, sleep=self._pause)
        self._cache = VectorCache()
        lock = threading.RLock()
        # Two, so that a call meant for a thread that makes requests never wakes one that waits for the end instead.
        self._wake, self._all_done = threading.Condition(lock), threading.Condition(lock)
        self._lanes = Lanes(batch_size, batch_tokens * _CHARACTERS_PER_TOKEN)
        self._again: deque[Batch] = deque()
        self._tasks: set[Task] = set()
        self._finishing = self._idle = 0
        self._since = 0.0
        self._slots: list[Slot] = []
        self._failed_alone = 0

    def submit_chunk(self, text: str, metadata: object) -> Future[VectorResult]:
        """Embed one text; see `submit_batch_task`."""
        return self.submit_batch_task([text], metadata)

    def submit_batch_task(self, texts: Sequence[str], metadata: object) -> Future[VectorResult]:
        """Embed texts; returns at once. Requests may mix them with other tasks' texts.

        The future raises what the provider raised, or an EmbeddingError where it returned what it should not.

        Raises:
            UsageError: the manager is closed.
        """
        future: Future[VectorResult] = Future()
        began = time.monotonic()

        def done(task: Task) -> None:
            if isinstance(task.error, CancelledError):
                future.cancel()
                future.set_running_or_notify_cancel()
            elif future.set_running_or_notify_cancel():
                if task.error is not None:
                    future.set_exception(task.error)
                else:
                    vectors = vectors_of(task.rows, self.provider.dimension)
                    future.set_result(VectorResult(vectors, metadata, time.monotonic() - began))

        self.submit(texts, done)
        return future

    def submit(self, texts: Sequence[str], done: Callable[[Task], None]) -> None:
        """Embed texts and call `done` with the task, without a Future.

        Raises:
            UsageError: the manager is closed.
        """
        if self._closed.is_set():
            raise UsageError("the vector manager is closed", suggestion="Make another one")
        keys = [text_key(text) for text in texts]
        task = Task([b""] * len(keys), len(keys), done)
        with self._wake:
            if not self._lanes.waiting:
                self._since = time.monotonic()
            self._lanes.add(task, keys, texts, self._cache.get)
            ready = task.missing == 0
            if not ready:
                self._tasks.add(task)
                self._call_threads()
        if ready:
            done(task)

    @property
    def seconds(self) -> float:
        """How long requests took so far, summed over threads."""
        return self._timed.seconds

    def requests(self) -> int:
        """Return how many requests the provider is answering now."""
        return sum(slot.since is not None for slot in self._slots)

    def cancel(self) -> None:
        """End now: pending futures are cancelled, no further request is made, hanging ones are left behind."""
        with self._wake:
            self._closed.set()
            tasks, self._tasks = self._tasks, set()
            self._lanes.clear()
            self._again.clear()
            self._wake.notify_all()
            self._all_done.notify_all()
        for task in tasks:
            if task.error is None:
                task.error = CancelledError()
                task.done(task)

    def close(self) -> None:
        """Wait for what was submitted, then end. Closing twice is fine."""
        with self._wake:
            while (self._tasks or self._finishing) and not self._closed.is_set():
                self._all_done.wait(self._timeout)
        self.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.cancel()

    def _pause(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise Closing

    def _call_threads(self) -> None:
        """Wake as many threads as there are batches, starting what is missing. The lock is held."""
        batches = max(1, -(-self._lanes.waiting // self.batch_size)) + len(self._again)
        while batches > self._idle and len(self._slots) < self.thread_count:
            self._start()
            batches -= 1
        self._wake.notify(batches)

    def _start(self) -> None:
        if not self._slots:
            threading.Thread(target=self._watch, name="vectors-watch", daemon=True).start()
        slot = Slot()
        self._slots.append(slot)
        threading.Thread(target=self._drive, args=(slot,), name=f"vectors-{len(self._slots)}", daemon=True).start()

    def _drive(self, slot: Slot) -> None:
        self._timed.sit_down(slot)
        while not slot.abandoned and (batch := self._next_batch(slot)) is not None:
            try:
                self._request(slot, batch)
            except Closing:
                return

    def _next_batch(self, slot: Slot) -> Batch | None:
        """Wait for a batch and take it; None when there will be no more."""
        with self._wake:
            slot.batch = None
            while not self._closed.is_set():
                if self._again:
                    slot.batch = self._again.popleft()
                    return slot.batch
                patience = None
                if self._lanes.waiting:
                    patience = self._since + _LINGER_SECONDS - time.monotonic()
                    if self._lanes.waiting >= self.batch_size or patience <= 0:
                        slot.batch = self._lanes.take()
                        self._since = time.monotonic()
                        if slot.batch.wanted:
                            return slot.batch
                        continue
                self._idle += 1
                self._wake.wait(patience)
                self._idle -= 1
        return None

    def _request(self, slot: Slot, batch: Batch) -> None:
        """Ask for the vectors of a batch and hand them out, or find out who is to blame."""
        try:
            vectors = checked(
                self._asked.embed([wanted.text for wanted in batch.wanted]), self.provider, len(batch.wanted)
            )
        except Closing:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a provider raises is told to those whose texts it got
            if not slot.abandoned:
                self._blame(slot, batch, error)
            return
        if not slot.abandoned:
            self._hand_out(batch, vectors)

    def _hand_out(self, batch: Batch, vectors: npt.NDArray[np.float32]) -> None:
        """Give each row to those who wait for it; a row that is not finite is an error of theirs."""
        finite = [bool(each) for each in np.atleast_1d(np.isfinite(vectors).all(axis=1))]
        good = [(wanted, row) for wanted, row, ok in zip(batch.wanted, rows_of(vectors), finite, strict=True) if ok]
        bad = [wanted for wanted, ok in zip(batch.wanted, finite, strict=True) if not ok]
        self._cache.put([(wanted.key, row) for wanted, row in good])
        with self._wake:
            self._failed_alone = 0
            complete = self._lanes.give(good)
        self._finish(complete)
        if bad:
            self._fail(bad, EmbeddingError(f"{self.provider.name} returned a vector that is not finite"))

    def _blame(self, slot: Slot, batch: Batch, error: Exception) -> None:
        """Cut a failing batch in two, or, where that is no use, let its tasks fail."""
        wanted = batch.wanted
        with self._wake:
            if len(wanted) == 1:
                self._failed_alone += 1
            down = self._failed_alone >= _DOWN_AFTER
            if len(wanted) > 1 and not down:
                self._again.extend(batch.halves())
                self._call_threads()
                return
        if len(wanted) > 3:
            self._probe(slot, wanted, error)
        else:
            self._fail(wanted, error)

    def _probe(self, slot: Slot, wanted: list[Wanted], error: Exception) -> None:
        """Try three texts of a failed batch alone: if one is answered, the others get their chance as well."""
        probes = (wanted[0], wanted[len(wanted) // 2], wanted[-1])
        rest = [each for each in wanted if each not in probes]
        for probe in probes:
            self._request(slot, Batch([probe]))
            if slot.abandoned:
                return
        with self._wake:
            alive = self._failed_alone < _DOWN_AFTER
            if alive:
                self._again.append(Batch(rest))
                self._call_threads()
        if not alive:
            self._fail(rest, error)

    def _fail(self, wanted: list[Wanted], error: Exception) -> None:
        with self._wake:
            failed = self._lanes.fail(wanted, error)
        self._finish(failed)

    def _finish(self, tasks: list[Task]) -> None:
        """Say that tasks are done, outside the lock, unless they were cancelled meanwhile."""
        with self._wake:
            mine = [task for task in tasks if task in self._tasks]
            self._tasks.difference_update(mine)
            self._finishing += 1
        try:
            for task in mine:
                task.done(task)
        finally:
            with self._wake:
                self._finishing -= 1
                if not self._tasks:
                    self._all_done.notify_all()

    def _watch(self) -> None:
        """Give up requests that hang, and their threads, until the manager closes."""
        while not self._closed.wait(min(0.5, self._timeout / 4)):
            now = time.monotonic()
            for slot in list(self._slots):
                if slot.since is not None and now - slot.since > self._timeout:
                    self._give_up(slot)

    def _give_up(self, slot: Slot) -> None:
        with self._wake:
            batch = slot.batch
            if slot.since is None or batch is None:
                return
            slot.abandoned = True
            self._slots.remove(slot)
            batch.timeouts += 1
            if batch.timeouts < _MOST_TIMEOUTS:
                self._again.append(batch)
            self._start()
        if batch.timeouts >= _MOST_TIMEOUTS:
            message = f"{self.provider.name} did not answer within {self._timeout:g} s, {_MOST_TIMEOUTS} times"
            self._fail(batch.wanted, EmbeddingError(message, retryable=True))
