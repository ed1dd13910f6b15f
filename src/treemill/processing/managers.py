"""FileChunkingManager: files one by one, each with a Future, through the same engine as everything else.

    with VectorCalculationManager(provider, 8) as vectors, FileChunkingManager(vectors, None, 4, store=store) as files:
        futures = [files.submit_file_for_processing(path, metadata, callback) for path in paths]

For callers who want to wait for single files. Whoever has a list of them is better served by `HighThroughputProcessor`,
which keeps no Future for each.
"""

from __future__ import annotations

import inspect
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from treemill.chunking.governor import ChunkGovernor
from treemill.errors import UsageError
from treemill.events import Cancelled, Ended, Event, Finished, Heartbeat, Passed, Queued, Started
from treemill.processing.callbacks import Counts, ProgressCallback, Teller, tell_all
from treemill.processing.collecting import CollectingWriter
from treemill.processing.crews import limits_of, make_crew
from treemill.processing.custom import Chunker, cutter_for
from treemill.processing.engine import Run
from treemill.processing.executors import executor_for
from treemill.processing.given import GivenPath, described
from treemill.processing.identifier import FileMetadata
from treemill.processing.seams import Intake
from treemill.processing.stage import Embedding, exact, quantised
from treemill.processing.vectors import VectorCalculationManager
from treemill.recipes import recipe_of, tokenizer_for
from treemill.records import RunState
from treemill.reports import FileProcessingResult
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage import IndexStore, Writer
from treemill.types import DiscoveredFile, Skipped
from treemill.values import dataclass
from treemill.work import Prepare, chunker_of

Metadata = FileMetadata | Mapping[str, object] | None


@dataclass(eq=False, slots=True)
class _Submitted:
    """A file on its way: what it is called, who waits for it, who is told of it."""

    name: str
    root: str | None
    given: GivenPath
    teller: Teller | None
    future: Future[FileProcessingResult] = field(default_factory=Future)
    began: float = field(default_factory=time.monotonic)

    def describe(self, rules: ChunkerSettings) -> DiscoveredFile | Skipped | None:
        """Look at the file's directory entry; None where the future was cancelled before its turn."""
        if not self.future.set_running_or_notify_cancel():
            return None
        return described(self.name, self.root, rules)

    def end(self, **what: Any) -> None:
        """Resolve the future."""
        if self.future.running() or self.future.set_running_or_notify_cancel():
            seconds = time.monotonic() - self.began
            self.future.set_result(FileProcessingResult(file_path=self.given, processing_time=seconds, **what))


class FileChunkingManager:
    """Processes files that are submitted one by one. Use it in a `with`.

    Leaving it waits for all files, or, on an error, cancels them.

    With a store, a file that succeeded is committed; without one, its result carries the vectors. `thread_count` is how
    many files are worked on at a time: in processes, at most one a processor, or in threads where the chunker cannot go
    into processes. `chunker` is a ChunkGovernor, a chunker as `HighThroughputProcessor` takes it, or None.
    """

    def __init__(
        self,
        vector_manager: VectorCalculationManager | None,
        chunker: Chunker | ChunkGovernor | None,
        thread_count: int,
        *,
        store: IndexStore | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Get ready; nothing is opened or started before the `with` is entered.

        Raises:
            UsageError: fewer than one worker is asked for, or the chunker is none.
            SettingsError: the settings count chunks in tokens, and the provider has no tokenizer.
        """
        if thread_count < 1:
            raise UsageError(f"{thread_count} workers can do nothing", suggestion="Ask for at least 1")
        chosen = settings or Settings()
        rules = chunker.settings if isinstance(chunker, ChunkGovernor) else chosen.chunker
        concurrency = ConcurrencySettings(max_parallel_files=thread_count, executor=rules.concurrency.executor)
        self._rules = replace(rules, concurrency=concurrency)
        if isinstance(chunker, ChunkGovernor):
            self._governor = ChunkGovernor(chunker.capabilities, self._rules, tokenizer=chunker.tokenizer)
        else:
            tokenizer = tokenizer_for(chosen, None if vector_manager is None else vector_manager.provider)
            self._governor = ChunkGovernor(settings=self._rules, tokenizer=tokenizer)
        foreign = chunker is not None and not isinstance(chunker, ChunkGovernor)
        self._cutter = cutter_for(chunker, rules.performance.max_chunks_per_file) if foreign else None
        self._vectors = vector_manager
        self._store = store
        self._commit_seconds = chosen.storage.commit_seconds if store is not None else 0.0
        self._cancel = threading.Event()
        self._lock = threading.Lock()
        self._open = self._closing = False
        self._queue: queue.SimpleQueue[_Submitted | None] = queue.SimpleQueue()
        self._ends: queue.SimpleQueue[Finished | Passed | Cancelled | None] = queue.SimpleQueue()
        self._in_flight: dict[str, _Submitted] = {}
        self._behind: dict[str, deque[_Submitted]] = {}
        self._told_of: dict[str, deque[_Submitted]] = {}
        self._tellers: dict[object, Teller] = {}
        self._counts = Counts()
        self._collected = CollectingWriter()
        self._ready: Future[None] = Future()
        self._error: BaseException | None = None
        self._threads = (
            threading.Thread(target=self._process, name="files", daemon=True),
            threading.Thread(target=self._resolve, name="files-results", daemon=True),
        )

    def submit_file_for_processing(
        self, file_path: GivenPath, metadata: Metadata = None, progress_callback: ProgressCallback | None = None
    ) -> Future[FileProcessingResult]:
        """Queue a file; returns at once.

        With `FileMetadata`, the file is stored under its path below its root, else under the path as given. The
        callback is called from the one dispatcher thread. The future never raises for what a file is: that is in the
        result. A path that is under way already is processed again afterwards.

        Raises:
            UsageError: the manager is not entered, or is closed.
        """
        name, root = os.fspath(file_path), None
        if isinstance(metadata, FileMetadata):
            name, root = metadata.path, metadata.root
        teller = self._teller(progress_callback)
        submitted = _Submitted(name, root, file_path, teller)
        with self._lock:
            if not self._open or self._closing:
                raise UsageError("the file manager is not open", suggestion="Use it in a with statement")
            if name in self._in_flight:
                self._behind.setdefault(name, deque()).append(submitted)
            else:
                self._in_flight[name] = submitted
                self._queue.put(submitted)
        return submitted.future

    def request_cancellation(self) -> None:
        """Ask for the end of all that is under way; what is not committed is cancelled."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        """Whether the files under way were asked to end."""
        return self._cancel.is_set()

    def __enter__(self) -> Self:
        """Open the store and start.

        Raises:
            IndexLocked: somebody else is writing to the store.
            IndexMismatch: the store was built with another recipe.
            StorageError: the store cannot be opened.
        """
        for thread in self._threads:
            thread.start()
        self._ready.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was submitted, or cancel it.

        Raises:
            StorageError, WorkersError: the run ended with it, and the block did not end with an error of its own.
        """
        if error is not None:
            self._cancel.set()
        with self._lock:
            self._closing = True
            if not self._in_flight:
                self._queue.put(None)
        for thread in self._threads:
            thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _process(self) -> None:
        """Run the engine, in a thread of its own, since a store's writer belongs to one thread."""
        try:
            with ExitStack() as stack:
                writer: Writer = self._collected
                if self._store is not None:
                    writer = stack.enter_context(self._store.writer())
                self._work(writer)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever enters or leaves the manager
            self._error = error
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            self._open = False
            self._queue.put(None)
            self._ends.put(None)

    def _work(self, writer: Writer) -> None:
        provider = None if self._vectors is None else self._vectors.provider
        writer.begin_run(recipe_of(chunker_of(self._governor, self._cutter), provider))
        in_workers = self._store is not None and provider is not None and provider.runs_in == "worker"
        work = Prepare(
            self._governor,
            max_bytes=round(self._rules.performance.max_file_size_mb * 1_000_000),
            lookup=self._store.lookup() if self._store is not None and self._store.generation() else None,
            provider=provider if in_workers else None,
            cutter=self._cutter,
            tell_refused=True,
            blocks=writer.takes_blocks and (in_workers or provider is None),
        )
        stage = None
        if self._vectors is not None and not in_workers:
            stage = Embedding(self._vectors, exact if self._store is None else quantised)
        run: Run[_Submitted] = Run(
            Intake(lambda submitted: submitted.name, lambda submitted: submitted.describe(self._rules)),
            limits=limits_of(self._rules),
            commit_seconds=self._commit_seconds,
            listener=self._listen,
            cancel=self._cancel,
            vectors=stage,
            observer=self._observe,
        )
        with run.queue(self._submissions()):
            self._open = True
            self._ready.set_result(None)
            with make_crew(self._rules, work, executor=executor_for(self._rules, work)) as crew:
                stats = run.work(crew, writer)
            writer.end_run(RunState.INTERRUPTED if stats.cancelled else RunState.COMPLETE)

    def _submissions(self) -> Iterator[list[_Submitted]]:
        while (submitted := self._queue.get()) is not None:
            yield [submitted]

    def _observe(self, event: Event) -> None:
        """Note at once what happens, in the engine's own threads: whom to tell, what has ended."""
        if isinstance(event, Queued):
            with self._lock:
                self._told_of.setdefault(event.path, deque()).append(self._in_flight[event.path])
        elif isinstance(event, Finished | Passed | Cancelled):
            self._ends.put(event)

    def _resolve(self) -> None:
        """Resolve futures, in a thread of their own, since resolving one calls whatever its owner has hung on it."""
        while (event := self._ends.get()) is not None:
            submitted = self._in_flight[event.path]
            # The cancelled ones follow when it is known what ended the run, unless it was their owner.
            if not isinstance(event, Cancelled) or submitted.future.cancelled():
                self._settle(submitted, event)
        error = None if self._error is None else f"{type(self._error).__name__}: {self._error}"
        with self._lock:
            self._closing = True
            left = [*self._in_flight.values(), *(each for line in self._behind.values() for each in line)]
            self._in_flight.clear()
        for submitted in left:
            submitted.end(success=False, cancelled=True, error=error)

    def _settle(self, submitted: _Submitted, event: Finished | Passed | Cancelled) -> None:
        """Resolve one future and let the next submission of that path go ahead."""
        with self._lock:
            line = self._behind.get(submitted.name)
            following = line.popleft() if line else None
            if following is None:
                del self._in_flight[submitted.name]
                self._behind.pop(submitted.name, None)
            else:
                self._in_flight[submitted.name] = following
                self._queue.put(following)
            if self._closing and not self._in_flight:
                self._queue.put(None)
        match event:
            case Finished(chunks=chunks, path=path):
                submitted.end(success=True, chunks_processed=chunks, vectors=self._collected.take(path))
            case Passed(failed=True, reason=reason, detail=detail):
                submitted.end(success=False, error=f"{reason}: {detail}")
            case Passed(reason=reason, detail=detail):
                submitted.end(success=False, skipped=True, reason=f"{reason}: {detail}")

    def _teller(self, callback: ProgressCallback | None) -> Teller | None:
        if callback is None:
            return None
        # A method is another object each time that it is looked up.
        key = (id(callback.__self__), id(callback.__func__)) if inspect.ismethod(callback) else id(callback)
        known = self._tellers.get(key)
        if known is None:
            teller = Teller(callback, given=self._as_given, interrupt=self.request_cancellation)
            known = self._tellers.setdefault(key, teller)
        return known

    def _listen(self, event: Event) -> None:
        """Tell the callback of the file that an event is about, or all of them; called by the dispatcher's thread."""
        self._counts.note(event)
        if isinstance(event, Queued | Started | Finished | Passed | Cancelled):
            submitted = self._told_of[event.path][0]
            try:
                if submitted.teller is not None:
                    submitted.teller.tell(event, self._counts)
            finally:
                if not isinstance(event, Queued | Started):
                    self._forget(event.path)
        elif isinstance(event, Heartbeat):
            tell_all(self._waiting_tellers(), event, self._counts)
        elif isinstance(event, Ended):
            tell_all(list(self._tellers.values()), event, self._counts)

    def _waiting_tellers(self) -> list[Teller]:
        """Return who was told that a file is queued, and not yet what became of it."""
        with self._lock:
            lines = list(self._told_of.values())
            tellers = {id(each.teller): each.teller for line in lines for each in line if each.teller is not None}
        return list(tellers.values())

    def _forget(self, path: str) -> None:
        with self._lock:
            line = self._told_of[path]
            line.popleft()
            if not line:
                del self._told_of[path]

    def _as_given(self, name: str) -> object:
        line = self._told_of.get(name)
        return line[0].given if line else Path(name)
