"""Workers in this process: threads, and none at all. The same work, the same outcomes.

Threads cannot be killed: one that overruns is abandoned. Its result is dropped when it comes, another thread takes its
place, and the interpreter does not wait for it at exit. Inline there is nothing that could watch the clock.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from treemill.flow.crew import Batch, Broken, Crew, Settled, Work, set_apart, settle_loss
from treemill.flow.outcomes import Cause, Done, Limits
from treemill.values import dataclass

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Slot:
    """One thread's place; `abandoned` once its batch was given up."""

    number: int
    batch: Batch[Any] | None = None
    index: int = -1
    since: float = 0.0
    abandoned: bool = False

    def mark(self, index: int) -> None:
        self.since = time.monotonic()
        self.index = index

    def held(self) -> tuple[int, Any, float] | None:
        """Return the number of the place, the item it holds and for how many seconds, if it holds one."""
        batch, index, since = self.batch, self.index, self.since
        if batch is None or not 0 <= index < len(batch.items):
            return None
        return self.number, batch.items[index], time.monotonic() - since


def _do(batch: Batch[T], handle: Callable[[Sequence[T], Callable[[int], None]], Any], slot: _Slot) -> Settled[T]:
    """Run the work over a batch and say what became of it."""
    started = time.monotonic()
    slot.index = -1
    try:
        value = handle(batch.items, slot.mark)
    except Exception as error:  # noqa: BLE001 - one item's trouble is a value, and the others are done again
        trace = traceback.format_exc()
        return settle_loss(batch, max(slot.index, 0), Cause.RAISED, type(error).__name__, str(error), traceback=trace)
    return Settled(batch, Done(batch.items, value, slot.number, started, time.monotonic() - started))


class ThreadCrew(Crew[T, R]):
    """Workers in threads of this process."""

    def __init__(self, count: int, work: Work[T, R], limits: Limits) -> None:
        super().__init__(count, work, limits)
        self._slots: list[_Slot] = []
        self._closing = False
        self._lock = threading.Lock()

    def hand_out(self, batch: Batch[T]) -> None:
        self.tasks.put(batch)
        if len(self._slots) < self.count:
            self._start(len(self._slots))

    def _start(self, number: int) -> None:
        slot = _Slot(number)
        self._slots[number:number] = [slot]
        threading.Thread(target=self._drive, args=(slot,), name=f"worker-{number}", daemon=True).start()

    def _drive(self, slot: _Slot) -> None:
        try:
            handle = self.work.start()
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self.messages.put(Broken(error))
            return
        while not self._closing:
            batch = self.tasks.get()
            if batch is None:
                return
            slot.batch = batch
            message = _do(batch, handle, slot)
            with self._lock:
                if slot.abandoned or self._closing:
                    return
                slot.batch, slot.index = None, -1
            self.messages.put(message)

    def watch(self) -> None:
        now = time.monotonic()
        for place, slot in enumerate(self._slots):
            with self._lock:
                batch, index, held = slot.batch, slot.index, now - slot.since
                if batch is None or index < 0:
                    continue
                overran = self.limits.seconds is not None and held > self.limits.seconds
                held_up = len(batch.items) > 1 and held > self.patience
                if not overran and not held_up:
                    continue
                slot.abandoned = True
            del self._slots[place]
            self._start(place)
            if overran:
                cause = Cause.OVERRAN_TIME
                self.messages.put(settle_loss(batch, index, cause, cause.name, str(cause), amount=held))
            else:
                self.patience *= 2
                self.messages.put(set_apart(batch, index))

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        return tuple(held for slot in list(self._slots) if (held := slot.held()) is not None)

    def close(self) -> None:
        self._closing = True
        for _ in self._slots:
            self.tasks.put(None)


class InlineCrew(Crew[T, R]):
    """No workers: the work is done in the caller's thread, when it asks for the next outcome."""

    lets_wait = False

    def __init__(self, count: int, work: Work[T, R], limits: Limits) -> None:
        super().__init__(1, work, limits)
        self._handle: Callable[[Sequence[T], Callable[[int], None]], R] | None = None
        self._slot = _Slot(0)

    def hand_out(self, batch: Batch[T]) -> None:
        self.tasks.put(batch)

    def next_message(self) -> Settled[T] | None:
        batch = self.tasks.get()
        assert batch is not None
        if self._handle is None:
            self._handle = self.work.start()
        self._slot.batch = batch
        settled = _do(batch, self._handle, self._slot)
        self._slot.batch = None
        return settled

    def watch(self) -> None:
        pass

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        held = self._slot.held()
        return () if held is None else (held,)

    def close(self) -> None:
        self._handle = None
