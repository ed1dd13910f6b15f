"""What a run came to: a file's result, the statistics of a run, the report of an index.

Counts add up: processed + failed + skipped + cancelled = submitted, and the processed are exactly the files whose rows
the run committed.
"""

from __future__ import annotations

import os
from dataclasses import asdict, field
from typing import Any

from treemill.records import Coverage, Recipe
from treemill.types import Failure, Skipped
from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class FileProcessingResult:
    """What became of one file.

    `file_path` is the path as it was given. `chunks_processed` is the number of chunks committed; `processing_time` is
    in seconds, from submission to the end. `error` is "Type: message" for a failed file, and for a cancelled one where
    an error ended the run; `reason` says why a file is skipped. `vectors` is float32[chunks × dimension] bytes where
    there is no store to hold them.
    """

    success: bool
    file_path: str | os.PathLike[str]
    chunks_processed: int = 0
    processing_time: float = 0.0
    error: str | None = None
    skipped: bool = False
    cancelled: bool = False
    reason: str = ""
    vectors: bytes = b""


@dataclass(slots=True)
class LanguageStats:
    """What one language came to."""

    files: int = 0
    chunks: int = 0
    size: int = 0


@dataclass(slots=True)
class ProcessingStats:
    """The statistics of one run. Times are wall-clock seconds (`time.time`); sizes bytes.

    `total_size` is the size of the processed files. `stages` are seconds by stage, summed over workers. `slowest` are
    (path, seconds) of the batches' slowest files.
    """

    submitted_files: int = 0
    files_processed: int = 0
    chunks_created: int = 0
    failed_files: int = 0
    skipped_files: int = 0
    cancelled_files: int = 0
    cancelled: bool = False
    total_size: int = 0
    start_time: float = 0.0
    end_time: float = 0.0
    dropped_events: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    languages: dict[str, LanguageStats] = field(default_factory=dict)
    slowest: list[tuple[str, float]] = field(default_factory=list)

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return max(0.0, self.end_time - self.start_time)

    @property
    def files_per_second(self) -> float:
        """Processed files a second."""
        return self.files_processed / self.duration if self.duration > 0 else 0.0

    @property
    def ended_files(self) -> int:
        """Files that have an outcome."""
        return self.files_processed + self.failed_files + self.skipped_files + self.cancelled_files

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {**asdict(self), "duration": self.duration, "files_per_second": self.files_per_second}

    def __str__(self) -> str:
        lines = [
            f"{'files submitted':<16}{self.submitted_files:>12,}",
            f"{'processed':<16}{self.files_processed:>12,}",
            f"{'failed':<16}{self.failed_files:>12,}",
            f"{'skipped':<16}{self.skipped_files:>12,}",
            f"{'cancelled':<16}{self.cancelled_files:>12,}",
            f"{'chunks':<16}{self.chunks_created:>12,}",
            f"{'size':<16}{self.total_size / 1e6:>11,.1f}M",
            f"{'seconds':<16}{self.duration:>12,.2f}",
            f"{'files/s':<16}{self.files_per_second:>12,.0f}",
        ]
        lines += [f"{'  ' + stage:<16}{seconds:>11,.2f}s" for stage, seconds in self.stages.items()]
        lines += [
            f"{'  ' + name:<16}{row.files:>8,} files{row.chunks:>9,} chunks{row.size / 1e6:>9,.1f}M"
            for name, row in sorted(self.languages.items(), key=lambda item: (-item[1].size, item[0]))
        ]
        lines += [f"slow  {seconds:6.2f}s  {path}" for path, seconds in self.slowest]
        lines += [f"failed  {each.path}: {each.error_type}: {each.message}" for each in self.failures]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What indexing a tree came to.

    `skipped` holds what discovery and reading left out, with reasons; `failures` what went wrong with single files;
    `unchanged` and `removed` count files that needed no work and files that are gone. `coverage` is the index's after
    the run; `seconds` the wall time of the whole, planning included.
    """

    root: str
    stats: ProcessingStats
    coverage: Coverage
    recipe: Recipe
    unchanged: int = 0
    removed: int = 0
    skipped: tuple[Skipped, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
