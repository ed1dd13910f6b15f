"""How postings of many contents become one segment, how segments merge, and when: pure array arithmetic.

    contents ──lay_out──▶ Segment ◀──merge── Segments

A content's postings are grouped by term already, and so are a segment's. Laying out and merging are therefore the
same regrouping: the (source, term) groups are sorted by term, sources staying in order, and each group's postings
are moved as a block. Only groups are sorted, not postings, and since sources number their chunks in ascending
ranges, every term's chunks come out ascending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from treemill.flow.aside import Aside
from treemill.native import compiled
from treemill.ranking.postings import Postings, from_plain, unpack
from treemill.ranking.spellings import INCOMPLETE, joined, spellings_of
from treemill.records import Content
from treemill.storage import Segment
from treemill.storage.packed import text_of
from treemill.storage.segment_files import FULL_CHUNKS

# From so many contents on, words are gathered beside the postings: the last layout of a run has the machine to itself.
_MANY_CONTENTS = 1_000

# Vectors are turned into floating point so many at a time, which stay in a core's cache.
_BLOCK = 1024

_NATIVE = compiled("layout")

Source = tuple[npt.NDArray[np.uint32], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.uint8], int]
"""Postings as they came, in groups: `terms` uint32[n], of which group i has `counts[i]` (uint16 or uint32) postings;
`chunks` (uint16 or uint32) and `weights` uint8[m] of all groups; and from where on the chunks are numbered."""


class Part(NamedTuple):
    """What a segment takes from one content: `lengths` uint16[n], its postings, `vectors` int8[n or 0, dimension].

    Without its `spellings`, patterns look into the content itself.
    """

    content: int
    lengths: npt.NDArray[np.uint16]
    postings: Postings
    vectors: npt.NDArray[np.int8]
    spellings: bytes = INCOMPLETE


def part_from(content_id: int, content: Content, *, dimension: int) -> Part:
    """Return the part of a content that is whole; what it does not have at hand is worked out.

    Raises:
        ValueError: its fields are damaged or do not fit each other.
    """
    return part_of(
        content_id,
        content.chunk_count,
        content.lengths,
        content.postings,
        content.vectors,
        dimension=dimension,
        plain=content.plain,
        spellings=stored_spellings(content) if content.spellings is None else content.spellings,
    )


def stored_spellings(content: Content) -> bytes:
    """Return the spellings of a content, worked out from its text; incomplete ones where that cannot be read."""
    if content.encoding != "utf-8":
        return INCOMPLETE
    try:
        text, ends = text_of(content), np.frombuffer(content.ends, "<u4").tolist()
    except ValueError:
        return INCOMPLETE
    return spellings_of(text, ends) if all(0 < end <= len(text) for end in ends) else INCOMPLETE


def part_of(
    content: int,
    chunk_count: int,
    lengths: bytes,
    postings: bytes,
    vectors: bytes,
    *,
    dimension: int,
    plain: tuple[bytes, bytes, bytes, bytes] | None = None,
    spellings: bytes = INCOMPLETE,
) -> Part:
    """Return the part behind the packed fields of a content; `plain` postings spare unpacking the packed ones.

    Raises:
        ValueError: they are damaged or do not fit each other.
    """
    if len(lengths) != 2 * chunk_count:
        raise ValueError(f"{len(lengths)} bytes of lengths for {chunk_count} chunks")
    if vectors and len(vectors) != chunk_count * dimension:
        raise ValueError(f"{len(vectors)} bytes of vectors for {chunk_count} chunks of dimension {dimension}")
    rows = np.frombuffer(vectors, np.int8).reshape(-1, dimension) if vectors else np.empty((0, dimension), np.int8)
    unpacked = unpack(postings, chunk_count) if plain is None else from_plain(plain)
    return Part(content, np.frombuffer(lengths, "<u2"), unpacked, rows, spellings)


def lay_out(parts: Sequence[Part], *, dimension: int) -> Segment:
    """Return the segment that holds these parts, which come in ascending order of content.

    A content without vectors gets zeros where `dimension` is not 0.
    """
    words = _beside(len(parts), lambda: _deflated(joined(part.spellings for part in parts)))
    sizes = np.array([len(part.lengths) for part in parts], np.int64)
    first_chunk = _offsets(sizes)
    vectors = np.zeros((int(first_chunk[-1]) if dimension else 0, dimension), np.int8)
    if dimension:
        for start, part in zip(first_chunk.tolist(), parts, strict=False):
            vectors[start : start + len(part.vectors)] = part.vectors
    postings = [part.postings for part in parts]
    return _regrouped(
        [
            (each.terms, each.counts, each.chunks, each.weights, base)
            for each, base in zip(postings, first_chunk.tolist(), strict=False)
        ],
        contents=np.array([part.content for part in parts], np.int64),
        first_chunk=first_chunk,
        lengths=_joined([part.lengths for part in parts], np.uint16),
        vectors=vectors,
        words=words,
        spelled=np.array([part.spellings != INCOMPLETE for part in parts], np.uint8),
    )


def merge(segments: Sequence[Segment], *, live: npt.NDArray[np.int64]) -> Segment:
    """Return one segment with those contents of all that are in `live`.

    The segments come in ascending order of content and have vectors of one dimension, or none.
    """
    kept = [_without_dead(each, live) for each in segments]
    words = _beside(
        sum(len(each.contents) for each in kept),
        lambda: kept[0].spellings if len(kept) == 1 else _deflated(joined(map(spellings, kept))),
    )
    bases = _offsets(np.array([len(each.lengths) for each in kept], np.int64))
    starts = [each.first_chunk[:-1] + base for each, base in zip(kept, bases.tolist(), strict=False)]
    return _regrouped(
        [
            (each.terms, np.diff(each.offsets).astype(np.uint32), each.chunks, each.weights, base)
            for each, base in zip(kept, bases.tolist(), strict=False)
        ],
        contents=_joined([each.contents for each in kept], np.int64),
        first_chunk=np.append(_joined(starts, np.int64), bases[-1]),
        lengths=_joined([each.lengths for each in kept], np.uint16),
        vectors=np.concatenate([each.vectors for each in kept]) if kept else np.empty((0, 0), np.int8),
        words=words,
        spelled=_joined([each.spelled for each in kept], np.uint8),
    )


def spellings(segment: Segment) -> bytes:
    """Return the words of the contents of a segment whose spellings are complete, each before a line feed."""
    return isal_zlib.decompress(segment.spellings) if len(segment.spellings) else b""


def _beside(contents: int, action: Callable[[], npt.NDArray[np.uint8]]) -> Callable[[], npt.NDArray[np.uint8]]:
    """Return what gives the result of an action, which is begun beside where many contents make it long."""
    return Aside(action) if contents >= _MANY_CONTENTS else action


def _deflated(words: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(isal_zlib.compress(words, 1) if words else b"", np.uint8)


def dead_share(segment: Segment, live: npt.NDArray[np.int64]) -> float:
    """Return which part of a segment's chunks belongs to contents that are not in `live`."""
    if not len(segment.lengths):
        return 0.0
    dead = ~np.isin(segment.contents, live, assume_unique=True)
    return float(np.diff(segment.first_chunk)[dead].sum()) / len(segment.lengths)


def lost_share(segments: Sequence[Segment], merged: Segment) -> float:
    """Return which part of the chunks of several segments is not in what they were merged into."""
    before = sum(len(each.lengths) for each in segments)
    return 1 - len(merged.lengths) / before if before else 0.0


def _regrouped(
    sources: list[Source],
    *,
    contents: npt.NDArray[np.int64],
    first_chunk: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.uint16],
    vectors: npt.NDArray[np.int8],
    words: Callable[[], npt.NDArray[np.uint8]],
    spelled: npt.NDArray[np.uint8],
) -> Segment:
    """Return a segment with the postings of the sources; `words` gives its spellings."""
    regrouped = regrouped_plainly if _NATIVE is None else _regrouped_in_c
    terms, offsets, chunks, weights = regrouped(sources, narrow=len(lengths) <= FULL_CHUNKS)
    segment = Segment(
        contents=contents,
        first_chunk=first_chunk,
        lengths=lengths,
        terms=terms,
        offsets=offsets,
        chunks=chunks,
        weights=weights,
        vectors=vectors,
        norms=_norms(vectors),
        spellings=words(),
        spelled=spelled,
    )
    for array in segment:
        array.flags.writeable = False
    return segment


def _regrouped_in_c(sources: list[Source], *, narrow: bool) -> tuple[npt.NDArray[Any], ...]:
    assert _NATIVE is not None
    kinds = (np.uint32, np.int64, np.uint16 if narrow else np.uint32, np.uint8)
    return tuple(map(np.frombuffer, _NATIVE.regrouped(sources, narrow), kinds))


def regrouped_plainly(sources: list[Source], *, narrow: bool) -> tuple[npt.NDArray[Any], ...]:
    """Return terms, offsets (int64), chunks (uint16 if `narrow`, else uint32) and weights in order of term."""
    counts = _joined([each[1] for each in sources], np.int64)
    chunks = _joined([each[2] + np.uint32(each[4]) for each in sources], np.uint32)
    weights = _joined([each[3] for each in sources], np.uint8)
    keys = _joined([each[0] for each in sources], np.uint64) << np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    sorted_terms = (keys >> np.uint64(32)).astype(np.uint32)
    sorted_counts = counts[order]
    starts = _offsets(sorted_counts)
    take = np.repeat((_offsets(counts)[:-1])[order] - starts[:-1], sorted_counts)
    take += np.arange(len(take))
    firsts = np.flatnonzero(np.diff(sorted_terms, prepend=sorted_terms[:1] ^ np.uint32(1)))
    offsets = np.append(starts[firsts], len(take))
    return sorted_terms[firsts], offsets, chunks.astype(np.uint16 if narrow else np.uint32)[take], weights[take]


def _without_dead(segment: Segment, live: npt.NDArray[np.int64]) -> Segment:
    """Return the segment without the contents that are not in `live`."""
    alive = np.isin(segment.contents, live, assume_unique=True)
    if alive.all():
        return segment
    sizes = np.diff(segment.first_chunk)
    chunk_alive = np.repeat(alive, sizes)
    number = np.cumsum(chunk_alive, dtype=np.int64) - 1
    keep = chunk_alive[segment.chunks]
    kept_before = _offsets(keep.astype(np.int64))
    counts = kept_before[segment.offsets[1:]] - kept_before[segment.offsets[:-1]]
    used = counts > 0
    return Segment(
        contents=segment.contents[alive],
        first_chunk=_offsets(sizes[alive]),
        lengths=segment.lengths[chunk_alive],
        terms=segment.terms[used],
        offsets=_offsets(counts[used]),
        chunks=number[segment.chunks[keep]].astype(np.uint32),
        weights=segment.weights[keep],
        vectors=segment.vectors[chunk_alive] if len(segment.vectors) else segment.vectors,
        norms=segment.norms[chunk_alive] if len(segment.norms) else segment.norms,
        spellings=segment.spellings,
        spelled=segment.spelled[alive],
    )


def _norms(vectors: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """Return float32[n], the length of each vector, 1 for one that is all zeros."""
    norms = np.ones(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK].astype(np.float32)
        np.einsum("ij,ij->i", block, block, out=norms[start : start + _BLOCK])
    np.sqrt(norms, out=norms)
    return np.maximum(norms, np.float32(1))


def _offsets(counts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return where each of consecutive runs of these lengths starts, and where the last one ends."""
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result


def _joined(arrays: Sequence[npt.NDArray[Any]], kind: type[np.generic]) -> npt.NDArray[Any]:
    """Return the arrays one behind the other, as that kind, also where there are none."""
    return np.concatenate(arrays, dtype=kind) if arrays else np.empty(0, kind)
