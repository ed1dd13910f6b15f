"""One moment of an index, with what every question needs of it worked out once.

Segments number their chunks and contents each from zero; here all chunks have one numbering, and so have all contents
that some file holds ("rows"). What no file refers to any more scores nothing and counts for nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from treemill.chunking.packing import unpack_symbols
from treemill.ranking.evidence import Array
from treemill.records import Content
from treemill.searching.path_text import PathText
from treemill.sources import Symbol
from treemill.storage import FileTable, Segment, Snapshot
from treemill.storage.segments import spellings

Numbers = npt.NDArray[np.int64]

# Stands for the contents without a chunk, which no segment has.
_NO_CONTENT = -1

# Vectors are turned into floating point so many at a time, which stay in a core's cache: a million chunks of 128
# dimensions are compared in 40 ms, where turning a segment at once takes 350.
_BLOCK = 512

# How many contents are kept unpacked: those of a few questions asked one after another.
_REMEMBERED = 256


class Postings(NamedTuple):
    """Where a term stands: `chunks` int64[p], ascending; beside each its weight, uint8[p] (see `Segment`)."""

    chunks: Numbers
    weights: npt.NDArray[np.uint8]


_NOWHERE = Postings(np.zeros(0, np.int64), np.zeros(0, np.uint8))


class Moment:
    """A snapshot, laid out for questions. Any number of threads may use it.

    `words` (float32[chunks]) are the lengths of chunks, `row_of_chunk` (int32[chunks]) the content of each, `first`
    (int64[rows + 1]) the chunks of each content, `row_words` (float32[rows]) the lengths of contents. `row_of_file`
    (int64[files]) tells which content a file holds; the last row is that of all files without a chunk. `chunks_live`
    and `rows_live` count what files hold.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Work out what questions need of a snapshot."""
        self.snapshot = snapshot
        self.files: FileTable = snapshot.files()
        self.segments: Sequence[Segment] = snapshot.segments()
        bases = np.cumsum([0, *(len(segment.lengths) for segment in self.segments)])
        self._bases: list[int] = bases.tolist()
        total = self._bases[-1]
        firsts = [segment.first_chunk[:-1] + base for segment, base in zip(self.segments, self._bases, strict=False)]
        self.first: Numbers = np.concatenate([*firsts, np.array([total, total])]).astype(np.int64)
        self.contents: Numbers = np.append(_joined([segment.contents for segment in self.segments]), _NO_CONTENT)
        self.words: Array = _joined([segment.lengths for segment in self.segments]).astype(np.float32)
        rows = len(self.contents)
        self.row_of_chunk = np.repeat(np.arange(rows, dtype=np.int32), np.diff(self.first))
        self.row_words: Array = np.bincount(self.row_of_chunk, self.words, rows).astype(np.float32)
        self._filled = np.flatnonzero(np.diff(self.first))
        places, known = _places(self.contents, self.files.contents)
        self.row_of_file: Numbers = np.where(known, places, rows - 1)
        self._by_row = np.flatnonzero(known)[np.argsort(self.row_of_file[known], kind="stable")]
        self._sorted_rows = self.row_of_file[self._by_row]
        held = np.zeros(rows, np.bool_)
        held[self._sorted_rows] = True
        self.live: npt.NDArray[np.bool_] | None = None if held.all() else held[self.row_of_chunk]
        self.rows_live = int(held.sum())
        self.chunks_live = total if self.live is None else int(self.live.sum())
        words = float(self.row_words[held].sum(dtype=np.float64))
        self.mean_chunk = max(1.0, words / max(1, self.chunks_live))
        self.mean_row = max(1.0, words / max(1, self.rows_live))
        self._remembered: dict[int, Unpacked] = {}
        self._lock = threading.Lock()
        self.spellings = lru_cache(maxsize=None)(self._spellings)

    @property
    def chunk_count(self) -> int:
        """How many chunks there are, those that no file holds included."""
        return self._bases[-1]

    def files_of(self, row: int) -> Numbers:
        """Return the files that hold a content, in order of path."""
        low, high = np.searchsorted(self._sorted_rows, [row, row + 1])
        return self._by_row[low:high]

    def postings(self, ids: Iterable[int]) -> list[Postings]:
        """Return where each term stands."""
        wanted = np.array(list(ids), np.uint32)
        found: list[list[Postings]] = [[] for _ in wanted]
        for segment, base in zip(self.segments, self._bases, strict=False):
            places = np.minimum(np.searchsorted(segment.terms, wanted), max(0, len(segment.terms) - 1))
            for i in np.flatnonzero(segment.terms[places] == wanted).tolist() if len(segment.terms) else ():
                span = slice(int(segment.offsets[places[i]]), int(segment.offsets[places[i] + 1]))
                found[i].append(Postings(segment.chunks[span].astype(np.int64) + base, segment.weights[span]))
        return [self._living(each) for each in found]

    def _living(self, parts: Sequence[Postings]) -> Postings:
        if not parts:
            return _NOWHERE
        chunks = np.concatenate([part.chunks for part in parts])
        weights = np.concatenate([part.weights for part in parts])
        if self.live is None:
            return Postings(chunks, weights)
        kept = self.live[chunks]
        return Postings(chunks[kept], weights[kept])

    def best_by_row(self, values: Array) -> Array:
        """Return the greatest value among each content's chunks, 0 for an empty one."""
        best = np.zeros(len(self.contents), np.float32)
        best[self._filled] = np.maximum.reduceat(values, self.first[:-1][self._filled]) if len(self._filled) else 0.0
        return best

    @cached_property
    def has_vectors(self) -> bool:
        """Whether any chunk has a vector."""
        return any(segment.vectors.size for segment in self.segments)

    def likeness(self, question: Array) -> Array:
        """Return float32[chunks]: the cosine between each chunk's vector and the question's; 0 where it is negative.

        Being unlike a question is no evidence.
        """
        unit = (question / max(float(np.linalg.norm(question)), 1e-9)).astype(np.float32)
        likeness = np.zeros(self.chunk_count, np.float32)
        for segment, base in zip(self.segments, self._bases, strict=False):
            if not segment.vectors.size:
                continue
            block = np.empty((_BLOCK, segment.vectors.shape[1]), np.float32)
            for start in range(0, len(segment.vectors), _BLOCK):
                some = segment.vectors[start : start + _BLOCK]
                block[: len(some)] = some
                np.dot(block[: len(some)], unit, out=likeness[base + start : base + start + len(some)])
            likeness[base : base + len(segment.norms)] /= segment.norms
        np.maximum(likeness, 0.0, out=likeness)
        return likeness

    def vectors_of(self, chunks: Numbers) -> Array:
        """Return float32[n, dimension]: the vectors of some chunks (ascending or not), zeros where there are none."""
        vectors = np.zeros((len(chunks), self.snapshot.recipe.dimension), np.float32)
        for segment, base in zip(self.segments, self._bases, strict=False):
            if segment.vectors.size:
                inside = np.flatnonzero((chunks >= base) & (chunks < base + len(segment.vectors)))
                vectors[inside] = segment.vectors[chunks[inside] - base]
        return vectors

    @cached_property
    def path_vectors(self) -> dict[str, Array]:
        """The vectors of paths that questions have needed so far, at length 1."""
        return {}

    @cached_property
    def path_text(self) -> PathText:
        """All paths as one text, to look for words in."""
        return PathText(self.files.paths)

    def _spellings(self, segment: int) -> bytes:
        return spellings(self.segments[segment])

    def unpacked(self, row: int) -> Unpacked:
        """Return a content, unpacked. The ones that were looked at last are remembered."""
        with self._lock:
            found = self._remembered.pop(row, None)
            if found is not None:
                self._remembered[row] = found
        if found is None:
            found = _unpacked(self.snapshot.content(int(self.contents[row])))
            self._remember({row: found})
        return found

    def expect(self, rows: Iterable[int]) -> None:
        """Have contents at hand that will be looked at, asking the store for all that are missing at once."""
        wanted = list(dict.fromkeys(rows))[:_REMEMBERED]
        with self._lock:
            missing = [row for row in wanted if row not in self._remembered and self.contents[row] != _NO_CONTENT]
        if len(missing) > 1:
            contents = self.snapshot.contents([int(self.contents[row]) for row in missing])
            self._remember(dict(zip(missing, map(_unpacked, contents), strict=True)))

    def _remember(self, unpacked: Mapping[int, Unpacked]) -> None:
        with self._lock:
            self._remembered |= unpacked
            while len(self._remembered) > _REMEMBERED:
                del self._remembered[next(iter(self._remembered))]


class Unpacked(NamedTuple):
    """A content with its edges (chunk i is `[edges[i], edges[i + 1])`), the chunks' first lines, and symbols.

    `starts` and `ends` are those of the symbols, in order of their starts. They are few and looked at one at a time, so
    they are lists: an array of ten costs more than it saves.
    """

    record: Content
    edges: list[int]
    lines: list[int]
    symbols: tuple[Symbol, ...]
    starts: list[int]
    ends: list[int]


def _unpacked(record: Content) -> Unpacked:
    symbols = unpack_symbols(record.symbols)
    return Unpacked(
        record,
        [0, *np.frombuffer(record.ends, "<u4").tolist()],
        np.frombuffer(record.lines, "<u4").tolist(),
        symbols,
        [symbol.start for symbol in symbols],
        [symbol.end for symbol in symbols],
    )


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _places(contents: Numbers, wanted: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return where each wanted content stands, and whether it does."""
    if not len(contents):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    order = np.argsort(contents, kind="stable")
    places = order[np.minimum(np.searchsorted(contents, wanted, sorter=order), len(contents) - 1)]
    return places, contents[places] == wanted


_Integer = TypeVar("_Integer", bound=np.integer[Any])


def distinct(numbers: npt.NDArray[_Integer]) -> npt.NDArray[_Integer]:
    """Return the distinct numbers, ascending. `np.unique` would load masked arrays first, for 50 ms."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(ordered)]]
