"""What bounds a cold index, and how it grows: the share of the physical limit, workers, memory, the first answer.

    python -m benchmarks.scale limit languages
    python -m benchmarks.scale growth --sizes 1000,10000,100000

`limit` indexes a copy of the tree that holds only files with a grammar. The physical limit is the bare parse of the
same bytes on as many cores, from memory; ours is `treemill index` as a whole process, with imports, start and last
commit.

`growth` indexes even samples of a large corpus: summed memory, the index beside its source, nothing changed, and how
long after its start an index gives its first answer to another process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import treemill
from benchmarks import reference
from benchmarks.beside import index_cold
from benchmarks.corpora import MAKERS, CorpusError, corpus, home, walk
from benchmarks.index_run import link
from benchmarks.measure import CommandError, ProcessRun, Spread, rounds_within, run_process, spread
from benchmarks.results import Check, Run, Table, at_least, at_most, figures_table, publish
from treemill.discovery import discover
from treemill.errors import TreemillError
from treemill.records import Query
from treemill.types import DiscoveredFile

CORES = 2
FIRST_QUESTION = "return the value"
_POLL_SECONDS = 0.01


def limit(name: str, rounds: int, seconds: float | None = None) -> Run:
    """Index what has a grammar beside the bare parse of it, with two workers and with one.

    What two cores of this machine are worth beside one shows in the bare parse, which shares nothing.
    """
    with _scratch() as scratch:
        root = scratch / name
        _lay_out(corpus(name), root, (each.file.name for each in reference.select(corpus(name)) if each.language))
        files = reference.select(root)
        alone, parsed, one, two = [], [], [], []
        for _ in rounds_within(rounds, seconds):
            alone.append(reference.seconds_on_cores(files, 1))
            parsed.append(reference.seconds_on_cores(files, CORES))
            two.append(index_cold(root, scratch, "--workers", str(CORES), memory=False))
            one.append(index_cold(root, scratch, "--workers", "1", memory=False))
    mb = sum(len(each.source.data) for each in files) / 1e6
    figures = {
        "bare parse on two cores, s": spread(parsed),
        "bare parse on two cores, MB/s": spread(mb / each for each in parsed),
        "bare parse, two cores × one": spread(a / b for a, b in zip(alone, parsed, strict=True)),
        "cold, two workers, s": spread(each.seconds for each in two),
        "cold, two workers, MB/s": spread(mb / each.seconds for each in two),
        "cold, one worker, s": spread(each.seconds for each in one),
        "share of the physical limit": spread(a / b.seconds for a, b in zip(parsed, two, strict=True)),
        "two workers, × one": spread(a.seconds / b.seconds for a, b in zip(one, two, strict=True)),
        "all processors, two workers, s": spread(each.cpu_seconds for each in two),
        "all processors, one worker, s": spread(each.cpu_seconds for each in one),
        "files": spread([len(files)]),
        "MB": spread([mb]),
    }
    checks = (
        at_least("share of the physical limit", figures["share of the physical limit"].median, 0.7),
        at_least("two workers, × one", figures["two workers, × one"].median, 1.8),
    )
    middle = sorted(two, key=lambda each: each.seconds)[(len(two) - 1) // 2]
    return Run(f"limit-{name}", (figures_table(figures), _stages(middle, mb)), checks, figures)


def _stages(run: ProcessRun, mb: float) -> Table:
    stages = sorted(json.loads(run.stdout)["stats"]["stages"].items(), key=lambda item: -item[1])
    rows = tuple((stage, seconds, seconds / run.cpu_seconds, seconds / mb * 1e3) for stage, seconds in stages)
    note = f"All processes together: {run.cpu_seconds:.2f} s of the processor, {run.seconds:.2f} s on the wall."
    return Table("By stage, two workers", ("stage", "seconds, summed", "÷ all CPU", "ms/MB"), rows, note)


def growth(name: str, sizes: list[int], rounds: int, seconds: float | None = None) -> Run:
    """Index even samples of a corpus of so many files each."""
    paths = [each.name for each in discover(corpus(name)) if isinstance(each, DiscoveredFile)]
    figures: dict[str, Spread] = {}
    for size in sizes:
        with _scratch() as scratch:
            root = scratch / "tree"
            chosen = paths if len(paths) <= size else [paths[n * len(paths) // size] for n in range(size)]
            _lay_out(corpus(name), root, chosen)
            share = None if seconds is None else seconds * size / sum(sizes)
            figures |= {f"{size:,} files, {key}": value for key, value in _grown(root, scratch, rounds, share).items()}
    found = tuple(_growth_checks(figures, sizes))
    return Run("growth", (figures_table(figures),), found, figures)


def _grown(root: Path, scratch: Path, rounds: int, seconds: float | None) -> dict[str, Spread]:
    runs = [index_cold(root, scratch) for _ in rounds_within(rounds, seconds)]
    text = json.loads(runs[-1].stdout)["stats"]["total_size"]
    kept = sum(path.stat().st_size for path in walk(root / ".treemill"))
    time.sleep(2.5)  # files younger than a moment are read once more: the figure is about a tree at rest
    again = [_again(root, scratch) for _ in range(rounds + 1)][1:]
    first = [_first_answer(root, scratch) for _ in range(rounds)]
    peaks = [each.peak_mb for each in runs if each.peak_mb is not None]
    return {
        "MB": spread([text / 1e6]),
        "cold, s": spread(each.seconds for each in runs),
        "cold, MB/s": spread(text / 1e6 / each.seconds for each in runs),
        "first answer, s": spread(first),
        **({"peak memory, MB": spread(peaks)} if peaks else {}),
        "index ÷ source": spread([kept / text]),
        "nothing changed, s": spread(again),
    }


def _growth_checks(figures: dict[str, Spread], sizes: list[int]) -> Iterator[Check]:
    for size in sizes:
        yield at_most(f"{size:,} files, first answer, s", figures[f"{size:,} files, first answer, s"].median, 1.0)
        yield at_most(f"{size:,} files, index ÷ source", figures[f"{size:,} files, index ÷ source"].median, 1.1)
    if "100,000 files, nothing changed, s" in figures:
        key = "100,000 files, nothing changed, s"
        yield at_most(key, figures[key].median, 4.0)
    few, many = (figures.get(f"{size:,} files, peak memory, MB") for size in (10_000, 100_000))
    if few and many:
        key = "peak memory at 100,000 files, × that at 10,000"
        share = many.median / few.median
        figures[key] = Spread(share, many.low / few.high, many.high / few.low)
        yield at_most(key, share, 1.3)


def _first_answer(root: Path, scratch: Path) -> float:
    """Return the seconds from the start of `treemill index` until a question gets an answer; the run is ended then."""
    shutil.rmtree(root / ".treemill", ignore_errors=True)
    shutil.rmtree(scratch / "cache", ignore_errors=True)
    command = [sys.executable, "-m", "treemill", "index", str(root), "--quiet"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(scratch / "cache")}
    start = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as child:
        try:
            while not _answers(root):
                if child.poll() is not None and not _answers(root):
                    raise CommandError(f"{' '.join(command)} ended with {child.returncode} and nothing can be found")
                time.sleep(_POLL_SECONDS)
            return time.perf_counter() - start
        finally:
            child.terminate()


def _answers(root: Path) -> bool:
    if not (root / ".treemill").exists():
        return False
    with contextlib.suppress(TreemillError), treemill.open(root) as index:
        return bool(index.ask(Query(FIRST_QUESTION)).hits)
    return False


def _again(root: Path, scratch: Path) -> float:
    command = [sys.executable, "-m", "treemill", "index", root, "--quiet"]
    return run_process(command, variables={"XDG_CACHE_HOME": str(scratch / "cache")}).seconds


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix="scale-") as folder:
        yield Path(folder)


def _lay_out(original: Path, root: Path, names: Iterable[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        link(str(original / name), str(root / name))


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="What bounds a cold index.")
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK", dest="benchmark")
    for command, default in (("limit", "languages"), ("growth", "monorepo")):
        each = commands.add_parser(command)
        each.add_argument("corpus", nargs="?", default=default, choices=MAKERS, help=f"default: {default}")
        each.add_argument("--rounds", type=int, default=3, help="how often each figure is measured (default: 3)")
        each.add_argument("--seconds", type=float, help="begin no further round that would end later")
        each.add_argument("--no-write", dest="write", action="store_false", help="print only")
        if command == "growth":
            each.add_argument("--sizes", default="1000,10000,100000", help="default: 1000,10000,100000")
    given = parser.parse_args(arguments)
    try:
        if given.benchmark == "limit":
            run = limit(given.corpus, given.rounds, given.seconds)
        else:
            sizes = [int(size) for size in given.sizes.split(",")]
            run = growth(given.corpus, sizes, given.rounds, given.seconds)
    except (CorpusError, CommandError) as error:
        print(f"benchmarks.scale: {error}", file=sys.stderr)
        return 2
    publish(run, write=given.write)
    return 0 if all(check.holds for check in run.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
