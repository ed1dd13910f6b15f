"""Running an iterable in a thread of its own, ahead of the one who reads it.

For sources whose items are small (paths), so that the whole of the input is known soon, while the first items are
already being worked on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from treemill.flow.compact_queue import CompactQueue

T = TypeVar("T")

_PATIENCE_SECONDS = 0.02

# Who reads waits a moment for half as many as were read before, or for half of so many: waking the other thread costs
# more than an item. Where few may be ahead, they are worth a turn each.
_TURN = 4096
_MANY = 100

# So many items are read in a turn. A run that is not over so soon is better off with all that is known ahead of it.
_IN_TURNS = 512
_IN_TURNS_SECONDS = 0.5


class Ahead(Generic[T]):
    """Iterate over `items`, read in another thread as fast as it goes; what it raises is raised here.

    Where the next item takes a while, None comes in its place, so that nobody who reads is held up.

    With `most`, that many items at most are read and not taken yet, so that an endless iterable is fine. Then it waits
    until half of them are taken: threads that take turns for every item cost more than the items. With `compact`, items
    can be pickled, and copies of those that wait long are handed out; see `CompactQueue`.

    With `in_turns`, some hundred items are read only while nobody is busy with those before, until `hurry` or for half
    a second: where both are the interpreter's work, they are in each other's way.

    `on_item` is called in that thread with each item, in order. `found` counts them so far, `ended` tells whether
    that is all. Leaving the `with`, or `stop`, ends the thread after the item in hand; what it found before can still
    be had from `rest`.
    """

    def __init__(
        self,
        items: Iterable[T],
        on_item: Callable[[T], object] | None = None,
        *,
        most: int | None = None,
        compact: bool = False,
        in_turns: bool = False,
    ) -> None:
        self.found = 0
        self.ended = False
        self._queue: CompactQueue[T | _End] = CompactQueue(packs=compact)
        self._stopping = False
        self._items = items
        self._on_item = on_item
        self._most = most
        self._turn = _TURN if most is None else min(_TURN, most) if most >= _MANY else 0
        self._taken = 0
        self._turns_until = time.monotonic() + _IN_TURNS_SECONDS if in_turns else 0.0
        self._room = threading.Event()
        self._thread = threading.Thread(target=self._read, name="run-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[T | None]:
        while True:
            if self._turns_until:
                self._room.set()
                items = self._queue.take(_PATIENCE_SECONDS, min(1 + self._taken, _IN_TURNS))
            else:
                items = self._queue.take(_PATIENCE_SECONDS, 1 + min(self._taken, self._turn) // 2)
            if not items:
                yield None
            while items:
                item = items.popleft()
                if isinstance(item, _End):
                    if item.error is not None:
                        raise item.error
                    return
                self._taken += 1
                if self._most is not None and 2 * (self.found - self._taken) <= self._most and not self._room.is_set():
                    self._room.set()
                yield item

    def hurry(self) -> None:
        """Read as fast as it goes from here on, and not in turns."""
        if self._turns_until:
            self._turns_until = 0.0
            self._room.set()

    def stop(self, grace_seconds: float = 0.0) -> None:
        """Read no further than what can be read within the grace."""
        self.hurry()
        if self._thread.is_alive():
            self._thread.join(grace_seconds)
        self._stopping = True
        self._room.set()

    def rest(self) -> Iterator[T]:
        """Yield what was found and not taken, without waiting for more."""
        while items := self._queue.take(0):
            item = items.popleft()
            if not isinstance(item, _End):
                yield item

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if self._stopping:
                    break
                self.found += 1
                if self._on_item is not None:
                    self._on_item(item)
                self._queue.put(item)
                if self._most is not None and self.found - self._taken >= self._most:
                    self._wait_for_room(self._most)
                elif self._turns_until and self.found - self._taken >= _IN_TURNS:
                    self._wait_for_turn()
        except BaseException as raised:  # noqa: BLE001 - carried to the reader, which raises it
            error = raised
        self.ended = True
        self._queue.put_last(_End(error))

    def _wait_for_room(self, most: int) -> None:
        self._room.clear()
        # Looked at once more behind the clearing: what was taken, or stopped, just before would wake nobody.
        if not self._stopping and self.found - self._taken >= most:
            self._room.wait()

    def _wait_for_turn(self) -> None:
        self._room.clear()
        left = self._turns_until - time.monotonic()
        if left <= 0:
            self.hurry()
        # Looked at once more behind the clearing, as above.
        elif not self._stopping and self.found - self._taken >= _IN_TURNS:
            self._room.wait(left)


class _End:
    """Marks the end of the items, and why they ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
