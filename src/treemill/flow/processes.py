"""Worker processes that outlive the files that kill them.

Each slot has a thread that starts a child, keeps two batches in its pipe, and, when the child ends, reads from shared
memory which item it had in hand. Killing is the only way to stop a native parser, so it is the way: children hold no
state that matters.
"""

from __future__ import annotations

import mmap
import os
import queue
import signal
import threading
import time
from collections import deque
from dataclasses import field
from typing import IO, Any, TypeVar

from treemill.errors import WorkersError
from treemill.flow import wire
from treemill.flow.crew import (
    BATCHES_PER_WORKER,
    TICK_SECONDS,
    Batch,
    Broken,
    Crew,
    Settled,
    Work,
    set_apart,
    settle_loss,
)
from treemill.flow.launching import Child, taken_or_launched
from treemill.flow.outcomes import Cause, Done, Limits
from treemill.flow.resident import resident_bytes
from treemill.values import dataclass

T = TypeVar("T")
R = TypeVar("R")

# What a slot shows that has nothing in hand.
_NOTHING = (-1, -1, 0.0, 0)

# A child that dies this often before it takes any work, or falls silent this often, is not bad luck.
_MOST_FAILED_STARTS = 3


@dataclass(slots=True)
class _Slot:
    """One worker's place: the child that fills it, what it shows, and why it was killed, if it was.

    `held_up` says that it was killed for no fault: the item in hand kept the others of its batch waiting. `judged` is
    the batch number and index for which it was killed. `since` is when the child was last told or said anything, and
    `ready` whether it has said that it can work, `worked` whether it has answered; `silent` that it was killed because
    nothing came for too long.
    """

    number: int
    child: Child | None = None
    cell: mmap.mmap | None = None
    pending: deque[tuple[int, Batch[Any]]] = field(default_factory=deque)
    verdict: tuple[Cause, float] | None = None
    held_up: bool = False
    judged: tuple[int, int] = (-1, -1)
    since: float = 0.0
    ready: bool = False
    worked: bool = False
    silent: bool = False

    def shown(self) -> tuple[int, int, float, int]:
        """Return batch number, index in hand, since when, and resident bytes at the start of the batch."""
        cell = self.cell
        if cell is None:
            return _NOTHING
        try:
            since, resident, serial, index = wire.MARKS.unpack_from(cell)
            # The child may have written between the fields: only what is read twice alike is what it showed.
            again = wire.MARKS.unpack_from(cell)
        except ValueError:  # closed between two looks
            return _NOTHING
        return (serial, index, since, resident) if again == (since, resident, serial, index) else _NOTHING

    def waits_since(self, shown: float) -> float | None:
        """Return since when a child with nothing in hand owes a reply, if it does; `shown` is when it showed that."""
        if not self.ready:
            return self.since
        return max(self.since, shown) if self.pending else None


class ProcessCrew(Crew[T, R]):
    """Workers in processes of their own, at most one a processor, started as work arrives.

    `start_seconds` is how long one may take to start, `silent_seconds` how long one that has work may show nothing in
    hand: then it is stopped, or worse, and replaced. Both are far beyond what any machine needs.
    """

    start_seconds = 60.0
    silent_seconds = 300.0

    def __init__(self, count: int, work: Work[T, R], limits: Limits) -> None:
        super().__init__(min(count, os.cpu_count() or 1), work, limits)
        self._slots: list[_Slot] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._lock = threading.Lock()
        self._serial = 0

    def hand_out(self, batch: Batch[T]) -> None:
        self.tasks.put(batch)
        if len(self._slots) < self.count:
            slot = _Slot(len(self._slots))
            self._slots.append(slot)
            thread = threading.Thread(target=self._drive, args=(slot,), name=f"worker-{slot.number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def watch(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            serial, index, since, resident = slot.shown()
            child = slot.child
            if child is None or slot.verdict is not None or slot.held_up or slot.silent:
                continue
            if index < 0:
                waits_since = slot.waits_since(since)
                patience = self.silent_seconds if slot.ready else self.start_seconds
                if waits_since is not None and now - waits_since > patience:
                    slot.silent = True
                    child.process.kill()
                continue
            if self.limits.seconds is not None and now - since > self.limits.seconds:
                slot.verdict = (Cause.OVERRAN_TIME, now - since)
            elif self.limits.memory_bytes is not None and resident and now - since > TICK_SECONDS:
                # One that began since the last look is not worth asking the system about.
                growth = resident_bytes(child.process.pid) - resident
                if growth > self.limits.memory_bytes:
                    slot.verdict = (Cause.OVERRAN_MEMORY, float(growth))
            if slot.verdict is None and now - since > self.patience:
                slot.held_up = any(number == serial and len(batch.items) > 1 for number, batch in list(slot.pending))
                self.patience *= 2 if slot.held_up else 1
            if slot.verdict is not None or slot.held_up:
                slot.judged = serial, index
                child.process.kill()

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        return tuple((worker, batch.items[index], seconds) for worker, batch, index, seconds in self._held())

    def places_in_hand(self) -> tuple[tuple[int, int, int, float], ...]:
        """Return (worker, origin of the batch, place in it, seconds) for each worker that holds an item."""
        return tuple(
            (worker, batch.origin, batch.places[index], seconds) for worker, batch, index, seconds in self._held()
        )

    def _held(self) -> list[tuple[int, Batch[T], int, float]]:
        now = time.monotonic()
        held: list[tuple[int, Batch[T], int, float]] = []
        for slot in list(self._slots):
            serial, index, since, _ = slot.shown()
            batch = next((each for number, each in list(slot.pending) if number == serial), None)
            if batch is not None and 0 <= index < len(batch.items):
                held.append((slot.number, batch, index, now - since))
        return held

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that live."""
        return tuple(
            child.process.pid for slot in self._slots if (child := slot.child) and child.process.poll() is None
        )

    def close(self) -> None:
        with self._lock:
            self._closing = True
            for slot in self._slots:
                if slot.child is not None:
                    slot.child.process.kill()
        for _ in self._threads:
            self.tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _drive(self, slot: _Slot) -> None:
        """Keep a child at work until the crew closes; settle its batches when it ends."""
        failures = 0
        while not self._closing:
            try:
                self._start(slot)
                self._serve(slot)
                return
            except EOFError:
                pass
            except OSError as error:
                if slot.child is None:
                    self.messages.put(
                        Broken(WorkersError(f"worker processes cannot be started: {error}", suggestion=_TRY_THREADS))
                    )
                    return
            except WorkersError as error:
                self.messages.put(Broken(error))
                return
            finally:
                failed = slot.silent or not (slot.pending or slot.worked)
                self._bury(slot)
            failures = failures + 1 if failed else 0
            if failures >= _MOST_FAILED_STARTS and not self._closing:
                what = "do not answer" if slot.silent else "end before they take any work"
                self.messages.put(Broken(WorkersError(f"worker processes {what}", suggestion=_TRY_THREADS)))
                return

    def _start(self, slot: _Slot) -> None:
        """Fill a slot with a child that knows its work, unless the crew is closing: then nobody would end it."""
        with self._lock:
            if self._closing:
                raise EOFError("the crew is closing")
            slot.verdict = None
            slot.held_up = slot.ready = slot.worked = slot.silent = False
            slot.since = time.monotonic()
            child = slot.child = taken_or_launched()
            slot.cell = child.cell
        try:
            wire.send(child.requests, (self.work, self.limits.seconds))
        except OSError as error:
            raise EOFError("the worker is gone") from error
        answer = wire.receive(child.replies)
        if answer[0] == "failed":
            raise WorkersError(f"a worker could not start its work: {answer[1]}", suggestion=_explain(answer[2]))
        if answer != ("ready", *wire.GREETING):
            raise WorkersError(
                f"workers are of another version, {answer[-1]}, than this program, {wire.GREETING[-1]}",
                suggestion="Treemill was updated while this program ran: start it again",
            )
        slot.since, slot.ready = time.monotonic(), True

    def _serve(self, slot: _Slot) -> None:
        """Send batches and settle replies until a None among the tasks says that it is over."""
        child = slot.child
        assert child is not None
        while True:
            while _has_room(slot.pending):
                try:
                    batch = self.tasks.get(block=not slot.pending)
                except queue.Empty:
                    break
                if batch is None:
                    return
                with self._lock:
                    self._serial += 1
                    serial = self._serial
                slot.pending.append((serial, batch))
                slot.since = time.monotonic()
                try:
                    wire.send(child.requests, (serial, batch.items))
                except (OSError, ValueError) as error:
                    raise EOFError("the worker is gone") from error
            reply = wire.receive(child.replies)
            slot.since, slot.worked = time.monotonic(), True
            _, batch = slot.pending.popleft()
            if reply[0] == "done":
                _, value, started, seconds = reply
                self.messages.put(Settled(batch, Done(batch.items, value, slot.number, started, seconds)))
            else:
                _, index, kind, message, trace = reply
                self.messages.put(_settle_raised(batch, index, kind, message, trace))

    def _bury(self, slot: _Slot) -> None:
        """Settle the batches of a child that ended, and let go of what it used."""
        child, slot.child = slot.child, None
        if child is not None:
            self._settle_pending(slot, child.end(), child.said)
            child.said.close()
        # Not closed: the caller's thread may be reading it. It goes with the last reference.
        slot.cell = None

    def _settle_pending(self, slot: _Slot, status: int, said: IO[bytes]) -> None:
        serial, index, _, _ = slot.shown()
        last: list[Settled[Any]] = []
        while slot.pending:
            number, batch = slot.pending.popleft()
            judged = slot.verdict is not None or slot.held_up
            if number != serial or not 0 <= index < len(batch.items) or (judged and slot.judged != (serial, index)):
                # Nothing in hand, or something else than what it was killed for: nobody is to blame.
                self.messages.put(Settled(batch, None, (batch,)))
            elif slot.held_up:
                last.append(set_apart(batch, index))
            elif slot.verdict is not None:
                cause, amount = slot.verdict
                self.messages.put(settle_loss(batch, index, cause, cause.name, str(cause), amount=amount))
            else:
                message = _end_of(status, _last_words(said))
                self.messages.put(settle_loss(batch, index, Cause.CRASHED, "WorkerCrashedError", message))
        for settled in last:
            self.messages.put(settled)


_TRY_THREADS = "Use --executor thread, or executor_type='thread'"


def _has_room(pending: deque[tuple[int, Batch[Any]]]) -> bool:
    """Whether a worker can have another batch: none waits behind a single item, which is alone because it is heavy."""
    return not pending or (len(pending) < BATCHES_PER_WORKER and len(pending[-1][1].items) > 1)


def _settle_raised(batch: Batch[T], index: int, kind: str, message: str, trace: str) -> Settled[T]:
    """Settle a batch whose work raised; an error with no item in hand counts against the first."""
    return settle_loss(batch, max(index, 0), Cause.RAISED, kind, message, traceback=trace)


def _explain(trace: str) -> str:
    """Say what helps when the work cannot be rebuilt in a worker."""
    if "__main__" in trace:
        return "What workers run must be importable: move it from the script into a module, or use the thread executor"
    return f"It said:\n{trace}"


def _end_of(status: int, last_words: str) -> str:
    if status >= 0:
        how = f"the worker ended with exit code {status}"
    else:
        try:
            how = f"the worker was ended by {signal.Signals(-status).name}"
        except ValueError:
            how = f"the worker was ended by signal {-status}"
    return f"{how}: {last_words}" if last_words else how


def _last_words(said: IO[bytes]) -> str:
    """Return the last line that a child wrote to standard error."""
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 4096))
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
