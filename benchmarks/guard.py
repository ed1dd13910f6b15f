"""A guard against losses: hot paths as ratios to plain work of the same kind, within one run, against a baseline.

    python -m benchmarks.guard               exit code 1 where a path lost 15 %
    python -m benchmarks.guard --repeat 20   how much the ratios vary here, from run to run
    python -m benchmarks.guard --write       take this run's ratios as the baseline (guard.json); with --repeat, medians

| path | held against |
| chunk | the bare parse of the same files |
| words | `re.findall` over the same bytes, and counting what it finds |
| encode | gathering the same rows of a table of the same width, and adding them up |
| likeness | a product of the same vectors, block by block |
| discover | `os.walk` over the same tree with a stat for each file |

A ratio is the least processor time of ours over the least of the reference, measured in turn: other work on the machine
only ever adds. A path that looks worse than the baseline allows gets more rounds before it is called a loss. Texts are
this repository's own source, so nothing is fetched.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import reference
from benchmarks.encoding_run import laid_out
from benchmarks.incremental_run import plant
from benchmarks.measure import spread
from benchmarks.reference import SourceFile
from treemill.chunking import chunk
from treemill.chunking.governor import ChunkGovernor
from treemill.discovery import discover
from treemill.embedding.static import StaticEncoder
from treemill.preparing import text_to_index
from treemill.ranking.word_pass import WordPass
from treemill.searching.moment import Moment

BASELINE = Path(__file__).with_name("guard.json")
SOURCE = Path(__file__).parents[1] / "src"

LOSS = 0.15
ROUNDS = 15
FEWEST_ROUNDS = 5
SECONDS = 30.0

_VECTORS = 100_000
_BLOCK = 1_000
_FILES = 2_000
_WORD = re.compile(rb"\w+")

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

Work = Callable[[], object]


@dataclass
class HotPath:
    """A hot path and its reference, and the least processor seconds of each so far, doing it so many times."""

    name: str
    ours: Work
    plain: Work
    times: int = 1
    least: list[float] = field(default_factory=lambda: [float("inf"), float("inf")])

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.least[0] / self.least[1]

    def measure(self) -> None:
        """Do both once, in turn."""
        for place, work in enumerate((self.ours, self.plain)):
            start = time.process_time()
            for _ in range(self.times):
                work()
            self.least[place] = min(self.least[place], time.process_time() - start)

    def forget(self) -> None:
        """Begin anew."""
        self.least = [float("inf"), float("inf")]


def paths(scratch: Path) -> list[HotPath]:
    """Prepare what is measured; `scratch` is an empty folder for a tree of small files."""
    files = [each for each in reference.select(SOURCE) if each.language == "python"][::2]
    governor = ChunkGovernor()
    texts = [text_to_index(each.source, chunk(each.source, governor, name=each.file.name)) for each in files]
    _, occurrences = WordPass().read(texts)
    encoder = StaticEncoder()
    draw = np.random.default_rng(7)
    table = draw.standard_normal((20_000, encoder.dimension)).astype(np.float32)
    rows = draw.integers(0, len(table), int(occurrences.times.sum())).astype(np.int64)
    vectors = draw.integers(-127, 128, (_VECTORS, encoder.dimension), dtype=np.int8)
    question = draw.standard_normal(encoder.dimension).astype(np.float32)
    moment = Moment(laid_out([vectors]))  # type: ignore[arg-type]
    plant(scratch, _FILES)
    return [
        HotPath("chunk", lambda: _chunk(files, governor), lambda: reference.raw_parse(files)),
        HotPath("words", lambda: WordPass().read(texts), lambda: [Counter(_WORD.findall(each.text)) for each in texts]),
        HotPath("encode", lambda: encoder.encode(occurrences), lambda: _gather(table, rows), 3),
        HotPath("likeness", lambda: moment.likeness(question), lambda: _products(vectors, question), 10),
        HotPath("discover", lambda: list(discover(scratch)), lambda: list(_stats(scratch)), 2),
    ]


def _chunk(files: list[SourceFile], governor: ChunkGovernor) -> None:
    for each in files:
        chunk(each.source, governor, name=each.file.name)


def _gather(table: np.ndarray, rows: np.ndarray) -> None:
    for start in range(0, len(rows), _BLOCK):
        table[rows[start : start + _BLOCK]].sum(axis=0)


def _products(vectors: np.ndarray, question: np.ndarray) -> None:
    for start in range(0, len(vectors), _BLOCK):
        vectors[start : start + _BLOCK].astype(np.float32) @ question


def _stats(root: Path) -> Iterator[int]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield os.stat(os.path.join(folder, name)).st_size


def guard(found: list[HotPath], baseline: dict[str, float], *, seconds: float = SECONDS) -> dict[str, float]:
    """Measure all, and those that look lost again and again for so many seconds; return the ratios."""
    until = time.monotonic() + seconds
    for number in range(ROUNDS):
        if number >= FEWEST_ROUNDS and time.monotonic() > until:
            break
        for each in found:
            each.measure()
    while time.monotonic() < until and (slow := [each for each in found if lost(each.name, each.ratio, baseline)]):
        for each in slow:
            each.measure()
    return {each.name: each.ratio for each in found}


def lost(name: str, ratio: float, baseline: dict[str, float]) -> bool:
    """Tell whether a path takes so much more than its baseline that 15 % of its speed are gone."""
    return name in baseline and ratio * (1 - LOSS) > baseline[name]


def report(ratios: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """Say of each path how it stands, one line each."""
    lines = []
    for name, ratio in ratios.items():
        if name not in baseline:
            lines.append(f"{name:<10}{ratio:8.3f}   no baseline: python -m benchmarks.guard --write")
            continue
        speed = baseline[name] / ratio
        lines.append(
            f"{name:<10}{ratio:8.3f}   baseline {baseline[name]:.3f}: {speed:.0%} of its speed"
            + ("   LOST" if lost(name, ratio, baseline) else "")
        )
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description="Guard hot paths against losses.")
    parser.add_argument("--repeat", type=int, default=0, metavar="N", help="measure N times and print the spreads")
    parser.add_argument("--write", action="store_true", help="take this run's ratios as the baseline")
    given = parser.parse_args(arguments)
    if arguments is None and any(os.environ.get(name) != "1" for name in _ONE_THREAD):
        # Threads of a matrix library would be counted together; they are set up when it is loaded.
        variables = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.guard", *sys.argv[1:]], variables)
    baseline = dict(json.loads(BASELINE.read_text("utf-8"))) if BASELINE.exists() else {}
    with tempfile.TemporaryDirectory(prefix="treemill-guard-") as folder:
        found = paths(Path(folder))
        if given.repeat:
            return _repeat(found, given.repeat, write=given.write)
        ratios = guard(found, {} if given.write else baseline)
    if given.write:
        _write(ratios)
    print(*report(ratios, dict(ratios) if given.write else baseline), sep="\n")
    missing = [name for name in ratios if name not in baseline]
    return int(not given.write and (bool(missing) or any(lost(*each, baseline) for each in ratios.items())))


def _write(ratios: dict[str, float]) -> None:
    BASELINE.write_text(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}, indent=1) + "\n")


def _repeat(found: list[HotPath], times: int, *, write: bool) -> int:
    seen: dict[str, list[float]] = {each.name: [] for each in found}
    for _ in range(times):
        for each in found:
            each.forget()
        for name, ratio in guard(found, {}).items():
            seen[name].append(ratio)
    for name, values in seen.items():
        each = spread(values)
        print(f"{name:<10}{each.median:8.3f}   {each.low / each.median - 1:+.1%} to {each.high / each.median - 1:+.1%}")
    if write:
        _write({name: spread(values).median for name, values in seen.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
