"""Which executor the work of somebody else's program can have, and workers that start before they are needed."""

from __future__ import annotations

import io
import logging
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from typing import TypeVar

from treemill import errors
from treemill.flow import Work
from treemill.flow.launching import dismiss, warm
from treemill.settings import ChunkerSettings

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_MOVABLE = "Define what workers run in a module that can be imported, with state that can be pickled"

# Fewer may be one batch, which is one worker's.
_FILES_OF_TWO_BATCHES = 64


@contextmanager
def starting(executor: str, settings: ChunkerSettings, files: int) -> Iterator[None]:
    """Have the first workers start while the store is being opened, where workers are processes.

    `files` is how many there are at least: no more workers start early than surely get a batch.
    """
    if executor != "process" or not files:
        yield
        return
    workers = min(settings.concurrency.max_parallel_files, os.cpu_count() or 1)
    try:
        warm(min(workers, 2 if files >= _FILES_OF_TWO_BATCHES else 1), "treemill.preparing")
    except OSError:
        pass  # the crew says so, if it still cannot start one
    try:
        yield
    finally:
        dismiss()


def executor_for(settings: ChunkerSettings, work: Work[T, R], asked: str | None = None) -> str:
    """Return the executor that the settings ask for, or threads where the work cannot go into worker processes.

    What cannot go, and what helps, is logged as a warning. One that was `asked` for is kept, and so are workers on Ray.

    Raises:
        UsageError: processes were asked for, or workers on Ray, and the work cannot go into them.
    """
    name = asked or settings.concurrency.executor
    if name not in ("process", "ray"):
        return name
    hindrance = _hindrance(work)
    if hindrance is None:
        return name
    if asked is not None or name == "ray":
        workers = "workers on Ray" if name == "ray" else "processes"
        raise errors.UsageError(f"{workers} cannot do this work: {hindrance}", suggestion=f"{_MOVABLE}, or use threads")
    logger.warning("working in threads instead of processes, which is slower: %s. %s", hindrance, _MOVABLE)
    return "thread"


def _hindrance(work: object) -> str | None:
    """Say why a work cannot be rebuilt in a fresh process, or return None where it can."""
    try:
        pickled = pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL)
        modules = _Modules(io.BytesIO(pickled)).modules()
    except Exception as error:  # noqa: BLE001 - pickling runs foreign code, which may raise anything
        return f"it cannot be pickled ({type(error).__name__}: {error})"
    for module in modules:
        top = module.partition(".")[0]
        if top == "__main__":
            return "it is defined in the script that runs (__main__)"
        if top not in sys.stdlib_module_names and PathFinder.find_spec(top) is None:
            return f"a fresh process cannot import its module {module}"
    return None


class _Modules(pickle.Unpickler):
    """Finds the modules that a pickle needs, by reading it."""

    def modules(self) -> set[str]:
        """Return their names."""
        self._found: set[str] = set()
        self.load()
        return self._found

    def find_class(self, module_name: str, global_name: str) -> object:
        """Note the module and go on."""
        self._found.add(module_name)
        return super().find_class(module_name, global_name)
