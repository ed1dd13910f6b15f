"""Many files chunked at once: the library's `chunk_files_parallel` and `chunk_files_parallel_dict`.

    files ─▶ read ahead ─▶ batches by weight ─▶ crew of workers ─▶ (path, chunks) as they come

Lazy on both ends: files are taken from the iterable only a little ahead of the workers, and workers only a bounded
number of bytes ahead of whoever reads the results. Each file that was asked for is yielded, or stands in the report:
nothing vanishes.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import field
from inspect import GEN_RUNNING, getgeneratorstate
from pathlib import Path
from types import TracebackType
from typing import Self, TypeGuard

from treemill.chunking import delimiter
from treemill.chunking.governor import ChunkGovernor
from treemill.cutting import CutBatch, Cutting
from treemill.errors import WorkerCrashedError
from treemill.flow import Ahead, Cause, Crew, Done, Idle, Lost, weigh_batches
from treemill.processing.crews import failure_of, limits_of, make_crew
from treemill.processing.executors import executor_for
from treemill.reading import ReadFile, read_file
from treemill.types import CodeChunk, DiscoveredFile, Failure, Skipped
from treemill.values import dataclass

OnFailure = Callable[[Failure], object]
"""Called with each file that failed."""

_log = logging.getLogger(__name__)

# Workers take about this much source at a time. Each batch wakes the process that reads the stream, which at 200 kB
# costs it a tenth more than at 600; the first chunks of a batch wait for its last, a tenth of a second at most. The
# first batches are small, so that the first chunks come at once.
_BATCH_BYTES = 500_000
_FIRST_BATCH_BYTES = 25_000

# What a file costs a worker besides its bytes: opening it, a result.
_FILE_WEIGHT = 600

# Batches are small, but a batch may be one large file: at most this much is under way, or one batch.
_WINDOW_BYTES = 32_000_000

# How many files are taken from the iterable ahead of the workers.
_FILES_AHEAD = 1000


@dataclass(slots=True)
class ChunkingReport:
    """What a run came to so far; complete when the stream has ended.

    `files` were chunked, into `chunks`, from `bytes`. `skipped` counts files that are no longer there or no files to
    chunk, `skips` says why, `None` entries apart. `failures` are the files that went wrong. `stages` are seconds by
    stage, summed over the workers; `seconds` is the wall time since the first file was asked for. `executor` and
    `workers` are what did it. `complete` tells whether the stream came to its end.
    """

    executor: str = ""
    workers: int = 0
    files: int = 0
    chunks: int = 0
    bytes: int = 0
    skipped: int = 0
    skips: list[Skipped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = False

    @property
    def failures_by_type(self) -> dict[str, int]:
        """How many files failed with each type of error, most frequent first."""
        return dict(Counter(failure.error_type for failure in self.failures).most_common())

    def __str__(self) -> str:
        text = f"{self.files:,} files, {self.chunks:,} chunks, {self.bytes / 1e6:,.1f} MB in {self.seconds:.2f} s"
        others = [f"{self.skipped:,} skipped"] if self.skipped else []
        others += [f"{number:,} {name}" for name, number in self.failures_by_type.items()]
        text += f" by {self.workers} {self.executor} worker{'s' * (self.workers != 1)}"
        text += f"; {', '.join(others)}" if others else ""
        return text if self.complete else f"{text}; not all files"


class ChunkStream(Iterator[tuple[Path, list[CodeChunk]]]):
    """The chunks of files, file by file, as they come: an iterator, and a context manager that ends the workers.

    `report` is kept up to date while the stream is read. The chunks of a file are built when its turn comes. Only one
    thread may read a stream, any may close it.
    """

    def __init__(
        self,
        files: Iterable[DiscoveredFile | None],
        governor: ChunkGovernor,
        crew: Crew[DiscoveredFile, CutBatch],
        report: ChunkingReport,
        *,
        ordered: bool,
        on_failure: OnFailure | None,
    ) -> None:
        self.report = report
        self._run = _Run(files, governor, crew, report, on_failure)
        self._results = self._run.results(ordered)
        # Workers must not outlive a stream that nobody reads to its end.
        self._end_workers = weakref.finalize(self, crew.close)

    def __next__(self) -> tuple[Path, list[CodeChunk]]:
        return next(self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers now, whatever they hold, within a second; nothing more is yielded. Closing twice is fine."""
        self._run.closed = True
        self._end_workers()
        if getgeneratorstate(self._results) != GEN_RUNNING:  # else another thread is reading, and finds it closed
            self._results.close()


def chunk_files_parallel(
    files: Iterable[DiscoveredFile | None],
    governor: ChunkGovernor,
    *,
    max_workers: int | None = None,
    executor_type: str | None = None,
    ordered: bool = False,
    on_failure: OnFailure | None = None,
) -> ChunkStream:
    """Chunk files with several workers, and yield each file's path and chunks in order of completion.

    `executor_type` is "process", "thread", "inline" or "ray" (workers on a cluster); without one the settings of the
    governor decide, which say "process" and 4 workers unless told otherwise. Processes are capped at the number of
    processors. All give the same chunks. `ordered` yields in the order of the input. The iterable of files is read in a
    thread of its own; what it raises is raised here. A None among the files is counted as skipped.

    A file that fails stops nothing: `on_failure` is called with it, in the thread that reads the stream, and it stands
    in the stream's report; an error in `on_failure` ends the stream. Empty files are yielded without chunks. Files that
    are gone, or are no files any more, are skipped.

    A governor's tokenizer goes into the workers with it. Where it cannot go into processes, threads do the work, with a
    warning in the log, unless processes are asked for here; workers on Ray have to take it. Custom delimiters that do
    not work are a warning too.

    Raises:
        UsageError: there is no such executor, fewer than one worker is asked for, or processes or workers on Ray are
            that cannot have the tokenizer.
        WorkersError: while reading: workers cannot be started.
    """
    delimiter.tell_faults(governor.settings)
    work, executor = Cutting(governor), executor_type or governor.settings.concurrency.executor
    if governor.tokenizer is not None:
        executor = executor_for(governor.settings, work, executor_type)
    crew = make_crew(governor.settings, work, executor=executor, workers=max_workers)
    report = ChunkingReport(executor, crew.count)
    return ChunkStream(files, governor, crew, report, ordered=ordered, on_failure=on_failure)


def chunk_files_parallel_dict(
    files: Iterable[DiscoveredFile | None],
    governor: ChunkGovernor,
    *,
    max_workers: int | None = None,
    executor_type: str | None = None,
    on_failure: OnFailure | None = None,
    on_report: Callable[[ChunkingReport], object] | None = None,
) -> dict[Path, list[CodeChunk]]:
    """Chunk files as `chunk_files_parallel` does, and return the chunks of each path when all are done.

    The paths are in the order of the input. `on_report` is called once, at the end, with the report.

    Raises:
        UsageError, WorkersError: as `chunk_files_parallel`.
    """
    stream = chunk_files_parallel(
        files, governor, max_workers=max_workers, executor_type=executor_type, ordered=True, on_failure=on_failure
    )
    with stream:
        chunks = dict(stream)
    if on_report is not None:
        on_report(stream.report)
    return chunks


class _Run:
    """One reading of a stream: what is under way, and what became of the rest."""

    def __init__(
        self,
        files: Iterable[DiscoveredFile | None],
        governor: ChunkGovernor,
        crew: Crew[DiscoveredFile, CutBatch],
        report: ChunkingReport,
        on_failure: OnFailure | None,
    ) -> None:
        self._files = files
        self._governor = governor
        self._crew = crew
        self._report = report
        self._on_failure = on_failure
        self._limits = limits_of(governor.settings)
        self.closed = False
        self._under_way = 0
        self._quarantine = _Quarantine()

    def results(self, ordered: bool) -> Generator[tuple[Path, list[CodeChunk]], None, None]:
        began = time.perf_counter()
        report = self._report
        try:
            with (
                self._crew,
                Ahead(([_entry(file)] for file in self._files), most=_FILES_AHEAD) as ahead,
                closing(self._crew.map(self._batches(ahead), ordered=ordered)) as outcomes,
            ):
                for outcome in outcomes:
                    if self.closed:
                        return
                    report.seconds = time.perf_counter() - began
                    match outcome:
                        case Done():
                            self._under_way -= sum(map(_weight, outcome.items))
                            yield from self._take(outcome)
                        case Lost():
                            self._under_way -= _weight(outcome.item)
                            self._lose(outcome)
                        case Idle():
                            pass
            report.complete = True
        finally:
            report.seconds = time.perf_counter() - began
            _log.info("chunked %s", report)

    def _batches(self, entries: Iterable[Sequence[_Entry]]) -> Iterator[tuple[DiscoveredFile, ...]]:
        """Group what is to be done into batches, and hold them back while too much is under way."""
        for batch in weigh_batches(self._wanted(entries), _weight, _BATCH_BYTES, first=_FIRST_BATCH_BYTES):
            weight = sum(map(_weight, batch))
            while self._under_way and self._under_way + weight > _WINDOW_BYTES:
                yield ()
            self._under_way += weight
            yield batch

    def _wanted(self, entries: Iterable[Sequence[_Entry]]) -> Iterator[list[DiscoveredFile]]:
        for some in entries:
            files = [entry for entry in some if self._is_wanted(entry)]
            if files or not some:
                yield files

    def _is_wanted(self, entry: _Entry) -> TypeGuard[DiscoveredFile]:
        if isinstance(entry, _Nothing):
            self._report.skipped += 1
            return False
        failure = self._quarantine.failure(entry)
        if failure is not None:
            self._fail(failure)
        return failure is None

    def _take(self, done: Done[DiscoveredFile, CutBatch]) -> Iterator[tuple[Path, list[CodeChunk]]]:
        report, governor = self._report, self._governor
        for stage, seconds in done.value.stages.items():
            report.stages[stage] = report.stages.get(stage, 0.0) + seconds
        for file, result in zip(done.items, done.value.results, strict=True):
            if isinstance(result, Failure):
                self._fail(result)
            elif isinstance(result, Skipped):
                self._skip(result)
            else:
                path = file.path
                chunks = result.chunks(file, path, governor)
                report.files += 1
                report.chunks += len(chunks)
                report.bytes += result.size
                yield path, chunks

    def _lose(self, lost: Lost[DiscoveredFile]) -> None:
        if lost.cause is Cause.CRASHED:
            self._quarantine.add(lost.item)
        self._fail(failure_of(lost, lost.item.name, self._limits))

    def _skip(self, skipped: Skipped) -> None:
        self._report.skipped += 1
        self._report.skips.append(skipped)
        _log.info("%s is skipped: %s: %s", skipped.path, skipped.reason, skipped.detail)

    def _fail(self, failure: Failure) -> None:
        self._report.failures.append(failure)
        _log.warning("%s is not chunked: %s", failure.path, failure.error_type)
        _log.debug("%s: %s\n%s", failure.path, failure.message, failure.traceback)
        if self._on_failure is not None:
            self._on_failure(failure)


class _Nothing:
    """Stands for a None among the files of the input: None alone says that the next one takes a while."""


_Entry = DiscoveredFile | _Nothing
_NOTHING = _Nothing()


def _entry(file: DiscoveredFile | None) -> _Entry:
    return _NOTHING if file is None else file


class _Quarantine:
    """Contents that killed their worker twice: files of their language that hold the same bytes are not tried.

    Only files of the size of one that did are read for this. What was handed out before the second death is not
    called back.
    """

    def __init__(self) -> None:
        self._paths: dict[int, dict[tuple[bytes, str | None], str]] = {}

    def add(self, file: DiscoveredFile) -> None:
        read = read_file(file)
        if isinstance(read, ReadFile):
            self._paths.setdefault(read.size, {})[read.source.digest, read.source.language] = file.name

    def failure(self, file: DiscoveredFile) -> Failure | None:
        """Return why a file is not tried, or None where there is no reason."""
        known = self._paths.get(file.size)
        read = read_file(file) if known else None
        if not known or not isinstance(read, ReadFile):
            return None
        other = known.get((read.source.digest, read.source.language))
        if other is None:
            return None
        error = WorkerCrashedError(
            f"{file.name} was not tried: it holds the same bytes as {other}, of which a worker died",
            path=file.name,
            suggestion="Leave it out, or change it",
        )
        return Failure(file.name, "chunk", type(error).__name__, str(error))


def _weight(file: DiscoveredFile) -> int:
    return file.size + _FILE_WEIGHT
