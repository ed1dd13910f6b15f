"""Identifiers and the parts they are made of: parseHTTPHeader_v2 → parse, http, header, v, 2.

What a word of code is, to the text index, to the shipped model and to whoever counts the size of chunks in its tokens.
"""

from __future__ import annotations

import re
from functools import cache

_ASCII_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+").findall
_UNICODE_PARTS = re.compile(r"[^\W\d_]+|\d+")


def unspaced(text: str) -> bool:
    """Tell whether a text has characters of a script that is written without spaces."""
    return not text.isascii() and _without_spaces().search(text) is not None


@cache
def _without_spaces() -> re.Pattern[str]:
    """Compiled for the first text that may have such characters, because it takes longer than all the others."""
    return re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


def split_identifier(token: str) -> list[str]:
    """Return the lower-case parts of an identifier or word, unstemmed, in order.

    Scripts that are written without spaces give overlapping pairs of characters.
    """
    if token.isascii():
        return [part.lower() for part in _ASCII_PARTS(token)]
    if token.isalpha() and not unspaced(token):
        return [token.lower()]
    parts: list[str] = []
    for run in _UNICODE_PARTS.findall(token):
        if run.isascii():
            parts += split_identifier(run)
        elif unspaced(run) and len(run) > 2:
            parts += [run[i : i + 2].lower() for i in range(len(run) - 1)]
        else:
            parts.append(run.lower())
    return parts


def count_parts(text: str) -> int:
    """Return of how many parts a text's identifiers and words are made: its tokens, as the shipped model reads them.

    The model passes over what is too long for a word (base64, hashes); here its parts count as any other.
    """
    if text.isascii():
        return len(_ASCII_PARTS(text))
    return sum(len(split_identifier(token)) for token in _tokens().findall(text))


@cache
def _tokens() -> re.Pattern[str]:
    """Compiled for the first text that is not of ASCII alone."""
    return re.compile(r"[0-9A-Za-z_\x80-\U0010ffff]+")
