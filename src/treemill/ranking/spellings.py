"""Words as they are spelled: what tells which words a pattern can match, where the text index knows only stems.

The spellings of a text are its distinct words, runs of ASCII letters, digits, underscores and non-ASCII bytes, as the
word pass cuts them. With those of a whole segment at hand, a part of a pattern that matches inside a word finds its
words in a few megabytes, and the postings of these words find the contents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from treemill.native import compiled
from treemill.ranking.words import LONGEST_TOKEN

INCOMPLETE = b"?"
"""Stands for the spellings of a text that has words which the text index does not have whole."""

_WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]")
_NO_WORD = re.compile(rb"[^A-Za-z0-9_\x80-\xff]+")
_NATIVE = compiled("spellings")


def spellings_of(text: bytes, ends: Sequence[int]) -> bytes:
    """Return the distinct words of a UTF-8 text, each before a line feed, in order of first occurrence.

    `ends` are those of its chunks, in bytes. A text has `INCOMPLETE` spellings if a word is longer than those that are
    indexed, or if two chunks share one.
    """
    if any(_WORD.match(text, end - 1) and _WORD.match(text, end) for end in ends):
        return INCOMPLETE
    words = _distinct((text,), LONGEST_TOKEN)
    return INCOMPLETE if words is None else words


def joined(spellings: Iterable[bytes]) -> bytes:
    """Return the distinct words of several spellings; what is incomplete adds none."""
    words = _distinct((each for each in spellings if each != INCOMPLETE), LONGEST_TOKEN)
    return words or b""


def distinct_words(texts: Iterable[bytes], longest: int) -> bytes | None:
    """Return the distinct words of texts, each before a line feed; None if one has more bytes than `longest`."""
    words = dict.fromkeys(word for text in texts for word in _NO_WORD.split(text))
    words.pop(b"", None)
    if any(len(word) > longest for word in words):
        return None
    return b"".join(word + b"\n" for word in words)


_distinct = distinct_words if _NATIVE is None else _NATIVE.distinct_words
