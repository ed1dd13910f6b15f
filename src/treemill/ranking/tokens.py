"""Numbering the tokens of a text, many at a time.

A text whose other bytes are blanks is cut into tokens, and each distinct token gets a number that it keeps, recognised
by a 64-bit hash that is worked out for all of them at once, eight bytes at a time.

    text ─cut─▶ (starts, ends) ─hash_tokens─▶ hashes ─Numbers─▶ numbers, and where new ones stand
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLANK = 0x20

Places = npt.NDArray[np.int64]

_WORD = 8
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(_WORD + 1)], np.uint64)

# Odd numbers: multiplying by them loses nothing, so that short tokens of one length never share a hash.
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)
_MIXER = np.uint64(0xD6E8_FEB8_6659_FD93)

# The table of hashes starts with this many slots, and is kept at most half full.
_FIRST_SLOT_BITS = 15


def cut(text: bytes, longest: int) -> tuple[Places, Places]:
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


def hash_tokens(text: bytes, starts: Places, ends: Places) -> npt.NDArray[np.uint64]:
    """Return uint64[n], the hashes of `text[start:end]`; none is 0. No token is empty."""
    words = np.frombuffer(text + bytes(3 * _WORD - len(text) % _WORD), "<u8")
    sizes = ends - starts
    hashes = _eight(words, starts, np.minimum(sizes, _WORD))
    hashes += sizes.astype(np.uint64) << np.uint64(56)
    _mix(hashes)
    done = _WORD
    longer = np.flatnonzero(sizes > done)
    while len(longer):
        mixed = _eight(words, starts[longer] + done, np.minimum(sizes[longer] - done, _WORD))
        mixed += hashes[longer]
        _mix(mixed)
        hashes[longer] = mixed
        done += _WORD
        longer = longer[sizes[longer] > done]
    hashes[hashes == 0] = 1
    return hashes


def _eight(words: npt.NDArray[np.uint64], starts: Places, counts: Places) -> npt.NDArray[np.uint64]:
    """Return up to eight bytes from each start as one number: two aligned words, shifted together and masked."""
    aligned = starts >> 3
    right = ((starts & 7) << 3).astype(np.uint64)
    value: npt.NDArray[np.uint64] = words.take(aligned)
    value >>= right
    aligned += 1
    above = words.take(aligned)
    # In two steps: a shift by all 64 bits is not defined.
    above <<= np.uint64(1)
    above <<= np.uint64(63) - right
    value |= above
    value &= _MASKS.take(counts)
    return value


def _mix(hashes: npt.NDArray[np.uint64]) -> None:
    hashes *= _MULTIPLIER
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIXER
    hashes ^= hashes >> np.uint64(29)


class Numbers:
    """hash → number, in order of first sight from 0: an open-addressing table that is looked up for many at a time.

    Two different tokens with one hash would share a number; among a million tokens that happens once in 10⁷ runs.
    """

    def __init__(self) -> None:
        self._known = Growing(np.uint64)
        self._resize(_FIRST_SLOT_BITS)

    def __len__(self) -> int:
        return len(self._known)

    def read(self, hashes: npt.NDArray[np.uint64]) -> tuple[Places, Places]:
        """Return the number of each hash, and the places of those that are new, one of each: the next numbers."""
        places, missing = self._find(hashes)
        numbers = self._numbers.take(places).astype(np.int64)
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

    def _find(self, hashes: npt.NDArray[np.uint64]) -> tuple[Places, Places]:
        """Return the slot in which each hash stands or would stand, and which do not stand anywhere, ascending."""
        places = (hashes >> self._shift).view(np.int64)
        other = np.flatnonzero(self._slots.take(places) != hashes)
        missing = np.zeros(0, np.int64)
        while len(other):
            there = self._slots[places[other]]
            taken = (there != 0) & (there != hashes[other])
            missing = np.concatenate((missing, other[there == 0]))
            other = other[taken]
            places[other] = (places[other] + 1) & self._mask
        missing.sort()
        return places, missing

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
