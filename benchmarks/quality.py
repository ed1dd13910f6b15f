"""How good answers are: annotated questions, and whether a name finds the lines that define it.

    python -m benchmarks.quality --bench FOLDER [--trees FOLDER] [--symbols 60]

Questions: NDCG@10 as the mean of repositories, by category and by language, through the same door that users take.
Lines: for names that one definition alone has, drawn from each repository, whether the first result holds the first
line of that definition.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.questions import Repository, ndcg, repositories
from treemill.chunking.definitions import unpack_symbols
from treemill.indexing import index_tree
from treemill.records import Hit
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage import IndexStore
from treemill.storage.memory import MemoryStore
from treemill.types import Symbol

_MOST_RESULTS = 10
_ASKED_KINDS = frozenset(
    ("function", "method", "class", "struct", "interface", "trait", "enum", "type", "object", "macro", "protocol")
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="folder with repos.json and annotations")
    parser.add_argument("--trees", type=Path, help="folder of the working trees (default: repos in the bench)")
    parser.add_argument("--symbols", type=int, default=60, metavar="N", help="names to draw from each repository")
    arguments = parser.parse_args()
    means: list[float] = []
    categories: defaultdict[str, list[float]] = defaultdict(list)
    languages: defaultdict[str, list[float]] = defaultdict(list)
    lines: defaultdict[str, list[bool]] = defaultdict(list)
    seconds: list[float] = []
    for repository in repositories(arguments.bench, arguments.trees or arguments.bench / "repos"):
        store = indexed(repository)
        with Index(store) as handle:
            mine = []
            for asked in repository.asked:
                started = time.perf_counter()
                hits = handle.search(asked.text, limit=_MOST_RESULTS)
                seconds.append(time.perf_counter() - started)
                quality = ndcg([(hit.path, hit.start_line, hit.end_line) for hit in hits], asked.targets)
                mine.append(quality)
                categories[asked.category].append(quality)
                languages[repository.language].append(quality)
            means.append(float(np.mean(mine)))
            for path, symbol in drawn(store, repository.name, arguments.symbols):
                hits = handle.search(symbol.name, limit=1, mode="symbol")
                lines[repository.language].append(any(_holds(hit, path, symbol) for hit in hits))
    print(f"NDCG@10, mean of {len(means)} repositories: {np.mean(means):.4f}")
    for title, groups in (("category", categories), ("language", languages)):
        print(f"by {title}: " + "  ".join(f"{name} {np.mean(found):.3f}" for name, found in sorted(groups.items())))
    middle, high = np.percentile(seconds, [50, 95]) * 1000
    print(f"milliseconds a question: p50 {middle:.1f}, p95 {high:.1f}")
    every = [found for group in lines.values() for found in group]
    print(f"the first result holds the definition's first line: {np.mean(every):.3f} of {len(every)} names")
    print("by language: " + "  ".join(f"{name} {np.mean(found):.3f}" for name, found in sorted(lines.items())))


def indexed(repository: Repository) -> IndexStore:
    """Index a repository in memory."""
    store = MemoryStore()
    inline = ConcurrencySettings(executor="inline")
    index_tree(repository.root, store, Settings(chunker=ChunkerSettings(concurrency=inline)))
    return store


def drawn(store: IndexStore, seed: str, most: int) -> list[tuple[str, Symbol]]:
    """Return names that one definition alone has, drawn by a seed, as (path, definition)."""
    found = list(_definitions(store))
    times = Counter(symbol.name for _, symbol in found)
    alone = [(path, symbol) for path, symbol in found if times[symbol.name] == 1 and symbol.kind in _ASKED_KINDS]
    return random.Random(seed).sample(alone, min(most, len(alone)))


def _definitions(store: IndexStore) -> Iterator[tuple[str, Symbol]]:
    with store.snapshot() as snapshot:
        files = snapshot.files()
        for path, content in zip(files.paths, files.contents.tolist(), strict=True):
            for symbol in unpack_symbols(snapshot.content(content).symbols):
                yield path, symbol


def _holds(hit: Hit, path: str, symbol: Symbol) -> bool:
    return hit.path == path and hit.start_line <= symbol.line <= hit.end_line


if __name__ == "__main__":
    main()
