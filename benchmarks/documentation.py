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
from treemill.ranking.question import analyse
from treemill.ranking.word_pass import TextToIndex, WordPass
from treemill.ranking.words import name_terms, term_id, terms_of
from treemill.settings import EmbeddingSettings

Floats = npt.NDArray[np.float32]

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
    lexical = [words_scores(package) for package in packages]
    by_words = [ndcg(scores, package.right) for scores, package in zip(lexical, packages, strict=True)]
    tables, checks = [], []
    for name in arguments.provider or ["static"]:
        provider = _provider(name)
        semantic = [vector_scores(package, provider) for package in packages]
        share = SHARE if arguments.part == "heldout" else best_share(packages, lexical, semantic)
        alone = [ndcg(scores, package.right) for scores, package in zip(semantic, packages, strict=True)]
        both = [
            ndcg(fused(words, vectors, share), package.right)
            for words, vectors, package in zip(lexical, semantic, packages, strict=True)
        ]
        tables.append(_table(f"{name}, share {share}", packages, by_words, alone, both))
        if name == "static":
            checks = _bounds(queries, by_words, alone, both)
    publish(Run("documentation", tuple(tables), tuple(checks)), write=arguments.write)


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
    """Yield the packages that `training/pairs.py` set aside in a file."""
    records: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in _records(path):
        records[record["package"]].append(record)
    for name, members in records.items():
        right = np.array([i for i, record in enumerate(members) if record["query"]])
        if sample and len(right) > sample:
            right = np.sort(np.random.default_rng(0).choice(right, sample, replace=False))
        language = Counter(record["language"] for record in members).most_common(1)[0][0]
        yield Package(
            name,
            language,
            [record["code"] for record in members],
            [record["name"] for record in members],
            [members[i]["query"] for i in right],
            right,
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


def _bounds(queries: int, by_words: Any, alone: Any, both: Any) -> list[Check]:
    words, vectors, together = (float(np.concatenate(found).mean()) for found in (by_words, alone, both))
    return [
        at_least("queries", queries, 3000),
        at_least("vectors above words, NDCG@10", vectors - words, 0.0),
        at_least("both above words, NDCG@10", together - words, 0.07),
    ]


if __name__ == "__main__":
    main()
