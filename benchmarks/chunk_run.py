"""How fast files become chunks: every executor beside the raw parse, other libraries on the same files, a gigabyte.

Ours is measured through `chunk_files_parallel`, from files on disk to `CodeChunk` objects with their symbols; the raw
parse has its bytes in memory. Other libraries get text in memory too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import cycle
from pathlib import Path
from typing import Any

import treemill
from benchmarks import reference
from benchmarks.corpora import corpus
from benchmarks.measure import CommandError, PeakMemory, run_process, spread, versions
from benchmarks.reference import Reference, SourceFile
from benchmarks.results import Cell, Check, Run, Table, at_least, at_most
from benchmarks.rivals import RIVALS, Piece, Rival, Verdict, judge
from treemill.chunking.build import build_chunks
from treemill.discovery import discover
from treemill.languages import LANGUAGES
from treemill.reading import source_of
from treemill.types import DiscoveredFile

LIMIT = 1800
STREAMED_BYTES = 1_000_000_000

# In how many turns other libraries cut their files.
_SLICES = 12

EXECUTORS = (("inline", 1), ("process", 1), ("process", 2), ("thread", 2))

# What is compared with each other takes turns there and back within a round: a machine that becomes faster or slower
# meanwhile, evenly, is so for both.
_THERE = (("inline", 1), ("process", 1), ("process", 2))
_TURNS = (*_THERE, *reversed(_THERE), ("thread", 2))

_CORES = 2


def run(name: str, *, rounds: int, rivals_mb: float, stream: bool) -> Run:
    """Measure a corpus. Other libraries see an even sample of about `rivals_mb` MB of it.

    Raises:
        CorpusError: the corpus cannot be made.
        CommandError: this Treemill has no `chunk_files_parallel`, or a part failed.
    """
    _door()
    root = corpus(name)
    files = [each for each in reference.select(root) if each.language is not None]
    references: list[Reference] = []
    bare: list[float] = []
    passes: dict[tuple[str, int], list[dict[str, Any]]] = {key: [] for key in EXECUTORS}
    for _ in range(rounds):
        references.append(reference.raw_parse(files))
        bare.append(references[-1].seconds / reference.seconds_on_cores(files, _CORES))
        turns: dict[tuple[str, int], list[dict[str, Any]]] = {key: [] for key in EXECUTORS}
        for executor, workers in _TURNS:
            turns[executor, workers].append(_in_own_process(root, executor, workers))
        for key, found in turns.items():
            passes[key].append(_mean(found))
    ours, checks = _ours(passes, references, bare)
    tables = [reference.table(sorted(references, key=lambda each: each.seconds)[(rounds - 1) // 2]), ours]
    others, ahead = _rivals(_sample(files, rivals_mb))
    tables.append(others)
    if ahead is not None:
        checks.append(at_least("speed over that of the fastest other library", ahead, 1))
    if stream:
        streamed = _in_own_process(root, "process", 2, "--stream")
        peak = streamed["parent_peak_mb"]
        rows = tuple((key, value) for key, value in streamed.items())
        tables.append(Table(f"Streaming {STREAMED_BYTES / 1e9:g} GB, two processes", ("figure", "value"), rows))
        checks.append(at_most("streaming 1 GB, the parent's memory, MB", peak, 200))
    names = [each.name for each in RIVALS]
    return Run(f"chunking-{name}", tuple(tables), tuple(checks), versions(*names))


def _door() -> Callable[..., Any]:
    """Return `chunk_files_parallel`."""
    door: Callable[..., Any] | None = getattr(treemill, "chunk_files_parallel", None)
    if door is None:
        raise CommandError("this version of treemill has no chunk_files_parallel: there is nothing to measure yet")
    return door


def _in_own_process(root: Path, executor: str, workers: int, *more: str) -> dict[str, Any]:
    """Chunk what has a grammar below a folder in a fresh interpreter, so that no pass inherits another's memory.

    Nobody samples memory from outside meanwhile: that would stop the workers, which are what is measured.
    """
    command = [sys.executable, "-m", "benchmarks.chunk_run", str(root), executor, str(workers), *more]
    result: dict[str, Any] = json.loads(run_process(command, memory=False).stdout)
    return result


def _mean(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of the passes of one round as those of one: they all do the same."""
    return {key: sum(each[key] for each in turns) / len(turns) for key in turns[0]}


def _one_pass(files: Iterator[DiscoveredFile], executor: str, workers: int) -> dict[str, Any]:
    """Chunk files and return what it took and what came, as JSON-ready values."""
    chunks = symbols = semantic = over = size = 0
    governor = treemill.ChunkGovernor(settings=treemill.ChunkerSettings(max_chunk_bytes=LIMIT))
    own, start = time.process_time(), time.perf_counter()
    with _door()(files, governor, max_workers=workers, executor_type=executor) as stream:
        for _, found in stream:
            chunks += len(found)
            for chunk in found:
                length = chunk.byte_range[1] - chunk.byte_range[0]
                size += length
                semantic += length if chunk.source == "semantic" else 0
                symbols += len(chunk.symbols)
                over += len(chunk.content) > LIMIT
    seconds, own = time.perf_counter() - start, time.process_time() - own
    counted = {"chunks": chunks, "symbols": symbols, "bytes": size, "semantic_bytes": semantic, "over_limit": over}
    return {"seconds": seconds, "parent_cpu": own, **counted}


def _ours(
    passes: dict[tuple[str, int], list[dict[str, Any]]], references: list[Reference], bare: list[float]
) -> tuple[Table, list[Check]]:
    """Show our executors beside the raw parse, round by round, and hold them against the bounds.

    `bare` is what two cores were worth beside one in each round.
    """
    raw = [each.mb_per_second for each in references]
    speeds = {key: [each["bytes"] / 1e6 / each["seconds"] for each in found] for key, found in passes.items()}
    rows = []
    for key, found in passes.items():
        of_raw = spread(speed / limit for speed, limit in zip(speeds[key], raw, strict=True))
        share = spread(each["parent_cpu"] / each["cpu"] for each in found)
        last = found[-1]
        name = f"{key[0]}, {key[1]} worker{'s' if key[1] > 1 else ''}"
        speed = spread(speeds[key])
        counts = (round(last[each]) for each in ("chunks", "symbols", "over_limit"))
        rows.append((name, str(speed), str(of_raw), share.median, *counts))
    columns = ("executor", "MB/s", "× raw parse", "parent's share of CPU", "chunks", "symbols", "over the limit")
    inline, one, two = (speeds[key] for key in (("inline", 1), ("process", 1), ("process", 2)))
    semantic = passes["inline", 1][-1]
    parent = [each["parent_cpu"] / each["cpu"] for each in passes["process", 2]]
    checks = [
        at_least("inline, × raw parse", _ratio(inline, raw), 0.8),
        at_least("semantic, share of bytes", semantic["semantic_bytes"] / semantic["bytes"], 0.98),
        at_least("one process, × inline", _ratio(one, inline), 0.95),
        at_least("two processes, × one", _ratio(two, one), 1.9),
        at_most("the parent's share of CPU, two processes", spread(parent).median, 0.05),
    ]
    rounds = [of_two / of_one for of_two, of_one in zip(two, one, strict=True)]
    note = (
        f"Two processes, × one, round by round: {_listed(rounds)}. "
        f"The bare parse on two cores, × on one, in the same rounds: {_listed(bare)}."
    )
    return Table(f"chunk_files_parallel, limit {LIMIT:,} bytes", columns, tuple(rows), note), checks


def _listed(ratios: list[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in ratios)


def _ratio(above: list[float], below: list[float]) -> float:
    return spread(one / other for one, other in zip(above, below, strict=True)).median


def _sample(files: list[SourceFile], megabytes: float) -> list[SourceFile]:
    """Return every n-th file, so that about that many MB come together."""
    total = sum(len(each.source.data) for each in files) / 1e6
    return files[:: max(1, round(total / megabytes))]


def _rivals(files: list[SourceFile]) -> tuple[Table, float | None]:
    """Let every installed library cut the same files on one core, each beside the raw parse of what it takes.

    Also return our speed over that of the fastest of them, each as its share of the raw parse.

    They take turns on slices of the files, so that a machine that is faster for a while is so for all.
    """
    there = [rival for rival in (OURS, *RIVALS) if rival.installed]
    verdicts = {rival.name: Verdict() for rival in there}
    raw = dict.fromkeys(verdicts, 0.0)
    for slice_ in range(_SLICES):
        for rival in there:
            taken = [each for each in files[slice_::_SLICES] if rival.takes(each)]
            raw[rival.name] += reference.raw_parse(taken).seconds
            judge(rival, taken, LIMIT, verdicts[rival.name])
    rows: list[tuple[Cell, ...]] = []
    for rival in (OURS, *RIVALS):
        if rival not in there:
            rows.append((f"{rival.name} (not installed)", *(None,) * 9))
            continue
        verdict = verdicts[rival.name]
        speed = verdict.bytes / 1e6 / verdict.seconds
        found = (verdict.chunks, verdict.over_limit, verdict.lost, verdict.lost_code, verdict.wrong_lines)
        share = raw[rival.name] / verdict.seconds
        rows.append((rival.name, verdict.files, speed, share, *found, f"{verdict.failed} failed"))
    columns = ("library", "files", "MB/s", "× raw parse", "chunks", "over the limit", "bytes lost", "not blank")
    note = "Text in memory, one core. Bytes lost are in no chunk as the file has them, blanks included."
    shares = {name: raw[name] / verdicts[name].seconds for name in verdicts}
    ours = shares.pop(OURS.name)
    table = Table("Chunk libraries", (*columns, "wrong lines", "files failed"), tuple(rows), note)
    return table, ours / max(shares.values()) if shares else None


def _cut_by_ours(text: str, language: str, limit: int) -> Iterator[Piece]:
    governor = treemill.ChunkGovernor(settings=treemill.ChunkerSettings(max_chunk_bytes=limit))
    source = source_of(text.encode("utf-8", "surrogateescape"), language)
    if source is None:
        raise ValueError("the text is binary")
    chunking = treemill.chunk(source, governor)
    file = DiscoveredFile("file", None, language, len(source.data), 0)
    for chunk in build_chunks(file, source, chunking, governor):
        yield Piece(chunk.content, chunk.line_range[0])


OURS = Rival("treemill", "treemill", None, _cut_by_ours)


def _main(arguments: list[str]) -> None:
    """Chunk what has a grammar below a folder and print what that took, as JSON.

    Memory is sampled where it is asked about, in the stream alone: the thread that does counts as the parent's CPU.
    """
    root, executor, workers, *more = arguments
    found = [
        each
        for each in discover(root)
        if isinstance(each, DiscoveredFile) and (entry := LANGUAGES.get(each.language or "")) and entry.grammar
    ]
    stream = "--stream" in more
    files = _until(cycle(found), STREAMED_BYTES) if stream else iter(found)
    with PeakMemory(os.getpid(), family=False) if stream else nullcontext() as memory:
        before = os.times()
        result = _one_pass(files, executor, int(workers))
        after = os.times()
    result["cpu"] = sum(after[:4]) - sum(before[:4])
    if memory is not None:
        result["parent_peak_mb"] = memory.peak_mb
    print(json.dumps(result))


def _until(files: Iterator[DiscoveredFile], size: int) -> Iterator[DiscoveredFile]:
    """Yield files until their sizes come to `size` bytes."""
    for file in files:
        if size <= 0:
            return
        size -= file.size
        yield file


if __name__ == "__main__":
    _main(sys.argv[1:])
