"""Doing something beside: in a thread of its own, for work that lets go of the interpreter's lock."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

R = TypeVar("R")


class _Task(Generic[R]):
    """Something that is done by another thread."""

    def __init__(self, action: Callable[[], R]) -> None:
        self._action = action
        self._error: BaseException | None = None
        self._under_way = threading.Lock()
        self._under_way.acquire()

    def __call__(self) -> R:
        with self._under_way:
            pass
        if self._error is not None:
            raise self._error
        return self._result

    def run(self) -> None:
        try:
            self._result = self._action()
        except BaseException as error:  # noqa: BLE001 - carried to the one who asks
            self._error = error
        finally:
            self._under_way.release()


class Aside(Generic[R]):
    """Begins at once; calling it waits for the end, and returns what came of it or raises what was raised.

    Whoever never calls it leaves it behind: it holds up nobody, and what it raises is lost.
    """

    def __init__(self, action: Callable[[], R]) -> None:
        self._task = _Task(action)
        self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
        self._thread.start()

    def __call__(self) -> R:
        return self._task()

    @property
    def under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def _run(self) -> None:
        self._task.run()


class Hand(Generic[R]):
    """Threads that do one thing after the other, for whoever has many to do aside: to start one takes longer.

    Use it in a `with`; leaving it lets go of what was not begun.
    """

    def __init__(self, threads: int = 1) -> None:
        self._tasks: queue.SimpleQueue[_Task[R] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._most = threads
        self._leaving = False

    def begin(self, action: Callable[[], R]) -> Callable[[], R]:
        """Have it done after what was begun before; calling what is returned waits for the end, as an `Aside` does.

        With several threads, what was begun before may not have ended.
        """
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._run, name="hand", daemon=True)
            self._threads.append(thread)
            thread.start()
        task = _Task(action)
        self._tasks.put(task)
        return task

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        for _ in self._threads:
            self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None and not self._leaving:
            task.run()
