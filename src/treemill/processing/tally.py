"""Counting what becomes of files, so that the counts always add up.

A file is submitted once and ends once: processed (only when the transaction that holds it is committed), failed,
skipped or cancelled. The tally is changed by the run's own thread alone; others may read it for display.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import NamedTuple

from treemill.reports import LanguageStats, ProcessingStats
from treemill.types import DiscoveredFile, Failure, Skipped
from treemill.values import dataclass

_SLOWEST_KEPT = 10

# Reports name each failure and skip; a tree of a million binaries must not fill the memory with their names.
_MOST_NAMED = 10_000


class Entry(NamedTuple):
    """A file put into the store, waiting for its commit."""

    path: str
    size: int
    chunks: int
    language: str | None


entry_of = partial(tuple.__new__, Entry)
"""Makes an entry of its fields: in half the time, where there are thousands."""


@dataclass(slots=True)
class Tally:
    """The counts of one run. `pending` holds what is put and not committed; `chunks_seen` counts for the display."""

    stats: ProcessingStats = field(default_factory=lambda: ProcessingStats(start_time=time.time()))
    began: float = field(default_factory=time.monotonic)
    pending: list[Entry] = field(default_factory=list)
    chunks_seen: int = 0
    bytes_seen: int = 0
    _slowest: list[tuple[float, str]] = field(default_factory=list)
    _busy: dict[int, float] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def put(self, entries: Sequence[Entry]) -> None:
        """Note files that the store took."""
        self.pending += entries
        self.chunks_seen += sum([entry.chunks for entry in entries])
        self.bytes_seen += sum([entry.size for entry in entries])

    def committed(self) -> list[Entry]:
        """Count the pending files as processed and return them."""
        done, self.pending = self.pending, []
        by_language: dict[str, list[Entry]] = {}
        for entry in done:
            by_language.setdefault(entry.language or "text", []).append(entry)
        stats = self.stats
        stats.files_processed += len(done)
        for language, entries in by_language.items():
            chunks, size = sum([entry.chunks for entry in entries]), sum([entry.size for entry in entries])
            row = stats.languages.setdefault(language, LanguageStats())
            stats.chunks_created += chunks
            stats.total_size += size
            row.files += len(entries)
            row.chunks += chunks
            row.size += size
        return done

    def rolled_back(self) -> list[Entry]:
        """Count the pending files as cancelled, since their rows are gone, and return them."""
        lost, self.pending = self.pending, []
        self.stats.cancelled_files += len(lost)
        return lost

    def failed(self, failure: Failure) -> None:
        """Count a failed file."""
        self.stats.failed_files += 1
        if len(self.stats.failures) < _MOST_NAMED:
            self.stats.failures.append(failure)

    def skipped(self, skip: Skipped) -> None:
        """Count a skipped file."""
        self.stats.skipped_files += 1
        if len(self.stats.skipped) < _MOST_NAMED:
            self.stats.skipped.append(skip)

    def spent(self, stages: Mapping[str, float]) -> None:
        """Add seconds by stage."""
        for stage, seconds in stages.items():
            self.stats.stages[stage] = self.stats.stages.get(stage, 0.0) + seconds

    def worked(self, worker: int, seconds: float) -> None:
        """Note how long a worker was busy."""
        self._busy[worker] = self._busy.get(worker, 0.0) + seconds

    def took(self, files: Sequence[DiscoveredFile], seconds: Sequence[float]) -> None:
        """Remember those files that are among the slowest, given how long each took."""
        kept = self._slowest
        if len(kept) == _SLOWEST_KEPT and max(seconds, default=0.0) <= kept[0][0]:
            return
        for file, each in zip(files, seconds, strict=True):
            if len(kept) < _SLOWEST_KEPT:
                heapq.heappush(kept, (each, file.name))
            elif each > kept[0][0]:
                heapq.heapreplace(kept, (each, file.name))

    def close(self, *, cancelled: bool) -> ProcessingStats:
        """Fill in what is known only at the end, once, and return the statistics.

        The stage "wait" is how long workers had nothing to do: they were starting, or the next stage was behind.
        """
        stats = self.stats
        if stats.end_time:
            return stats
        if self._busy:
            stats.stages["wait"] = max(0.0, len(self._busy) * self.elapsed - sum(self._busy.values()))
        stats.cancelled = cancelled
        stats.end_time = time.time()
        stats.slowest = [(path, round(seconds, 4)) for seconds, path in sorted(self._slowest, reverse=True)]
        return stats
