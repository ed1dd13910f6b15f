"""Places that match a regular expression: the words of the index say which files can match, RE2 says where they do.

RE2 takes time in proportion to the text, whatever the pattern, so no pattern can hang a search. Parts of a pattern that
match inside words must have such words in the file: files without them are not opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import re2

from treemill.errors import UsageError
from treemill.ranking.pattern_parts import needs_of
from treemill.records import Hit, Query
from treemill.searching.filters import wanted
from treemill.searching.hits import Pages, lines_of
from treemill.searching.moment import Moment, Numbers, Unpacked
from treemill.searching.skimming import texts_of
from treemill.searching.spelled import rows_with
from treemill.sources import Symbol
from treemill.values import dataclass

# A pattern longer than this is a mistake; RE2 refuses programs above this many bytes of memory.
_LONGEST_PATTERN = 1_000
_MOST_MEMORY = 8 << 20

# How many matches of a file are looked at, and how many lines with one are named beside the first.
_MOST_MATCHES = 1_000
_MOST_NAMED = 8

# How many files are read before the words of all are looked through for parts of the pattern.
_FIRST = 200

MOST_READ = 256 << 20
"""How many bytes of text are read for one answer: what a second is enough for."""

# How many files are read to find out whether a text that was not said to be a pattern is one.
_MOST_TRIED = 2_000


def matching(moment: Moment, query: Query, skipped: int, notes: list[str], most_read: int = MOST_READ) -> Iterator[Hit]:
    """Return the lines that match, in order of path; those beyond `per_file` are named in a file's last hit.

    The first `skipped` are left out without being laid out. Where more than `most_read` bytes of text would have to be
    read, the answer ends, and a note says so.

    Raises:
        UsageError: the pattern is not one RE2 understands.
    """
    return _matching(moment, query, compiled(query.text), skipped, _Reading(notes, most_read))


@dataclass(frozen=True, slots=True)
class _Reading:
    """How many bytes of text may be read, and where it is noted that they were not enough."""

    notes: list[str]
    most: int


def matches(moment: Moment, query: Query) -> bool:
    """Tell whether a text is a pattern that some line matches; no, where too many files would have to be read."""
    try:
        pattern = compiled(query.text)
    except UsageError:
        return False
    possible = _possible(moment, query)
    if len(possible) > _MOST_TRIED and len(_narrowed(moment, query, possible)) > _MOST_TRIED:
        return False
    return any(True for _ in islice(_matching(moment, query, pattern, 0, _Reading([], MOST_READ)), 1))


def _matching(moment: Moment, query: Query, pattern: Any, skipped: int, reading: _Reading) -> Iterator[Hit]:
    read, last = 0, ""
    for place, (file, data) in enumerate(texts_of(moment, _candidates(moment, query))):
        read += len(data)
        if read > reading.most:
            reading.notes.append(_unfinished(last, place))
            return
        last = moment.files.paths[file]
        spans = list(_spans(pattern, data))
        if not spans:
            continue
        text = data.decode("utf-8", "surrogateescape")
        shown = spans[: query.per_file]
        rest = tuple(spans[query.per_file : query.per_file + _MOST_NAMED])
        for number, span in enumerate(shown[skipped:], skipped + 1):
            yield _hit(moment, file, text, span, rest if number == len(shown) else (), query.context)
        skipped = max(0, skipped - len(shown))


def _unfinished(last: str, read: int) -> str:
    """Return the note on an answer for which not all was read."""
    return (
        f"only {read:,} files that may match were read, up to {last}: "
        "narrow the question by a folder, a language or a longer word"
    )


def compiled(text: str) -> Any:
    """Return the matcher of a pattern, over bytes.

    Raises:
        UsageError: the pattern is empty, too long, or not one RE2 understands.
    """
    if not text or len(text) > _LONGEST_PATTERN:
        size = f"{len(text):,} characters long" if text else "empty"
        raise UsageError(f"the pattern is {size}", suggestion=f"Give one of 1 to {_LONGEST_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    try:
        return re2.compile(b"(?m)" + text.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else "it is no text"
        raise UsageError(
            f"the pattern {text[:60]!r} is not understood: {reason}",
            suggestion="The syntax is RE2's: no look-around, no back-references",
        ) from error


def _possible(moment: Moment, query: Query) -> Numbers:
    """Return the files that pass the filters, in order of path."""
    kept = wanted(moment.files, query)
    return np.arange(len(moment.files.paths)) if kept is None else np.flatnonzero(kept)


def _candidates(moment: Moment, query: Query) -> Iterator[int]:
    """Yield the files that may match, in order of path. The first few tell whether it is worth knowing them better."""
    possible = _possible(moment, query)
    yield from possible[:_FIRST].tolist()
    if len(possible) > _FIRST:
        yield from _narrowed(moment, query, possible[_FIRST:]).tolist()


def _narrowed(moment: Moment, query: Query, files: Numbers) -> Numbers:
    """Return those of some files that have words in which parts of the pattern match, where it has such parts."""
    need = needs_of(query.text)
    rows = None if need is None else rows_with(moment, need, compiled)
    return files if rows is None else files[rows[moment.row_of_file[files]]]


def _spans(pattern: Any, data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (first line, last line) of matches, each line once."""
    line, at, before = 1, 0, 0
    for match in islice(pattern.finditer(data), _MOST_MATCHES):
        start, end = match.span()
        line += data.count(b"\n", at, start)
        at = start
        last = line + data.count(b"\n", start, max(start, end - 1))
        if line > before and (start < len(data) or not data):
            yield line, last
            before = last


def _hit(
    moment: Moment, file: int, text: str, span: tuple[int, int], more: tuple[tuple[int, int], ...], context: int
) -> Hit:
    first, last, content = lines_of(text, *span, context)
    row = int(moment.row_of_file[file])
    symbol = _around(moment.unpacked(row), span[0]) if moment.first[row] < moment.first[row + 1] else None
    return Hit(
        path=moment.files.paths[file],
        start_line=first,
        end_line=last,
        content=content,
        language=moment.files.languages[file],
        symbol=None if symbol is None else symbol.qualified_name,
        kind=None if symbol is None else symbol.kind,
        score=1.0,
        line=span[0],
        more=more,
    )


def _around(unpacked: Unpacked, line: int) -> Symbol | None:
    """Return the innermost definition around a line."""
    pages = Pages(unpacked)
    before = (symbol for symbol in reversed(unpacked.symbols) if symbol.line <= line)
    return next((symbol for symbol in before if pages.line_of(symbol.end - 1) >= line), None)
