"""The far end of a remote crew: worker processes on a machine of their own, handed batches and asked for what ended.

It knows nothing of how it is reached. What crosses between machines are bytes: the work as it was pickled, items, and
replies in which batches are numbers and items are places, so that nothing is sent back that the other end has. A
hand-off between machines costs far more than one on a pipe, so each carries several batches where that holds nobody up.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from treemill.errors import WorkersError
from treemill.flow import wire
from treemill.flow.crew import BATCHES_PER_WORKER, Batch, Settled
from treemill.flow.outcomes import Done, Limits
from treemill.flow.processes import ProcessCrew
from treemill.values import dataclass

# A host answers after this long even if nothing ended, so that the other end learns what is in hand.
POLL_SECONDS = 0.5

# An answer is closed at about this size: what has ended beyond it comes with the next one.
_MOST_REPLIES = 16

# What ended waits this long for company, as long as the workers have others to go on with.
_COMPANY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a batch: an outcome and what has to be done again, told by places in the batch.

    `done` is (pickled value, worker, seconds); the value is a `pickle.PickleBuffer` on its way out, so that whoever
    carries the reply need not copy it, and any buffer where it arrives. `lost` is (place, cause, error type, message,
    traceback, amount); `again` are (places, alone).
    """

    serial: int
    done: tuple[Any, int, float] | None = None
    lost: tuple[int, str, str, str, str, float] | None = None
    again: tuple[tuple[tuple[int, ...], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host has to say: replies, what its workers hold (worker, serial, place, seconds), and what broke it."""

    replies: tuple[Reply, ...]
    in_hand: tuple[tuple[int, int, int, float], ...]
    broken: tuple[str, str | None] | None = None


class Host:
    """Worker processes on the machine that this runs on. One thread hands batches, in order; another may collect."""

    def __init__(self, count: int, work: bytes, limits: Limits, path: Sequence[str] = ()) -> None:
        sys.path += [entry for entry in path if entry not in sys.path]
        self._crew: ProcessCrew[Any, Any] = ProcessCrew(count, Sealed(work), limits)
        # Each is written by one thread: that which hands, and that which collects.
        self._handed = self._ended = 0

    def greet(self) -> tuple[str, str]:
        """Return which program in which version this is."""
        return wire.GREETING

    def hand(self, batches: bytes) -> None:
        """Take batches: (serial, items, alone) of each, pickled together."""
        opened: list[tuple[int, tuple[Any, ...], bool]] = pickle.loads(batches)  # noqa: S301 - from our own driver
        self._handed += len(opened)
        for serial, items, alone in opened:
            self._crew.hand_out(Batch(items, serial, tuple(range(len(items))), alone))

    def collect(self) -> Answer:
        """Wait until something ended, or a while, and return what did.

        Several replies come together while workers have batches waiting; when those get few, what is there is told at
        once, so that there can be more.
        """
        until = time.monotonic() + POLL_SECONDS
        replies: list[Reply] = []
        try:
            while len(replies) < _MOST_REPLIES and not (replies and self._is_needed()):
                message = self._crew.next_message()
                now = time.monotonic()
                if message is not None:
                    until = until if replies else now + _COMPANY_SECONDS
                    replies.append(_reply(message))
                    self._ended += 1
                if now >= until:
                    break
        except WorkersError as error:
            return Answer((), (), (error.message, error.suggestion))
        return Answer(tuple(replies), self._crew.places_in_hand())

    def _is_needed(self) -> bool:
        """Whether more batches are wanted, and nothing else has ended that could be told with the rest."""
        return self._handed - self._ended <= BATCHES_PER_WORKER * self._crew.count and self._crew.messages.empty()

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that live."""
        return self._crew.pids()

    def close(self) -> None:
        """End the workers."""
        self._crew.close()


class Sealed:
    """A work that is opened by the worker that does it, and whose values stay closed until they are where it came from.

    So the process between the two imports nothing of either, and hands on bytes. Pickling it gives an `Unsealed`.
    """

    def __init__(self, work: bytes) -> None:
        self._work = work

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return _unsealed, (self._work,)

    def start(self) -> Any:
        """Open it and start it here."""
        return _unsealed(self._work).start()


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A work whose values are pickled where they are made."""

    work: Any

    def start(self) -> Callable[[Sequence[Any], Callable[[int], None]], bytes]:
        """Start the work, and seal what it returns."""
        handle = self.work.start()
        return lambda items, mark: pickle.dumps(handle(items, mark), pickle.HIGHEST_PROTOCOL)


def _unsealed(work: bytes) -> Unsealed:
    return Unsealed(pickle.loads(work))  # noqa: S301 - from our own driver


def _reply(message: Settled[Any]) -> Reply:
    """Translate what a driver thread says of a batch into numbers and places."""
    batch, outcome = message.batch, message.outcome
    again = tuple((each.places, each.alone) for each in message.again)
    if outcome is None:
        return Reply(batch.origin, again=again)
    if isinstance(outcome, Done):
        value = pickle.PickleBuffer(outcome.value)
        return Reply(batch.origin, (value, outcome.worker, outcome.seconds), None, again)
    place = batch.places[next(i for i, item in enumerate(batch.items) if item is outcome.item)]
    told = (place, outcome.cause.value, outcome.error_type, outcome.message, outcome.traceback, outcome.amount)
    return Reply(batch.origin, None, told, again)
