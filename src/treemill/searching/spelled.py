"""Which contents have the words that a pattern needs: looked for among the spellings, then by the postings.

A part of a pattern that matches inside words is matched against the distinct words of a segment, a few megabytes for a
hundred of text; each word that matches has a term, and its postings tell the contents. None that could match is left
out: contents whose words are not all known are always among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from treemill.ranking.pattern_parts import Either, Inside, Need
from treemill.ranking.words import term_id, terms_of
from treemill.searching.moment import Moment
from treemill.storage import Segment

Rows = npt.NDArray[np.bool_]

# A part that is nothing but itself, and what in one stands for something else.
_PLAIN = re.compile(r"(?:\\b)?([A-Za-z0-9_]+)(?:\\b)?")
_CODES = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|\(\?[^:)]*[:)]|\{[^}]*\}")
_LETTERS = re.compile(r"\w+")

# A part that more words than this match tells little, and its words cost more than they save.
_MOST_WORDS = 3_000

# How many of several needs that must all hold are looked at, the longest first.
_MOST_PARTS = 3

# Fewer contents than this are sooner read than told apart further.
_FEW = 100


def rows_with(moment: Moment, need: Need, compiled: Callable[[str], Any]) -> Rows | None:
    """Return bool[rows]: the contents in which a need may hold; None where too many words match to tell.

    `compiled` makes the matcher of a part, over bytes.
    """
    if isinstance(need, Inside):
        plain = _PLAIN.fullmatch(need.pattern)
        return _holding(moment, compiled(need.pattern), plain[1].encode() if plain else b"")
    if isinstance(need, Either):
        either = np.zeros(len(moment.contents), np.bool_)
        for each in need.needs:
            rows = rows_with(moment, each, compiled)
            if rows is None:
                return None
            either |= rows
        return either
    every: Rows | None = None
    for each in sorted(need.needs, key=_letters, reverse=True)[:_MOST_PARTS]:
        rows = rows_with(moment, each, compiled)
        if rows is not None:
            every = rows if every is None else every & rows
            if every.sum() < _FEW:
                break
    return every


def _letters(need: Need) -> int:
    """Return how many letters and digits stand in a need, those of classes not counted: more tell more."""
    if isinstance(need, Inside):
        return sum(map(len, _LETTERS.findall(_CODES.sub(" ", need.pattern))))
    return min(map(_letters, need.needs))


def _holding(moment: Moment, matcher: Any, plain: bytes) -> Rows | None:
    """Return the contents that have a word in which a pattern matches, or whose words are not all known.

    `plain` is what stands in every match, where that is known.
    """
    if matcher.search(b"") is not None:
        return None
    found: list[list[bytes]] = []
    left = _MOST_WORDS
    for number in range(len(moment.segments)):
        found.append(_matching(moment.spellings(number), matcher, plain, left))
        left -= len(found[-1])
        if left < 0:
            return None
    rows: list[Rows] = []
    for segment, words in zip(moment.segments, found, strict=True):
        terms = _terms(words)
        if terms is None:
            return None
        rows.append(_contents(segment, terms))
    # The last row, which no segment has, is that of contents without a word.
    return np.concatenate([*rows, np.zeros(1, np.bool_)])


def _matching(spellings: bytes, matcher: Any, plain: bytes, most: int) -> list[bytes]:
    """Return the words in which a pattern matches, at most one more than `most`."""
    words: list[bytes] = []
    at = _next(spellings, matcher, plain, 0)
    while at >= 0 and len(words) <= most:
        start, end = spellings.rfind(b"\n", 0, at) + 1, spellings.index(b"\n", at)
        if not plain or matcher.search(spellings, start, end):
            words.append(spellings[start:end])
        at = _next(spellings, matcher, plain, end + 1)
    return words


def _next(spellings: bytes, matcher: Any, plain: bytes, at: int) -> int:
    """Return where a word may match from a place on, -1 if none does."""
    if plain:
        return spellings.find(plain, at)
    match = matcher.search(spellings, at)
    return -1 if match is None else int(match.start())


def _terms(words: Sequence[bytes]) -> npt.NDArray[np.uint32] | None:
    """Return the id of the term that stands for each word as a whole; None if one has none."""
    whole = [terms_of(word.decode("utf-8", "replace"))[-1:] for word in words]
    return np.array([term_id(terms[0]) for terms in whole], np.uint32) if all(whole) else None


def _contents(segment: Segment, terms: npt.NDArray[np.uint32]) -> Rows:
    """Return bool[contents]: those of a segment that have any of the terms, or whose words are not all known."""
    places = np.minimum(np.searchsorted(segment.terms, terms), max(0, len(segment.terms) - 1))
    places = places[segment.terms[places] == terms] if len(segment.terms) else places[:0]
    chunks = np.zeros(len(segment.lengths), np.bool_)
    for start, end in zip(segment.offsets[places].tolist(), segment.offsets[places + 1].tolist(), strict=True):
        chunks[segment.chunks[start:end]] = True
    counts = np.concatenate(([0], np.cumsum(chunks)))
    held = np.diff(counts[segment.first_chunk]) > 0
    rows: Rows = held | (segment.spelled == 0)
    return rows
