"""Telling a listener what happens, without ever making the run wait for it.

One thread calls the listener, one event at a time, never under a lock. It also keeps the pulse: when nothing has been
said for a while it makes a heartbeat itself, so that a sign of life does not depend on the run's own thread.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from treemill.events import Ended, Event, Listener, ignore

logger = logging.getLogger(__name__)

PULSE_SECONDS = 0.5
"""How often a heartbeat is made; signs of life are promised every second."""

# After each look the thread sleeps: to be woken for every one of a run's events would cost more than making them.
_NAP_SECONDS = 0.01

_LAST_WAIT_SECONDS = 0.5
_FIRST_WAIT_SECONDS = 0.01


class Dispatcher:
    """Carries events to a listener. `dropped` counts those that it had not taken half a second after the end.

    `beat` makes the heartbeat. An error in the listener is logged once, counted in `errors`, and ignored.
    """

    def __init__(self, listener: Listener, beat: Callable[[], Event]) -> None:
        self.dropped = 0
        self.errors = 0
        self._listener = listener
        self._beat = beat
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._silent = listener is ignore
        self._first = threading.Event()
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
        self._events.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(_LAST_WAIT_SECONDS)
        if self._thread.is_alive():
            self._abandoned = True
            self.dropped = max(0, self._events.qsize() - 1)

    def wait_for_first(self) -> None:
        """Let the first event be told before anything heavy begins, if that takes no longer than a moment."""
        if not self._silent:
            self._first.wait(_FIRST_WAIT_SECONDS)

    def post(self, event: Event) -> None:
        """Hand over an event; returns at once."""
        if not self._silent:
            self._events.put(event)

    def _deliver(self) -> None:
        next_beat = time.monotonic() + PULSE_SECONDS
        while not self._abandoned:
            try:
                event = self._events.get(timeout=max(0.0, next_beat - time.monotonic()))
                if event is None:
                    return
                self._tell(event)
                if isinstance(event, Ended):
                    return
                if self._events.empty():
                    time.sleep(_NAP_SECONDS)
            except queue.Empty:
                pass
            if time.monotonic() >= next_beat:
                self._tell(self._beat())
                next_beat = time.monotonic() + PULSE_SECONDS

    def _tell(self, event: Event) -> None:
        try:
            self._first.set()
            self._listener(event)
        except Exception as error:
            self.errors += 1
            if self.errors == 1:
                logger.warning("the progress listener failed and is called on: %s: %s", type(error).__name__, error)
                logger.debug("the listener's traceback", exc_info=True)
