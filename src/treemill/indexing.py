"""Bring the index of a tree up to date: what `treemill index` and the library's `index` do.

    discover ─▶ plan ─▶ take the lease ─▶ process ─▶ forget what is gone ─▶ IndexReport

Nothing is written when nothing changed. A run that is cancelled or killed leaves what it committed, and the next one
goes on from there. Who had to wait for another writer, or was overtaken by one, looks again before it does anything:
the work is shared, and what the other has just written is not undone by an older view of the tree.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from treemill.embedding import EmbeddingProvider, Probed
from treemill.errors import IndexLocked
from treemill.events import Listener, Planned, Waiting, ignore
from treemill.flow import Crew
from treemill.freshness import IndexOptions, Survey, Walk, look
from treemill.plan import Plan
from treemill.processing.crews import limits_of, make_crew, make_crew_later, reached
from treemill.processing.engine import Run
from treemill.processing.recognising import KnownFirst
from treemill.processing.seams import Intake, VectorStage, itself, name_of
from treemill.recipes import governor_for, recipe_of
from treemill.records import Coverage, Recipe, RecordedFile, RunState, Status
from treemill.reports import IndexReport, ProcessingStats
from treemill.settings import ChunkerSettings, Settings
from treemill.settled import is_settled
from treemill.storage import ContentLookup, IndexStore, Writer
from treemill.storage.content_cache import ContentCache
from treemill.storage.keeping import Keeping
from treemill.types import DiscoveredFile, Skipped
from treemill.waiting import with_progress
from treemill.work import Cutter, Prepare, Prepared

# Where files wait for vectors is loaded for providers that make them wait.
_STAGE = "treemill.processing.stage"

# The chunker that knows custom delimiters, for settings that have some.
_DELIMITERS = "treemill.chunking.delimiter"

# How often whoever waits for a writer looks at how far that is, and at whether it is to go on waiting.
_WAIT_SECONDS = 0.5

_OUTDATED = "an earlier version of Treemill had cut this index: all files are cut again"


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
    walk: Walk | None = None,
    cache: ContentCache | None = None,
    cutter: Cutter | None = None,
) -> IndexReport:
    """Bring a store up to date with a tree, and report what that came to.

    `survey` is a look at this tree and store that was just taken, if there was one, and `walk` one that was begun for
    the look that is to be taken (`begin_walk`). What `cache` holds is not parsed again, and what is new is kept in it.
    `cutter` cuts in the place of Treemill's own chunkers, as they would.

    Raises:
        UsageError: there is no such folder.
        IndexLocked: another process is writing, and does not end within `options.wait_seconds` or before `cancel`.
        IndexMismatch: the store was built with another recipe.
        EmbeddingError: the provider does not answer, or refuses the key; nothing was begun.
        StorageError, WorkersError: the run failed; what was committed before stays.
    """
    options = options or IndexOptions()
    cancel = cancel or threading.Event()
    recipe = recipe_of(governor_for(settings, provider).recipe, provider)
    began = time.perf_counter()
    outdated = recipe.succeeds(store.recipe())
    if outdated:  # all is cut again, whatever a look has found
        options, survey = replace(options, everything=True), None
    survey = survey or look(root, store, settings, options, walk=walk)
    stats = ProcessingStats(start_time=time.time(), end_time=time.time())
    removed = 0
    if _has_work(survey, store, recipe):
        with _lease(store, options.wait_seconds, listener, cancel) as opened:
            if store.generation() != survey.generation:
                survey = look(root, store, settings, options, within=survey.within, entered=survey.entered)
            if _has_work(survey, store, recipe):
                writer = opened if cache is None else Keeping(opened, cache, recipe)
                made_before = None if cache is None else cache.lookup(recipe)
                stats, removed = _carry_out(
                    survey, store, writer, settings, recipe, provider, made_before, cutter, listener, cancel
                )
            # Counted while the writer waits for the disk.
            coverage = replace(_coverage(store), writer_pid=None)
    else:
        coverage = _coverage(store)
    plan = survey.plan
    return IndexReport(
        root=str(root),
        stats=stats,
        coverage=coverage,
        recipe=recipe,
        unchanged=plan.unchanged,
        removed=removed,
        skipped=(*plan.skipped, *stats.skipped),
        failures=tuple(stats.failures),
        warnings=(
            *_faults(settings.chunker),
            *([_OUTDATED] if outdated else []),
            *(f"{each.path}: {each.detail}" for each in plan.unreadable),
        ),
        seconds=time.perf_counter() - began,
    )


def _coverage(store: IndexStore) -> Coverage:
    with store.snapshot() as snapshot:
        return snapshot.coverage()


def _faults(settings: ChunkerSettings) -> tuple[str, ...]:
    """Return what is wrong with custom delimiters and languages, if the settings have any."""
    if not settings.custom_delimiters and not settings.custom_languages:
        return ()
    found: tuple[str, ...] = import_module(_DELIMITERS).faults(settings)
    return found


def _has_work(survey: Survey, store: IndexStore, recipe: Recipe) -> bool:
    return survey.found_work or not is_settled(store, recipe, survey.known) or not store.is_laid_out()


def _carry_out(
    survey: Survey,
    store: IndexStore,
    writer: Writer,
    settings: Settings,
    recipe: Recipe,
    provider: EmbeddingProvider | None,
    made_before: ContentLookup | None,
    cutter: Cutter | None,
    listener: Listener,
    cancel: threading.Event,
) -> tuple[ProcessingStats, int]:
    """Process what is stale, forget what is gone; return the statistics and how many paths are forgotten."""
    # A service that is down or refuses the key is told before any work; a mismatch is told by `begin_run`.
    built = store.recipe()
    if isinstance(provider, Probed) and (built in (None, recipe) or recipe.succeeds(built)):
        provider.probe()
    plan = survey.plan
    removed = 0

    def settle() -> None:
        nonlocal removed
        removed = _settle(plan, writer)

    with contextlib.ExitStack() as stack:
        stack.enter_context(reached(settings.chunker))
        writer.begin_run(recipe)
        lookup = store.lookup() if store.generation() else None
        work = Prepare(
            governor_for(settings, provider),
            max_bytes=settings.discovery.max_file_bytes,
            lookup=lookup,
            cache=made_before,
            cutter=cutter,
            provider=provider if provider is not None and provider.runs_in == "worker" else None,
            blocks=writer.takes_blocks and (provider is None or provider.runs_in == "worker"),
        )
        # Workers in this process have asked through these; an open reader keeps the write-ahead log from ending.
        for asked in (lookup, made_before):
            if asked is not None:
                stack.callback(asked.close)
        run = Run(
            Intake(name_of, itself),
            limits=limits_of(settings.chunker),
            commit_seconds=settings.storage.commit_seconds,
            listener=listener,
            cancel=cancel,
            # What turns out to be binary or gone was never a file to index.
            known=lambda: survey.known - run.tally.stats.skipped_files,
            vectors=_stage(provider, settings, stack),
            at_once=built is None,
        )
        # Into an empty index, what is known are copies of files of this run: workers see those themselves.
        first = built is None and made_before is None
        stack.enter_context(run.queue(_announced(survey.files, plan, run), compact=True))
        with _crew(settings.chunker, work, writer, first) as crew:
            # What is gone goes with the last of what came: a file that has moved is in the index at any moment.
            stats = run.work(crew, writer, settle)
        if stats.cancelled:
            writer.set_known(survey.known - stats.skipped_files)
        writer.end_run(RunState.INTERRUPTED if stats.cancelled else RunState.COMPLETE)
    return stats, removed


def _crew(settings: ChunkerSettings, work: Prepare, writer: Writer, first: bool) -> Crew[DiscoveredFile, Prepared]:
    """Return the workers; before them, where this is no first run, who takes out the files that need none."""
    if first:
        return make_crew(settings, work)
    known_of = None if work.lookup is None else writer.known_of
    return KnownFirst(make_crew_later(settings, work), work, known_of)


def _stage(provider: EmbeddingProvider | None, settings: Settings, stack: contextlib.ExitStack) -> VectorStage | None:
    """Return where files wait for a provider that runs in threads, ended by the stack; None for any other."""
    if provider is None or provider.runs_in == "worker":
        return None
    stage: VectorStage = import_module(_STAGE).stage_for(provider, settings.embedding, stack)
    return stage


def _lease(store: IndexStore, wait_seconds: float, listener: Listener, cancel: threading.Event) -> Writer:
    """Become the writer, telling the listener for whom that has to wait, and how far that one is.

    Nothing else goes on meanwhile, so the listener is told by this thread.

    Raises:
        IndexLocked: another process is writing, and the time is over or the run is cancelled.
    """
    began = time.monotonic()
    pause = 0.0
    while True:
        try:
            return store.writer(wait_seconds=pause)
        except IndexLocked as locked:
            waited = time.monotonic() - began
            told = with_progress(locked, store)
            if waited >= wait_seconds or cancel.is_set():
                raise told from None
            listener(Waiting(waited, told.pid or 0, told.message))
            pause = min(_WAIT_SECONDS, wait_seconds - waited)


def _announced(
    files: Iterable[list[DiscoveredFile]], plan: Plan, run: Run[DiscoveredFile | Skipped]
) -> Iterator[list[DiscoveredFile]]:
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
