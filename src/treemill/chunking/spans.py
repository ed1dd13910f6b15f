"""Arithmetic on byte offsets: what tiles a text, what is within a limit, and where a text may be broken at all.

A cutting of a text is its *ends*: strictly ascending byte offsets, the last one the size of the text, so that piece i
is `text[ends[i-1]:ends[i]]` and the first starts at 0. Lists of ends cannot have gaps or overlaps, which is why every
chunker speaks in them.

Texts here are UTF-8 bytes. Where they are invalid, offsets still count bytes and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

_LF, _CR = 10, 13

Reach = Callable[[int], int]
"""How far a chunk may reach that begins at an offset, where that is not a number of bytes; see `sizes`."""


def hard_split(text: bytes, start: int, end: int, limit: int, reach: Reach | None = None) -> list[int]:
    """Cut `text[start:end]` into pieces of at most `limit` bytes (or as `reach` says), where it says nothing of itself.

    Breaks behind a line, where there is one within the limit, else between two UTF-8 characters; a CRLF stays in one
    piece. Linear in the range. Returns the ends, of which the last is `end`; none for an empty range.
    """
    ends: list[int] = []
    while (high := start + limit if reach is None else reach(start)) < end:
        start = last_break(text, start, high)
        ends.append(start)
    if end > start:
        ends.append(end)
    return ends


def last_break(text: bytes, start: int, stop: int) -> int:
    """Return the best offset in `(start, stop]` to break `text[start:]` at; `stop` must lie inside the text.

    The last one behind a line feed, else behind a carriage return, else in front of a character. A break that would
    leave nothing but whitespace before it is passed over.
    """
    cut = text.rfind(b"\n", start, stop) + 1
    if cut > start and not text[start:cut].isspace():
        return cut
    inside_crlf = text[stop] == _LF and text[stop - 1] == _CR
    cut = text.rfind(b"\r", max(start, cut), stop - inside_crlf) + 1
    if cut > start and text[cut] != _LF and not text[start:cut].isspace():
        return cut
    return character_break(text, start, stop)


def character_break(text: bytes, start: int, stop: int) -> int:
    """Return the last offset in `(start, stop]` that parts no UTF-8 character and no CRLF, or `stop` where all do."""
    cut = stop
    while cut > stop - 3 and text[cut] & 0xC0 == 0x80:
        cut -= 1
    if text[cut] & 0xC0 == 0x80 or cut <= start:  # four continuation bytes are no character
        cut = stop
    if text[cut] == _LF and text[cut - 1] == _CR and cut - 1 > start:
        cut -= 1
    return cut


def merge(ends: Sequence[int], limit: int) -> list[int]:
    """Join neighbouring pieces, from the left, for as long as they stay within the limit together."""
    merged: list[int] = []
    start = previous = 0
    for end in ends:
        if end - start > limit and previous > start:
            merged.append(previous)
            start = previous
        previous = end
    if previous > start:
        merged.append(previous)
    return merged


def within(text: bytes, ends: Sequence[int], limit: int) -> list[int]:
    """Split every piece over the limit, leaving the others as they are."""
    result: list[int] = []
    start = 0
    for end in ends:
        if end - start > limit:
            result += hard_split(text, start, end, limit)
        else:
            result.append(end)
        start = end
    return result


def tiles(ends: Sequence[int], size: int) -> bool:
    """Tell whether these ends cut a text of that size without gap, overlap or empty piece."""
    if not ends:
        return size == 0
    return ends[0] > 0 and ends[-1] == size and all(a < b for a, b in pairwise(ends))


def is_blank(text: bytes) -> bool:
    """Tell whether a text holds nothing but whitespace, Unicode's and a BOM included. Reads on only while it does."""
    for start in range(0, len(text), 4096):
        piece = text[start : start + 4096]
        if piece.isspace():
            continue
        if 0x20 < piece.strip()[0] < 0x80:
            return False
        return not text[start:].decode("utf-8", "surrogateescape").lstrip("\ufeff").strip()
    return True
