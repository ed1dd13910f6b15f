"""When a run commits: the first files as soon as they are there, the others ever more of them at a time.

Put files wait for their commit in the store's transaction. The first ones are committed as they come, so that questions
find something soon; the next ones wait for a moment, then twice as long each time, up to what is set. Where questions
find something anyway, the first ones wait for that moment too: a run that is over by then waits for the disk once.
"""

from __future__ import annotations

import time

_FIRST_WAIT_SECONDS = 0.1

# More than this is committed before its time.
_MOST_UNCOMMITTED_BYTES = 32_000_000


class Pace:
    """Tells when the next commit is due, at most `most_seconds` after the one before.

    The first one is `at_once`, or behind a moment.
    """

    def __init__(self, most_seconds: float, *, at_once: bool = True) -> None:
        self._most_seconds = most_seconds
        self._wait_seconds = 0.0 if at_once else min(_FIRST_WAIT_SECONDS, most_seconds)
        self._last_commit = time.monotonic()
        self._uncommitted_bytes = 0

    def put(self, size: int) -> None:
        """Note that so many bytes of files wait."""
        self._uncommitted_bytes += size

    def time_is_up(self) -> bool:
        """Whether files that wait have waited long enough."""
        return time.monotonic() - self._last_commit >= self._wait_seconds

    def too_much_waits(self) -> bool:
        """Whether more waits than shall, however short."""
        return self._uncommitted_bytes > _MOST_UNCOMMITTED_BYTES

    def committed(self) -> None:
        """Note that nothing waits any more."""
        self._last_commit = time.monotonic()
        self._wait_seconds = min(max(_FIRST_WAIT_SECONDS, 2 * self._wait_seconds), self._most_seconds)
        self._uncommitted_bytes = 0
