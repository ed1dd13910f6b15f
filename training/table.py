"""The table as a file, and what it makes of a text: a plain reading of the format, to train against and to test with.

    header, 64 bytes    magic "TMSM", u32 format = 1, u32 dimension D, u32 vocabulary V, u32 fallback rows G,
                        u32 length T of the table of counts, u32 weight of fallback terms,
                        16 bytes BLAKE2b-128 of all that follows the header,
                        u32 what the name of a definition counts, zeros
    u16[T]              what a term counts that stands i times in a text (counts from T on as the last)
    u32[V]              ids of terms, ascending
    u8[V]               weight of each term, 0 drops it
    zeros to a multiple of 64
    i8[(V + G) × D]     rows: those of the vocabulary, then those for what is not in it

A vector is the sum over a text's distinct terms of count × weight × row, in integers. A term of a name that the text
defines counts as if it stood there so many times more as the header says. A term outside the vocabulary
takes the rows of its trigrams of bytes, `<` and `>` around it, by their hashes; each with its share of the weight.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

MAGIC = b"TMSM"
FORMAT = 1
_HEADER = struct.Struct("<4s6I16sI")
_HEADER_BYTES = 64
_ALIGNMENT = 64


def fallback_rows(term: str, rows: int) -> list[int]:
    """Return the fallback rows of a term, one for each of its trigrams: numbers from 0 to `rows`, repeats kept."""
    data = b"<" + term.encode("utf-8", "surrogatepass") + b">"
    return [zlib.crc32(data[i : i + 3]) % rows for i in range(max(1, len(data) - 2))]


@dataclass(frozen=True)
class Table:
    """A table in memory: `counts` uint16[T], `ids` uint32[V], `weights` uint8[V], `rows` int8[V + G, D]."""

    counts: npt.NDArray[np.uint16]
    ids: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int8]
    fallback_weight: int
    name_count: int

    @property
    def dimension(self) -> int:
        return self.rows.shape[1]

    @property
    def fallbacks(self) -> int:
        return len(self.rows) - len(self.ids)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {int(number): place for place, number in enumerate(self.ids)}

    def taken(self, term: str) -> list[tuple[int, int]]:
        """Return the rows that a term takes, each with its weight; none for a compound."""
        if term.startswith("="):
            return []
        place = self._places.get(_id_of(term))
        if place is not None:
            return [(place, int(self.weights[place]))]
        rows = fallback_rows(term, self.fallbacks)
        share = max(1, self.fallback_weight // len(rows))
        return [(len(self.ids) + row, share) for row in rows]

    def vector(self, counted: Mapping[str, int]) -> npt.NDArray[np.int64]:
        """Return int64[D]: the vector of a text, given as how often it holds each term."""
        total = np.zeros(self.dimension, np.int64)
        for term, times in counted.items():
            factor = int(self.counts[min(times, len(self.counts) - 1)])
            for row, weight in self.taken(term):
                total += factor * weight * self.rows[row].astype(np.int64)
        return total

    def to_bytes(self) -> bytes:
        """Return the file."""
        front = b"".join(
            (self.counts.astype("<u2").tobytes(), self.ids.astype("<u4").tobytes(), self.weights.tobytes())
        )
        padding = bytes(-(len(front) + _HEADER_BYTES) % _ALIGNMENT)
        body = front + padding + np.ascontiguousarray(self.rows).tobytes()
        header = _HEADER.pack(
            MAGIC,
            FORMAT,
            self.dimension,
            len(self.ids),
            self.fallbacks,
            len(self.counts),
            self.fallback_weight,
            hashlib.blake2b(body, digest_size=16).digest(),
            self.name_count,
        )
        return header.ljust(_HEADER_BYTES, b"\0") + body


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        ValueError: the file is not of this format, or damaged.
    """
    data = path.read_bytes()
    magic, version, dimension, vocabulary, fallbacks, longest, weight, digest, name_count = _HEADER.unpack_from(data)
    if magic != MAGIC or version != FORMAT:
        raise ValueError(f"{path} is no table of format {FORMAT}")
    if hashlib.blake2b(data[_HEADER_BYTES:], digest_size=16).digest() != digest:
        raise ValueError(f"{path} is damaged: its content does not have the digest in its header")
    place = _HEADER_BYTES
    counts = np.frombuffer(data, "<u2", longest, place)
    place += counts.nbytes
    ids = np.frombuffer(data, "<u4", vocabulary, place)
    place += ids.nbytes
    weights = np.frombuffer(data, np.uint8, vocabulary, place)
    place += weights.nbytes
    place += -place % _ALIGNMENT
    rows = np.frombuffer(data, np.int8, (vocabulary + fallbacks) * dimension, place).reshape(-1, dimension)
    return Table(counts, ids, weights, rows, weight, name_count)


def quantised(
    terms: Sequence[str],
    vectors: npt.NDArray[np.float32],
    counts: npt.NDArray[np.float32],
    fallbacks: int,
    name_count: int,
) -> Table:
    """Return float32[V + G, D] as a table: each row scaled to its own largest component, the scale in its weight.

    `counts` (float32[T]) is what a term counts by how often it stands; its unit is chosen here.
    """
    vocabulary = len(terms)
    largest = np.abs(vectors).max(axis=1)
    most = float(np.quantile(largest[:vocabulary], 0.9995))
    weights = np.clip(np.rint(largest[:vocabulary] / most * 255), 1, 255).astype(np.uint8)
    # A row is rounded for the weight that it is stored with, so that the product is as near as can be.
    scaled = vectors[:vocabulary] / (weights[:, None].astype(np.float32) * (most / 255 / 127))
    own = np.clip(np.rint(scaled), -127, 127).astype(np.int8)
    widest = min(most, float(np.quantile(np.abs(vectors[vocabulary:]), 0.9999))) if fallbacks else most
    shared = np.clip(np.rint(vectors[vocabulary:] / widest * 127), -127, 127).astype(np.int8)
    ids = np.array([_id_of(term) for term in terms], np.uint32)
    ids, first = np.unique(ids, return_index=True)
    factors = np.rint(counts / counts[1] * _UNIT).astype(np.uint16)
    return Table(
        factors, ids, weights[first], np.concatenate((own[first], shared)), round(widest / most * 255), name_count
    )


# What a term counts that stands once: small, so that sums of usual texts stay below 2^24 and are exact in float32.
_UNIT = 8


def _id_of(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))
