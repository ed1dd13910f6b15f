"""What `chunk_files_parallel` takes for 100, 1,000 and 10,000 files; hostile files one by one; windows of one length;
sizes in other units than bytes.

    python -m benchmarks.chunking [CORPUS] [--rounds N] [--only files,hostile,windows,sizes]

Each figure of the first table is a fresh interpreter, from the call to the last chunk, its workers' start included;
the files are an even sample of the corpus and in the page cache. "Handed out" counts the chunks of each file,
"looked at" also reads every chunk's text and symbols.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.corpora import MAKERS, corpus
from benchmarks.measure import run_process, spread
from benchmarks.results import Cell, Check, Run, Table, at_least, at_most, publish
from treemill import (
    ChunkerSettings,
    ChunkGovernor,
    DiscoveredFile,
    FixedSizeChunker,
    PerformanceSettings,
    chunk,
    chunk_files_parallel,
)
from treemill.discovery import discover
from treemill.ranking.identifiers import count_parts
from treemill.reading import ReadFile, read_file

COUNTS = (100, 1_000, 10_000)
EXECUTORS = (("inline", 1), ("thread", 1), ("thread", 2), ("process", 1), ("process", 2))
PARTS = ("files", "hostile", "windows", "sizes")

# Size and count are what hostile files are made of: with these, time, memory and depth are left to decide.
RAISED = PerformanceSettings(max_file_size_mb=100, max_chunks_per_file=1_000_000)


def by_count(root: Path, rounds: int) -> tuple[Table, list[Check]]:
    """Chunk an even sample of each size with every executor, round by round."""
    rows: list[tuple[Cell, ...]] = []
    checks: list[Check] = []
    for number in COUNTS:
        passes = [[_in_own_process(root, number, *key) for key in EXECUTORS] for _ in range(rounds)]
        looked_at = [[_in_own_process(root, number, *key, look=True) for key in EXECUTORS] for _ in range(rounds)]
        for place, (executor, workers) in enumerate(EXECUTORS):
            runs, looks = [each[place] for each in passes], [each[place] for each in looked_at]
            size = runs[0]["bytes"] / 1e6
            rows.append(
                (
                    f"{number:,}",
                    f"{executor}, {workers}",
                    size,
                    str(spread(each["seconds"] for each in runs)),
                    size / spread(each["seconds"] for each in runs).median,
                    spread(each["first"] for each in runs).median,
                    spread(each["own"] / each["cpu"] for each in runs).median,
                    size / spread(each["seconds"] for each in looks).median,
                    spread(each["own"] / each["cpu"] for each in looks).median,
                    spread(each["peak_mb"] for each in looks).median,
                )
            )
        if number == max(COUNTS):
            two, one = ([each[EXECUTORS.index(("process", n))]["seconds"] for each in passes] for n in (2, 1))
            ratio = spread(a / b for a, b in zip(one, two, strict=True)).median
            checks.append(at_least(f"two processes, × one, {number:,} files", ratio, 1.9))
            share = spread(each[EXECUTORS.index(("process", 2))]["own"] for each in passes).median
            total = spread(each[EXECUTORS.index(("process", 2))]["cpu"] for each in passes).median
            checks.append(at_most("the parent's share of CPU, two processes, handed out", share / total, 0.05))
    columns = ("files", "executor, workers", "MB", "seconds", "MB/s", "first chunks after, s", "parent's share of CPU")
    more = ("MB/s, looked at", "parent's share, looked at", "parent's peak MB")
    return Table("chunk_files_parallel", (*columns, *more), tuple(rows)), checks


def _in_own_process(root: Path, number: int, executor: str, workers: int, *, look: bool = False) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.chunking", "--pass", str(root), str(number), executor, str(workers)]
    result: dict[str, Any] = json.loads(run_process([*command, "look"] if look else command).stdout)
    return result


def _one_pass(root: str, number: str, executor: str, workers: str, *look: str) -> None:
    """Chunk an even sample of what a folder holds and print what that took, as JSON."""
    found = [each for each in discover(root) if isinstance(each, DiscoveredFile)]
    files = [found[i * len(found) // int(number)] for i in range(min(int(number), len(found)))]
    for file in files:
        Path(file.absolute).read_bytes()
    before, own, start, first = os.times(), time.process_time(), time.perf_counter(), 0.0
    with chunk_files_parallel(files, ChunkGovernor(), executor_type=executor, max_workers=int(workers)) as stream:
        count = 0
        for _, chunks in stream:
            first = first or time.perf_counter() - start
            count += len(chunks)
            if look:
                for chunk in chunks:
                    count += 0 * len(chunk.content) * len(chunk.symbols)
    seconds, own, after = time.perf_counter() - start, time.process_time() - own, os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    facts = {"seconds": seconds, "first": first, "own": own, "cpu": cpu, "peak_mb": _peak_mb()}
    print(json.dumps({**facts, "bytes": stream.report.bytes, "chunks": count}))


def _peak_mb() -> float:
    """Return the most memory that this process has held; asking takes no time from what is measured."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def hostile(root: Path) -> Table:
    """Chunk each hostile file alone in a worker process, with size and count allowed, and say what became of it."""
    rows: list[tuple[Cell, ...]] = []
    governor = ChunkGovernor(settings=ChunkerSettings(performance=RAISED))
    for file in (each for each in map(DiscoveredFile.from_path, sorted(root.iterdir())) if each is not None):
        start = time.perf_counter()
        with chunk_files_parallel([file], governor, executor_type="process", max_workers=1) as stream:
            chunks = [chunk for _, found in stream for chunk in found]
        seconds = time.perf_counter() - start
        failed = [each.error_type for each in stream.report.failures]
        how = failed[0] if failed else f"{chunks[0].source}" if chunks else "no chunks"
        kept = sum(c.byte_range[1] - c.byte_range[0] for c in chunks)
        lost = file.size - kept if chunks else None
        over = sum(len(c.content.encode("utf-8", "surrogateescape")) > governor.max_chunk_bytes for c in chunks)
        why = chunks[0].fallback if chunks else None
        rows.append((file.path.name, file.size / 1e6, seconds, how, why, len(chunks), over, lost))
    columns = (
        "file",
        "MB",
        "seconds",
        "chunker",
        "instead of a better one for",
        "chunks",
        "over the limit",
        "bytes lost",
    )
    return Table("Hostile files, each alone, a worker's start included", columns, tuple(rows))


def windows(rounds: int) -> tuple[Table, list[Check]]:
    """Cut texts of 1 and 50 MB into windows of one length."""
    line = "The quick brown fox jumps over the lazy dog, and nobody knows the reason why.\n"
    chunker = FixedSizeChunker()
    speeds: dict[int, list[float]] = {1: [], 50: []}
    for _ in range(rounds):
        for megabytes, found in speeds.items():
            text = line * (megabytes * 1_000_000 // len(line))
            start = time.process_time()
            chunker.chunk_text(text)
            found.append(len(text) / 1e6 / (time.process_time() - start))
    rows = tuple((megabytes, str(spread(found))) for megabytes, found in speeds.items())
    small, large = (spread(found).median for found in speeds.values())
    checks = [
        at_least("FixedSizeChunker, MB/s", min(small, large), 100),
        at_least("FixedSizeChunker, 50 MB × 1 MB", large / small, 0.9),
    ]
    return Table("FixedSizeChunker", ("MB", "MB/s"), rows), checks


def sizes(root: Path, rounds: int) -> Table:
    """Cut an even sample in each unit, in this process, and tell how much text a tokenizer was given for it.

    The tokens are those of the model in the package, as many to a chunk as 1,800 bytes of code have on average.
    """
    found = [each for each in discover(root) if isinstance(each, DiscoveredFile)]
    reads = [read_file(found[i * len(found) // COUNTS[1]]) for i in range(min(COUNTS[1], len(found)))]
    sources = [each.source for each in reads if isinstance(each, ReadFile)]
    total, asked = sum(len(source.data) for source in sources) / 1e6, Counter[str]()

    def tokens(text: str) -> int:
        asked["bytes"] += len(text.encode("utf-8", "surrogatepass"))
        return count_parts(text)

    governors = {
        "1,800 bytes": ChunkGovernor(),
        "1,800 characters": ChunkGovernor(settings=ChunkerSettings(max_chunk_characters=1800)),
        "256 tokens": ChunkGovernor(settings=ChunkerSettings(max_chunk_tokens=256), tokenizer=tokens),
    }
    seconds: dict[str, list[float]] = {name: [] for name in governors}
    chunks = dict.fromkeys(governors, 0)
    for _ in range(rounds):
        for name, governor in governors.items():
            start = time.process_time()
            chunks[name] = sum(len(chunk(source, governor).ends) for source in sources)
            seconds[name].append(time.process_time() - start)
    plain = spread(seconds["1,800 bytes"]).median
    rows = tuple(
        (
            name,
            chunks[name],
            total / spread(each).median,
            spread(each).median / plain,
            asked["bytes"] / rounds / 1e6 / total if name == "256 tokens" else None,
        )
        for name, each in seconds.items()
    )
    return Table("Sizes by unit", ("a chunk has at most", "chunks", "MB/s", "CPU, × bytes", "text counted, ×"), rows)


def main(arguments: list[str]) -> int:
    """Measure and publish."""
    if arguments[:1] == ["--pass"]:
        _one_pass(*arguments[1:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chunking", description="Measure parallel chunking.")
    parser.add_argument("corpus", nargs="?", default="languages", choices=MAKERS, help="default: languages")
    parser.add_argument("--rounds", type=int, default=3, help="how often each figure is measured (default: 3)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"which parts (default: {','.join(PARTS)})")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    tables: list[Table] = []
    checks: list[Check] = []
    if "files" in given.only:
        table, found = by_count(corpus(given.corpus), given.rounds)
        tables.append(table)
        checks += found
    if "hostile" in given.only:
        tables.append(hostile(corpus("pathological")))
    if "windows" in given.only:
        table, found = windows(given.rounds)
        tables.append(table)
        checks += found
    if "sizes" in given.only:
        tables.append(sizes(corpus(given.corpus), given.rounds))
    publish(Run(f"parallel-{given.corpus}", tuple(tables), tuple(checks)), write=given.write)
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
