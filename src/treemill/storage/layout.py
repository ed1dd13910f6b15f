"""How postings of many contents become one segment, how segments merge, and when: pure array arithmetic.

    contents ──lay_out──▶ Segment ◀──merge── Segments

The postings of a content are grouped by term already, and so are those of a block of contents and of a segment.
Laying out and merging are therefore the same (`treemill.ranking.regrouping`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from treemill.flow.aside import Aside
from treemill.ranking.blocks import postings_of as block_postings
from treemill.ranking.blocks import without
from treemill.ranking.postings import Postings, from_plain, unpack
from treemill.ranking.regrouping import Source, joined_arrays, offsets_of, regrouped
from treemill.ranking.spellings import INCOMPLETE, joined, spellings_of
from treemill.records import Block, Content
from treemill.storage import Segment
from treemill.storage.packed import text_of
from treemill.storage.segment_files import FULL_CHUNKS
from treemill.storage.segments import spellings

# From so many contents on, words are gathered beside the postings: the last layout of a run has the machine to itself.
_MANY_CONTENTS = 1_000

# Vectors are turned into floating point so many at a time, which stay in a core's cache.
_BLOCK = 1024


class Part(NamedTuple):
    """What a segment takes from one content, or from several of one block: `contents` int64[k], their ids, ascending.

    Content i has `sizes[i]` (int64) chunks. `lengths` uint16[n] and the postings are of all chunks, numbered through;
    so are `vectors` int8[n or 0, dimension]. `spellings` are the words of the contents whose `spelled` (uint8[k]) is 1;
    patterns look into the others themselves.
    """

    contents: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.uint16]
    postings: Postings
    vectors: npt.NDArray[np.int8]
    spellings: bytes
    spelled: npt.NDArray[np.uint8]


def parts_from(contents: Sequence[tuple[int, Content]], *, dimension: int) -> list[Part]:
    """Return the parts of contents that are whole, with ascending ids: one for those of a block that come in a row.

    Raises:
        ValueError: their fields are damaged or do not fit each other.
    """
    parts = []
    for _, group in itertools.groupby(contents, key=lambda pair: id(pair[1].block)):
        some = list(group)
        block = some[0][1].block
        if block is None:
            parts += [part_from(content_id, content, dimension=dimension) for content_id, content in some]
        else:
            parts.append(_part_of_block(block, some, dimension=dimension))
    return parts


def _part_of_block(block: Block, contents: Sequence[tuple[int, Content]], *, dimension: int) -> Part:
    """Return the part of those contents of a block, of which it may have others."""
    ids, found = zip(*contents, strict=True)
    for content in found:
        _check_lengths(content.chunk_count, content.lengths, content.vectors, dimension)
    postings, counts = block_postings(block), np.array(block.chunk_counts, np.int64)
    spelled = np.frombuffer(block.spelled, np.uint8)
    if len(found) < len(block.keys):
        place_of = {key: place for place, key in reversed(list(enumerate(block.keys)))}
        alive = np.zeros(len(block.keys), np.bool_)
        alive[[place_of[content.key] for content in found]] = True
        if counts[~alive].any():
            postings = without(postings, np.repeat(alive, counts))
        counts, spelled = counts[alive], spelled[alive]
    if counts.tolist() != [content.chunk_count for content in found]:
        raise ValueError("contents are not in the order of their block")
    return Part(
        np.array(ids, np.int64),
        counts,
        np.frombuffer(b"".join([content.lengths for content in found]), "<u2"),
        postings,
        _rows(b"".join([content.vectors for content in found]), dimension),
        block.spellings,
        spelled,
    )


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
    _check_lengths(chunk_count, lengths, vectors, dimension)
    return Part(
        np.array([content], np.int64),
        np.array([chunk_count], np.int64),
        np.frombuffer(lengths, "<u2"),
        unpack(postings, chunk_count) if plain is None else from_plain(plain),
        _rows(vectors, dimension),
        spellings,
        np.array([spellings != INCOMPLETE], np.uint8),
    )


def _check_lengths(chunk_count: int, lengths: bytes, vectors: bytes, dimension: int) -> None:
    if len(lengths) != 2 * chunk_count:
        raise ValueError(f"{len(lengths)} bytes of lengths for {chunk_count} chunks")
    if vectors and len(vectors) != chunk_count * dimension:
        raise ValueError(f"{len(vectors)} bytes of vectors for {chunk_count} chunks of dimension {dimension}")


def _rows(vectors: bytes, dimension: int) -> npt.NDArray[np.int8]:
    return np.frombuffer(vectors, np.int8).reshape(-1, dimension) if vectors else np.empty((0, dimension), np.int8)


def lay_out(parts: Sequence[Part], *, dimension: int) -> Segment:
    """Return the segment that holds these parts, which come in ascending order of content.

    A content without vectors gets zeros where `dimension` is not 0.
    """
    contents = joined_arrays([part.contents for part in parts], np.int64)
    words = _beside(len(contents), lambda: _deflated(joined(part.spellings for part in parts)))
    starts = offsets_of(np.array([len(part.lengths) for part in parts], np.int64)).tolist()
    vectors = np.zeros((starts[-1] if dimension else 0, dimension), np.int8)
    if dimension:
        for start, part in zip(starts, parts, strict=False):
            vectors[start : start + len(part.vectors)] = part.vectors
    return _regrouped(
        [(*part.postings, start) for start, part in zip(starts, parts, strict=False)],
        contents=contents,
        first_chunk=offsets_of(joined_arrays([part.sizes for part in parts], np.int64)),
        lengths=joined_arrays([part.lengths for part in parts], np.uint16),
        vectors=vectors,
        words=words,
        spelled=joined_arrays([part.spelled for part in parts], np.uint8),
    )


def live_part(part: Part, live: npt.NDArray[np.int64]) -> Part:
    """Return a part without the contents that are not in `live`, which ascend: a look-up for each of the part's."""
    alive = np.searchsorted(live, part.contents, "right") > np.searchsorted(live, part.contents, "left")
    if alive.all():
        return part
    chunk_alive = np.repeat(alive, part.sizes)
    return part._replace(
        contents=part.contents[alive],
        sizes=part.sizes[alive],
        lengths=part.lengths[chunk_alive],
        postings=without(part.postings, chunk_alive),
        vectors=part.vectors[chunk_alive] if len(part.vectors) else part.vectors,
        spelled=part.spelled[alive],
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
    bases = offsets_of(np.array([len(each.lengths) for each in kept], np.int64))
    starts = [each.first_chunk[:-1] + base for each, base in zip(kept, bases.tolist(), strict=False)]
    return _regrouped(
        [
            (each.terms, np.diff(each.offsets).astype(np.uint32), each.chunks, each.weights, base)
            for each, base in zip(kept, bases.tolist(), strict=False)
        ],
        contents=joined_arrays([each.contents for each in kept], np.int64),
        first_chunk=np.append(joined_arrays(starts, np.int64), bases[-1]),
        lengths=joined_arrays([each.lengths for each in kept], np.uint16),
        vectors=np.concatenate([each.vectors for each in kept]) if kept else np.empty((0, 0), np.int8),
        words=words,
        spelled=joined_arrays([each.spelled for each in kept], np.uint8),
    )


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


def _without_dead(segment: Segment, live: npt.NDArray[np.int64]) -> Segment:
    """Return the segment without the contents that are not in `live`."""
    alive = np.isin(segment.contents, live, assume_unique=True)
    if alive.all():
        return segment
    sizes = np.diff(segment.first_chunk)
    chunk_alive = np.repeat(alive, sizes)
    counts = np.diff(segment.offsets)
    postings = without(Postings(segment.terms, counts, segment.chunks, segment.weights), chunk_alive)
    return Segment(
        contents=segment.contents[alive],
        first_chunk=offsets_of(sizes[alive]),
        lengths=segment.lengths[chunk_alive],
        terms=postings.terms,
        offsets=offsets_of(postings.counts),
        chunks=postings.chunks,
        weights=postings.weights,
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
