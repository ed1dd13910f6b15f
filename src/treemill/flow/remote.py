"""A crew whose workers are on other machines.

The machines are reached through a seam of two small protocols, `Hosts` and `RemoteHost`; on the other side of each
stands a `treemill.flow.host.Host` with worker processes, which enforce the limits where the work is done. For each host
a thread here collects what ended. A host that dies has its batches done again by another: the work is idempotent, and
what comes from a host that was given up is not listened to, so nothing is counted twice.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Protocol, TypeVar

from treemill.errors import WorkersError
from treemill.flow import wire
from treemill.flow.crew import Batch, Broken, Crew, Settled, Work
from treemill.flow.host import Answer, Reply
from treemill.flow.outcomes import Cause, Done, Limits, Lost
from treemill.values import dataclass

T = TypeVar("T")
R = TypeVar("R")

# A batch that has been with so many hosts that died is done item by item; an item that was alone with so many more is
# lost. One machine that is switched off is bad luck; the same batch on three is not.
_MOST_DEATHS = 2

# Workers have enough to go on with while several batches, and what became of them, travel together.
_BATCHES_PER_WORKER = 6

# How long a crew without a single host waits for one, and how often it asks for one in the place of one that died.
_PATIENCE_SECONDS = 90.0
_ASK_SECONDS = 1.0


class HostGone(Exception):
    """A host does not answer any more, and never will."""


class RemoteHost(Protocol):
    """One host as it is reached from here."""

    name: str
    """What people call the machine."""

    workers: int
    """How many workers it has."""

    def ready(self) -> tuple[str, str]:
        """Wait until it is there and return its greeting.

        Raises:
            HostGone: it is not coming.
        """

    def hand(self, batches: bytes) -> None:
        """Give it batches, as `Host.hand` takes them, without waiting; trouble is told by `collect`."""

    def collect(self) -> Answer:
        """Wait until something ended there, or about a second, and return what `Host.collect` did.

        Raises:
            HostGone: the host died.
        """

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of its workers, on its machine."""

    def end(self) -> None:
        """Have it end at once. Never raises, never waits."""


class Hosts(Protocol):
    """Where hosts come from."""

    def start(self, count: int, work: bytes, limits: Limits) -> Sequence[RemoteHost]:
        """Begin hosts with that many workers together.

        Raises:
            WorkersError: there are no machines, or they cannot do this work.
        """

    def another(self, workers: int) -> RemoteHost | None:
        """Begin a host with at most so many workers in the place of one that died; None where there is no machine."""

    def close(self) -> None:
        """Let go of the machines. Closing twice is fine."""


@dataclass(eq=False, slots=True)
class _Seat:
    """A host and what it was given: batches by serial number. `first` is the number of its first worker."""

    host: RemoteHost
    first: int
    pending: dict[int, Batch[Any]] = field(default_factory=dict)
    in_hand: tuple[tuple[int, int, int, float], ...] = ()
    heard: float = 0.0
    is_ready: bool = False

    @property
    def load(self) -> float:
        """How many batches it has, for each of its workers."""
        return len(self.pending) / self.host.workers


class RemoteCrew(Crew[T, R]):
    """Workers on other machines. At most six batches a worker are under way, on whichever host has room for them."""

    batches_per_worker = _BATCHES_PER_WORKER
    lets_wait = False
    patience_seconds = _PATIENCE_SECONDS

    def __init__(self, count: int, work: Work[T, R], limits: Limits, hosts: Hosts) -> None:
        super().__init__(count, work, limits)
        self._hosts = hosts
        self._seats: list[_Seat] = []
        self._threads: list[threading.Thread] = []
        self._waiting: deque[Batch[T]] = deque()
        self._deaths: dict[tuple[int, tuple[int, ...]], int] = {}
        self._lock = threading.Lock()
        self._serial = 0
        self._seated = 0
        self._started = self._closing = False
        self._alone_since = self._asked = 0.0
        self._missing: list[int] = []

    def hand_out(self, batch: Batch[T]) -> None:
        if not self._started:
            self._started = True
            self._alone_since = time.monotonic()
            for host in self._hosts.start(self.count, pickle.dumps(self.work, pickle.HIGHEST_PROTOCOL), self.limits):
                self._seat(host)
            self.count = self._seated
        with self._lock:
            self._waiting.append(batch)

    def next_message(self) -> Settled[T] | None:
        """As the crew's. Only when nothing more is handed out is it sent, all that there is together."""
        self._dispatch()
        return super().next_message()

    def watch(self) -> None:
        """Limits are enforced by the hosts. What is seen to here is that there are any."""
        now = time.monotonic()
        with self._lock:
            if self._closing or not self._started:
                return
            if any(seat.is_ready for seat in self._seats):
                self._alone_since = now
            wanted = self._missing[0] if self._missing and now - self._asked > _ASK_SECONDS else 0
        if now - self._alone_since > self.patience_seconds:
            raise WorkersError(
                f"no node of the cluster has taken work for {now - self._alone_since:.0f} s",
                suggestion="Look whether its nodes are up and have free processors: ray status",
            )
        if wanted:
            self._asked = now
            host = self._hosts.another(wanted)
            if host is not None:
                self._missing.pop(0)
                self._seat(host)

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        with self._lock:
            held = [
                (seat.first + worker, seat.pending[serial].items[place], seconds + time.monotonic() - seat.heard)
                for seat in self._seats
                for worker, serial, place, seconds in seat.in_hand
                if serial in seat.pending and place < len(seat.pending[serial].items)
            ]
        return tuple(held)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers, each on its own machine."""
        with self._lock:
            hosts = [seat.host for seat in self._seats if seat.is_ready]
        return tuple(pid for host in hosts for pid in host.pids())

    def close(self) -> None:
        with self._lock:
            self._closing = True
            seats, self._seats = self._seats, []
        for seat in seats:
            seat.host.end()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(5)
        self._threads.clear()
        self._hosts.close()

    def _seat(self, host: RemoteHost) -> None:
        with self._lock:
            seat = _Seat(host, self._seated)
            self._seated += host.workers
            self._seats.append(seat)
        thread = threading.Thread(target=self._drive, args=(seat,), name=f"host-{host.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _dispatch(self) -> None:
        """Hand what waits to whichever hosts have most room for it, to each all of its part at once."""
        with self._lock:
            parts: dict[int, list[tuple[int, tuple[T, ...], bool]]] = {}
            ready = [seat for seat in self._seats if seat.is_ready and not self._closing]
            while self._waiting and ready:
                seat = min(ready, key=lambda each: each.load)
                if seat.load >= self.batches_per_worker:
                    break
                batch = self._waiting.popleft()
                self._serial += 1
                seat.pending[self._serial] = batch
                parts.setdefault(id(seat), []).append((self._serial, batch.items, batch.alone))
            for seat in ready:
                if part := parts.get(id(seat)):
                    seat.host.hand(pickle.dumps(part, pickle.HIGHEST_PROTOCOL))

    def _drive(self, seat: _Seat) -> None:
        """Collect from one host until it dies or the crew closes."""
        try:
            greeting = seat.host.ready()
            if greeting != wire.GREETING:
                self.messages.put(Broken(_other_version(seat.host.name, greeting)))
                return
            with self._lock:
                seat.is_ready = True
            self._dispatch()
            while not self._closing:
                answer = seat.host.collect()
                if answer.broken is not None:
                    self.messages.put(Broken(WorkersError(answer.broken[0], suggestion=answer.broken[1])))
                    return
                self._take(seat, answer)
        except HostGone:
            self._bury(seat)
        except WorkersError as error:
            self.messages.put(Broken(error))

    def _take(self, seat: _Seat, answer: Answer) -> None:
        settled: list[Settled[T]] = []
        with self._lock:
            seat.heard, seat.in_hand = time.monotonic(), answer.in_hand
            for reply in answer.replies:
                batch = seat.pending.pop(reply.serial, None)
                if batch is not None:
                    self._deaths.pop((batch.origin, batch.places), None)
                    settled.append(_settled(batch, reply, seat.first))
        for message in settled:
            self.messages.put(message)
        if settled:
            self._dispatch()

    def _bury(self, seat: _Seat) -> None:
        """Have the batches of a host that died done again; `watch` asks for another host in its place."""
        with self._lock:
            if self._closing:
                return
            self._seats.remove(seat)
            lost = [self._after_death(batch) for batch in seat.pending.values()]
            seat.pending.clear()
            self._missing.append(seat.host.workers)
        for message in lost:
            self.messages.put(message)

    def _after_death(self, batch: Batch[T]) -> Settled[T]:
        deaths = self._deaths.pop((batch.origin, batch.places), 0) + 1
        if deaths <= _MOST_DEATHS:
            self._deaths[batch.origin, batch.places] = deaths
            return Settled(batch, None, (batch,))
        if len(batch.items) > 1:
            return Settled(batch, None, tuple(batch.only(place) for place in range(len(batch.items))))
        message = f"{deaths} hosts died while they had it"
        return Settled(batch, Lost(batch.items[0], Cause.CRASHED, "WorkerCrashedError", message))


def _settled(batch: Batch[T], reply: Reply, first: int) -> Settled[T]:
    """Translate a reply back into the items of the batch."""
    again = tuple(
        Batch(tuple(batch.items[i] for i in places), batch.origin, tuple(batch.places[i] for i in places), alone)
        for places, alone in reply.again
    )
    if reply.done is not None:
        value, worker, seconds = reply.done
        opened = pickle.loads(value)  # noqa: S301 - from our own worker
        return Settled(batch, Done(batch.items, opened, first + worker, time.monotonic() - seconds, seconds), again)
    if reply.lost is not None:
        place, cause, error_type, message, traceback, amount = reply.lost
        lost = Lost(batch.items[place], Cause(cause), error_type, message, traceback, amount)
        return Settled(batch, lost, again)
    return Settled(batch, None, again)


def _other_version(name: str, greeting: tuple[str, str]) -> WorkersError:
    return WorkersError(
        f"workers on {name} are of another version, {greeting[-1]}, than this program, {wire.GREETING[-1]}",
        suggestion=f"Install treemill=={wire.GREETING[-1]} there, or leave it out there: it is sent along then",
    )
