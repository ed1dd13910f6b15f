"""Texts that wait to be embedded: one lane a task, batches taken from the lanes in turn. No threads, no clock.

A text is in it once, however many tasks want it. Lanes take turns by batches: one of thousands of texts gives a batch
and goes to the back, so the short ones behind it are not held up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Task:
    """Texts that belong together. `done` is called once, in whichever thread: all `rows` are there, or an `error` is.

    `rows` are the float32 bytes of the vectors, in the order of the texts; `missing` is how many are not there yet.
    """

    rows: list[bytes]
    missing: int
    done: Callable[[Task], None]
    error: Exception | None = None


@dataclass(eq=False, slots=True)
class Wanted:
    """A text that is to be embedded, and who waits for it at which place."""

    text: str
    key: bytes
    waiting: list[tuple[Task, int]]


@dataclass(eq=False, slots=True)
class Batch:
    """The texts of one request, and how often it hung."""

    wanted: list[Wanted]
    timeouts: int = 0

    def halves(self) -> tuple[Batch, Batch]:
        """Return the batch as two."""
        middle = len(self.wanted) // 2
        return Batch(self.wanted[:middle]), Batch(self.wanted[middle:])


class Lanes:
    """What waits, and what is under way. `waiting` counts the texts that no request holds yet."""

    def __init__(self, batch_size: int, batch_characters: int) -> None:
        self.waiting = 0
        self._batch_size = batch_size
        self._batch_characters = batch_characters
        self._lanes: deque[deque[Wanted]] = deque()
        self._under_way: dict[bytes, Wanted] = {}

    def add(
        self,
        task: Task,
        keys: Sequence[bytes],
        texts: Sequence[str],
        known: Callable[[Sequence[bytes]], Mapping[bytes, bytes]],
    ) -> None:
        """Let a task wait for its texts; rows that are known are filled in at once."""
        lane: deque[Wanted] = deque()
        rows = known([key for key in keys if key not in self._under_way])
        for place, key in enumerate(keys):
            wanted = self._under_way.get(key)
            if wanted is not None:
                wanted.waiting.append((task, place))
            elif (row := rows.get(key)) is not None:
                task.rows[place] = row
                task.missing -= 1
            else:
                wanted = self._under_way[key] = Wanted(texts[place], key, [(task, place)])
                lane.append(wanted)
        if lane:
            self._lanes.append(lane)
            self.waiting += len(lane)

    def take(self) -> Batch:
        """Take texts from the lanes in turn, as many as fit a request; leave out what nobody waits for any more."""
        taken: list[Wanted] = []
        room = self._batch_characters
        while self._lanes and len(taken) < self._batch_size:
            lane = self._lanes.popleft()
            while lane and len(taken) < self._batch_size:
                wanted = lane[0]
                forgotten = all(task.error is not None for task, _ in wanted.waiting)
                if not forgotten and taken and len(wanted.text) > room:
                    self._lanes.append(lane)
                    return Batch(taken)
                lane.popleft()
                self.waiting -= 1
                if forgotten:
                    del self._under_way[wanted.key]
                else:
                    room -= len(wanted.text)
                    taken.append(wanted)
            if lane:
                self._lanes.append(lane)
        return Batch(taken)

    def give(self, rows: Sequence[tuple[Wanted, bytes]]) -> list[Task]:
        """Hand vectors to those who wait for them; return the tasks that are complete now."""
        complete: list[Task] = []
        for wanted, row in rows:
            self._under_way.pop(wanted.key, None)
            for task, place in wanted.waiting:
                task.rows[place] = row
                task.missing -= 1
                if task.missing == 0 and task.error is None:
                    complete.append(task)
        return complete

    def fail(self, wanted: Sequence[Wanted], error: Exception) -> list[Task]:
        """Let the tasks that wait for these texts fail; return those that had not failed before."""
        failed: list[Task] = []
        for each in wanted:
            self._under_way.pop(each.key, None)
            for task, _ in each.waiting:
                if task.error is None:
                    task.error = error
                    failed.append(task)
        return failed

    def clear(self) -> None:
        """Forget everything."""
        self._lanes.clear()
        self._under_way.clear()
        self.waiting = 0
