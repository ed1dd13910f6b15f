"""What is known of the candidates of one question: how often its words stand where, as small dense arrays.

    rows: files, or their chunks        columns: the question's terms, then its names

Signals are functions of these arrays and of nothing else, so that all of ranking can be tested and learned without an
index. What several signals share is worked out once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treemill.ranking.paths import PathWords
from treemill.ranking.question import Question
from treemill.sources import Symbol
from treemill.values import dataclass

Array = npt.NDArray[np.float32]

# BM25 with weighted fields (Robertson, Zaragoza and Taylor, "Simple BM25 Extension to Multiple Weighted Fields", CIKM
# 2004): a word in the name of a definition counts as several in the text, before saturation. Long chunks are cut at a
# limit, so length says little: saturation at 2 beats 1.2 on annotated questions.
K1 = 2.0
B = 0.6
DEFINITION_WEIGHT = 2.5
PATH_WEIGHT = 1.5
_FOLDER_SHARE = 0.5


def inverse_frequency(total: int, holding: int) -> float:
    """How rare a term is: BM25's idf, never negative."""
    return math.log(1.0 + (total - holding + 0.5) / (holding + 0.5))


def saturated(counts: Array, norms: Array | None = None) -> Array:
    """Return BM25's count between 0 and 1: the second occurrence of a word says less than the first."""
    half = np.full_like(counts, K1) if norms is None else (np.float32(K1) * norms).astype(np.float32)
    result: Array = counts / (counts + half)
    return result


def weighed(values: Array, weights: Array) -> Array:
    """Return the weighted sum of each row. The order of additions is always the same, on any machine."""
    result: Array = np.einsum("ij,j->i", values, weights)
    return result


class Rarity(NamedTuple):
    """How much each column says: inverse document frequencies over chunks and over contents (float32[columns]).

    `defining` (float32[columns]) is the number of contents that define a name; `mean_chunk` the mean length of a chunk
    in words.
    """

    chunk: Array
    file: Array
    defining: Array
    mean_chunk: float


@dataclass(frozen=True)
class Evidence:
    """Files f and their chunks c, c ascending by file; every file has a chunk.

    `text` (float32[c, columns]) counts a word in a chunk, `defined` (the same) the definitions of the chunk that are
    named by it. `chunk_words` (float32[c]) are lengths; `starts` (int64[f]) the first chunk of each file. `own` and
    `folders` (float32[f, columns]) are 1 where the file's own name and its folders have a word. `symbols` are the
    definitions of each file that have the asked name, for a question that is one. `meaning` (float32[c]),
    `file_meaning` and `path_meaning` (float32[f]) are cosines of the question with each chunk, with all that a file
    holds and with the words of its path; 0 without vectors. For a description, `names_alike` (float32[c]) is how well
    the best name that a chunk defines and the question cover each other; 0 for other questions. For a message,
    `together` (float32[f]) is how much of it stands in one place of the file, and `spots` (int64[f]) the offset of that
    place; 0 and -1 where there is none, and for other questions.
    """

    question: Question
    rarity: Rarity
    text: Array
    defined: Array
    chunk_words: Array
    starts: npt.NDArray[np.int64]
    own: Array
    folders: Array
    paths: Sequence[PathWords]
    symbols: Sequence[Sequence[Symbol]]
    meaning: Array
    file_meaning: Array
    path_meaning: Array
    names_alike: Array
    together: Array
    spots: npt.NDArray[np.int64]

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self.starts)

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """The file of each chunk: int64[c]."""
        return np.repeat(np.arange(self.files), np.diff(self.starts, append=len(self.chunk_words)))

    @cached_property
    def terms(self) -> slice:
        """The columns of the question's terms."""
        return slice(0, len(self.question.terms))

    @property
    def names(self) -> range:
        """The columns of the question's names."""
        return range(len(self.question.terms), len(self.question.terms) + len(self.question.names))

    @cached_property
    def chunk_weights(self) -> Array:
        """What each term adds to a chunk's score at most; the sum is 1."""
        return self._weights(self.rarity.chunk)

    @cached_property
    def file_weights(self) -> Array:
        """What each term adds to a file's score at most; the sum is 1."""
        return self._weights(self.rarity.file)

    def _weights(self, rarity: Array) -> Array:
        weights = np.array([term.weight for term in self.question.terms], np.float32) * rarity[self.terms]
        result: Array = weights / max(1e-6, float(weights.sum()))
        return result

    @cached_property
    def passages(self) -> Array:
        """BM25F of each chunk over text, definitions and path: float32[c], 0 to 1."""
        path = self.own[:, self.terms] + np.float32(_FOLDER_SHARE) * self.folders[:, self.terms]
        counts: Array = self._counts + np.float32(PATH_WEIGHT) * path[self.owner] * self._norms[:, None]
        return self._scored(counts)

    @cached_property
    def places(self) -> Array:
        """BM25F of each chunk over text and definitions alone: which part of a file answers. float32[c], 0 to 1."""
        return self._scored(self._counts)

    @cached_property
    def _counts(self) -> Array:
        counts: Array = self.text[:, self.terms] + np.float32(DEFINITION_WEIGHT) * self.defined[:, self.terms]
        return counts

    @cached_property
    def _norms(self) -> Array:
        norms: Array = (1.0 - B + (B / self.rarity.mean_chunk) * self.chunk_words).astype(np.float32)
        return norms

    def _scored(self, counts: Array) -> Array:
        return weighed(saturated(counts, self._norms[:, None]), self.chunk_weights)

    def best(self, values: Array) -> Array:
        """Return the greatest value among each file's chunks: float32[f]."""
        greatest: Array = np.maximum.reduceat(values, self.starts)
        return greatest

    def decayed(self, values: Array, most: int, decay: float) -> Array:
        """Return the sum of each file's `most` greatest values, each counting `decay` times as much as the last."""
        order = np.lexsort((-values, self.owner))
        rank = np.arange(len(values)) - self.starts[self.owner]
        kept = rank < most
        parts = values[order[kept]] * np.float32(decay) ** rank[kept].astype(np.float32)
        summed: Array = np.bincount(self.owner[kept], parts, self.files).astype(np.float32)
        return summed
