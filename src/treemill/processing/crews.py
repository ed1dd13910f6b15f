"""Crews for files: from settings to workers, and from what became of a worker to the error of a file."""

from __future__ import annotations

import io
import logging
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.machinery import PathFinder
from typing import Any, TypeVar

from treemill import errors
from treemill.choices import EXECUTORS
from treemill.extras import module_of_extra
from treemill.flow import Cause, Crew, InlineCrew, Limits, Lost, ProcessCrew, ThreadCrew, Work
from treemill.flow.launching import dismiss, warm
from treemill.settings import ChunkerSettings
from treemill.types import Failure

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_MOVABLE = "Define what workers run in a module that can be imported, with state that can be pickled"

# Fewer may be one batch, which is one worker's.
_FILES_OF_TWO_BATCHES = 64

_CREWS: dict[str, type[Crew[object, object]]] = {"process": ProcessCrew, "thread": ThreadCrew, "inline": InlineCrew}


def limits_of(settings: ChunkerSettings) -> Limits:
    """Return what one file may cost a worker under these settings."""
    performance = settings.performance
    return Limits(performance.chunk_timeout_seconds, int(performance.max_memory_mb_per_operation * 1_000_000))


def make_crew(
    settings: ChunkerSettings,
    work: Work[T, R],
    *,
    executor: str | None = None,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Crew[T, R]:
    """Return the crew that the settings ask for; `executor` and `workers` override them, `limits` those of a file.

    Processes are capped at the number of processors, workers on Ray at those of the cluster, threads are not.

    Raises:
        UsageError: there is no such executor, fewer than one worker is asked for, or Ray is not installed.
        WorkersError: there is no cluster where the settings say.
    """
    name = settings.concurrency.executor if executor is None else executor
    count = settings.concurrency.max_parallel_files if workers is None else workers
    if name not in EXECUTORS:
        raise errors.UsageError(f"there is no executor {name!r}", suggestion=f"Use one of {', '.join(EXECUTORS)}")
    if count < 1:
        raise errors.UsageError(f"{count} workers can do nothing", suggestion="Ask for at least 1")
    limits = limits_of(settings) if limits is None else limits
    if name == "ray":
        crew: Crew[T, R] = _cluster().open_crew(settings, work, count, limits)
        return crew
    return _CREWS[name](count, work, limits)  # type: ignore[arg-type, return-value]


def reached(settings: ChunkerSettings) -> AbstractContextManager[None]:
    """Where workers are on a cluster, be connected to it while entered, sure that its nodes can work.

    Raises:
        UsageError: Ray is not installed, or the address is none.
        WorkersError: there is no cluster, or its nodes cannot do the work.
    """
    if settings.concurrency.executor != "ray":
        return nullcontext()
    manager: AbstractContextManager[None] = _cluster().reached(settings)
    return manager


def _cluster() -> Any:
    return module_of_extra("treemill.cluster.door", "workers on Ray need", {"ray": "ray"})


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


def failure_of(lost: Lost[T], path: str, limits: Limits) -> Failure:
    """Return the failure of a file that raised, crashed its worker, or overran."""
    if lost.cause is Cause.RAISED:
        return Failure(path, "chunk", lost.error_type, lost.message, lost.traceback)
    error = _ERRORS[lost.cause](lost, path, limits)
    return Failure(path, "chunk", type(error).__name__, str(error), lost.traceback)


def _crashed(lost: Lost[T], path: str, limits: Limits) -> errors.ChunkingError:
    return errors.WorkerCrashedError(
        f"the worker died twice with {path} in hand: {lost.message}",
        path=path,
        suggestion="It is left alone until it changes; .treemillignore can leave it out for good",
    )


def _overran_time(lost: Lost[T], path: str, limits: Limits) -> errors.ChunkingError:
    return errors.ChunkingTimeoutError(
        f"{path} took more than {limits.seconds:g} s and its worker was stopped",
        path=path,
        limit=limits.seconds,
        actual=round(lost.amount, 3),
        unit="seconds",
        suggestion="Raise chunk_timeout_seconds, or leave the file out with .treemillignore",
    )


def _overran_memory(lost: Lost[T], path: str, limits: Limits) -> errors.ChunkingError:
    limit = (limits.memory_bytes or 0) / 1e6
    return errors.MemoryLimitExceededError(
        f"{path} made its worker grow by {lost.amount / 1e6:.0f} MB, over {limit:g} MB",
        path=path,
        limit=limit,
        actual=round(lost.amount / 1e6, 1),
        unit="MB",
        suggestion="Raise max_memory_mb_per_operation, or leave the file out with .treemillignore",
    )


_ERRORS = {
    Cause.CRASHED: _crashed,
    Cause.OVERRAN_TIME: _overran_time,
    Cause.OVERRAN_MEMORY: _overran_memory,
}
