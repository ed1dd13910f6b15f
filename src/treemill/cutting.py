"""What a chunking worker does with a batch of files: read, cut, collect what the pieces define.

    DiscoveredFile ─▶ CutFile | Skipped | Failure

A `CutFile` crosses to another process as a `PackedCut` (see `treemill.chunking.crossing`); both build the same chunks.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from treemill.chunking import chunk
from treemill.chunking.build import build_chunks
from treemill.chunking.crossing import PackedCut, packed_cut
from treemill.chunking.governor import ChunkGovernor
from treemill.errors import BinaryFileError, ChunkingError, ChunkingTimeoutError, FileTooLargeError
from treemill.languages import language_among
from treemill.reading import read_file
from treemill.types import (
    Chunking,
    CodeChunk,
    DiscoveredFile,
    Failure,
    Skipped,
    SkipReason,
    Source,
)
from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class CutFile:
    """A file as it was cut."""

    source: Source
    chunking: Chunking

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return len(self.source.data)

    def chunks(self, file: DiscoveredFile, path: Path, governor: ChunkGovernor) -> list[CodeChunk]:
        """Build the chunks. `path` is the file's."""
        return build_chunks(file, self.source, self.chunking, governor, path=path)

    def __reduce__(self) -> tuple[type[PackedCut], tuple[object, ...]]:
        return PackedCut, tuple(packed_cut(self.source, self.chunking))


class CutBatch(NamedTuple):
    """What a batch came to: a result for each file, in order, and the seconds by stage."""

    results: list[CutFile | PackedCut | Skipped | Failure]
    stages: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cutting:
    """The work of a chunking worker, and all it needs to know."""

    governor: ChunkGovernor

    def start(self) -> Callable[[Sequence[DiscoveredFile], Callable[[int], None]], CutBatch]:
        """Make the function that cuts batches."""
        return self._cut_batch

    def _cut_batch(self, files: Sequence[DiscoveredFile], mark: Callable[[int], None]) -> CutBatch:
        results: list[CutFile | PackedCut | Skipped | Failure] = []
        reading = cutting = 0.0
        clock = time.perf_counter
        for place, file in enumerate(files):
            mark(place)
            began = clock()
            read = self._read(file)
            then = clock()
            reading += then - began
            results.append(self._cut(file, read, then - began) if isinstance(read, Source) else read)
            cutting += clock() - then
        return CutBatch(results, {"read": reading, "chunk": cutting})

    def _read(self, file: DiscoveredFile) -> Source | Skipped | Failure:
        """Read a file, or say why it is not chunked: too large and binary are failures, the rest is skipped."""
        settings = self.governor.settings
        if settings.custom_languages:
            file = replace(file, language=language_among(settings.custom_languages, file.name) or file.language)
        most = round(settings.performance.max_file_size_mb * 1_000_000)
        read = read_file(file, max_bytes=most)
        return told(file, read, self.governor) if isinstance(read, Skipped) else read.source

    def _cut(self, file: DiscoveredFile, source: Source, reading: float) -> CutFile | Failure:
        seconds = self.governor.settings.performance.chunk_timeout_seconds
        began = time.monotonic()
        try:
            chunking = chunk(source, self.governor, name=file.name)
        except ChunkingError as error:
            return _failure(file, error, "chunk", traceback.format_exc())
        # A worker process that overruns is killed. Where nothing can be, the file fails all the same, only later.
        spent = time.monotonic() - began + reading
        if spent > seconds:
            return _failure(file, _too_slow(file, spent, seconds), "chunk")
        return CutFile(source, chunking)


def told(file: DiscoveredFile, skipped: Skipped, governor: ChunkGovernor) -> Skipped | Failure:
    """Return what was skipped as the library tells it: too large and binary are failures, the rest is skipped."""
    if skipped.reason is SkipReason.TOO_LARGE:
        return _failure(file, _too_large(file, skipped, governor.settings.performance.max_file_size_mb), "read")
    if skipped.reason is SkipReason.BINARY:
        return _failure(file, _binary(file, skipped), "read")
    return skipped


def _failure(file: DiscoveredFile, error: ChunkingError, stage: Literal["read", "chunk"], trace: str = "") -> Failure:
    return Failure(file.name, stage, type(error).__name__, str(error), trace)


def _too_large(file: DiscoveredFile, skipped: Skipped, limit: float) -> ChunkingError:
    return FileTooLargeError(
        f"{file.name} is too large: {skipped.detail}",
        path=file.name,
        limit=limit,
        actual=file.size / 1e6,
        unit="MB",
        suggestion="Raise max_file_size_mb, or leave the file out",
    )


def _binary(file: DiscoveredFile, skipped: Skipped) -> ChunkingError:
    return BinaryFileError(
        f"{file.name} is not text: {skipped.detail}", path=file.name, suggestion="Leave it out, or convert it to UTF-8"
    )


def _too_slow(file: DiscoveredFile, spent: float, limit: float) -> ChunkingError:
    return ChunkingTimeoutError(
        f"{file.name} took {spent:.3g} s, more than {limit:g}",
        path=file.name,
        limit=limit,
        actual=spent,
        unit="seconds",
        suggestion="Raise chunk_timeout_seconds, or leave the file out",
    )
