"""The static code encoder: a chunk is the weighed sum of its terms' rows in a table that was trained on code.

    occurrences (of the word pass): (chunk, term, times) ─▶ sparse × dense product ─▶ int8

The words of a definition's name count as if they stood more often in its chunk: what code is for stands in its name.
It runs in the chunk workers, beside the text index and fed by the same word pass: no text is split twice. All sums are
of integers and come out exactly, whatever the order of additions, so that the same text has the same vector on every
machine, in every batch and with any number of workers. Where a sum could pass what single precision holds exactly, it
is taken in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from treemill.embedding.quantise import to_int8
from treemill.embedding.static_model import StaticModel, read_facts
from treemill.ranking.occurrences import Occurrences, TextToIndex
from treemill.ranking.question import analyse
from treemill.ranking.tokens import Growing
from treemill.ranking.vocabulary import Stems
from treemill.ranking.word_pass import WordPass
from treemill.settings import EmbeddingSettings

MODEL_PATH = Path(__file__).with_name("static.model")

# Chunks are multiplied by their terms' rows in groups: a row that several chunks of a group need is fetched once.
# benchmarks/runs: groups of 8 to 32 are within 5 % of each other.
_GROUP_BITS = 4
_GROUP = 1 << _GROUP_BITS
_IN_GROUP = np.uint64(_GROUP - 1)
_GROUP_SHIFT = np.uint64(_GROUP_BITS)
_CHUNK_SHIFT = np.uint64(32)
_TERM = np.uint64(0xFFFF_FFFF)

# Integers below this are exact in single precision.
_EXACT = 1 << 24


class StaticEncoder:
    """The provider "static-1". It survives pickling, and may be used by many threads; the table loads on first use.

    `version` names the table: the first eight hexadecimal digits of its digest.
    """

    name = "static-1"
    runs_in: Literal["worker", "thread"] = "worker"

    def __init__(self, path: Path = MODEL_PATH) -> None:
        """Read the header of the table at `path`.

        Raises:
            EmbeddingError: it cannot be read, or is no table.
        """
        facts = read_facts(path)
        self.path = path
        self.dimension = facts.dimension
        self.version = facts.version.hex()[:8]
        self._rows: _Rows | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)

    @cached_property
    def model(self) -> StaticModel:
        """The table, mapped."""
        return StaticModel(self.path)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[len(texts), dimension]: integers, the direction is that of a chunk that defines nothing."""
        files = [TextToIndex(data, [len(data)], ()) for text in texts for data in [text.encode("utf-8", "replace")]]
        _, occurrences = WordPass().read(files)
        return _pooled(occurrences, _Rows(self.model, occurrences.stems), self.model)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return float32[dimension] for a question: each of its terms once, those that only carry its form left out."""
        terms = analyse(text).terms
        ids = np.array([term.id for term in terms], np.uint32)
        rows = self.model.weighed_rows(ids, [term.word.encode("utf-8", "surrogatepass") for term in terms])
        summed: npt.NDArray[np.float32] = rows.sum(axis=0, dtype=np.int64).astype(np.float32)
        return summed

    def encode(self, occurrences: Occurrences) -> npt.NDArray[np.int8]:
        """Return int8[chunks, dimension] for a batch that the word pass has read.

        One thread at a time: rows of terms are kept for the batches that follow.
        """
        if self._rows is None or self._rows.stems is not occurrences.stems:
            self._rows = _Rows(self.model, occurrences.stems)
        return to_int8(_pooled(occurrences, self._rows, self.model))


def make(settings: EmbeddingSettings) -> StaticEncoder | None:
    """Return the encoder with the table in the package, None where the package has none."""
    return StaticEncoder() if MODEL_PATH.exists() else None


class _Rows:
    """The weighed row of every term of a worker's vocabulary, int16[n, dimension], and its greatest component."""

    def __init__(self, model: StaticModel, stems: Stems) -> None:
        self.stems = stems
        self._model = model
        self._known = 0
        self._values = Growing(np.int16)
        self._greatest = Growing(np.float64)

    def of(self, terms: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return the rows of terms, and their greatest components."""
        if self._known < len(self.stems):
            new = slice(self._known, len(self.stems))
            rows = self._model.weighed_rows(self.stems.ids[new], self.stems.texts[new])
            self._values.extend(rows.ravel())
            self._greatest.extend(np.abs(rows).max(axis=1, initial=0))
            self._known = len(self.stems)
        table = self._values.values.reshape(self._known, self._model.dimension)
        return np.take(table, terms, axis=0).astype(np.float32), self._greatest.values[terms]


def _pooled(occurrences: Occurrences, rows: _Rows, model: StaticModel) -> npt.NDArray[np.float32]:
    """Return float32[chunks, dimension]: the sums for each chunk of a batch, exact (a sum of 2²⁴ or more is rounded).

    Keys are (group of chunks, term, chunk in the group), so that one sort brings together what is added up.
    """
    total = int(occurrences.first_chunks[-1])
    pooled = np.zeros((-(-total // _GROUP) * _GROUP, model.dimension), np.float32)
    numbers = np.arange(total, dtype=np.uint64)
    places = (numbers >> _GROUP_SHIFT) << (_CHUNK_SHIFT + _GROUP_SHIFT) | numbers & _IN_GROUP
    keys = np.repeat(places, np.diff(occurrences.firsts))
    keys |= occurrences.terms.astype(np.uint64) << _GROUP_SHIFT
    order = np.argsort(keys)
    keys = keys.take(order)
    times = occurrences.times.astype(np.int64) + occurrences.named.astype(np.int64) * model.facts.name_count
    factors = model.counts.take(np.minimum(times.take(order), len(model.counts) - 1))
    inside = (keys & _IN_GROUP).view(np.int64)
    pairs = keys >> _GROUP_SHIFT
    firsts = _starts_of_runs(pairs)
    sizes = np.diff(firsts, append=len(pairs))
    pairs = pairs.take(firsts)
    groups = (pairs >> _CHUNK_SHIFT).view(np.int64)
    table, greatest = rows.of((pairs & _TERM).view(np.int64))
    edges = np.searchsorted(groups, np.arange(len(pooled) // _GROUP + 1))
    chunk = np.repeat(groups * _GROUP, sizes) + inside
    bound = np.bincount(chunk, factors * np.repeat(greatest, sizes), len(pooled)).reshape(-1, _GROUP).max(axis=1)
    # Group g has a matrix of counts, _GROUP × its terms, behind those of the groups before it.
    columns = np.arange(len(pairs)) + (edges * (_GROUP - 1)).take(groups)
    inside *= np.repeat(np.diff(edges).take(groups), sizes)
    inside += np.repeat(columns, sizes)
    counts = np.zeros(_GROUP * len(pairs), np.float32)
    counts[inside] = factors
    for group, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        left = counts[first * _GROUP : last * _GROUP].reshape(_GROUP, last - first)
        into = pooled[group * _GROUP : (group + 1) * _GROUP]
        if bound[group] < _EXACT:
            np.matmul(left, table[first:last], out=into)
        else:
            into[:] = left.astype(np.float64) @ table[first:last].astype(np.float64)
    return pooled[:total]


def _starts_of_runs(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    changes = np.empty(len(values), np.bool_)
    changes[:1] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)
