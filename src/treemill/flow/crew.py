"""What all crews share: the loop that hands out batches, collects what becomes of them, and settles losses.

A crew has slots, one a worker, and a thread for each that drives it. The loop runs in the caller's thread and is the
only one that counts; drivers talk to it through a queue of `Settled` messages. What a worker's death means for the
items of its batch is decided here, once, for processes and threads alike.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from treemill.flow.outcomes import Cause, Done, Idle, Limits, Lost, Outcome
from treemill.values import dataclass

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

Mark = Callable[[int], None]
"""Told the index of the item that a worker takes in hand; -1 when it holds none."""

TICK_SECONDS = 0.05

# Each worker has one batch in hand and one waiting, so that it never waits for the caller.
BATCHES_PER_WORKER = 2

# An item that is in hand for this long is set apart, so that the others of its batch do not wait for it. Batches are
# made to take a tenth of that; where the machine is slower than anyone thought, each time doubles it.
PATIENCE_SECONDS = 1.0


class Work(Protocol[T_contra, R_co]):
    """What a crew does. A small value that can be pickled, with everything the work needs to know."""

    def start(self) -> Callable[[Sequence[T_contra], Mark], R_co]:
        """Make the function that a worker calls with each batch, and keep its state in it.

        The function calls `mark(i)` before it takes item i in hand. What it raises counts against that item alone.
        """


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Items on their way. `origin` is the number of the input batch they came in, `places` where they stood in it.

    `alone` marks an item that is tried a second time.
    """

    items: tuple[T, ...]
    origin: int
    places: tuple[int, ...]
    alone: bool = False

    def without(self, index: int) -> list[Batch[T]]:
        """Return the batch of the other items, if there are any."""
        items = self.items[:index] + self.items[index + 1 :]
        places = self.places[:index] + self.places[index + 1 :]
        return [Batch(items, self.origin, places)] if items else []

    def only(self, index: int) -> Batch[T]:
        """Return the batch of that item, to be tried once more."""
        return Batch((self.items[index],), self.origin, (self.places[index],), alone=True)


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """A driver's message: what ended, and what has to be handed out again."""

    batch: Batch[T]
    outcome: Done[T, Any] | Lost[T] | None
    again: tuple[Batch[T], ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A driver's message: workers cannot be had, the run must end."""

    error: Exception


def settle_loss(
    batch: Batch[T],
    index: int,
    cause: Cause,
    error_type: str,
    message: str,
    *,
    traceback: str = "",
    amount: float = 0.0,
) -> Settled[T]:
    """Decide what the end of a worker, or of a call, means for the batch it had in hand.

    After a crash the item in hand gets a second chance alone, since the worker may have been killed from outside; with
    no item in hand nobody is blamed and the whole batch is done again.
    """
    if not 0 <= index < len(batch.items):
        return Settled(batch, None, (batch,))
    if cause is Cause.CRASHED and not batch.alone:
        return Settled(batch, None, (batch.only(index), *batch.without(index)))
    lost = Lost(batch.items[index], cause, error_type, message, traceback, amount)
    return Settled(batch, lost, tuple(batch.without(index)))


def set_apart(batch: Batch[T], index: int) -> Settled[T]:
    """Decide what becomes of a batch that one item holds up: that item is done alone, the others without it."""
    return Settled(batch, None, (*batch.without(index), batch.only(index)))


class Crew(Generic[T, R]):
    """Workers of one kind. Use it in a `with`; leaving it ends the workers within a second, whatever they hold."""

    batches_per_worker = BATCHES_PER_WORKER
    """How many batches are under way at most, for each worker."""

    lets_wait = True
    """Whether it pays to have batches stand ready, beside those that workers have."""

    def __init__(self, count: int, work: Work[T, R], limits: Limits) -> None:
        self.count = count
        self.work = work
        self.limits = limits
        self.patience = PATIENCE_SECONDS
        self._watched = 0.0
        self.tasks: queue.SimpleQueue[Batch[T] | None] = queue.SimpleQueue()
        self.messages: queue.SimpleQueue[Settled[T] | Broken] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def map(
        self, batches: Iterable[Sequence[T]], *, ordered: bool = False, waiting: int = 0
    ) -> Generator[Outcome[T, R], None, None]:
        """Yield what becomes of each batch; with `ordered`, in the order of the input.

        At most `batches_per_worker` for each worker are under way, and twice that are held back when ordered. `waiting`
        more for each worker may stand ready, so that workers go on while the caller is busy with what it was given;
        crews whose workers have no use for that leave it out. An empty batch says that the next one takes a while.
        Closing the generator early ends the workers; the crew cannot be used again then.

        Raises:
            WorkersError: workers cannot be started.
        """
        most = (self.batches_per_worker + (waiting if self.lets_wait else 0)) * self.count
        if ordered:
            return self._in_order(batches, most)
        return (outcome for _, outcome in self._run(batches, most, lambda taken: True))

    def _in_order(self, batches: Iterable[Sequence[T]], most: int) -> Generator[Outcome[T, R], None, None]:
        """Hold outcomes back until those of all earlier batches are out."""
        held: dict[int, list[tuple[int, Done[T, R] | Lost[T]]]] = {}
        missing: dict[int, int] = {}
        turn = 0

        def counted() -> Iterator[Sequence[T]]:
            number = 0
            for batch in batches:
                if batch:
                    missing[number], held[number] = len(batch), []
                    number += 1
                yield batch

        with closing(self._run(counted(), most, lambda taken: taken - turn < 2 * most)) as settled:
            for batch, outcome in settled:
                if batch is None or isinstance(outcome, Idle):
                    yield outcome
                    continue
                missing[batch.origin] -= len(outcome.items) if isinstance(outcome, Done) else 1
                held[batch.origin].append((batch.places[0], outcome))
                while missing.get(turn) == 0:
                    del missing[turn]
                    for _, ready in sorted(held.pop(turn), key=lambda pair: pair[0]):
                        yield ready
                    turn += 1

    def _run(
        self, batches: Iterable[Sequence[T]], most: int, room: Callable[[int], bool]
    ) -> Generator[tuple[Batch[T] | None, Outcome[T, R]], None, None]:
        """Hand out batches while there is room, and yield what becomes of them beside the batch it concerns.

        At most `most` are under way. What only stands ready is not made while the first outcome could be told.
        """
        told = False
        needed = self.batches_per_worker * self.count
        source = iter(batches)
        taken = under_way = 0
        exhausted = finished = False
        try:
            while True:
                while not exhausted and room(taken):
                    if under_way >= (most if told or self.messages.empty() else needed):
                        break
                    items = next(source, None)
                    if items is None:
                        exhausted = True
                    elif not items:
                        break
                    else:
                        self.hand_out(Batch(tuple(items), taken, tuple(range(len(items)))))
                        taken += 1
                        under_way += 1
                if under_way == 0:
                    if exhausted:
                        break
                    yield None, Idle()
                    continue
                message = self.next_message()
                if message is None:
                    yield None, Idle(self.in_hand())
                    continue
                for again in message.again:
                    self.hand_out(again)
                under_way += len(message.again) - 1
                if message.outcome is not None:
                    told = True
                    yield message.batch, message.outcome
            finished = True
        finally:
            if not finished:
                self.close()

    def next_message(self) -> Settled[T] | None:
        """Wait a tick at most for a driver's message; once a tick, see to workers over their limits."""
        now = time.monotonic()
        if now - self._watched >= TICK_SECONDS:
            self._watched = now
            self.watch()
        try:
            message = self.messages.get(timeout=TICK_SECONDS)
        except queue.Empty:
            return None
        if isinstance(message, Broken):
            raise message.error
        return message

    def hand_out(self, batch: Batch[T]) -> None:
        """Give a batch to whichever worker is free first, starting one if not all have been started."""
        raise NotImplementedError

    def watch(self) -> None:
        """End workers that hold an item longer than the limits allow, or than the others of its batch can wait."""
        raise NotImplementedError

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        """Return (worker, item, seconds) for each worker that holds one. May be called from any thread."""
        raise NotImplementedError

    def close(self) -> None:
        """End all workers now. Closing twice is fine."""
        raise NotImplementedError
