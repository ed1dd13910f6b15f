"""The table behind the static encoder: one flat file, mapped read-only, so that opening it costs nothing to speak of.

    header, 64 bytes    magic "TMSM", u32 format, u32 dimension D, u32 vocabulary V, u32 fallback rows G, u32 length T
                        of the table of counts, u32 weight of fallback terms, 16 bytes version,
                        u32 N, zeros
    u16[T]              what a term counts that stands i times in a text; from T on as the last
    u32[V]              ids of terms, ascending
    u8[V]               weight of each term, 0 drops it
    zeros to a multiple of 64
    i8[(V + G) × D]     rows: those of the vocabulary, then those that are shared by all other terms

A term of the name of a definition counts as if it stood N times more in the chunk that defines it.
All numbers are little-endian. The version is the BLAKE2b-128 of everything behind the header. A term outside the
vocabulary is made of the rows of its trigrams (of `<term>` in UTF-8), found by their CRC-32.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from treemill.embedding.static_header import HEADER_BYTES, read_facts
from treemill.native import compiled

_GRAM = 3
_NATIVE = compiled("vectors")


class StaticModel:
    """A mapped table. `dimension` columns; `factors` (uint16[T]) is what a term counts by how often it stands.

    `own_ids` (uint32, ascending) are the ids of the terms that have rows of their own.
    """

    def __init__(self, path: Path) -> None:
        """Map the table at `path`.

        Raises:
            EmbeddingError: it cannot be read, or is no table of this format.
        """
        self.facts = read_facts(path)
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        counts, ids, weights, rows, _ = self.facts.places
        self.dimension = self.facts.dimension
        self.factors = np.frombuffer(self._data, "<u2", self.facts.longest, counts).astype(np.uint16)
        self.own_ids = np.frombuffer(self._data, "<u4", self.facts.vocabulary, ids)
        self._weights = np.frombuffer(self._data, np.uint8, self.facts.vocabulary, weights)
        total = self.facts.vocabulary + self.facts.fallbacks
        self._rows = np.frombuffer(self._data, np.int8, total * self.dimension, rows).reshape(total, self.dimension)

    def is_whole(self) -> bool:
        """Tell whether the file still has the bytes that its version stands for."""
        return hashlib.blake2b(memoryview(self._data)[HEADER_BYTES:], digest_size=16).digest() == self.facts.version

    def weighed_rows(self, ids: npt.NDArray[np.uint32], texts: Sequence[bytes]) -> npt.NDArray[np.int16]:
        """Return int16[n, dimension], the weighed row of each term, given by its id and its UTF-8 (not empty)."""
        places = self._places(ids)
        if _NATIVE is None:
            return self.weighed_plainly(places, texts)
        shared, weight = self.facts.fallbacks, self.facts.fallback_weight
        packed = _NATIVE.weighed(places, list(texts), self._weights, self._rows, shared, weight, self.dimension)
        return np.frombuffer(packed, np.int16).reshape(-1, self.dimension)

    def _places(self, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """Return which row each term has, -1 for one that has none of its own."""
        places = np.searchsorted(self.own_ids, ids).astype(np.int64)
        known = places < len(self.own_ids)
        known[known] = self.own_ids[places[known]] == ids[known]
        places[~known] = -1
        return places

    def weighed_plainly(self, places: npt.NDArray[np.int64], texts: Sequence[bytes]) -> npt.NDArray[np.int16]:
        """As `weighed_rows`, in numpy, given which row each term has, or -1."""
        found = np.zeros((len(places), self.dimension), np.int16)
        known = places >= 0
        own = places[known]
        found[known] = np.take(self._rows, own, axis=0) * self._weights[own, None].astype(np.int16)
        others = np.flatnonzero(~known)
        if len(others) and self.facts.fallbacks:
            found[others] = self._fallback_rows([texts[place] for place in others.tolist()])
        return found

    @cached_property
    def _fallbacks(self) -> npt.NDArray[np.int16]:
        """The shared rows, as wide as their sums are, so that adding converts nothing."""
        return self._rows[self.facts.vocabulary :].astype(np.int16)

    def _fallback_rows(self, texts: Sequence[bytes]) -> npt.NDArray[np.int16]:
        """Return int16[n, dimension]: the sums of the rows of each term's trigrams, each with its share of the weight.

        Terms with many trigrams come first, so that the j-th trigram of all that have one is a slice.
        """
        framed = [b"<" + text + b">" for text in texts]
        grams = np.fromiter(map(len, framed), np.int64, len(framed)) - (_GRAM - 1)
        order = np.argsort(-grams, kind="stable")
        ordered = grams[order]
        joined = b"".join([framed[place] for place in order.tolist()])
        numbers = _crc_of_trigrams(joined) % np.uint32(self.facts.fallbacks)
        starts = np.cumsum(ordered + _GRAM - 1) - (ordered + _GRAM - 1)
        sums = np.zeros((len(texts), self.dimension), np.int16)
        for column in range(int(ordered[0])):
            having = int(np.searchsorted(-ordered, -column))
            sums[:having] += np.take(self._fallbacks, numbers[starts[:having] + column], axis=0)
        sums *= np.maximum(self.facts.fallback_weight // ordered, 1).astype(np.int16)[:, None]
        back = np.empty_like(sums)
        back[order] = sums
        return back


@cache
def _crc_table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & np.uint32(1), np.uint32(0xEDB8_8320) ^ (table >> np.uint32(1)), table >> np.uint32(1))
    return table


def _crc_of_trigrams(text: bytes) -> npt.NDArray[np.uint32]:
    """Return the CRC-32 of the three bytes at each place of a text but the last two."""
    table = _crc_table()
    data = np.frombuffer(text, np.uint8)
    crc = np.full(max(0, len(data) - _GRAM + 1), 0xFFFF_FFFF, np.uint32)
    for shift in range(_GRAM):
        low = crc.astype(np.uint8) ^ data[shift : shift + len(crc)]
        crc = table[low] ^ (crc >> np.uint32(8))
    return ~crc
