"""Numbering the tokens of a text, many at a time.

A text whose other bytes are blanks is cut into tokens, and each distinct token gets a number that it keeps. Python
looks at a token only when it is new: tokens that were seen before are recognised by a 64-bit hash, worked out for all
of them at once. With b₀b₁… the bytes of a token, its hash is Σ (bᵢ + 1)·Mⁱ mod 2⁶⁴, mixed: a difference of prefix sums,
shifted back to the token's start by the inverse of M.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

BLANK = 0x20

# Any odd number has an inverse modulo 2⁶⁴.
_MULTIPLIER = 0x9E37_79B9_7F4A_7C15
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)
_MIXER = np.uint64(0xD6E8_FEB8_6659_FD93)

# Tokens are hashed in spans of about this many bytes, which bounds the memory of the prefix sums (8 bytes a byte).
_SPAN_BYTES = 1 << 18

# One token in a slot of this many; a token whose slot is taken by another is looked up by its bytes.
_SLOT_BITS = 20
_SLOT_SHIFT = np.uint64(64 - _SLOT_BITS)


def _powers(base: int, count: int) -> npt.NDArray[np.uint64]:
    steps = np.full(count, base, np.uint64)
    steps[0] = 1
    return np.multiply.accumulate(steps)


class TokenTable:
    """token → number. `number_of` is asked once for each distinct token, and returns its number (1 and up).

    Two different tokens with one hash would share a number; among a million tokens that happens once in 10⁷ runs.
    """

    def __init__(self, number_of: Callable[[bytes], int], longest: int) -> None:
        self._number_of = number_of
        self._longest = longest
        self._slots = np.zeros(1 << _SLOT_BITS, np.int32)
        self._hashes = np.zeros(1 << 14, np.uint64)
        self._up = _powers(_MULTIPLIER, _SPAN_BYTES + longest + 1)
        self._down = _powers(_INVERSE, _SPAN_BYTES + longest + 1)

    def read(self, text: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return where the tokens of a text start, ascending, and their numbers; those over the longest are left out.

        The text starts and ends with a blank.
        """
        data = np.frombuffer(text, np.uint8)
        inside = data != BLANK
        edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
        starts, ends = edges[0::2], edges[1::2]
        short = ends - starts <= self._longest
        if not short.all():
            starts, ends = starts[short], ends[short]
        numbers = np.empty(len(starts), np.int64)
        first = 0
        while first < len(starts):
            last = int(np.searchsorted(starts, starts[first] + _SPAN_BYTES))
            span = slice(first, last)
            hashes = self._hash(data, starts[span], ends[span])
            numbers[span] = self._look_up(text, hashes, starts[span], ends[span])
            first = last
        return starts, numbers

    def _hash(
        self, data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint64]:
        """Return the hash of each token of a span."""
        origin = int(starts[0])
        piece = data[origin : int(ends[-1])].astype(np.uint64)
        piece += np.uint64(1)
        piece *= self._up[: len(piece)]
        sums = np.empty(len(piece) + 1, np.uint64)
        sums[0] = 0
        np.cumsum(piece, out=sums[1:])
        begins = starts - origin
        hashes = sums[ends - origin]
        hashes -= sums[begins]
        hashes *= self._down[begins]
        hashes ^= hashes >> np.uint64(32)
        hashes *= _MIXER
        hashes ^= hashes >> np.uint64(32)
        return hashes

    def _look_up(
        self,
        text: bytes,
        hashes: npt.NDArray[np.uint64],
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        numbers = self._slots[(hashes >> _SLOT_SHIFT).astype(np.int64)].astype(np.int64)
        unknown = np.flatnonzero(self._hashes[numbers] != hashes)
        if len(unknown):
            distinct, examples, which = np.unique(hashes[unknown], return_index=True, return_inverse=True)
            examples = unknown[examples]
            found = [
                self._number_of(text[start:end])
                for start, end in zip(starts[examples].tolist(), ends[examples].tolist(), strict=True)
            ]
            self._remember(distinct, np.array(found, np.int64))
            numbers[unknown] = np.array(found, np.int64)[which]
        return numbers

    def _remember(self, hashes: npt.NDArray[np.uint64], numbers: npt.NDArray[np.int64]) -> None:
        """Let tokens be recognised by their hash from now on; a slot stays with the token that had it first."""
        most = int(numbers.max())
        while most >= len(self._hashes):
            self._hashes = np.concatenate((self._hashes, np.zeros_like(self._hashes)))
        self._hashes[numbers] = hashes
        slots = (hashes >> _SLOT_SHIFT).astype(np.int64)
        free = self._slots[slots] == 0
        self._slots[slots[free]] = numbers[free]
