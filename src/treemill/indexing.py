"""Bring the index of a tree up to date: what `treemill index` and the library's `index` do.

    discover ─▶ plan ─▶ process ─▶ forget what is gone ─▶ IndexReport

Nothing is written when nothing changed. A run that is cancelled or killed leaves what it committed, and the next one
goes on from there.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from treemill.chunking.governor import ChunkGovernor
from treemill.embedding import EmbeddingProvider
from treemill.events import Listener, Planned, ignore
from treemill.freshness import IndexOptions, Survey, is_settled, look, recipe_of
from treemill.plan import Plan
from treemill.preparing import Prepare
from treemill.processing.crews import limits_of, make_crew
from treemill.processing.engine import Run
from treemill.processing.seams import Intake, VectorStage, itself, name_of
from treemill.processing.stage import Embedding
from treemill.processing.vectors import THREAD_COUNT, VectorCalculationManager
from treemill.records import RecordedFile, RunState, Status
from treemill.reports import IndexReport, ProcessingStats
from treemill.settings import Settings
from treemill.storage import IndexStore, Writer
from treemill.types import DiscoveredFile, Skipped


def index_tree(
    root: Path,
    store: IndexStore,
    settings: Settings,
    *,
    provider: EmbeddingProvider | None = None,
    options: IndexOptions | None = None,
    listener: Listener = ignore,
    cancel: threading.Event | None = None,
    survey: Survey | None = None,
) -> IndexReport:
    """Bring a store up to date with a tree, and report what that came to.

    `survey` is a look at this tree and store that was just taken, if there was one.

    Raises:
        UsageError: there is no such folder.
        IndexLocked: another process is writing.
        IndexMismatch: the store was built with another recipe.
        StorageError, WorkersError: the run failed; what was committed before stays.
    """
    options = options or IndexOptions()
    cancel = cancel or threading.Event()
    governor = ChunkGovernor(settings=settings.chunker)
    recipe = recipe_of(governor.recipe, provider)
    began = time.perf_counter()
    survey = survey or look(root, store, settings, options)
    plan = survey.plan
    stats = ProcessingStats(start_time=time.time(), end_time=time.time())
    removed = 0
    if survey.found_work or not is_settled(store, recipe, plan.known):
        with store.writer(wait_seconds=options.wait_seconds) as writer:
            writer.begin_run(recipe)
            work = Prepare(
                governor,
                max_bytes=settings.discovery.max_file_bytes,
                lookup=store.lookup() if store.generation() else None,
                provider=provider if provider is not None and provider.runs_in == "worker" else None,
            )
            with contextlib.ExitStack() as stack:
                stage = _vector_stage(provider, stack)
                run = Run(
                    Intake(name_of, itself),
                    limits=limits_of(settings.chunker),
                    commit_seconds=settings.storage.commit_seconds,
                    listener=listener,
                    cancel=cancel,
                    # What turns out to be binary or gone was never a file to index.
                    known=lambda: plan.known - run.tally.stats.skipped_files,
                    vectors=stage,
                )
                stack.enter_context(run.queue(_announced(survey.files, plan, run)))
                with make_crew(settings.chunker, work) as crew:
                    stats = run.work(crew, writer)
                if not stats.cancelled:
                    removed = _settle(plan, writer)
                writer.set_known(plan.known - stats.skipped_files)
                writer.end_run(RunState.INTERRUPTED if stats.cancelled else RunState.COMPLETE)
    with store.snapshot() as snapshot:
        coverage = snapshot.coverage()
    return IndexReport(
        root=str(root),
        stats=stats,
        coverage=coverage,
        recipe=recipe,
        unchanged=plan.unchanged,
        removed=removed,
        skipped=(*plan.skipped, *stats.skipped),
        failures=tuple(stats.failures),
        warnings=tuple(f"{each.path}: {each.detail}" for each in plan.unreadable),
        seconds=time.perf_counter() - began,
    )


def _vector_stage(provider: EmbeddingProvider | None, stack: contextlib.ExitStack) -> VectorStage | None:
    """Return where files wait for a provider that runs in threads; None for one that runs in the workers."""
    if provider is None or provider.runs_in == "worker":
        return None
    manager = stack.enter_context(VectorCalculationManager(provider, THREAD_COUNT))
    stack.callback(manager.cancel)
    return Embedding(manager)


def _announced(
    files: Iterable[DiscoveredFile], plan: Plan, run: Run[DiscoveredFile | Skipped]
) -> Iterator[DiscoveredFile]:
    """Pass files on, and tell the listener when the walk has ended what it found."""
    yield from files
    run.post(Planned(run.tally.elapsed, plan.stale, plan.unchanged, len(plan.gone)))


def _settle(plan: Plan, writer: Writer) -> int:
    """Record what discovery left out and forget what is gone; return how many paths are forgotten."""
    now = time.time_ns()
    writer.mark(
        [
            RecordedFile(skip.path, 0, 0, b"", now, Status.SKIPPED, str(skip.reason), skip.detail)
            for skip in plan.to_mark
        ]
    )
    return writer.remove(plan.gone)
