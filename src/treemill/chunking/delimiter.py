"""The delimiter chunker: cuts a file where the lines of its language's family say that something begins.

For languages without a grammar, and for files whose syntax tree cannot be had. It goes through the text once: in the
second half of each window of `limit` bytes it takes the best place to cut (`families.py` ranks them), the last of
those that are equally good. A window without such a place is cut behind a line, one without lines behind a statement
or a word.

Custom delimiters come from settings, and settings may come from a tree that nobody vouches for. They are therefore
run by RE2, whose time is linear in the text whatever the expression; its syntax is Python's without backreferences
and look-around. A delimiter that RE2 refuses is left out with a warning, the others stay.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

from treemill.chunking.families import FAMILIES, LOOKAHEAD, boundaries
from treemill.chunking.spans import Reach, last_break
from treemill.languages import LANGUAGES
from treemill.settings import ChunkerSettings

MAX_CUSTOM_INSTRUCTIONS = 4000
"""How large the custom delimiters of one language may be together, in instructions of RE2: a word takes one a letter.

RE2's time for a byte is at worst proportional to it. This much keeps one megabyte below a few seconds for the most
hostile delimiters; usual ones take a few hundredths.
"""

_ENGINE = "re2"
_ENGINE_MEMORY = 2 << 20  # bytes for the states of one expression; usual ones take some thousands

_log = logging.getLogger(__name__)

# Ends of statements and words by which a line too long for a chunk is cut, the best first.
_INSIDE_LINE = (b";", b"}", b">", b",", b" ", b"\t")


def split(
    text: bytes, language: str | None, limit: int, settings: ChunkerSettings, reach: Reach | None = None
) -> list[int] | None:
    """Return the ends of chunks of at most `limit` bytes (or as `reach` says) that tile `text`, or None.

    None says that the chunker knows nothing about the language: no family, and no custom delimiter that works. The
    time is linear in the text; what is no UTF-8 is kept and cut like anything else.
    """
    if language is None:
        return None
    family, delimiters, wrong = _custom(language, settings)
    if wrong:
        _tell(language, _rules(language, settings)[1], wrong)
    if family is None and not delimiters:
        return None
    return _ends(text, limit, reach, family or "line", delimiters)


def faults(settings: ChunkerSettings) -> tuple[str, ...]:
    """Return what is wrong with the custom delimiters and languages, a sentence each.

    What is named there is left out; everything else works.
    """
    return tuple(fault for language in _named(settings) for fault in _custom(language, settings)[2])


def tell_faults(settings: ChunkerSettings) -> None:
    """Log the faults of custom delimiters and languages, once each: what worker processes log is heard by nobody."""
    for language in _named(settings):
        _tell(language, _rules(language, settings)[1], _custom(language, settings)[2])


@cache
def _tell(language: str, patterns: tuple[str, ...], wrong: tuple[str, ...]) -> None:
    """Log what is wrong with a language's patterns, the first time that it is said."""
    for fault in wrong:
        _log.warning("%s", fault)


def _named(settings: ChunkerSettings) -> Iterable[str]:
    """Return the languages that settings say anything about."""
    return dict.fromkeys((*settings.custom_delimiters, *(custom.name for custom in settings.custom_languages)))


def _custom(language: str, settings: ChunkerSettings) -> tuple[str | None, tuple[Any, ...], tuple[str, ...]]:
    """Return a language's family, its custom delimiters, compiled, and what is wrong with either."""
    family, patterns, unknown = _rules(language, settings)
    delimiters, left_out = _compiled(language, patterns) if patterns else ((), ())
    return family, delimiters, (*unknown, *left_out)


def _rules(language: str, settings: ChunkerSettings) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """Return the family of a language, its custom delimiters, and what is wrong with families that settings name.

    What the settings say comes before the table.
    """
    unknown: tuple[str, ...] = ()
    known = LANGUAGES.get(language)
    family = None if known is None else known.family
    patterns = tuple(settings.custom_delimiters.get(language, ()))
    for custom in settings.custom_languages:
        if custom.name == language:
            patterns += custom.delimiters
            if custom.family in FAMILIES:
                family = custom.family
            elif custom.family is not None:
                unknown += (_unknown_family(language, custom.family),)
    return family, patterns, unknown


def _ends(text: bytes, limit: int, reach: Reach | None, family: str, delimiters: tuple[Any, ...]) -> list[int]:
    # Lines that end in a bare CR are seen as lines, at the same offsets.
    seen = text.replace(b"\r", b"\n") if b"\r" in text and b"\n" not in text else text
    ends: list[int] = []
    start, size = 0, len(text)
    while (high := start + limit if reach is None else reach(start)) < size:
        low = start + (high - start) // 2
        cut = _last_custom(seen, low, high, delimiters) or _best_line(seen, low, high, family)
        if cut == 0 or text[start:cut].isspace():
            cut = _last_resort(text, start, high)
        ends.append(cut)
        start = cut
    if size > start:
        ends.append(size)
    return ends


def _best_line(text: bytes, low: int, high: int, family: str) -> int:
    """Return the last of the best places to cut in `(low, high]`, or 0."""
    best, best_rank = 0, 6
    for match in boundaries(family).finditer(text, low, high + LOOKAHEAD):
        place = match.end()
        if place > high:
            break
        rank = match.lastindex or best_rank
        if rank <= best_rank:
            best, best_rank = place, rank
    return _before_leads(text, low, best, FAMILIES[family].leads) if best_rank in (1, 3) else best


def _before_leads(text: bytes, low: int, place: int, leads: tuple[bytes, ...]) -> int:
    """Move a place in front of the comments and annotations right above it, unless they begin before `low`.

    Where only the end of a block comment looks like one, the place stays too.
    """
    moved = place
    while moved > low:
        above = text.rfind(b"\n", low, moved - 1) + 1
        if above == 0:
            return place
        if not text[above:moved].lstrip(b" \t").startswith(leads):
            return place if text[moved : moved + 8].lstrip(b" \t").startswith(b"*") else moved
        moved = above
    return place


def _last_custom(text: bytes, low: int, high: int, delimiters: tuple[Any, ...]) -> int:
    """Return the last place in `(low, high]` at which a custom delimiter matches, or 0."""
    best = 0
    for delimiter in delimiters:
        match = delimiter.match(text, low + 1, high + LOOKAHEAD)
        if match is not None and match.start(1) > high:
            match = delimiter.match(text, low + 1, high)
        if match is not None:
            best = max(best, match.start(1))
    inside_character = best and text[best] & 0xC0 == 0x80
    inside_crlf = best and text[best] == 10 and text[best - 1] == 13
    return 0 if inside_character or inside_crlf else best


def _last_resort(text: bytes, start: int, high: int) -> int:
    """Return a place in `(start, high]`: behind a line, else behind a statement or a word, else between characters."""
    cut = last_break(text, start, high)
    if text[cut - 1] in b"\r\n":
        return cut
    middle = (start + high) // 2
    for mark in _INSIDE_LINE:
        inside = text.rfind(mark, middle, high) + 1
        if inside and not text[start:inside].isspace():
            return inside
    return cut


@cache
def _compiled(language: str, patterns: tuple[str, ...]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Compile the custom delimiters of a language, and say which are left out and why."""
    try:
        engine = import_module(_ENGINE)
    except ModuleNotFoundError:
        needed = "they need RE2. Run: pip install 'treemill[delimiters]'"
        return (), (f"the custom delimiters of {language} are left out: {needed}",)
    compiled: list[Any] = []
    left_out: list[str] = []
    room = MAX_CUSTOM_INSTRUCTIONS
    for pattern in patterns:
        try:
            delimiter = _compile(engine, pattern)
            if delimiter.programsize > room:
                raise ValueError(f"with it, they take more than {MAX_CUSTOM_INSTRUCTIONS:,} instructions")
        except (engine.error, ValueError) as error:
            left_out.append(f"the custom delimiter {pattern[:100]!r} of {language} is left out: {_reason(error)}")
            continue
        room -= delimiter.programsize
        compiled.append(delimiter)
    return tuple(compiled), tuple(left_out)


def _compile(engine: Any, pattern: str) -> Any:
    """Compile a custom delimiter into an expression whose group 1 is its last match.

    The bytes in front are skipped greedily, so that one match from the left finds the last place.

    Raises:
        ValueError: it matches the empty text.
        re2.error: RE2 refuses it.
    """
    options = engine.Options()
    options.log_errors = False
    options.max_mem = _ENGINE_MEMORY
    if engine.compile(pattern, options).fullmatch(b"") is not None:
        raise ValueError("it matches the empty text, so anywhere")
    return engine.compile(rf"\C*((?m-s:{pattern}))", options)


def _reason(error: Exception) -> str:
    words = error.args[0]
    return f"RE2 says {words.decode('utf-8', 'replace')}" if isinstance(words, bytes) else str(words)


def _unknown_family(language: str, family: str) -> str:
    return f"the family {family!r} of the custom language {language!r} is unknown. Use one of: {', '.join(FAMILIES)}"
