"""How soon: files are told of, signs of life come, what is done is searchable, a run that is cancelled returns."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from benchmarks.doubles import SlowProvider, for_ever, ten_seconds
from benchmarks.small_files import BATCH, THREADS, processed, settings, small_files
from treemill.events import Committed, Event, Worked
from treemill.processing.processor import HighThroughputProcessor
from treemill.storage.sqlite import SqliteStore


def feedback(root: Path) -> dict[str, float]:
    """How soon files are told of as queued."""
    files, times = small_files(root, 10_000), []

    def callback(current: int, total: int, path: object, info: str) -> str | None:
        if info.startswith("📥"):
            times.append(time.perf_counter())
        return "INTERRUPT" if len(times) == len(files) else None

    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "index", create=True) as store:
        processor = HighThroughputProcessor(None, store, root=root, settings=settings())
        began = time.perf_counter()
        processor.process_files_high_throughput(files, THREADS, BATCH, callback)
    return {"first_ms": (times[0] - began) * 1000, "all_s": times[-1] - began}


def heartbeat(root: Path) -> dict[str, float]:
    """The longest silence while one file takes ten seconds."""
    files = small_files(root, 100)
    (root / "slow.py").write_text("slow\n")
    times = [time.perf_counter()]
    listener: Callable[[Event], None] = lambda event: times.append(time.perf_counter())  # noqa: E731
    processed(root, [*files, str(root / "slow.py")], chunker=ten_seconds, on_event=listener)
    return {"longest_gap_s": max(after - before for before, after in pairwise(times)), "run_s": times[-1] - times[0]}


def visible(root: Path) -> dict[str, float]:
    """How long a file that is ready waits until others can see it: the first one, and the longest later on."""
    files = small_files(root, 20_000, 600)
    ready: list[float] = []
    committed: list[float] = []

    def listener(event: Event) -> None:
        if isinstance(event, Worked):
            ready.append(event.started + event.seconds)
        elif isinstance(event, Committed):
            committed.append(event.at)

    processed(root, files, on_event=listener)
    waits = [next((at for at in committed if at >= since), committed[-1]) - since for since in ready]
    first = committed[0] - min(ready)
    return {"first_s": first, "longest_s": max(waits), "commits": len(committed), "run_s": committed[-1]}


class _Stuck(SlowProvider):
    """Answers nothing for 15 seconds."""

    def embed(self, texts):  # type: ignore[no-untyped-def]
        """Block, then answer."""
        time.sleep(15)
        return super().embed(texts)


def cancel(root: Path) -> dict[str, float]:
    """How long a run takes to return when it is cancelled while a chunker hangs and a provider blocks."""
    files = small_files(root, 1000)
    (root / "hang.py").write_text("hang\n")
    taken = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "index", create=True) as store:
            processor = HighThroughputProcessor(_Stuck(), store, root=root, chunker=for_ever, settings=settings())
            asked_at: list[float] = []

            def ask(processor: HighThroughputProcessor = processor, asked_at: list[float] = asked_at) -> None:
                asked_at.append(time.perf_counter())
                processor.request_cancellation()

            timer = threading.Timer(2.0, ask)
            timer.start()
            stats = processor.process_files_high_throughput([str(root / "hang.py"), *files], THREADS, BATCH)
            taken.append(time.perf_counter() - asked_at[0])
            assert stats.cancelled_files + stats.files_processed == len(files) + 1, str(stats)
    return {"longest_s": max(taken), "shortest_s": min(taken)}
