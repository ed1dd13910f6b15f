"""What chunks with symbols cost beside the bare parse, language by language, in processor time.

    python -m benchmarks.by_language [CORPUS] [--megabytes N] [--rounds N]

Each language is an even sample of its files. Ours is `chunk_files_parallel` inline, from files on disk to `CodeChunk`
objects that are looked at; the bare parse has its bytes in memory. Both are the least of the rounds, measured in turn:
other work on the machine only ever adds. `TREEMILL_NATIVE=off` measures the halves in Python.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable

import treemill
from benchmarks import reference
from benchmarks.corpora import MAKERS, corpus
from benchmarks.reference import SourceFile
from benchmarks.results import Cell, Run, Table, at_least, publish
from treemill.native import compiled

LIMIT = 1800
BOUND = 0.8


def measure(files: list[SourceFile], rounds: int) -> tuple[float, float, float]:
    """Return the least processor seconds of the bare parse, of ours, and of ours with two threads."""
    works = (lambda: _parse(files), lambda: _chunk(files, "inline", 1), lambda: _chunk(files, "thread", 2))
    least = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            least[place] = min(least[place], _seconds(work))
    return least[0], least[1], least[2]


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _parse(files: list[SourceFile]) -> None:
    reference.raw_parse(files)


def _chunk(files: list[SourceFile], executor: str, workers: int) -> int:
    looked_at = 0
    governor = treemill.ChunkGovernor(settings=treemill.ChunkerSettings(max_chunk_bytes=LIMIT))
    found = (each.file for each in files)
    with treemill.chunk_files_parallel(found, governor, executor_type=executor, max_workers=workers) as stream:
        for _, chunks in stream:
            for chunk in chunks:
                looked_at += len(chunk.content) + len(chunk.symbols)
    return looked_at


def sample(files: list[SourceFile], megabytes: float) -> list[SourceFile]:
    """Return every n-th file, so that about that many MB come together."""
    total = sum(len(each.source.data) for each in files) / 1e6
    return files[:: max(1, round(total / megabytes))]


def run(name: str, *, megabytes: float, rounds: int) -> Run:
    """Measure each language of a corpus that has half a MB at least."""
    by_language: dict[str, list[SourceFile]] = defaultdict(list)
    for each in reference.select(corpus(name)):
        if each.language is not None:
            by_language[each.language].append(each)
    rows: list[tuple[Cell, ...]] = []
    parse = ours = 0.0
    for language, files in sorted(by_language.items()):
        taken = sample(files, megabytes)
        size = sum(len(each.source.data) for each in taken) / 1e6
        if size < min(0.5, megabytes):
            continue
        one, two, three = measure(taken, rounds)
        parse, ours = parse + one, ours + two
        rows.append((language, len(taken), size, one / size * 1e3, two / size * 1e3, one / two, one / three))
    rows.append(("all of these", None, None, None, None, parse / ours, None))
    columns = (
        "language",
        "files",
        "MB",
        "parse, ms a MB",
        "inline, ms a MB",
        "inline, × parse",
        "two threads, × parse",
    )
    halves = "compiled halves" if compiled("trees") is not None else "halves in Python"
    table = Table(f"Chunks with symbols beside the bare parse, processor time, {halves}", columns, tuple(rows))
    return Run(f"by-language-{name}", (table,), (at_least("inline, × bare parse", parse / ours, BOUND),))


def main(arguments: list[str]) -> int:
    """Measure and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.by_language", description="Measure by language.")
    parser.add_argument("corpus", nargs="?", default="languages", choices=MAKERS, help="default: languages")
    parser.add_argument("--megabytes", type=float, default=2.0, help="of each language, about (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    done = run(given.corpus, megabytes=given.megabytes, rounds=given.rounds)
    publish(done, write=given.write)
    return 0 if all(check.holds for check in done.checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
