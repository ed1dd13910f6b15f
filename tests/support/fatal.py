"""Chunking workers that die of what a file says, as a native parser might: for real, with the whole process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from treemill import ChunkGovernor, ChunkingReport, ChunkStream, DiscoveredFile, Failure
from treemill.cutting import CutBatch, Cutting
from treemill.processing.crews import make_crew

DEEDS: dict[bytes, Callable[[], object]] = {
    b"# segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"# abort": os.abort,
    b"# exit": lambda: os._exit(0),
    b"# exit 3": lambda: os._exit(3),
    b"# killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    b"# hang": lambda: time.sleep(3600),
    b"# raise": lambda: {}["no such key"],
    b"# recurse": lambda: _recurse(),
    b"# hog": lambda: _hog(),
}
"""First lines of files, and what a worker does when it takes one in hand; with " as LANGUAGE", only if it is that."""


def _recurse() -> None:
    _recurse()


def _hog() -> None:
    held = [b"x" * (1 << 20) for _ in range(400)]
    time.sleep(len(held))


@dataclass(frozen=True, slots=True)
class Fatal:
    """The work of a chunking worker, but for files that say otherwise."""

    governor: ChunkGovernor

    def start(self) -> Callable[[Sequence[DiscoveredFile], Callable[[int], None]], CutBatch]:
        cut = Cutting(self.governor).start()

        def handle(files: Sequence[DiscoveredFile], mark: Callable[[int], None]) -> CutBatch:
            def mark_and_do(index: int) -> None:
                mark(index)
                path = Path(files[index].absolute)
                first_line = path.read_bytes().partition(b"\n")[0] if path.is_file() else b""
                DEEDS.get(first_line.removesuffix(f" as {files[index].language}".encode()), int)()

            return cut(files, mark_and_do)

        return handle


def fatal_stream(
    files: Sequence[DiscoveredFile | None],
    governor: ChunkGovernor,
    *,
    workers: int = 2,
    executor: str = "process",
    ordered: bool = False,
    on_failure: Callable[[Failure], object] | None = None,
) -> ChunkStream:
    """Return what `chunk_files_parallel` returns, with workers that die."""
    crew = make_crew(governor.settings, Fatal(governor), executor=executor, workers=workers)
    report = ChunkingReport(executor, crew.count)
    return ChunkStream(files, governor, crew, report, ordered=ordered, on_failure=on_failure)
