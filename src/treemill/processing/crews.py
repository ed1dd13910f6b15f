"""Crews for files: from settings to workers, and from what became of a worker to the error of a file."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from treemill import errors
from treemill.choices import EXECUTORS
from treemill.extras import module_of_extra
from treemill.flow import Cause, Crew, Later, Limits, Lost, Work
from treemill.settings import ChunkerSettings
from treemill.types import Failure

T = TypeVar("T")
R = TypeVar("R")

# A crew is loaded when it is made.
_FLOW = "treemill.flow"
_CREWS = {"process": "ProcessCrew", "thread": "ThreadCrew", "inline": "InlineCrew"}


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
    made: Crew[T, R] = getattr(import_module(_FLOW), _CREWS[name])(count, work, limits)
    return made


def make_crew_later(settings: ChunkerSettings, work: Work[T, R]) -> Crew[T, R]:
    """Return a crew as `make_crew` does, which has worker processes loaded with the first batch.

    Raises:
        UsageError, WorkersError: as `make_crew`.
    """
    concurrency = settings.concurrency
    if concurrency.executor != "process":
        return make_crew(settings, work)
    count = min(concurrency.max_parallel_files, os.cpu_count() or 1)
    return Later(count, work, limits_of(settings), partial(make_crew, settings, work))


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
