"""Trees of many small files, and processing them into a fresh index."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from treemill.processing.processor import HighThroughputProcessor
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.sqlite import SqliteStore

THREADS = 8
BATCH = 50


def settings(workers: int = 2, **chunker: Any) -> Settings:
    """Return settings with so many worker processes."""
    concurrency = ConcurrencySettings(max_parallel_files=workers)
    return Settings(chunker=ChunkerSettings(concurrency=concurrency, **chunker))


def small_files(root: Path, count: int, size: int = 200) -> list[str]:
    """Write files of `size` bytes, a thousand a folder, no two alike; return their paths."""
    paths = []
    for number in range(count):
        folder = root / f"d{number // 1000:03}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        lines = f"def function_{number}(value):\n    return value + {number}\n"
        path = folder / f"f{number:06}.py"
        notes = "".join(f"# note {line} of {number} on what it does\n" for line in range(size // 24))
        path.write_text((lines + notes)[: size - 1] + "\n")
        paths.append(str(path))
    return paths


def processed(
    root: Path, files: Sequence[str], provider: Any = None, *, chosen: Settings | None = None, **run: Any
) -> Any:
    """Process files into a fresh index and return the statistics; `run` goes to the processor's method."""
    chunker = run.pop("chunker", None)
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "index", create=True) as store:
        processor = HighThroughputProcessor(provider, store, root=root, chunker=chunker, settings=chosen or settings())
        stats = processor.process_files_high_throughput(files, THREADS, BATCH, **run)
        assert stats.files_processed + stats.cancelled_files == len(files), str(stats)
        return stats
