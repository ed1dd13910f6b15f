"""A queue whose far end is kept as bytes, since objects take three times as much memory.

put ─▶ group ─▶ [bytes of a group] [bytes of a group] … [item] [item] ─▶ get
"""

from __future__ import annotations

import pickle
import queue
import threading
from collections import deque
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# So many entries stand ready as they are; behind them, groups of so many become one entry each.
_AT_HAND = 512
_GROUP = 256


class CompactQueue(Generic[T]):
    """First in, first out, between a thread that puts and one that takes. Items can be pickled, and copies come out."""

    def __init__(self) -> None:
        self._entries: queue.SimpleQueue[T | _Packed] = queue.SimpleQueue()
        self._group: list[T] = []  # behind the entries
        self._taken: deque[T] = deque()  # before them
        self._lock = threading.Lock()

    def put(self, item: T) -> None:
        """Put an item behind the others; it can be had at once."""
        with self._lock:
            self._group.append(item)
            if self._entries.qsize() < _AT_HAND:
                self._flush()
            elif len(self._group) == _GROUP:
                self._entries.put(_Packed(self._group))
                self._group = []

    def put_plain(self, item: T) -> None:
        """Put an item that cannot be pickled."""
        with self._lock:
            self._flush()
            self._entries.put(item)

    def get(self, timeout: float) -> T:
        """Take the first item, waiting at most so many seconds for one.

        Raises:
            queue.Empty: there is none.
        """
        if not self._taken:
            if not self._entries.qsize():
                with self._lock:
                    self._flush()
            entry = self._entries.get(timeout=timeout) if timeout > 0 else self._entries.get_nowait()
            if not isinstance(entry, _Packed):
                return entry
            self._taken.extend(entry.items())
        return self._taken.popleft()

    def _flush(self) -> None:
        for item in self._group:
            self._entries.put(item)
        self._group = []


class _Packed:
    """Some items, in order, as bytes."""

    def __init__(self, items: list[Any]) -> None:
        self._data = pickle.dumps(items, protocol=pickle.HIGHEST_PROTOCOL)

    def items(self) -> list[Any]:
        """Return the items."""
        found: list[Any] = pickle.loads(self._data)  # noqa: S301 - what this process has packed
        return found
