"""What the page shows of indexing: a run's events, gathered into one value that is cheap to send.

The host's listener writes, requests read; whoever waits for news is woken by a number that grows with each event.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from treemill.events import Ended, Event, Heartbeat, Passed, Planned, Worked

# A page shows the latest of each; all of them are in `treemill index --json`.
_MOST_PASSED = 200
_MOST_BEATS = 240
_MOST_BATCHES = 400


class Board:
    """The newest run, for any number of watchers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear()
        self.version = 0

    def _clear(self) -> None:
        self._beats: deque[dict[str, Any]] = deque(maxlen=_MOST_BEATS)
        self._passed: deque[dict[str, Any]] = deque(maxlen=_MOST_PASSED)
        self._batches: deque[dict[str, Any]] = deque(maxlen=_MOST_BATCHES)
        self._planned: dict[str, Any] | None = None
        self._ended: dict[str, Any] | None = None

    def __call__(self, event: Event) -> None:
        """Take an event in; a listener of the host."""
        with self._lock:
            if self._ended is not None:
                self._clear()
            match event:
                case Heartbeat():
                    self._beats.append(event.as_dict())
                case Passed():
                    self._passed.append(event.as_dict())
                case Worked():
                    self._batches.append(event.as_dict())
                case Planned():
                    self._planned = event.as_dict()
                case Ended():
                    self._ended = event.as_dict()
                case _:
                    return
            self.version += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the run as JSON-ready values."""
        with self._lock:
            return {
                "version": self.version,
                "beats": list(self._beats),
                "passed": list(self._passed),
                "batches": list(self._batches),
                "planned": self._planned,
                "ended": self._ended,
            }
