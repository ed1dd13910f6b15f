"""How much of a text fits a chunk, where its size is counted in characters or in tokens.

A size in bytes is arithmetic, and the chunkers do it themselves. For any other unit they ask how far a chunk may reach
from where it begins; everything else about cutting is the same. Characters are those of the decoded text: what is no
UTF-8 is one a byte. Tokens are what a tokenizer says of a text, whatever its rules.

A tokenizer is asked for pieces of about a chunk's size, four or five times for each: as far as the tokens of the chunk
before lead to expect, then nearer, until the piece is within a small part of the limit, then line by line. Where the
rest of the text fits into one chunk, that is found out exactly. Longer texts are taken to have no fewer tokens than
shorter ones; the pieces that are cut are counted again in the end, so that none is over the limit where that is not so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import NamedTuple

from treemill.chunking.governor import ChunkGovernor, Tokenizer
from treemill.chunking.spans import Reach, character_break
from treemill.ranking.identifiers import count_parts

# What a character of UTF-8 takes at most.
_CHARACTER_BYTES = 4

# The first guess: what a token of code takes.
_FIRST_TOKEN_BYTES = 3.5

# A piece may be this much below the limit in tokens, one part in so many, for as long as more text is over it.
_SLACK = 32

# How often a tokenizer is asked about one piece, beyond which halves are taken: where it contradicts itself.
_INTERPOLATIONS = 6


class Size(NamedTuple):
    """What fits a chunk of one text.

    `least` bytes fit wherever a chunk begins. `reach` returns how far a chunk may reach from an offset, the size of the
    text where the rest fits; None says `least` bytes further, always. `mended` returns ends with the pieces over the
    limit split.
    """

    least: int
    reach: Reach | None = None
    mended: Callable[[Sequence[int]], Sequence[int]] | None = None


def size_in(text: bytes, governor: ChunkGovernor) -> Size:
    """Return what fits a chunk of a text, UTF-8 where it is valid, by the governor's limits."""
    most, characters, tokens = governor.max_chunk_bytes, governor.max_chunk_characters, governor.max_chunk_tokens
    if tokens is None and (characters is None or text.isascii()):
        return Size(most if characters is None else min(most, characters))
    least = min(each for each in (most, characters, tokens) if each is not None)
    if tokens is None:
        return Size(least, _Characters(text, most, characters).reach)
    measured = _Tokens(_Characters(text, most, characters), tokens, governor.tokenizer)
    return Size(least, measured.reach, measured.mended)


def count_tokens(text: bytes, tokenizer: Tokenizer | None) -> int:
    """Return how many tokens a text in UTF-8 has; without a tokenizer, of the model in the package.

    Raises:
        TypeError: the tokenizer returns neither tokens nor a number.
        Exception: whatever the tokenizer raises.
    """
    counted = (tokenizer or count_parts)(text.decode("utf-8", "replace"))
    if isinstance(counted, int):
        return counted
    if isinstance(counted, Sized):
        return len(counted)
    raise TypeError(f"the tokenizer returned {type(counted).__name__}; it should return tokens, or how many")


class _Characters:
    """What fits by the limits in bytes and, if there is one, in characters."""

    def __init__(self, text: bytes, most_bytes: int, characters: int | None) -> None:
        self.text = text
        self._most_bytes = most_bytes
        self._characters = characters

    def reach(self, start: int) -> int:
        """Return how far a chunk may reach that begins at an offset."""
        most = start + self._most_bytes
        if self._characters is not None:
            ahead = self.text[start : start + self._characters * _CHARACTER_BYTES]
            taken = ahead.decode("utf-8", "surrogateescape")[: self._characters]
            most = min(most, start + len(taken.encode("utf-8", "surrogateescape")))
        return min(most, len(self.text))


class _Tokens:
    """What fits by a limit in tokens, and by those in bytes and characters."""

    def __init__(self, others: _Characters, limit: int, tokenizer: Tokenizer | None) -> None:
        self._text = others.text
        self._others = others
        self._limit = limit
        self._tokenizer = tokenizer
        self._token_bytes = _FIRST_TOKEN_BYTES

    def reach(self, start: int) -> int:
        """Return how far a chunk may reach that begins at an offset: one character at least."""
        limit, most = self._limit, self._others.reach(start)
        low, low_count = start, 0
        high, high_count = most + 1, 0
        at = self._character_at(start, start + max(1, int(limit * self._token_bytes)), most)
        for asked in range(4 * most.bit_length()):
            count = self._count(start, at)
            if count <= limit:
                low, low_count = at, count
            else:
                high, high_count = at, count
            near = high <= most and low > start and limit - low_count <= limit // _SLACK
            if low == most or near:
                break
            if high > most:  # nothing was over the limit: further on, by more than it seems to need
                wanted = start + (at - start) * limit / max(1, count)
                wanted += (at - start) / 16 + 1
            elif asked < _INTERPOLATIONS and low_count < limit:
                share = (limit - limit / (2 * _SLACK) - low_count) / (high_count - low_count)
                wanted = low + (high - low) * min(max(share, 0.05), 0.95)
            else:
                wanted = (low + high) / 2
            at = self._character_at(low, int(wanted), min(most, high - 1))
            if at >= high:  # they are neighbours
                break
        if low == start:
            return self._character_at(start, start + 1, most)
        low = self._with_whole_lines(start, low, min(high, most))
        self._token_bytes = (low - start) / max(1, low_count)
        return low

    def _with_whole_lines(self, start: int, low: int, high: int) -> int:
        """Return `low`, or the end of the last line behind it, before `high`, up to which everything fits."""
        while (
            (line := self._text.find(b"\n", low, high) + 1) and line < high and self._count(start, line) <= self._limit
        ):
            low = line
        return low

    def mended(self, ends: Sequence[int]) -> Sequence[int]:
        """Return the ends with pieces over the limit split into halves, until none is but single characters."""
        mended: list[int] = []
        start = 0
        for end in ends:
            waiting = [end]
            while waiting:
                stop = waiting[-1]
                half = self._character_at(start, (start + stop) // 2, stop)
                if half < stop and self._count(start, stop) > self._limit:
                    waiting.append(half)
                else:
                    mended.append(waiting.pop())
                    start = stop
        return mended

    def _character_at(self, start: int, at: int, most: int) -> int:
        """Return the end of a character behind `start`, near an offset, or `most` where there is none before that."""
        at = max(at, start + 1)
        if at >= most:
            return most
        found = character_break(self._text, start, at)
        while found < most and self._text[found] & 0xC0 == 0x80 and found - start < _CHARACTER_BYTES:
            found += 1
        return found

    def _count(self, start: int, end: int) -> int:
        return count_tokens(self._text[start:end], self._tokenizer)
