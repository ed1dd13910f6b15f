"""Numbering the tokens of a text, many at a time.

A text whose other bytes are blanks is cut into tokens, and each distinct token gets a number that it keeps, recognised
by a 64-bit hash that is worked out for all of them at once. With b₀b₁… the bytes of a token, its hash is
Σ (bᵢ + 1)·Mⁱ mod 2⁶⁴, mixed: a difference of prefix sums, shifted back to the token's start by the inverse of M.

    text ─cut─▶ (starts, ends) ─TokenHash─▶ hashes ─Numbers─▶ numbers, and where new ones stand
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLANK = 0x20

# Any odd number has an inverse modulo 2⁶⁴.
_MULTIPLIER = 0x9E37_79B9_7F4A_7C15
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)
_MIXER = np.uint64(0xD6E8_FEB8_6659_FD93)

# Tokens are hashed in spans of about this many bytes, which bounds the memory of the prefix sums (8 bytes a byte) and
# keeps them in a core's cache.
_SPAN_BYTES = 1 << 16

# The table of hashes starts with this many slots, and is kept at most half full.
_FIRST_SLOT_BITS = 15


def cut(text: bytes, longest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the tokens of a text start and end, ascending; those longer than `longest` are left out.

    The text starts and ends with a blank.
    """
    data = np.frombuffer(text, np.uint8)
    inside = data != BLANK
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    edges += 1
    starts, ends = edges[0::2], edges[1::2]
    short = ends - starts <= longest
    return (starts, ends) if short.all() else (starts[short], ends[short])


class TokenHash:
    """Hashes tokens of at most `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._up = _powers(_MULTIPLIER, _SPAN_BYTES + longest + 1)
        self._down = _powers(_INVERSE, _SPAN_BYTES + longest + 1)

    def __call__(
        self, text: bytes | npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint64]:
        """Return uint64[n], the hashes of `text[start:end]`; starts ascend, no token is empty, no hash is 0."""
        data = np.frombuffer(text, np.uint8)
        hashes = np.empty(len(starts), np.uint64)
        first = 0
        while first < len(starts):
            last = int(np.searchsorted(starts, starts[first] + _SPAN_BYTES))
            hashes[first:last] = self._span(data, starts[first:last], ends[first:last])
            first = last
        hashes ^= hashes >> np.uint64(32)
        hashes *= _MIXER
        hashes ^= hashes >> np.uint64(32)
        hashes[hashes == 0] = 1
        return hashes

    def _span(
        self, data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint64]:
        origin = int(starts[0])
        piece = data[origin : int(ends[-1])]
        sums = np.empty(len(piece) + 1, np.uint64)
        sums[0] = 0
        weighed = sums[1:]
        np.add(piece, np.uint64(1), out=weighed)
        weighed *= self._up[: len(piece)]
        np.cumsum(weighed, out=weighed)
        begins = starts - origin
        hashes: npt.NDArray[np.uint64] = sums[ends - origin]
        hashes -= sums[begins]
        hashes *= self._down[begins]
        return hashes


class Numbers:
    """hash → number, in order of first sight from 0: an open-addressing table that is looked up for many at a time.

    Two different tokens with one hash would share a number; among a million tokens that happens once in 10⁷ runs.
    """

    def __init__(self) -> None:
        self._known = Growing(np.uint64)
        self._resize(_FIRST_SLOT_BITS)

    def __len__(self) -> int:
        return len(self._known)

    def read(self, hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the number of each hash, and the places of those that are new, one of each: the next numbers."""
        places, found = self._find(hashes)
        numbers = self._numbers[places].astype(np.int64)
        missing = np.flatnonzero(~found)
        if not len(missing):
            return numbers, missing
        order = np.argsort(hashes[missing], kind="stable")
        ordered = hashes[missing][order]
        heads = np.empty(len(ordered), np.bool_)
        heads[0] = True
        np.not_equal(ordered[1:], ordered[:-1], out=heads[1:])
        before = len(self._known)
        numbers[missing[order]] = before - 1 + np.cumsum(heads)
        self._known.extend(ordered[heads])
        if 2 * len(self._known) > len(self._slots):
            self._resize(len(self._slots).bit_length() + 1)
        else:
            self._insert(ordered[heads], before)
        return numbers, missing[order[heads]]

    def _find(self, hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the slot in which each hash stands or would stand, and whether it does."""
        places = (hashes >> self._shift).astype(np.int64)
        there = self._slots[places]
        found = there == hashes
        other = np.flatnonzero(~found & (there != 0))
        while len(other):
            places[other] = next_places = (places[other] + 1) & self._mask
            there = self._slots[next_places]
            same = there == hashes[other]
            found[other[same]] = True
            other = other[~same & (there != 0)]
        return places, found

    def _insert(self, hashes: npt.NDArray[np.uint64], first: int) -> None:
        """Enter distinct hashes that are not in the table, numbered from `first`."""
        numbers = np.arange(first, first + len(hashes), dtype=np.int32)
        while len(hashes):
            places, _ = self._find(hashes)
            self._slots[places] = hashes
            won = self._slots[places] == hashes
            self._numbers[places[won]] = numbers[won]
            hashes, numbers = hashes[~won], numbers[~won]

    def _resize(self, bits: int) -> None:
        self._slots = np.zeros(1 << bits, np.uint64)
        self._numbers = np.zeros(1 << bits, np.int32)
        self._shift = np.uint64(64 - bits)
        self._mask = (1 << bits) - 1
        self._insert(self._known.values, 0)


class Growing:
    """An array that grows at its end; `values` are what is in it, valid until it grows again."""

    def __init__(self, kind: type[np.generic], capacity: int = 1 << 12) -> None:
        self._room = np.zeros(capacity, kind)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    @property
    def values(self) -> npt.NDArray[Any]:
        """What is in it, as a view."""
        return self._room[: self._used]

    def extend(self, more: npt.NDArray[Any]) -> None:
        """Put values behind those that are in it."""
        used = self._used + len(more)
        if used > len(self._room):
            room = np.zeros(max(used, 2 * len(self._room)), self._room.dtype)
            room[: self._used] = self.values
            self._room = room
        self._room[self._used : used] = more
        self._used = used


def _powers(base: int, count: int) -> npt.NDArray[np.uint64]:
    steps = np.full(count, base, np.uint64)
    steps[0] = 1
    return np.multiply.accumulate(steps)
