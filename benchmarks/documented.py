"""Documentation → function through the ranking: the questions of `benchmarks.documentation`, asked as users ask.

    python -m benchmarks.documented --work FOLDER [--part validation] [--write]

Each package is indexed in memory with the shipped model, its documentation taken out, and asked by the first sentence
of each function's documentation; NDCG@10 is 1 / log2(1 + place) in the first ten, else 0. Twice: with each function as
a file of its own, whose name says nothing, which is what `documentation` ranks; and with the functions in the files
that they came from, where a result is right if its lines hold the function's first.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.documentation import interval
from benchmarks.results import Check, Run, Table, at_least, publish
from treemill.chunking.packing import pack_symbols
from treemill.embedding import EmbeddingProvider, TermEncoder, model_of
from treemill.embedding.registry import make_provider
from treemill.indexing import index_tree
from treemill.ranking.occurrences import IndexedText, TextToIndex
from treemill.ranking.postings import pack
from treemill.ranking.word_pass import WordPass
from treemill.ranking.words import RECIPE
from treemill.records import Content, PreparedFile, Query, Recipe, RunState
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, EmbeddingSettings, Settings
from treemill.storage.memory import MemoryStore
from treemill.types import Symbol

_BATCH = 512

# What a text of a language begins with, for its functions to be read as such.
_HEADS = {"php": "<?php\n"}

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

# What words and vectors, added up, reach on the same questions: see the newest run of `documentation`.
FUSED_BOUND = 0.5454


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function stands in the tree that is indexed: its file and the line on which it begins."""

    path: str
    line: int


def main() -> int:
    """Measure and print; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder with the packages set aside")
    parser.add_argument("--part", choices=("heldout", "validation"), default="heldout")
    parser.add_argument("--write", action="store_true", help="write the run to benchmarks/runs")
    arguments = parser.parse_args()
    packages = dict(packages_of(arguments.work / f"{arguments.part}.jsonl.gz"))
    provider = make_provider(EmbeddingSettings(provider="static"))
    assert provider is not None
    rows: list[list[object]] = []
    found: defaultdict[str, list[float]] = defaultdict(list)
    for name, records in packages.items():
        functions = apart(records, provider)
        words, alone = asked(functions, records, None), asked(functions, records, provider)
        together = asked(as_they_were(records, provider), records, provider)
        rows.append([name, len(records), len(words), *(f"{np.mean(each):.3f}" for each in (words, alone, together))])
        print(*rows[-1], flush=True)
        for title, each in (("words", words), ("all", alone), ("files", together)):
            found[title] += each
    means = {title: float(np.mean(each)) for title, each in found.items()}
    rows.append(
        ["all questions", sum(map(len, packages.values())), len(found["all"]), *(f"{v:.4f}" for v in means.values())]
    )
    low, high = interval(np.array(found["all"]) - np.array(found["words"]))
    table = Table(
        "Documentation → function through the ranking, NDCG@10",
        ("package", "functions", "questions", "a function a file, words", "with vectors", "files as they were"),
        tuple(tuple(map(str, row)) for row in rows),
        f"with vectors − words {means['all'] - means['words']:+.4f} ({low:+.4f} to {high:+.4f})",
    )
    check: Check = at_least("NDCG@10, a function a file, with vectors", means["all"], FUSED_BOUND)
    publish(Run("documented", (table,), (check,)), write=arguments.write)
    return 0 if check.holds else 1


Store = tuple[MemoryStore, list[Place]]


def packages_of(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the packages that `training/pairs.py` set aside in a file, each with its functions."""
    packages: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(path, "rt") as file:
        for record in map(json.loads, file):
            packages[record["package"]].append(record)
    yield from packages.items()


def apart(records: Sequence[dict[str, Any]], provider: EmbeddingProvider) -> Store:
    """Return an index in which each function is a file of one chunk that defines it, and where each stands.

    The files are not chunked: a method without its class is no whole text of its language.
    """
    paths = [f"{number:05}{os.path.splitext(record['file'])[1]}" for number, record in enumerate(records)]
    words = WordPass()
    store = MemoryStore()
    recipe = Recipe("functions", RECIPE, model_of(provider), provider.dimension)
    with store.writer() as writer:
        writer.begin_run(recipe)
        for start in range(0, len(records), _BATCH):
            some = records[start : start + _BATCH]
            data = [record["code"].encode("utf-8", "surrogateescape") for record in some]
            texts = [
                TextToIndex(text, [len(text)], [(0, record["name"])]) for text, record in zip(data, some, strict=True)
            ]
            indexed, occurrences = words.read(texts)
            assert isinstance(provider, TermEncoder)
            vectors = provider.encode(occurrences)
            prepared = [
                _file(path, record, text, found, vector)
                for path, record, text, found, vector in zip(
                    paths[start : start + _BATCH], some, data, indexed, vectors, strict=True
                )
            ]
            assert not writer.put(prepared)
        writer.end_run(RunState.COMPLETE)
    return store, [Place(path, 1) for path in paths]


def _file(path: str, record: dict[str, Any], text: bytes, found: IndexedText, vector: Any) -> PreparedFile:
    """Return a function as a file whose only chunk defines it."""
    key = hashlib.blake2b(path.encode(), digest_size=16).digest()
    size = len(text)
    symbol = Symbol(record["name"], record["kind"], tuple(record["parents"]), 0, size, 1, (0, size))
    content = Content(
        key=key,
        language=record["language"],
        encoding="utf-8",
        size=size,
        chunk_count=1,
        source="semantic",
        fallback=None,
        text=zlib.compress(text, 1),
        ends=np.array([size], "<u4").tobytes(),
        lines=np.array([1], "<u4").tobytes(),
        lengths=found.lengths.astype("<u2").tobytes(),
        symbols=pack_symbols([symbol]),
        postings=pack(found.postings),
        vectors=np.asarray(vector, np.int8).tobytes(),
    )
    return PreparedFile(path, size, 0, key, content)


def as_they_were(records: Sequence[dict[str, Any]], provider: EmbeddingProvider) -> Store:
    """Return an index of the files that the functions came from, with them alone in it, and where each stands."""
    texts: defaultdict[str, str] = defaultdict(str)
    places = []
    for record in records:
        path = record["file"]
        texts[path] = texts[path] or _HEADS.get(record["language"], "")
        places.append(Place(path, texts[path].count("\n") + 1))
        texts[path] += record["code"] + "\n\n"
    store = MemoryStore()
    with tempfile.TemporaryDirectory() as root:
        for path, text in texts.items():
            file = Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8", "surrogateescape")
        index_tree(Path(root), store, INLINE, provider=provider)
    return store, places


def asked(laid: Store, records: Sequence[dict[str, Any]], provider: EmbeddingProvider | None) -> list[float]:
    """Return NDCG@10 of each question, asked with a provider or by words alone."""
    store, places = laid
    with Index(store, provider) as index:
        questions = ((record["query"], place) for record, place in zip(records, places, strict=True) if record["query"])
        return list(_scores(index, questions))


def _scores(index: Index, questions: Iterator[tuple[str, Place]]) -> Iterator[float]:
    for text, place in questions:
        hits = index.ask(Query(text, limit=10)).hits
        ranks = (
            rank
            for rank, hit in enumerate(hits, 1)
            if hit.path == place.path and hit.start_line <= place.line <= hit.end_line
        )
        rank = next(ranks, 0)
        yield 1 / math.log2(1 + rank) if rank else 0.0


if __name__ == "__main__":
    sys.exit(main())
