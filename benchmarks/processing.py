"""What the file processor promises, measured: feedback, throughput with a slow provider, scaling, memory, fairness.

    python -m benchmarks.processing              all of it, about ten minutes on two cores
    python -m benchmarks.processing provider     one part, printed only; with --write it is kept too

Each part runs in processes of its own, whose figures come back as JSON; parts that compare do so within one round.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.doubles import LATENCY_SECONDS, SlowProvider, by_lines
from benchmarks.measure import run_process, spread
from benchmarks.results import Check, Run, Table, at_least, at_most, publish
from benchmarks.small_files import BATCH, THREADS, processed, settings, small_files
from benchmarks.soon import cancel, feedback, heartbeat, visible
from treemill.chunking.governor import ChunkGovernor
from treemill.embedding.quantise import to_int8
from treemill.events import Event, Finished
from treemill.processing.custom import cutter_for
from treemill.processing.stage import texts_of
from treemill.recipes import recipe_of
from treemill.records import PreparedFile
from treemill.settings import DiscoverySettings, PerformanceSettings
from treemill.storage.sqlite import SqliteStore
from treemill.types import DiscoveredFile
from treemill.work import Prepare

ROUNDS = 3
CALLBACK_ROUNDS = 15


# Parts: each runs in a process of its own, in an empty folder, and returns its figures.


def provider(root: Path, lines: str = "40") -> dict[str, float]:
    """1,500 files of so many chunks, 20 ms a request: beside the ideal, beside one request a file."""
    files = small_files(root, 1500, 60 * int(lines))
    chunker = by_lines if int(lines) > 4 else None
    slow = SlowProvider()
    stats = processed(root, files, slow, chunker=chunker)
    ideal = -(-slow.texts // BATCH) * LATENCY_SECONDS / THREADS
    bare = processed(root, files, None, chunker=chunker).duration
    one_by_one = file_at_a_time(root, files, chunker)
    return {
        "seconds": stats.duration,
        "ideal": ideal,
        "requests": slow.requests,
        "texts": slow.texts,
        "share": ideal / stats.duration,
        "share_from_first_request": ideal / (stats.end_time - slow.first),
        "threads_busy": stats.stages["embed"] / THREADS / (stats.end_time - slow.first),
        "without_provider": bare,
        "file_at_a_time": one_by_one,
    }


def file_at_a_time(root: Path, files: Sequence[str], chunker: Any) -> float:
    """Process files as the simplest parallel program would: threads, each takes a file from reading to its request."""
    slow, governor = SlowProvider(), ChunkGovernor()
    prepare = Prepare(governor, cutter=None if chunker is None else cutter_for(chunker, 5000))
    mine = threading.local()
    began = time.perf_counter()

    def one(path: str) -> PreparedFile:
        if not hasattr(mine, "handle"):
            mine.handle = prepare.start()
        file = DiscoveredFile.from_path(path, root=root)
        (result,) = mine.handle([file], lambda index: None).results
        texts = texts_of(result.content)
        parts = [to_int8(slow.embed(texts[start : start + BATCH])) for start in range(0, len(texts), BATCH)]
        vectors = b"".join(part.tobytes() for part in parts)
        return replace(result, content=replace(result.content, vectors=vectors))

    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteStore(Path(folder) / "index", create=True) as store,
        store.writer() as writer,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        writer.begin_run(recipe_of(governor.recipe, slow))
        for result in pool.map(one, files):
            writer.put([result])
        writer.commit()
    return time.perf_counter() - began


def workers(root: Path) -> dict[str, float]:
    """Two workers beside one, on the Python standard library's source, from reading to commit."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [str(path) for path in sorted(library.glob("*.py"))]
    files += [
        str(path) for name in ("asyncio", "idlelib", "email", "test") for path in sorted((library / name).glob("*.py"))
    ]
    files = [path for path in files if os.path.getsize(path) < 1_000_000][:900]
    one, two = (processed(library, files, chosen=settings(count)) for count in (1, 2))
    return {
        "one_s": one.duration,
        "two_s": two.duration,
        "ratio": one.duration / two.duration,
        "mb": one.total_size / 1e6,
    }


def many(root: Path, count: str) -> dict[str, float]:
    """So many files of 200 bytes."""
    files = small_files(root, int(count))
    stats = processed(root, files, progress_callback=lambda current, total: None)
    return {"seconds": stats.duration, "per_file_us": stats.duration / int(count) * 1e6}


def mixed(root: Path) -> dict[str, float]:
    """One file of 20 MB among 5,000 small ones: when the last small one is searchable, when the large one."""
    files = small_files(root, 5000)
    large = root / "large.py"
    large.write_text("".join(f"def large_{number}():\n    return {number}\n\n\n" for number in range(480_000)))
    performance = PerformanceSettings(
        max_file_size_mb=100,
        max_chunks_per_file=1_000_000,
        chunk_timeout_seconds=300,
        max_memory_mb_per_operation=3000,
        parse_timeout_seconds=200,
    )
    ends: dict[bool, float] = {}
    began = time.perf_counter()

    def listener(event: Event) -> None:
        if isinstance(event, Finished):
            ends[event.path == "large.py"] = time.perf_counter() - began

    chosen = replace(settings(performance=performance), discovery=DiscoverySettings())
    processed(root, [str(large), *files], chosen=chosen, on_event=listener)
    return {"small_s": ends[False], "large_s": ends[True], "large_mb": large.stat().st_size / 1e6}


def callbacks(root: Path) -> dict[str, float]:
    """The same run without a callback, with two that do nothing, one of which takes path and text, and with one that
    blocks."""
    files = small_files(root, 15_000, 600)
    ways: dict[str, dict[str, Any]] = {
        "plain": {},
        "cheap": {"progress_callback": lambda current, total: None},
        "cheap_with_path": {"progress_callback": lambda current, total, path, info: None},
        "blocking": {"progress_callback": lambda current, total: time.sleep(1)},
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    processed(root, files)
    for number in range(CALLBACK_ROUNDS):
        order = list(ways) if number % 2 else list(reversed(ways))
        for way in order:
            began = time.process_time()
            took[way].append(processed(root, files, **ways[way]).duration)
            cpu[way].append(time.process_time() - began)
    figures = {"plain_s": statistics.median(took["plain"]), "plain_cpu_s": statistics.median(cpu["plain"])}
    for way in ("cheap", "cheap_with_path", "blocking"):
        # Within a round, so that a noisy minute hits both.
        figures[way] = statistics.median(one / plain for one, plain in zip(took[way], took["plain"], strict=True)) - 1
        figures[f"{way}_cpu_s"] = statistics.median(cpu[way])
    return figures


PARTS: dict[str, Callable[..., dict[str, float]]] = {
    each.__name__: each for each in (feedback, heartbeat, visible, cancel, provider, workers, many, mixed, callbacks)
}


def measured(part: str, *arguments: str) -> dict[str, float]:
    """Run a part in a fresh process and return its figures, with the peak of its memory as "peak_mb"."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"import sys; from benchmarks.processing import report; report({part!r}, {folder!r}, *{arguments!r})"
        run = run_process([sys.executable, "-c", code])
    figures: dict[str, float] = json.loads(run.stdout)
    return {**figures, "peak_mb": run.peak_mb or 0.0}


def report(part: str, folder: str, *arguments: str) -> None:
    """Run a part in this process and print its figures."""
    root = Path(folder) / "tree"
    root.mkdir()
    print(json.dumps(PARTS[part](root, *arguments)))
    shutil.rmtree(root)


def rounds(part: str, *arguments: str, key: str, count: int = ROUNDS) -> tuple[dict[str, float], str]:
    """Run a part several times; return the run with the middle value of `key`, and the spread of that."""
    runs = sorted((measured(part, *arguments) for _ in range(count)), key=lambda run: run[key])
    return runs[len(runs) // 2], str(spread(run[key] for run in runs))


def results(parts: Sequence[str]) -> Iterator[tuple[Table, list[Check]]]:
    """Measure the parts that are asked for; yield a table and the checks of each."""
    if "feedback" in parts:
        figures, shown = rounds("feedback", key="first_ms")
        yield (
            _table("10,000 files queued", figures, shown),
            [
                at_most("first file told of as queued, ms", figures["first_ms"], 10),
                at_most("10,000 files told of as queued, s", figures["all_s"], 0.5),
            ],
        )
    if "heartbeat" in parts:
        figures = measured("heartbeat")
        yield _table("a file that takes 10 s", figures), [at_most("longest silence, s", figures["longest_gap_s"], 1.0)]
    if "visible" in parts:
        figures, shown = rounds("visible", key="first_s")
        yield (
            _table("20,000 files, from ready to visible", figures, shown),
            [
                at_most("first commit after the first file is ready, s", figures["first_s"], 0.5),
                at_most("longest wait of a file that is ready, s", figures["longest_s"], 0.6),
            ],
        )
    if "cancel" in parts:
        figures = measured("cancel")
        yield _table("cancelled while all hangs", figures), [at_most("cancelled run, s", figures["longest_s"], 1.0)]
    if "provider" in parts:
        for lines, bound in (("40", 0.9), ("2", None)):
            figures, shown = rounds("provider", lines, key="share")
            checks = [] if bound is None else [at_least("share of the ideal throughput", figures["share"], bound)]
            faster = figures["file_at_a_time"] / figures["seconds"]
            checks.append(at_least(f"times as fast as file at a time, {lines} chunks a file", faster, 1.0))
            checks.append(
                at_most("requests beside full batches", figures["requests"] / -(-figures["texts"] // BATCH), 2)
            )
            yield _table(f"20 ms a request, 8 threads, 1,500 files of about {lines} chunks", figures, shown), checks
    if "workers" in parts:
        figures, shown = rounds("workers", key="ratio")
        yield _table("two workers beside one", figures, shown), [at_least("two workers × one", figures["ratio"], 1.8)]
    if "many" in parts:
        few, shown = rounds("many", "10000", key="per_file_us")
        lots = measured("many", "100000")
        slower = lots["per_file_us"] / few["per_file_us"]
        yield _table("10,000 files of 200 bytes", few, shown), []
        yield (
            _table("100,000 files of 200 bytes", lots),
            [
                at_most("summed memory, MB", lots["peak_mb"], 500),
                at_most("seconds a file, 100,000 beside 10,000", slower, 1.0),
            ],
        )
    if "mixed" in parts:
        figures, shown = rounds("mixed", key="small_s")
        share = figures["small_s"] / figures["large_s"]
        yield _table("one file of 20 MB among 5,000", figures, shown), [at_most("last small ÷ large", share, 1.0)]
    if "callbacks" in parts:
        figures = measured("callbacks")
        yield (
            _table("what a callback costs", figures),
            [
                at_most("a callback that blocks, share of the run", figures["blocking"], 0.05),
                at_most("a callback that does nothing, share of the run", figures["cheap"], 0.05),
            ],
        )


def _table(title: str, figures: dict[str, float], shown: str = "") -> Table:
    note = f"the round with the middle value of {ROUNDS}: {shown}" if shown else ""
    return Table(title, ("figure", "value"), tuple((name, value) for name, value in figures.items()), note)


def main(words: Sequence[str]) -> None:
    """Measure, print and write the results: of all parts, or, with --write, of those that are named."""
    write = not words or "--write" in words
    found = list(results([word for word in words if word != "--write"] or list(PARTS)))
    tables = tuple(table for table, _ in found)
    publish(Run("processing", tables, tuple(check for _, checks in found for check in checks)), write=write)


if __name__ == "__main__":
    main(sys.argv[1:])
