"""Postings of one content: which words stand in which of its chunks, packed into bytes and back.

Term-major: `terms` ascending and distinct; for each, the ascending chunk numbers that hold it; beside each, a weight
(low six bits: occurrences in the text, capped at 63; high two bits: definitions named by it, capped at 3).

Packed, the terms are differences split into byte planes and everything is deflated: the high planes are almost
constant, which is what makes a posting cost about two bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TEXT_CAP = 63
DEFINITION_CAP = 3
DEFINITION_SHIFT = 6

_HEADER = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Postings:
    """`terms` uint32[T], `counts` uint16[T] (chunks a term is in), `chunks` uint16[P], `weights` uint8[P]."""

    terms: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.uint16]
    chunks: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.uint8]


def pack(postings: Postings) -> bytes:
    """Return the compact bytes of a content's postings."""
    count, total = len(postings.terms), len(postings.chunks)
    steps = np.diff(postings.terms, prepend=np.uint32(0)).astype("<u4")
    planes = steps.view(np.uint8).reshape(count, 4).T
    chunk_planes = postings.chunks.astype("<u2").view(np.uint8).reshape(total, 2).T
    count_planes = postings.counts.astype("<u2").view(np.uint8).reshape(count, 2).T
    body = planes.tobytes() + count_planes.tobytes() + chunk_planes.tobytes() + postings.weights.tobytes()
    return _HEADER.pack(count, total) + zlib.compress(body, 1)


def unpack(packed: bytes) -> Postings:
    """Return the postings behind `pack`.

    Raises:
        ValueError: the bytes are not what `pack` returns.
    """
    try:
        count, total = _HEADER.unpack_from(packed)
        body = zlib.decompress(packed[_HEADER.size :])
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged postings: {error}") from error
    if len(body) != 6 * count + 3 * total:
        raise ValueError("damaged postings: the length does not match the header")
    raw = np.frombuffer(body, np.uint8)
    steps = np.ascontiguousarray(raw[: 4 * count].reshape(4, count).T).view("<u4").ravel()
    counts = np.ascontiguousarray(raw[4 * count : 6 * count].reshape(2, count).T).view("<u2").ravel()
    chunks = np.ascontiguousarray(raw[6 * count : 6 * count + 2 * total].reshape(2, total).T).view("<u2").ravel()
    terms = np.cumsum(steps, dtype=np.uint64).astype(np.uint32)
    if int(counts.sum(dtype=np.int64)) != total:
        raise ValueError("damaged postings: the counts do not add up")
    return Postings(terms, counts, chunks, raw[6 * count + 2 * total :])


def check(postings: Postings, chunk_count: int) -> None:
    """Make sure that postings are those of a content with that many chunks.

    Raises:
        ValueError: terms or chunks are out of order or out of range, or a term is in no chunk.
    """
    terms, counts, chunks = postings.terms, postings.counts, postings.chunks
    if not len(counts) == len(terms) or not len(chunks) == len(postings.weights):
        raise ValueError("postings whose arrays differ in length")
    if not len(terms):
        if len(chunks):
            raise ValueError("postings without terms")
        return
    if (terms[1:] <= terms[:-1]).any():
        raise ValueError("postings whose terms are not in ascending order")
    if not counts.all() or int(counts.sum(dtype=np.int64)) != len(chunks):
        raise ValueError("postings whose counts do not add up")
    if int(chunks.max()) >= chunk_count:
        raise ValueError(f"postings of chunk {int(chunks.max())} where there are {chunk_count}")
    rising = chunks[1:] > chunks[:-1]
    rising[np.cumsum(counts[:-1], dtype=np.int64) - 1] = True
    if not rising.all():
        raise ValueError("postings whose chunks are not in ascending order")
