"""Running an iterable in a thread of its own, ahead of the one who reads it.

For sources whose items are small (paths), so that the whole of the input is known soon, while the first items are
already being worked on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from treemill.flow.compact_queue import CompactQueue

T = TypeVar("T")

_PATIENCE_SECONDS = 0.02

# Who reads waits a moment for half as many as were read before, or for half of so many: waking the other thread costs
# more than an item. Where few may be ahead, they are worth a turn each.
_TURN = 1024
_MANY = 100

# So many items at most are handed out together: few enough that most of what nobody works on yet can still be had back.
_TOGETHER = 32


class Ahead(Generic[T]):
    """Iterate over `items`, of which some come at a time, read in another thread as fast as it goes.

    They are handed out by some at a time as well, not always the same; what `items` raises is raised here.

    Where the next item takes a while, an empty list comes in its place, so that nobody who reads is held up.

    With `most`, that many items at most are read and not taken yet, so that an endless iterable is fine. Then it waits
    until half of them are taken: threads that take turns for every item cost more than the items. With `compact`, items
    can be pickled, and copies of those that wait long are handed out; see `CompactQueue`.

    `on_item` is called in that thread with each item, in order. `found` counts them so far, `ended` tells whether
    that is all. Leaving the `with`, or `stop`, ends the thread after the item in hand; what it found before can still
    be had from `rest`.
    """

    def __init__(
        self,
        items: Iterable[Sequence[T]],
        on_item: Callable[[T], object] | None = None,
        *,
        most: int | None = None,
        compact: bool = False,
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
        self._room = threading.Event()
        self._thread = threading.Thread(target=self._read, name="run-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[list[T]]:
        while True:
            items = self._queue.take(_PATIENCE_SECONDS, 1 + min(self._taken, self._turn) // 2)
            if not items:
                yield []
            while items:
                some: list[T] = []
                end: _End | None = None
                while items and end is None and len(some) < _TOGETHER:
                    item = items.popleft()
                    if isinstance(item, _End):
                        end = item
                    else:
                        some.append(item)
                self._taken += len(some)
                if self._most is not None and 2 * (self.found - self._taken) <= self._most and not self._room.is_set():
                    self._room.set()
                if some:
                    yield some
                if end is not None:
                    if end.error is not None:
                        raise end.error
                    return

    def stop(self, grace_seconds: float = 0.0) -> None:
        """Read no further than what can be read within the grace."""
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
            for some in self._items:
                if self._stopping:
                    break
                self.found += len(some)
                if self._on_item is not None:
                    for item in some:
                        self._on_item(item)
                self._queue.put(some)
                if self._most is not None and self.found - self._taken >= self._most:
                    self._wait_for_room(self._most)
        except BaseException as raised:  # noqa: BLE001 - carried to the reader, which raises it
            error = raised
        self.ended = True
        self._queue.put_last(_End(error))

    def _wait_for_room(self, most: int) -> None:
        self._room.clear()
        # Looked at once more behind the clearing: what was taken, or stopped, just before would wake nobody.
        if not self._stopping and self.found - self._taken >= most:
            self._room.wait()


class _End:
    """Marks the end of the items, and why they ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
