"""How the static encoder adds rows up: a chunk is the weighed sum of its terms' rows, exact whatever the order.

occurrences (of the word pass): (chunk, term, times) ─▶ sparse × dense product ─▶ sums
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from treemill.embedding.quantise import to_int8
from treemill.embedding.static_model import StaticModel
from treemill.native import compiled
from treemill.ranking.occurrences import Occurrences, TextToIndex
from treemill.ranking.question import analyse
from treemill.ranking.tokens import Growing
from treemill.ranking.vocabulary import Stems
from treemill.ranking.word_pass import WordPass

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

_NATIVE = compiled("vectors")


def of_texts(texts: Sequence[str], model: StaticModel) -> npt.NDArray[np.float32]:
    """Return float32[len(texts), dimension]: integers, the direction is that of a chunk that defines nothing."""
    files = [TextToIndex(data, [len(data)], ()) for text in texts for data in [text.encode("utf-8", "replace")]]
    _, occurrences = WordPass().read(files)
    return pooled(occurrences, Rows(model, occurrences.stems))


def of_question(text: str, model: StaticModel) -> npt.NDArray[np.float32]:
    """Return float32[dimension]: each term of a question once, those that only carry its form left out."""
    terms = analyse(text).terms
    ids = np.array([term.id for term in terms], np.uint32)
    rows = model.weighed_rows(ids, [term.word.encode("utf-8", "surrogatepass") for term in terms])
    summed: npt.NDArray[np.float32] = rows.sum(axis=0, dtype=np.int64).astype(np.float32)
    return summed


def of_chunks(occurrences: Occurrences, rows: Rows) -> npt.NDArray[np.int8]:
    """Return int8[chunks, dimension], the vectors of a batch."""
    return to_int8(pooled(occurrences, rows))


class Rows:
    """The weighed row of every term of a worker's vocabulary."""

    def __init__(self, model: StaticModel, stems: Stems) -> None:
        self.stems = stems
        self.model = model
        self._values = Growing(np.int16)
        self._greatest = Growing(np.int32)

    def table(self) -> npt.NDArray[np.int16]:
        """Return int16[terms, dimension], a row for each term that is known by now."""
        known = len(self._values) // self.model.dimension
        if known < len(self.stems):
            ids, texts = self.stems.ids_from(known), self.stems.texts[known:]
            self._values.extend(self.model.weighed_rows(ids, texts).ravel())
        return self._values.values.reshape(-1, self.model.dimension)

    def of(self, terms: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Return the rows of terms, and their greatest components."""
        table = self.table()
        new = table[len(self._greatest) :]
        self._greatest.extend(np.abs(new.astype(np.int32)).max(axis=1, initial=0))
        return np.take(table, terms, axis=0).astype(np.float32), self._greatest.values[terms]


def pooled(occurrences: Occurrences, rows: Rows) -> npt.NDArray[np.float32]:
    """Return float32[chunks, dimension], the sums for each chunk of a batch: exact, those of 2²⁴ or more rounded."""
    if _NATIVE is None:
        return pooled_plainly(occurrences, rows)
    model, found = rows.model, occurrences
    times = model.facts.name_count
    packed = _NATIVE.pooled(
        found.firsts, found.terms, found.times, found.named, model.factors, times, rows.table(), model.dimension
    )
    return np.frombuffer(packed, np.float32).reshape(-1, model.dimension)


def pooled_plainly(occurrences: Occurrences, rows: Rows) -> npt.NDArray[np.float32]:
    """As `pooled`, in numpy.

    Keys are (group of chunks, term, chunk in the group), so that one sort brings together what is added up.
    """
    model = rows.model
    total = int(occurrences.first_chunks[-1])
    sums = np.zeros((-(-total // _GROUP) * _GROUP, model.dimension), np.float32)
    numbers = np.arange(total, dtype=np.uint64)
    places = (numbers >> _GROUP_SHIFT) << (_CHUNK_SHIFT + _GROUP_SHIFT) | numbers & _IN_GROUP
    keys = np.repeat(places, np.diff(occurrences.firsts))
    keys |= occurrences.terms.astype(np.uint64) << _GROUP_SHIFT
    order = np.argsort(keys)
    keys = keys.take(order)
    times = occurrences.times.astype(np.int64) + occurrences.named.astype(np.int64) * model.facts.name_count
    factors = model.factors.take(np.minimum(times.take(order), len(model.factors) - 1)).astype(np.float32)
    inside = (keys & _IN_GROUP).view(np.int64)
    pairs = keys >> _GROUP_SHIFT
    firsts = _starts_of_runs(pairs)
    sizes = np.diff(firsts, append=len(pairs))
    pairs = pairs.take(firsts)
    groups = (pairs >> _CHUNK_SHIFT).view(np.int64)
    table, greatest = rows.of((pairs & _TERM).view(np.int64))
    edges = np.searchsorted(groups, np.arange(len(sums) // _GROUP + 1))
    chunk = np.repeat(groups * _GROUP, sizes) + inside
    bound = np.bincount(chunk, factors * np.repeat(greatest, sizes), len(sums)).reshape(-1, _GROUP).max(axis=1)
    # Group g has a matrix of counts, _GROUP × its terms, behind those of the groups before it.
    columns = np.arange(len(pairs)) + (edges * (_GROUP - 1)).take(groups)
    inside *= np.repeat(np.diff(edges).take(groups), sizes)
    inside += np.repeat(columns, sizes)
    counts = np.zeros(_GROUP * len(pairs), np.float32)
    counts[inside] = factors
    for group, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        left = counts[first * _GROUP : last * _GROUP].reshape(_GROUP, last - first)
        into = sums[group * _GROUP : (group + 1) * _GROUP]
        if bound[group] < _EXACT:
            np.matmul(left, table[first:last], out=into)
        else:
            into[:] = left.astype(np.float64) @ table[first:last].astype(np.float64)
    return sums[:total]


def _starts_of_runs(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    changes = np.empty(len(values), np.bool_)
    changes[:1] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)
