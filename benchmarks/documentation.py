"""Documentation → function: how well words, vectors and both find what a sentence documents, on code never trained on.

    python -m benchmarks.documentation --work FOLDER [--part validation] [--provider NAME[:MODEL] …] [--sample N]

FOLDER is what `training/collect.py` and `training/pairs.py` made. Each query is the first sentence of a function's
documentation; it ranks every function of its package, documentation taken out of all of them, and one answer is right:
NDCG@10 is 1 / log2(1 + place) in the first ten, else 0. Words are the product's: BM25F over the text and the
function's name. Intervals are of 95 %, by drawing queries anew, on differences of the same queries.

The run refuses to judge if a function or a query of the held-out packages is in a training pair.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.results import Check, Run, Table, at_least, publish
from treemill.embedding import EmbeddingProvider, TermEncoder
from treemill.embedding.registry import make_provider
from treemill.ranking.evidence import DEFINITION_WEIGHT, K1, B, inverse_frequency
from treemill.ranking.occurrences import TextToIndex
from treemill.ranking.question import analyse
from treemill.ranking.word_pass import WordPass
from treemill.ranking.words import name_terms, term_id, terms_of
from treemill.settings import EmbeddingSettings

Floats = npt.NDArray[np.float32]
Qualities = npt.NDArray[np.float64]

SHARES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
# Chosen on the validation packages: what the vectors' cosine counts beside lexical scores whose best is 1.
SHARE = 3.0

_TOKEN = re.compile(r"\w+")
_BATCH = 512


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder with the pairs and the packages set aside")
    parser.add_argument("--part", choices=("heldout", "validation"), default="heldout")
    parser.add_argument("--provider", action="append", help="static (default), or another, with its folder")
    parser.add_argument("--sample", type=int, help="at most so many queries a package, for slow providers")
    parser.add_argument("--write", action="store_true", help="write the run to benchmarks/runs")
    arguments = parser.parse_args()
    packages = list(read_packages(arguments.work / f"{arguments.part}.jsonl.gz", arguments.sample))
    queries = sum(len(package.queries) for package in packages)
    print(
        f"{len(packages)} packages, {queries:,} queries; in training pairs: {_refuse_known(arguments.work, packages)}"
    )
    by_words = _qualities([words_scores(package) for package in packages], packages)
    tables, checks, choices = [], [], []
    for name in arguments.provider or ["static"]:
        provider = _provider(name)
        share = SHARE if name == "static" else _share_of(provider, arguments.work, arguments.sample)
        alone, both, speed = _with_vectors(packages, provider, share)
        tables.append(_table(f"{provider.name}, share {share}", packages, by_words, alone, both))
        if name == "static" and not arguments.sample:
            checks = _bounds(queries, by_words, alone, both)
        choices.append(_choice(provider, speed, by_words, alone, both))
    if len(choices) > 1:
        tables.insert(0, _choices(choices, by_words, arguments.sample))
    title = "models" if len(choices) > 1 else "documentation"
    publish(Run(title, tuple(tables), tuple(checks)), write=arguments.write)


def _with_vectors(
    packages: Sequence[Package], provider: EmbeddingProvider, share: float
) -> tuple[list[Qualities], list[Qualities], float]:
    """Return what vectors alone and beside the words come to, and functions embedded in a second of processor time."""
    began = time.process_time()
    semantic = [vector_scores(package, provider) for package in packages]
    speed = sum(len(package.code) + len(package.queries) for package in packages) / (time.process_time() - began)
    lexical = [words_scores(package) for package in packages]
    together = [fused(words, vectors, share) for words, vectors in zip(lexical, semantic, strict=True)]
    return _qualities(semantic, packages), _qualities(together, packages), speed


def _qualities(scores: Sequence[Floats], packages: Sequence[Package]) -> list[Qualities]:
    return [ndcg(found, package.right) for found, package in zip(scores, packages, strict=True)]


def _share_of(provider: EmbeddingProvider, work: Path, sample: int | None) -> float:
    """Return what a provider's vectors count beside words, chosen on the validation packages as for our own."""
    packages = list(read_packages(work / "validation.jsonl.gz", sample))
    semantic = [vector_scores(package, provider) for package in packages]
    return best_share(packages, [words_scores(package) for package in packages], semantic)


@dataclass(frozen=True, slots=True)
class Package:
    """A package: the code and name of each function, queries, and for each query the function that is right."""

    name: str
    language: str
    code: Sequence[str]
    names: Sequence[str]
    queries: Sequence[str]
    right: npt.NDArray[np.int64]


def read_packages(path: Path, sample: int | None = None) -> Iterator[Package]:
    """Yield the packages that `training/pairs.py` set aside in a file.

    With `sample`, at most so many queries of each, and three functions a query: those asked for, and others.
    """
    records: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in _records(path):
        records[record["package"]].append(record)
    for name, members in records.items():
        asked = np.array([i for i, record in enumerate(members) if record["query"]])
        if sample and len(asked) > sample:
            chooser = np.random.default_rng(0)
            asked = np.sort(chooser.choice(asked, sample, replace=False))
            others = np.setdiff1d(np.arange(len(members)), asked)
            kept = np.sort(np.append(asked, chooser.choice(others, min(len(others), 2 * sample), replace=False)))
            members, asked = [members[i] for i in kept], np.searchsorted(kept, asked)
        yield Package(
            name,
            Counter(record["language"] for record in members).most_common(1)[0][0],
            [record["code"] for record in members],
            [record["name"] for record in members],
            [members[i]["query"] for i in asked],
            asked,
        )


def _provider(given: str) -> EmbeddingProvider:
    name, _, model = given.partition(":")
    provider = make_provider(EmbeddingSettings(provider=name, model=model))
    if provider is None:
        sys.exit(f"{given} makes no vectors: name a provider that does")
    return provider


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        yield from map(json.loads, file)


def _refuse_known(work: Path, packages: Iterable[Package]) -> int:
    """Return 0 if no function, query or package of these is in a training pair; say what is, and end, if one is."""
    hashes = {_hash(code) for package in packages for code in package.code}
    queries = {query.lower() for package in packages for query in package.queries}
    names = {package.name for package in packages}
    for record in _records(work / "pairs.jsonl.gz"):
        texts = {text.lower() for _, text in record["texts"]}
        if record["package"] in names or _hash(record["code"]) in hashes or texts & queries:
            sys.exit(f"{record['package']} teaches what is held out: {record['file']} {record['name']}")
    return 0


def _hash(code: str) -> bytes:
    return hashlib.blake2b(re.sub(r"\s+", "", code).encode(), digest_size=12).digest()


def _terms(text: str) -> Counter[str]:
    return Counter(term for token in _TOKEN.findall(text) for term in terms_of(token))


def words_scores(package: Package) -> Floats:
    """Return float32[queries, functions]: BM25F over text and name, as `treemill.ranking.evidence` has it."""
    counts: defaultdict[int, dict[int, float]] = defaultdict(dict)
    lengths = np.zeros(len(package.code), np.float32)
    for place, (code, name) in enumerate(zip(package.code, package.names, strict=True)):
        counted = _terms(code)
        lengths[place] = sum(counted.values())
        for term in name_terms(name):
            counted[term] += 0
        named = set(name_terms(name))
        for term, count in counted.items():
            counts[term_id(term)][place] = count + DEFINITION_WEIGHT * (term in named)
    norms = K1 * (1 - B + B * lengths / lengths.mean())
    scores = np.zeros((len(package.queries), len(package.code)), np.float32)
    for row, query in enumerate(package.queries):
        asked = analyse(query)
        wanted = [(term.id, term.weight) for term in asked.terms] + [(name.id, 1.0) for name in asked.names]
        for term, weight in wanted:
            found = counts.get(term)
            if found:
                places = np.fromiter(found, np.int64, len(found))
                tf = np.fromiter(found.values(), np.float32, len(found))
                rarity = inverse_frequency(len(package.code), len(found))
                scores[row, places] += np.float32(weight * rarity) * tf / (tf + norms[places])
    return scores


def vector_scores(package: Package, provider: EmbeddingProvider) -> Floats:
    """Return float32[queries, functions] of cosines; a function is embedded as indexing would a chunk that is it."""
    words = WordPass()
    parts = []
    for start in range(0, len(package.code), _BATCH):
        texts, names = package.code[start : start + _BATCH], package.names[start : start + _BATCH]
        if isinstance(provider, TermEncoder):
            files = [
                TextToIndex(data, [len(data)], [(0, name)])
                for text, name in zip(texts, names, strict=True)
                for data in [text.encode()]
            ]
            parts.append(provider.encode(words.read(files)[1]).astype(np.float32))
        else:
            parts.append(provider.embed(texts))
    queries = np.stack([provider.embed_query(query) for query in package.queries])
    result: Floats = _unit(queries) @ _unit(np.concatenate(parts)).T
    return result


def _unit(vectors: npt.NDArray[Any]) -> Floats:
    floats = vectors.astype(np.float32)
    result: Floats = floats / np.maximum(np.linalg.norm(floats, axis=1, keepdims=True), 1e-9)
    return result


def fused(lexical: Floats, semantic: Floats, share: float) -> Floats:
    """Add the two, each query's lexical scores scaled to their best."""
    result: Floats = lexical / np.maximum(lexical.max(axis=1, keepdims=True), 1e-9) + np.float32(share) * semantic
    return result


def best_share(packages: Sequence[Package], lexical: Sequence[Floats], semantic: Sequence[Floats]) -> float:
    """Return the share of the vectors that does best."""
    quality = {
        share: np.concatenate(
            [
                ndcg(fused(words, vectors, share), package.right)
                for words, vectors, package in zip(lexical, semantic, packages, strict=True)
            ]
        ).mean()
        for share in SHARES
    }
    return max(quality, key=lambda share: quality[share])


def ndcg(scores: Floats, right: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return float64[queries]: NDCG@10 with one right answer; equal scores count with the mean of their places."""
    own = scores[np.arange(len(right)), right][:, None]
    above = np.minimum((scores > own).sum(axis=1), 10)
    level = (scores == own).sum(axis=1)
    gains = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(10) + 2))))
    result: npt.NDArray[np.float64] = (gains[np.minimum(above + level, 10)] - gains[above]) / level
    return result


def interval(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of a mean by drawing anew, 2,000 times."""
    chooser = np.random.default_rng(0)
    means = [chooser.choice(differences, len(differences)).mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _table(
    title: str,
    packages: Sequence[Package],
    by_words: Sequence[npt.NDArray[np.float64]],
    alone: Sequence[npt.NDArray[np.float64]],
    both: Sequence[npt.NDArray[np.float64]],
) -> Table:
    rows: list[tuple[str, str, int, int, str, str, str]] = []
    for package, *found in zip(packages, by_words, alone, both, strict=True):
        figures = [f"{each.mean():.3f}" for each in found]
        rows.append((package.name, package.language, len(package.code), len(package.queries), *figures))  # type: ignore[arg-type]
    every = [np.concatenate(found) for found in (by_words, alone, both)]
    functions = sum(len(package.code) for package in packages)
    rows.append(("all queries", "", functions, len(every[0]), *(f"{each.mean():.4f}" for each in every)))  # type: ignore[arg-type]
    gaps = [f"{name} − words {(each - every[0]).mean():+.4f} ({low:+.4f} to {high:+.4f})"
            for name, each in (("vectors", every[1]), ("both", every[2]))
            for low, high in [interval(each - every[0])]]  # fmt: skip
    columns = ("package", "language", "functions", "queries", "words", "vectors", "both")
    return Table(f"Documentation → function, NDCG@10: {title}", columns, tuple(rows), "; ".join(gaps))


def _choice(
    provider: EmbeddingProvider, speed: float, by_words: Sequence[Qualities], *found: Sequence[Qualities]
) -> tuple[str, ...]:
    """Return a row of the table that helps to choose."""
    alone, both = map(np.concatenate, found)
    gained = both - np.concatenate(by_words)
    low, high = interval(gained)
    return (
        provider.name,
        str(provider.dimension),
        f"{speed:,.0f}",
        f"{alone.mean():.4f}",
        f"{both.mean():.4f}",
        f"{gained.mean():+.4f} ({low:+.4f} to {high:+.4f})",
    )


def _choices(rows: Sequence[tuple[str, ...]], by_words: Sequence[Qualities], sample: int | None) -> Table:
    columns = ("provider", "dimensions", "functions a CPU second", "vectors", "both", "both − words")
    drawn = f"; {sample} queries a package among three times as many functions" if sample else ""
    words = np.concatenate(by_words)
    note = f"words alone: {words.mean():.4f} on {len(words):,} queries{drawn}"
    return Table("Documentation → function by provider, NDCG@10", columns, tuple(rows), note)


def _bounds(queries: int, by_words: Any, alone: Any, both: Any) -> list[Check]:
    words, vectors, together = (float(np.concatenate(found).mean()) for found in (by_words, alone, both))
    return [
        at_least("queries", queries, 3000),
        at_least("vectors above words, NDCG@10", vectors - words, 0.0),
        at_least("both above words, NDCG@10", together - words, 0.07),
    ]


if __name__ == "__main__":
    main()
