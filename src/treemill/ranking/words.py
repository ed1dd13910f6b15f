"""Words: how text and identifiers become terms, once for the text index, the encoder and the question.

An identifier gives its parts (`parseHTTPHeader_v2` → pars, http, header, v, 2), lower-cased and stemmed, and, where it
has more than one, the whole as a compound (`=parsehttpheaderv2`), so that asking for the exact name finds it. A term is
known by the CRC-32 of its UTF-8: no dictionary has to be shared between workers, and a collision costs a little
precision, nothing else.

These functions say what the terms are, one token at a time. `vocabulary` finds the same for thousands at once.
"""

from __future__ import annotations

import zlib

import Stemmer

from treemill.ranking.identifiers import split_identifier

RECIPE = "words-1"
"""Names this splitter in an index's recipe: change it with anything that changes the terms of a text."""

LONGEST_TOKEN = 80
"""A token longer than this is data (a hash, base64, a row of separators), not a word that anyone asks for."""

# The stemmer's own cache is off: words are remembered in `vocabulary` with what else is known of them.
_stemmer = Stemmer.Stemmer("english", 0)


def term_id(word: str) -> int:
    """Return the 32-bit id of a term, given as it is indexed (a stem, or "=" and a compound)."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


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
