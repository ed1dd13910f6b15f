"""Texts that wait to be embedded: one lane a task, batches taken from the lanes in turn. No threads, no clock.

A text is in it once, however many tasks want it. Lanes take turns by batches: one of thousands of texts gives a batch
and goes to the back, so the short ones behind it are not held up.

A text that waits is a place in its lane and has no object of its own: a hundred thousand of them would have the garbage
collector stop every thread for tens of milliseconds at a time, again and again, while requests stand ready to go out.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from treemill.values import dataclass


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
    """A text that is to be embedded, and the task that wanted it first, at which place."""

    text: str
    key: bytes
    task: Task
    place: int


@dataclass(eq=False, slots=True)
class Batch:
    """The texts of one request, and how often it hung."""

    wanted: list[Wanted]
    timeouts: int = 0

    def halves(self) -> tuple[Batch, Batch]:
        """Return the batch as two."""
        middle = len(self.wanted) // 2
        return Batch(self.wanted[:middle]), Batch(self.wanted[middle:])


@dataclass(eq=False, slots=True)
class _Lane:
    """The texts of a task that wait: those at `places`, from the `taken`-th on."""

    task: Task
    keys: Sequence[bytes]
    texts: Sequence[str]
    places: array[int]
    taken: int = 0

    def next(self) -> Wanted:
        """Return the first that waits."""
        place = self.places[self.taken]
        return Wanted(self.texts[place], self.keys[place], self.task, place)

    @property
    def empty(self) -> bool:
        """Whether nothing of it waits any more."""
        return self.taken == len(self.places)


class Lanes:
    """What waits, and what is under way. `waiting` counts the texts that no request holds yet."""

    def __init__(self, batch_size: int, batch_characters: int) -> None:
        self.waiting = 0
        self._batch_size = batch_size
        self._batch_characters = batch_characters
        self._lanes: deque[_Lane] = deque()
        # Who wanted a text first that waits or is in a request, and who else wants those that several want.
        self._under_way: dict[bytes, Task] = {}
        self._others: dict[bytes, list[tuple[Task, int]]] = {}

    def add(
        self,
        task: Task,
        keys: Sequence[bytes],
        texts: Sequence[str],
        known: Callable[[Sequence[bytes]], Mapping[bytes, bytes]],
    ) -> None:
        """Let a task wait for its texts; rows that are known are filled in at once."""
        lane = _Lane(task, keys, texts, array("q"))
        rows = known([key for key in keys if key not in self._under_way])
        for place, key in enumerate(keys):
            if key in self._under_way:
                self._others.setdefault(key, []).append((task, place))
            elif (row := rows.get(key)) is not None:
                task.rows[place] = row
                task.missing -= 1
            else:
                self._under_way[key] = task
                lane.places.append(place)
        if lane.places:
            self._lanes.append(lane)
            self.waiting += len(lane.places)

    def take(self) -> Batch:
        """Take texts from the lanes in turn, as many as fit a request; leave out what nobody waits for any more."""
        taken: list[Wanted] = []
        room = self._batch_characters
        while self._lanes and len(taken) < self._batch_size:
            lane = self._lanes.popleft()
            while not lane.empty and len(taken) < self._batch_size:
                wanted = lane.next()
                forgotten = all(task.error is not None for task, _ in self._waiting_for(wanted))
                if not forgotten and taken and len(wanted.text) > room:
                    self._lanes.append(lane)
                    return Batch(taken)
                lane.taken += 1
                self.waiting -= 1
                if forgotten:
                    self._settle(wanted)
                else:
                    room -= len(wanted.text)
                    taken.append(wanted)
            if not lane.empty:
                self._lanes.append(lane)
        return Batch(taken)

    def give(self, rows: Sequence[tuple[Wanted, bytes]]) -> list[Task]:
        """Hand vectors to those who wait for them; return the tasks that are complete now."""
        complete: list[Task] = []
        for wanted, row in rows:
            for task, place in self._settle(wanted):
                task.rows[place] = row
                task.missing -= 1
                if task.missing == 0 and task.error is None:
                    complete.append(task)
        return complete

    def fail(self, wanted: Sequence[Wanted], error: Exception) -> list[Task]:
        """Let the tasks that wait for these texts fail; return those that had not failed before."""
        failed: list[Task] = []
        for each in wanted:
            for task, _ in self._settle(each):
                if task.error is None:
                    task.error = error
                    failed.append(task)
        return failed

    def clear(self) -> None:
        """Forget everything."""
        self._lanes.clear()
        self._under_way.clear()
        self._others.clear()
        self.waiting = 0

    def _waiting_for(self, wanted: Wanted) -> Sequence[tuple[Task, int]]:
        """Return who waits for a text, at which place."""
        return ((wanted.task, wanted.place), *self._others.get(wanted.key, ()))

    def _settle(self, wanted: Wanted) -> Sequence[tuple[Task, int]]:
        """Return who waits for a text; it is under way no longer. A second time nobody does."""
        if self._under_way.get(wanted.key) is not wanted.task:
            return ()
        waiting = self._waiting_for(wanted)
        del self._under_way[wanted.key]
        self._others.pop(wanted.key, None)
        return waiting
