"""Which parts of a file answer: the definition that was asked for, whole where it fits, else the best chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from treemill.ranking import signals
from treemill.ranking.evidence import Evidence
from treemill.searching.moment import Unpacked
from treemill.sources import Symbol

# A definition that is cut is shown whole up to this size: about a thousand tokens.
_WHOLE_BYTES = 4_000

# How good another chunk of the file must be, beside the best one, to be named as a further place.
_WORTH_NAMING = 0.5
_MEANING_SHARE = 0.5
_NAMES_SHARE = 0.5


class Place(NamedTuple):
    """A range of bytes in a file, the definition it is about, and the offset to look at first, where one is known."""

    start: int
    end: int
    symbol: Symbol | None
    spot: int | None = None


def places_in(unpacked: Unpacked, evidence: Evidence, file: int, most: int) -> list[Place]:
    """Return the places of a file that answer, best first; at least one, at most `most`, none overlapping another."""
    spot = int(evidence.spots[file])
    asked = sorted(evidence.symbols[file], key=lambda symbol: (-signals.fit(symbol, evidence), symbol.start))
    found: list[Place] = []
    for place in (
        *([place_around(unpacked, _chunk_of(unpacked, spot))._replace(spot=spot)] if spot >= 0 else []),
        *(place_around(unpacked, _chunk_of(unpacked, symbol.start), symbol) for symbol in asked),
        *(place_around(unpacked, chunk) for chunk in _best_chunks(evidence, file, most, any_at_all=not asked)),
    ):
        if len(found) == most:
            break
        if not any(place.start < other.end and other.start < place.end for other in found):
            found.append(place)
    return found


def _chunk_of(unpacked: Unpacked, offset: int) -> int:
    return min(bisect_right(unpacked.edges, offset) - 1, len(unpacked.edges) - 2)


def _best_chunks(evidence: Evidence, file: int, most: int, *, any_at_all: bool) -> Iterable[int]:
    """Return the chunks worth naming, best first; with `any_at_all` the best one, however little it says."""
    first = int(evidence.starts[file])
    last = int(evidence.starts[file + 1]) if file + 1 < evidence.files else len(evidence.chunk_words)
    scores = evidence.places[first:last] + _MEANING_SHARE * evidence.meaning[first:last]
    scores += _NAMES_SHARE * evidence.names_alike[first:last]
    order = np.argsort(-scores, kind="stable")[: most + 1].tolist()
    least = _WORTH_NAMING * float(scores[order[0]])
    return [each for rank, each in enumerate(order) if (any_at_all and rank == 0) or scores[each] >= max(least, 1e-6)]


def place_around(unpacked: Unpacked, chunk: int, symbol: Symbol | None = None) -> Place:
    """Return a chunk, widened to definitions that it cuts, where they are short enough to be shown whole."""
    start, end = unpacked.edges[chunk], unpacked.edges[chunk + 1]
    starts, ends = unpacked.starts, unpacked.ends
    wide_start, wide_end = start, end
    # One that is short enough and reaches into the chunk starts no further before it than it is long.
    for number in range(bisect_left(starts, start - _WHOLE_BYTES), bisect_left(starts, end)):
        first, last = starts[number], ends[number]
        if last - first <= _WHOLE_BYTES and (first < start < last or first < end < last):
            wide_start, wide_end = min(wide_start, first), max(wide_end, last)
    return Place(wide_start, wide_end, symbol or _main(unpacked, start, end))


def _main(unpacked: Unpacked, start: int, end: int) -> Symbol | None:
    """Return the largest definition that starts in a range, else the innermost that it continues."""
    starts, ends, symbols = unpacked.starts, unpacked.ends, unpacked.symbols
    low, high = bisect_left(starts, start), bisect_left(starts, end)
    if low < high:
        return max(symbols[low:high], key=lambda symbol: (min(symbol.end, end) - symbol.start, -len(symbol.parents)))
    around = [number for number in range(low) if start < ends[number]]
    return symbols[min(around, key=lambda number: ends[number] - starts[number])] if around else None
