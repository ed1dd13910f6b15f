"""HighThroughputProcessor: files processed in parallel into a store, each whole or not at all.

    processor = HighThroughputProcessor(provider, store, root="src/app")
    stats = processor.process_files_high_throughput(files, vector_thread_count=8)

There is no sequential phase: each file is queued, chunked, embedded and committed on its own way through the engine,
and what has ended is searchable while the rest is under way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sized
from contextlib import ExitStack

from treemill.chunking.governor import ChunkGovernor
from treemill.embedding import EmbeddingProvider
from treemill.errors import UsageError
from treemill.events import Event, Finished, Listener, Queued, Started, ignore, wants_files
from treemill.processing.callbacks import ProgressCallback, listener_of
from treemill.processing.crews import limits_of, make_crew
from treemill.processing.custom import Chunker, cutter_for
from treemill.processing.engine import Run
from treemill.processing.executors import executor_for, starting
from treemill.processing.given import GivenFiles, GivenPath
from treemill.processing.seams import Intake
from treemill.processing.stage import Embedding
from treemill.processing.vectors import BATCH_SIZE, VectorCalculationManager
from treemill.recipes import recipe_of, tokenizer_for
from treemill.records import RunState, Status
from treemill.reports import ProcessingStats
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.work import Prepare, chunker_of


class HighThroughputProcessor:
    """Processes files into a store. One call at a time; after it, cancelled or not, the next one may follow.

    Without a root, files stand in the store under the paths that they are given by. Without a provider the index has
    no vectors. `chunker` is an object with `chunk_file(path)` or `chunk_text(text)`, or a function of a text; without
    one each file is cut by the best of Treemill's own (semantic, delimiter, fixed size). Workers come from
    `settings.chunker.concurrency`.
    """

    def __init__(
        self,
        embedding_provider: EmbeddingProvider | None,
        store: IndexStore,
        *,
        root: str | os.PathLike[str] | None = None,
        chunker: Chunker | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Get ready; nothing is opened or started before there are files.

        Raises:
            UsageError: there is no such root, or the chunker is none.
            SettingsError: the settings count chunks in tokens, and the provider has no tokenizer.
        """
        self._provider = embedding_provider
        self._store = store
        self._settings = settings or Settings()
        self._root = root
        if root is not None and not os.path.isdir(root):
            raise UsageError(f"there is no folder {os.fspath(root)}", suggestion="Name a folder that exists")
        most_chunks = self._settings.chunker.performance.max_chunks_per_file
        self._cutter = None if chunker is None else cutter_for(chunker, most_chunks)
        tokenizer = tokenizer_for(self._settings, embedding_provider)
        self._governor = ChunkGovernor(settings=self._settings.chunker, tokenizer=tokenizer)
        self._cancel = threading.Event()
        self._at_work = threading.Lock()
        self._stats = ProcessingStats()

    @property
    def cancelled(self) -> bool:
        """Whether the run under way, or else the newest one, was asked to end."""
        return self._cancel.is_set()

    @property
    def stats(self) -> ProcessingStats:
        """The statistics of the newest run: also while it is under way, and after it ended with an error."""
        return self._stats

    def request_cancellation(self) -> None:
        """Ask the run under way to end, from any thread; it returns within a second. The next run is not affected."""
        self._cancel.set()

    def process_files_high_throughput(
        self,
        files: Iterable[GivenPath],
        vector_thread_count: int,
        batch_size: int = BATCH_SIZE,
        progress_callback: ProgressCallback | None = None,
        *,
        on_event: Listener = ignore,
    ) -> ProcessingStats:
        """Process files, and return what that came to.

        `vector_thread_count` bounds the requests that are under way at a time and `batch_size` the texts in each, where
        the provider runs in threads. `progress_callback` and `on_event` are called from one thread, one call at a time;
        neither can hold up or break the run. A file given twice is processed once and skipped once.

        Where there is a root, relative paths count from it, unless they begin with the root as it was given: what
        `Path(root).rglob` returns is understood either way. Whatever becomes of a file is in the statistics:
        files_processed + failed_files + skipped_files + cancelled_files = submitted_files.

        Raises:
            UsageError: this processor is at work already, or a count is below 1.
            IndexLocked: somebody else is writing to the store.
            IndexMismatch: the store was built with another recipe.
            StorageError, WorkersError: the run cannot go on; what was committed stays, and `stats` tells of the rest.
        """
        if not self._at_work.acquire(blocking=False):
            raise UsageError("this processor is at work already", suggestion="Wait for it, or make another one")
        try:
            self._cancel = threading.Event()
            given = GivenFiles(self._root, self._settings.chunker)
            listener = _both(on_event, progress_callback, given, self._cancel.set)
            return self._process(files, given, vector_thread_count, batch_size, listener)
        finally:
            self._at_work.release()

    def _process(
        self, files: Iterable[GivenPath], given: GivenFiles, threads: int, batch_size: int, listener: Listener
    ) -> ProcessingStats:
        with ExitStack() as stack:
            manager = self._manager(threads, batch_size, stack)
            intake = Intake(given.name, given.describe, len(files) if isinstance(files, Sized) else None)
            run: Run[str] = Run(
                intake,
                limits=limits_of(self._settings.chunker),
                commit_seconds=self._settings.storage.commit_seconds,
                listener=listener,
                cancel=self._cancel,
                known=lambda: len(given.besides) + run.found() - run.tally.stats.skipped_files,
                vectors=None if manager is None else Embedding(manager),
            )
            self._stats = run.tally.stats
            stack.enter_context(run.queue([name] for name in given.strings(files)))
            executor = executor_for(self._settings.chunker, self._work())
            stack.enter_context(starting(executor, self._settings.chunker, intake.expected or 0))
            with self._store.writer() as writer:
                writer.begin_run(recipe_of(chunker_of(self._governor, self._cutter), self._provider))
                given.besides.update(each.path for each in self._store.recorded() if each.status is Status.INDEXED)
                work = self._work(blocks=writer.takes_blocks and manager is None)
                with make_crew(self._settings.chunker, work, executor=executor) as crew:
                    stats = run.work(crew, writer)
                writer.end_run(RunState.INTERRUPTED if stats.cancelled else RunState.COMPLETE)
            return stats

    def _work(self, *, blocks: bool = False) -> Prepare:
        in_workers = self._provider is not None and self._provider.runs_in == "worker"
        return Prepare(
            self._governor,
            max_bytes=round(self._settings.chunker.performance.max_file_size_mb * 1_000_000),
            lookup=self._store.lookup() if self._store.generation() else None,
            provider=self._provider if in_workers else None,
            cutter=self._cutter,
            tell_refused=True,
            blocks=blocks,
        )

    def _manager(self, threads: int, batch_size: int, stack: ExitStack) -> VectorCalculationManager | None:
        """Return what asks a provider that runs in threads, ended by the stack; None where there is nothing to ask."""
        if threads < 1 or batch_size < 1:
            raise UsageError(
                f"{threads} threads with batches of {batch_size} can do nothing",
                suggestion="Ask for at least 1 of each",
            )
        if self._provider is None or self._provider.runs_in == "worker":
            return None
        manager = VectorCalculationManager(self._provider, threads, batch_size=batch_size)
        stack.callback(manager.cancel)
        return manager


def _both(
    on_event: Listener, callback: ProgressCallback | None, given: GivenFiles, interrupt: Callable[[], object]
) -> Listener:
    """Return the listener that tells both, the callback even where the other one fails."""
    if callback is None:
        return on_event
    tell = listener_of(callback, given=given.as_given, interrupt=interrupt)
    if on_event is ignore:
        return tell
    all_of_it = wants_files(on_event)

    def listener(event: Event) -> None:
        try:
            if all_of_it or not isinstance(event, Queued | Started | Finished):
                on_event(event)
        finally:
            tell(event)

    return listener
