"""Postings in groups, from many sources → in order of their terms: what a block, a segment and a merge are made by.

The postings of a content are grouped by term already, and so are those of a block or a segment. All (source, term)
groups are sorted by term, sources staying in order, and each group's postings are moved as a block. Only groups are
sorted, not postings, and since sources number their chunks in ascending ranges, every term's chunks come out ascending.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from treemill.native import compiled
from treemill.ranking.postings import from_plain

_NATIVE = compiled("layout")

Source = tuple[npt.NDArray[np.uint32], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.uint8], int]
"""Postings as they came, in groups: `terms` uint32[n], of which group i has `counts[i]` (uint16 or uint32) postings;
`chunks` (uint16 or uint32) and `weights` uint8[m] of all groups; and from where on the chunks are numbered."""


PlainSource = tuple[bytes, bytes, bytes, bytes, int]
"""The same, of one content as `treemill.ranking.postings.plain` has it."""


def regrouped(sources: list[Source], *, narrow: bool) -> tuple[npt.NDArray[Any], ...]:
    """Return terms, offsets (int64), chunks (uint16 if `narrow`, else uint32) and weights in order of term.

    Raises:
        ValueError: the arrays of a source do not fit each other.
    """
    return regrouped_plainly(sources, narrow=narrow) if _NATIVE is None else _compiled(sources, narrow)


def regrouped_contents(sources: list[PlainSource], *, narrow: bool) -> tuple[npt.NDArray[Any], ...]:
    """Return the same of contents."""
    if _NATIVE is None:
        return regrouped_plainly([(*from_plain(each[:4]), each[4]) for each in sources], narrow=narrow)
    return _compiled(sources, narrow)


def _compiled(sources: list[Source] | list[PlainSource], narrow: bool) -> tuple[npt.NDArray[Any], ...]:
    assert _NATIVE is not None
    kinds = (np.uint32, np.int64, np.uint16 if narrow else np.uint32, np.uint8)
    return tuple(map(np.frombuffer, _NATIVE.regrouped(sources, narrow), kinds))


def regrouped_plainly(sources: list[Source], *, narrow: bool) -> tuple[npt.NDArray[Any], ...]:
    """Return the same without the compiled half."""
    counts = joined_arrays([each[1] for each in sources], np.int64)
    chunks = joined_arrays([each[2] + np.uint32(each[4]) for each in sources], np.uint32)
    weights = joined_arrays([each[3] for each in sources], np.uint8)
    keys = joined_arrays([each[0] for each in sources], np.uint64) << np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    sorted_terms = (keys >> np.uint64(32)).astype(np.uint32)
    sorted_counts = counts[order]
    starts = offsets_of(sorted_counts)
    take = np.repeat((offsets_of(counts)[:-1])[order] - starts[:-1], sorted_counts)
    take += np.arange(len(take))
    firsts = np.flatnonzero(np.diff(sorted_terms, prepend=sorted_terms[:1] ^ np.uint32(1)))
    offsets = np.append(starts[firsts], len(take))
    return sorted_terms[firsts], offsets, chunks.astype(np.uint16 if narrow else np.uint32)[take], weights[take]


def offsets_of(counts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return where each of consecutive runs of these lengths starts, and where the last one ends."""
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result


def joined_arrays(arrays: Sequence[npt.NDArray[Any]], kind: type[np.generic]) -> npt.NDArray[Any]:
    """Return the arrays one behind the other, as that kind, also where there are none."""
    return np.concatenate(arrays, dtype=kind) if arrays else np.empty(0, kind)
