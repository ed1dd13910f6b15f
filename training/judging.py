"""Documentation → function, on arrays: how well words, vectors and both together find what a sentence documents.

Each query is the first sentence of a function's documentation; it ranks every function of its package, documentation
taken out of all of them. The figure is NDCG@10, with one right answer: 1 / log2(1 + rank) in the first ten, else 0.
Functions of equal score share their places. This is the judge of training, on the packages set aside for validation;
`benchmarks/documentation.py` is the judge of the product, on those held out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from features import rows  # noqa: E402
from table import Table  # noqa: E402

from treemill.ranking.question import is_form  # noqa: E402

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judged:
    """A package: `code` and `names` int64[functions, terms], `queries` int64[q, terms], `right` int64[q]."""

    package: str
    language: str
    code: sparse.csr_matrix
    names: sparse.csr_matrix
    queries: sparse.csr_matrix
    right: npt.NDArray[np.int64]


def as_matrix(
    offsets: npt.NDArray[np.int64], terms: npt.NDArray[np.int32], counts: npt.NDArray[np.uint16], width: int
) -> sparse.csr_matrix:
    """Return rows of (term, count) as a sparse int64 matrix."""
    return sparse.csr_matrix((counts.astype(np.int64), terms, offsets), shape=(len(offsets) - 1, width))


class Encoder:
    """A table for the terms of an archive: many texts at once, in the same integers as `Table.vector`."""

    def __init__(self, table: Table, terms: Sequence[str]) -> None:
        taken = [table.taken(term) for term in terms]
        starts = np.concatenate(([0], np.cumsum([len(each) for each in taken])))
        flat = np.array([pair for each in taken for pair in each], np.int64).reshape(-1, 2)
        weights = sparse.csr_matrix((flat[:, 1], flat[:, 0], starts), (len(terms), len(table.rows)))
        self._rows = weights @ table.rows.astype(np.int64)
        self._counts = table.counts.astype(np.int64)

    def vectors(self, counted: sparse.csr_matrix) -> npt.NDArray[np.int64]:
        """Return int64[n, D]: the vectors of texts, given as how often (int) they hold each term."""
        factors = self._counts[np.minimum(counted.data, len(self._counts) - 1)]
        return np.asarray(sparse.csr_matrix((factors, counted.indices, counted.indptr), counted.shape) @ self._rows)


def kept_columns(terms: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell for each term whether a question keeps it for its vector: no compound, no word of form."""
    return np.array([not term.startswith("=") and not is_form(term) for term in terms])


def without(matrix: sparse.csr_matrix, kept: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
    """Take columns out of each row that has others; a row with no others stays as it is."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    stays = kept[matrix.indices]
    left = np.bincount(row[stays], minlength=matrix.shape[0])
    stays |= left[row] == 0
    starts = np.concatenate(([0], np.cumsum(np.bincount(row[stays], minlength=matrix.shape[0]))))
    return sparse.csr_matrix((matrix.data[stays], matrix.indices[stays], starts), matrix.shape)


def judged(archive: Any, terms: Sequence[str]) -> list[Judged]:
    """Return the packages of an archive that `features.py` made."""

    def matrix(prefix: str) -> sparse.csr_matrix:
        read = rows(archive, prefix)
        return as_matrix(read.offsets, read.terms, read.counts, len(terms))

    code, names, texts = matrix("code"), matrix("name"), matrix("text")
    names.data[:] = 1
    texts.data[:] = 1
    texts = without(texts, kept_columns(terms) | np.array([term.startswith("=") for term in terms]))
    package, of_text = archive["package"], archive["text_record"]
    found = []
    for number, name in enumerate(archive["packages"]):
        members = np.flatnonzero(package == number)
        asked = np.flatnonzero(package[of_text] == number)
        right = np.searchsorted(members, of_text[asked])
        language = str(archive["languages"][np.bincount(archive["language"][members]).argmax()])
        found.append(Judged(str(name), language, code[members], names[members], texts[asked], right))
    return found


def bm25(package: Judged, k1: float = 2.0, b: float = 0.6, name_weight: float = 2.5) -> Floats:
    """Return float32[queries, functions]: BM25F over code and the function's name, idf over the package."""
    code = package.code.astype(np.float32)
    lengths = np.asarray(code.sum(axis=1)).ravel()
    norms = 1 - b + b * lengths / max(1.0, float(lengths.mean()))
    held = np.bincount(code.indices, minlength=code.shape[1])
    total = code.shape[0]
    idf = np.log1p((total - held + 0.5) / (held + 0.5)).astype(np.float32)
    counts = sparse.csr_matrix(code + package.names.astype(np.float32) * np.float32(name_weight))
    owner = np.repeat(np.arange(total), np.diff(counts.indptr))
    counts.data = counts.data / (counts.data + k1 * norms[owner])
    weighted = package.queries.astype(np.float32)
    weighted.data *= idf[weighted.indices]
    return np.asarray((weighted @ counts.T).todense(), np.float32)


def cosines(queries: Floats, code: Floats) -> Floats:
    """Return float32[queries, functions] of vectors."""
    return unit(queries) @ unit(code).T


def centred(queries: Floats, code: Floats) -> Floats:
    """Return the cosines with what all of a package's code has in common taken out of the code."""
    code = unit(code)
    return unit(queries) @ unit(code - code.mean(axis=0)).T


def unit(vectors: Floats) -> Floats:
    """Scale rows to length 1; zero rows stay."""
    vectors = vectors.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9)


def fused(lexical: Floats, semantic: Floats, share: float) -> Floats:
    """Add the two, each query's lexical scores scaled to their best."""
    best = np.maximum(lexical.max(axis=1, keepdims=True), 1e-9)
    return lexical / best + np.float32(share) * semantic


def ndcg(scores: Floats, right: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return float64[queries]: NDCG@10 with one right answer; equal scores count with the mean of their places."""
    own = scores[np.arange(len(right)), right][:, None]
    above = (scores > own).sum(axis=1)
    level = (scores == own).sum(axis=1)
    gains = np.concatenate((1 / np.log2(np.arange(10) + 2), [0.0]))
    total = np.concatenate(([0.0], np.cumsum(gains)))
    last = np.minimum(above + level, 10)
    return (total[last] - total[np.minimum(above, 10)]) / level


def interval(differences: npt.NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a mean by resampling queries."""
    chooser = np.random.default_rng(seed)
    means = [differences[chooser.integers(0, len(differences), len(differences))].mean() for _ in range(1000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


class Judge:
    """Packages, and what words alone make of them, worked out once."""

    def __init__(self, packages: Sequence[Judged], terms: Sequence[str]) -> None:
        # Terms of other packages cost time and change nothing.
        used = np.unique(np.concatenate([each.indices for p in packages for each in (p.code, p.names, p.queries)]))
        self._terms = [terms[place] for place in used]
        self._packages = [
            replace(p, code=p.code[:, used], names=p.names[:, used], queries=p.queries[:, used]) for p in packages
        ]
        self._words = np.array([not term.startswith("=") for term in self._terms])
        self._lexical = [bm25(package) for package in self._packages]
        self._by_words = [ndcg(scores, each.right) for scores, each in zip(self._lexical, packages, strict=True)]
        self.words_quality = float(np.concatenate(self._by_words).mean())

    def judge(self, table: Table) -> dict[str, Any]:
        """Return NDCG@10 over all queries: of words, of the table, and of both, at the best share of the table."""
        encoder = Encoder(table, self._terms)
        alone, middle, both = [], [], {share: [] for share in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)}
        for package, lexical in zip(self._packages, self._lexical, strict=True):
            queries = encoder.vectors(without(package.queries, self._words)).astype(np.float32)
            code = encoder.vectors(package.code + package.names * table.name_count).astype(np.float32)
            semantic = cosines(queries, code)
            alone.append(ndcg(semantic, package.right))
            middle.append(ndcg(centred(queries, code), package.right))
            for share, found in both.items():
                found.append(ndcg(fused(lexical, semantic, share), package.right))
        means = {share: float(np.concatenate(found).mean()) for share, found in both.items()}
        share = max(means, key=lambda share: means[share])
        figures = [self._by_words, alone, both[share]]
        return {
            "words": round(self.words_quality, 4),
            "table": round(float(np.concatenate(alone).mean()), 4),
            "centred": round(float(np.concatenate(middle).mean()), 4),
            "both": round(means[share], 4),
            "share": share,
            "by_language": {
                package.language: [round(float(each[i].mean()), 3) for each in figures]
                for i, package in enumerate(self._packages)
            },
        }
