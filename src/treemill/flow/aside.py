"""Doing something beside: in a thread of its own, for work that lets go of the interpreter's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Aside(Generic[R]):
    """Begins at once; calling it waits for the end, and returns what came of it or raises what was raised.

    Whoever never calls it leaves it behind: it holds up nobody, and what it raises is lost.
    """

    def __init__(self, action: Callable[[], R]) -> None:
        self._action = action
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
        self._thread.start()

    def __call__(self) -> R:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._action()
        except BaseException as error:  # noqa: BLE001 - carried to the one who asks
            self._error = error
