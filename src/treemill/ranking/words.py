"""Words: how text and identifiers become terms, once for the text index, the encoder and the question.

An identifier gives its parts (`parseHTTPHeader_v2` → pars, http, header, v, 2), lower-cased and stemmed, and, where it
has more than one, the whole as a compound (`=parsehttpheaderv2`), so that asking for the exact name finds it. A term is
known by the CRC-32 of its UTF-8: no dictionary has to be shared between workers, and a collision costs a little
precision, nothing else.

These functions say what the terms are, one token at a time. `vocabulary` finds the same for thousands at once.
"""

from __future__ import annotations

import re
import zlib
from functools import cache

import Stemmer

RECIPE = "words-1"
"""Names this splitter in an index's recipe: change it with anything that changes the terms of a text."""

LONGEST_TOKEN = 80
"""A token longer than this is data (a hash, base64, a row of separators), not a word that anyone asks for."""

_ASCII_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+").findall
_UNICODE_PARTS = re.compile(r"[^\W\d_]+|\d+")

# The stemmer's own cache is off: words are remembered in `vocabulary` with what else is known of them.
_stemmer = Stemmer.Stemmer("english", 0)


def term_id(word: str) -> int:
    """Return the 32-bit id of a term, given as it is indexed (a stem, or "=" and a compound)."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


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


def stem(part: str) -> str:
    """Return the stem of a lower-case part; digits and short words stay as they are."""
    stemmed: str = _stemmer.stemWord(part) if len(part) > 2 and part.isascii() and part.isalpha() else part
    return stemmed


def stems(parts: list[bytes]) -> list[bytes]:
    """Return the stems of ASCII parts: `stem` of each."""
    stemmed: list[bytes] = _stemmer.stemWords(parts)
    return stemmed


def terms_of(token: str) -> list[str]:
    """Return the terms of one token as they are indexed: its stems, then the compound if it has several parts."""
    parts = split_identifier(token)
    found = [stem(part) for part in parts]
    if len(parts) > 1:
        found.append("=" + "".join(parts))
    return found


def name_terms(name: str) -> list[str]:
    """Return the terms under which a defined name is found: its stems and the whole name as a compound."""
    parts = split_identifier(name)
    return [*map(stem, parts), "=" + "".join(parts)]
