"""Regular expressions on an index, beside a plain look through every text, and beside ripgrep where there is an `rg`.

    python -m benchmarks.patterns [ROOT] [--corpus languages] [--rounds 3] [--write]

ROOT is an indexed tree; without one, a corpus is indexed into a temporary folder. Figures are milliseconds of processor
time in one process, the least of the rounds: ten hits as users ask for them, all files with a match, the same by
matching the text of every file of the index (the same engine, no filter), and `rg -l` on the tree. A file that the
plain look finds and the answer has not is lost: the run fails on one.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

import treemill
from benchmarks.corpora import MAKERS, corpus
from benchmarks.results import Cell, Run, Table, at_most, publish
from treemill.embedding.registry import make_provider
from treemill.indexing import index_tree
from treemill.library import open as open_index
from treemill.records import Query
from treemill.searching import Index
from treemill.searching.moment import Moment
from treemill.searching.patterns import compiled
from treemill.searching.skimming import texts_of
from treemill.settings import Settings
from treemill.storage.sqlite import SqliteStore

# Common ones and rare ones; with words whole, cut and in classes; alternatives, cases, lines, and nothing to go by.
PATTERNS = (
    r"raise \w+Error",
    r"\w+Error\(",
    r"get_\w+_by_\w+",
    r"def test_\w*unicode",
    r"unicod",
    r"ImportErr",
    r"(?i)todo.*fix",
    r"(?i)deprecat",
    r"https?://[a-z.]+/\w+",
    r"foo|bar[0-9]{3}",
    r"(alpha|beta|gamma)_channel",
    r"0x[0-9a-fA-F]{12,}",
    r"[0-9]{13,}",
    r"\bqz\w+",
    r"std::unordered_(map|set)<std::string",
    r"public static final \w+ [A-Z_]{25,}",
    r"^import .* from 'rea",
    r"malloc\(.*sizeof",
    r"\d+\.\d+\.\d+-beta",
    r"[A-Z]{30}",
    r"zzzzqqqq",
    r"(a+)+\$$x",
    r"catch \(\w*Exception \w+\) \{\s*\}",
    r"(\w+)\s*=\s*\w+\.\w+\s*\?\s*nullp",
    r"x.{40}y.{40}z{3}",
    r"TODO\(\w+\)",
    r"\$\{\{",
    r"_mm256_\w+_ps",
)

_ENDLESS = 10_000_000

Found = TypeVar("Found")


def main() -> int:
    """Measure and print; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?")
    parser.add_argument("--corpus", default="languages", choices=MAKERS, help="what is asked without ROOT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the run to benchmarks/runs")
    arguments = parser.parse_args()
    rg = shutil.which("rg")
    rows: list[tuple[Cell, ...]] = []
    lost = 0
    with opened(arguments.root, arguments.corpus) as (index, root):
        moment = index.asked(Query("")).moment
        chunks = index.coverage().chunks
        index.ask(Query("nothing but a start"))
        for pattern in PATTERNS:
            ten, _ = least(arguments.rounds, lambda p=pattern: index.search(p, mode="regex", limit=10))
            every, hits = least(arguments.rounds, lambda p=pattern: index.search(p, mode="regex", limit=_ENDLESS))
            plain, expected = least(1, lambda p=pattern: matching_files(moment, p))
            beside = (
                children(arguments.rounds, [rg, "-l", "-U", "--max-filesize", "1M", pattern, str(root)]) if rg else None
            )
            lost += len(expected - {hit.path for hit in hits})
            rows.append((f"`{pattern}`", len(expected), ten, every, plain, beside))
            print(*rows[-1], flush=True)
    names = ("ten hits", "all files", "a plain look", "rg")
    columns = {
        name: np.array([row[place] for row in rows], np.float64)
        for place, name in enumerate(names, 2)
        if rows[0][place]
    }
    for share in (50, 95, 100):
        cells = [float(np.percentile(columns[name], share)) if name in columns else None for name in names]
        rows.append((f"{share} % of the patterns within", None, *cells))
    title = f"Milliseconds of processor time for a pattern, {chunks:,} chunks"
    table = Table(title, ("pattern", "files", *names), tuple(rows))
    ratio = float(np.median(columns["ten hits"]) / np.median(columns["a plain look"]))
    checks = (
        at_most("files lost", lost, 0),
        at_most("ten hits beside a plain look, medians", ratio, 0.1),
    )
    publish(Run("patterns", (table,), checks, extra_versions={"treemill": treemill.__version__}), write=arguments.write)
    return 0 if all(check.holds for check in checks) else 1


@contextmanager
def opened(root: Path | None, name: str) -> Iterator[tuple[Index, Path]]:
    """Open the index of a root; without one, that of a corpus, which is indexed beside it for this."""
    if root is not None:
        with open_index(root) as index:
            yield index, root
        return
    tree, provider = corpus(name), make_provider(Settings().embedding)
    with tempfile.TemporaryDirectory() as temporary, SqliteStore(Path(temporary, "index"), create=True) as store:
        index_tree(tree, store, Settings(), provider=provider)
        with Index(store, provider, root=tree) as index:
            yield index, tree


def matching_files(moment: Moment, pattern: str) -> set[str]:
    """Return the files in whose text a pattern matches, by matching it against the text of every file."""
    matcher = compiled(pattern)
    files = range(len(moment.files.paths))
    return {moment.files.paths[file] for file, text in texts_of(moment, files) if matcher.search(text) is not None}


def least(rounds: int, work: Callable[[], Found]) -> tuple[float, Found]:
    """Return the least processor time of some rounds, in milliseconds, and what the last one found."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        found = work()
        times.append((time.process_time() - began) * 1000)
    return round(min(times), 1), found


def children(rounds: int, command: list[str]) -> float:
    """Return the least processor time of a command over some rounds, in milliseconds."""
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000)
    return round(min(times), 1)


if __name__ == "__main__":
    sys.exit(main())
