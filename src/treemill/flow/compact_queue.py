"""A queue whose far end can be kept as bytes, since objects take three times as much memory.

put ─▶ group ─▶ [bytes of a group] [bytes of a group] … [item] [item] ─▶ take
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Loaded where so many wait that they are packed.
_PICKLE = "pickle"

# So many entries stand ready as they are; behind them, groups of so many become one entry each.
_AT_HAND = 8192
_GROUP = 256

# How long it may take until as many have come as are wanted.
_MOMENT_SECONDS = 0.02


class CompactQueue(Generic[T]):
    """First in, first out, between a thread that puts and one that takes.

    With `packs`, items can be pickled, and copies come out of those that wait long.

    Neither thread wakes the other for an item unless that one waits for just that: an item then costs a fifth of a
    queue's of the standard library.
    """

    def __init__(self, *, packs: bool) -> None:
        self._at_hand = _AT_HAND if packs else sys.maxsize
        self._entries: deque[T | _Packed] = deque()
        self._group: list[T] = []  # behind the entries; the thread that puts adds to it, with the lock
        self._taken: deque[T] = deque()  # before them, for the thread that takes alone
        self._come = self._gone = 0  # items: each thread counts its own
        self._lock = threading.Lock()
        self._awaited = 0  # for so many items the thread that takes is waiting
        self._complete = False
        self._came = threading.Event()

    def put(self, items: Sequence[T]) -> None:
        """Put items behind the others; they can be had at once."""
        if not self._group and len(self._entries) < self._at_hand:
            self._entries.extend(items)
        else:
            with self._lock:
                self._group.extend(items)
                if len(self._entries) < self._at_hand:
                    self._flush()
                while len(self._group) >= _GROUP:
                    self._entries.append(_Packed(self._group[:_GROUP]))
                    del self._group[:_GROUP]
        self._come += len(items)
        if self._awaited and self._come - self._gone >= self._awaited:
            self._came.set()

    def put_last(self, item: T) -> None:
        """Put the last item, which need not be one that can be pickled."""
        with self._lock:
            self._flush()
            self._entries.append(item)
        self._come += 1
        self._complete = True
        self._came.set()

    def take(self, timeout: float, wanted: int = 1) -> deque[T]:
        """Return the first items, to be taken from the left of them; what is left is returned again.

        Where there are fewer than wanted, wait a moment for more; where there is none, at most `timeout` seconds for
        one, and return none.
        """
        taken, entries = self._taken, self._entries
        if taken:
            return taken
        if self._come - self._gone < wanted:
            self._wait_for(wanted, min(timeout, _MOMENT_SECONDS))
        if not entries:
            self._wait_for(1, timeout)
        for _ in range(len(entries)):
            entry = entries.popleft()
            if isinstance(entry, _Packed):
                taken.extend(entry.items())
                break
            taken.append(entry)
        self._gone += len(taken)
        return taken

    def _wait_for(self, wanted: int, seconds: float) -> None:
        """Wait until there are so many items, or all that will come, but not for ever."""
        self._came.clear()
        self._awaited = wanted  # looked at again behind it: what was put just before would wake nobody
        with self._lock:
            self._flush()
        if self._come - self._gone < wanted and not self._complete:
            self._came.wait(seconds)
        self._awaited = 0

    def _flush(self) -> None:
        self._entries.extend(self._group)
        self._group = []


class _Packed:
    """Some items, in order, as bytes."""

    def __init__(self, items: list[Any]) -> None:
        pickle = import_module(_PICKLE)
        self._data: bytes = pickle.dumps(items, protocol=pickle.HIGHEST_PROTOCOL)

    def items(self) -> list[Any]:
        """Return the items."""
        found: list[Any] = import_module(_PICKLE).loads(self._data)  # what this process has packed
        return found
