"""Telling a listener what happens, without ever making the run wait for it.

One thread calls the listener, one event at a time, never under a lock. It also keeps the pulse: when nothing has been
said for a while it makes a heartbeat itself, so that a sign of life does not depend on the run's own thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from treemill.events import Ended, Event, Listener, ignore
from treemill.values import dataclass

logger = logging.getLogger(__name__)

PULSE_SECONDS = 0.5
"""How often a heartbeat is made; signs of life are promised every second."""

# After each look the thread sleeps, and then tells what has gathered: to be woken for every one of a run's events would
# cost more than making them, and each waking takes the interpreter from the thread that writes.
_NAP_SECONDS = 0.025

_LAST_WAIT_SECONDS = 0.5
_FIRST_WAIT_SECONDS = 0.01


@dataclass(eq=False, slots=True)
class _Group:
    """Events that are handed over as one, and how many of them have not been told."""

    events: Iterable[Event]
    left: int


class Dispatcher:
    """Carries events to a listener. `dropped` counts those that it had not taken half a second after the end.

    `beat` makes the heartbeat. An error in the listener is logged once, counted in `errors`, and ignored.
    """

    def __init__(self, listener: Listener, beat: Callable[[], Event]) -> None:
        self.dropped = 0
        self.errors = 0
        self._listener = listener
        self._beat = beat
        self._next_beat = 0.0
        self._posted: deque[Event | _Group] = deque()
        self._in_hand = _Group((), 0)
        self._silent = listener is ignore
        self._news = threading.Event()
        self._first = threading.Event()
        self._closing = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._deliver, name="dispatcher", daemon=True)

    def __enter__(self) -> Self:
        if not self._silent:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._silent or self._abandoned:
            return
        self._closing.set()
        self._news.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(_LAST_WAIT_SECONDS)
        if self._thread.is_alive():
            self._abandoned = True
            waiting = [each.left if isinstance(each, _Group) else 1 for each in list(self._posted)]
            self.dropped = self._in_hand.left + sum(waiting)

    def wait_for_first(self) -> None:
        """Let the first event be told before anything heavy begins, if that takes no longer than a moment."""
        if not self._silent:
            self._first.wait(_FIRST_WAIT_SECONDS)

    def post(self, event: Event) -> None:
        """Hand over an event; returns at once."""
        self._post(event)

    def post_all(self, events: Iterable[Event], count: int) -> None:
        """Hand over so many events as one; returns at once. What makes them lazily makes them when they are told."""
        self._post(_Group(events, count))

    def _post(self, posted: Event | _Group) -> None:
        if self._silent:
            return
        self._posted.append(posted)
        # Put first and looked at then, and the other way round in the thread, so that nothing is left lying.
        if not self._news.is_set():
            self._news.set()

    def _deliver(self) -> None:
        self._next_beat = time.monotonic() + PULSE_SECONDS
        while not self._abandoned:
            heard = self._news.wait(max(0.0, self._next_beat - time.monotonic()))
            closing = self._closing.is_set()
            self._news.clear()
            if self._posted:
                self._first.set()
            while self._posted and not self._abandoned:
                if self._tell_each(self._posted.popleft()):
                    return
            if closing:
                return
            self._keep_the_pulse()
            if heard:
                self._closing.wait(_NAP_SECONDS)

    def _tell_each(self, posted: Event | _Group) -> bool:
        """Tell events, and keep the pulse meanwhile; return whether that was the last one."""
        if isinstance(posted, _Group):
            self._in_hand = posted
            for event in posted.events:
                posted.left -= 1
                self._tell(event)
                if self._abandoned:
                    return True
                self._keep_the_pulse()
            return False
        self._tell(posted)
        if isinstance(posted, Ended):
            return True
        self._keep_the_pulse()
        return False

    def _keep_the_pulse(self) -> None:
        if time.monotonic() >= self._next_beat and not self._abandoned:
            self._tell(self._beat())
            self._next_beat = time.monotonic() + PULSE_SECONDS

    def _tell(self, event: Event) -> None:
        try:
            self._listener(event)
        except BaseException as error:  # also an exit, which would end this thread and all that it has yet to tell
            self.errors += 1
            if self.errors == 1:
                logger.warning("the progress listener failed and is called on: %s: %s", type(error).__name__, error)
                logger.debug("the listener's traceback", exc_info=True)
