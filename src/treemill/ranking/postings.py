"""Postings of one content: which words stand in which of its chunks, packed into bytes and back.

Term-major: `terms` ascending and distinct; for each, the ascending chunk numbers that hold it; beside each, a weight
(low six bits: occurrences in the text, capped at 63; high two bits: definitions named by it, capped at 3).

Packed: terms and chunks become differences. Terms are hashes, so the low three bytes of their differences are noise
and stay as they are, one plane a byte; the rest is small numbers with an uneven distribution, which deflate takes down
to a few bits each. A posting costs about 2.5 bytes with its share of the terms; the hashes are more than half of that.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from treemill.native import compiled

TEXT_CAP = 63
DEFINITION_CAP = 3
DEFINITION_SHIFT = 6

_HEADER = struct.Struct("<II")
_NARROW = 256
"""Chunk numbers and counts below this take one byte instead of two."""

# ISA-L's first level takes 40 % of the time of zlib's for runs alone, and a twelfth more room.
_LEVEL = 1

_NATIVE = compiled("packing")


class Postings(NamedTuple):
    """`terms` uint32[T], `counts` uint16[T] (chunks a term is in), `chunks` uint16[P], `weights` uint8[P].

    Where there are more chunks than fit, in blocks and segments, counts and chunks are wider.
    """

    terms: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.uint16]
    chunks: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.uint8]


def plain(postings: Postings) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the bytes of the four arrays, little-endian, for a hand-off within one run."""
    return (
        postings.terms.astype("<u4", copy=False).tobytes(),
        postings.counts.astype("<u2", copy=False).tobytes(),
        postings.chunks.astype("<u2", copy=False).tobytes(),
        postings.weights.tobytes(),
    )


def from_plain(arrays: tuple[bytes, bytes, bytes, bytes]) -> Postings:
    """Return the postings behind `plain`; they are taken as they are, unchecked."""
    terms, counts, chunks, weights = arrays
    return Postings(
        np.frombuffer(terms, "<u4"),
        np.frombuffer(counts, "<u2"),
        np.frombuffer(chunks, "<u2"),
        np.frombuffer(weights, np.uint8),
    )


def pack(postings: Postings) -> bytes:
    """Return the compact bytes of a content's postings."""
    return pack_plain(plain(postings))


def pack_plain(arrays: tuple[bytes, bytes, bytes, bytes]) -> bytes:
    """Return the compact bytes of the postings behind `plain`."""
    low, small = planes(from_plain(arrays)) if _NATIVE is None else _NATIVE.planes(*arrays)
    return low + isal_zlib.compress(small, _LEVEL)


def planes(postings: Postings) -> tuple[bytes, bytes]:
    """Return what is kept of postings as it is, and what is squeezed."""
    terms, counts, chunks = postings.terms, postings.counts, postings.chunks
    steps = np.diff(terms, prepend=np.uint32(0)).astype("<u4").view(np.uint8).reshape(-1, 4)
    gaps = np.diff(chunks, prepend=np.uint16(0))
    firsts = np.cumsum(counts, dtype=np.int64) - counts
    gaps[firsts] = chunks[firsts]
    wide = _is_wide(postings)
    number = "<u2" if wide else "u1"
    small = (steps[:, 3], counts.astype(number), gaps.astype(number), postings.weights)
    low = _HEADER.pack(len(terms) << 1 | wide, len(chunks)) + steps[:, :3].T.tobytes()
    return low, b"".join([each.tobytes() for each in small])


def _is_wide(postings: Postings) -> bool:
    """Whether chunk numbers and counts need two bytes."""
    return len(postings.chunks) > 0 and int(postings.chunks.max()) + 1 >= _NARROW


def unpack(packed: bytes, chunk_count: int) -> Postings:
    """Return the postings behind `pack`, of a content with that many chunks.

    Raises:
        ValueError: the bytes are not what `pack` returns for one.
    """
    try:
        first, total = _HEADER.unpack_from(packed)
        count, width = first >> 1, 1 + (first & 1)
        if total > count * chunk_count:
            raise ValueError("damaged postings: more than there is room for")
        start = _HEADER.size + 3 * count
        low = packed[_HEADER.size : start]
        if len(low) != 3 * count:
            raise ValueError("damaged postings: they are cut short")
        expected = count * (1 + width) + total * (width + 1)
        stream = zlib.decompressobj()
        small = stream.decompress(packed[start:], expected + 1)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged postings: {error}") from error
    if len(small) != expected or not stream.eof or stream.unused_data:
        raise ValueError("damaged postings: the length does not match the header")
    if _NATIVE is None:
        return unplaned(low, small, count, total, width == 2, chunk_count)
    return from_plain(_NATIVE.unplaned(low, small, count, total, width == 2, chunk_count))


def unplaned(low: bytes, small: bytes, count: int, total: int, wide: bool, chunk_count: int) -> Postings:
    """Return the postings behind `planes`, of so many terms and postings.

    Raises:
        ValueError: they are damaged.
    """
    raw = np.frombuffer(small, np.uint8)
    number, width = ("<u2", 2) if wide else ("u1", 1)
    counts_end = count * (1 + width)
    gaps_end = counts_end + total * width
    counts = raw[count:counts_end].view(number).astype(np.uint16)
    gaps = raw[counts_end:gaps_end].view(number).astype(np.int64)
    terms = _terms(np.frombuffer(low, np.uint8).reshape(3, count), raw[:count])
    return Postings(terms, counts, _chunks(counts, gaps, chunk_count), raw[gaps_end:])


def _terms(low: npt.NDArray[np.uint8], high: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return the terms whose differences have these bytes."""
    steps = np.empty((len(high), 4), np.uint8)
    steps[:, :3] = low.T
    steps[:, 3] = high
    differences = steps.view("<u4").ravel()
    terms = np.cumsum(differences, dtype=np.uint64)
    if len(terms) and (not differences[1:].all() or int(terms[-1]) > 0xFFFFFFFF):
        raise ValueError("damaged postings: the terms are not in ascending order")
    return terms.astype(np.uint32)


def _chunks(counts: npt.NDArray[np.uint16], gaps: npt.NDArray[np.int64], chunk_count: int) -> npt.NDArray[np.uint16]:
    """Return the chunk numbers whose differences within each term these are."""
    ends = np.cumsum(counts, dtype=np.int64)
    if not counts.all() or (int(ends[-1]) if len(ends) else 0) != len(gaps):
        raise ValueError("damaged postings: the counts do not add up")
    if not len(gaps):
        return np.empty(0, np.uint16)
    firsts = ends - counts
    chunks = np.cumsum(gaps)
    chunks -= np.repeat(chunks[firsts] - gaps[firsts], counts)
    gaps[firsts] = 1
    if not gaps.all():
        raise ValueError("damaged postings: the chunks are not in ascending order")
    if int(chunks.max()) >= chunk_count:
        raise ValueError("damaged postings: a chunk that there is not")
    return chunks.astype(np.uint16)
