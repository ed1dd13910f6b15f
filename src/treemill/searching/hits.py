"""From places in a file to what is shown: lines, text, the symbol, and the line to look at first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from isal import isal_zlib

from treemill.ranking.question import Question
from treemill.records import Content, Hit
from treemill.searching.moment import Unpacked
from treemill.searching.places import Place
from treemill.sources import Source

_BLANKS = b" \t"

# The rule of thumb for what a text costs a language model.
_BYTES_PER_TOKEN = 3.5


class Found(NamedTuple):
    """A file that answers: its path, language and score, and what the score is made of."""

    path: str
    language: str | None
    score: float
    why: Mapping[str, float]


class Pages:
    """A content's text as it was when it was indexed, by bytes and by lines."""

    def __init__(self, unpacked: Unpacked) -> None:
        """Unpack the text."""
        self._unpacked = unpacked
        self._source = source_of(unpacked.record)

    def text(self, start: int, end: int) -> str:
        """Return the text between two offsets."""
        return self._source.text(start, end)

    def whole(self) -> str:
        """Return all of the text."""
        return self._source.text()

    def line_of(self, offset: int) -> int:
        """Return the number of the line in which an offset stands, 1-based."""
        edges = self._unpacked.edges
        chunk = max(0, min(bisect_right(edges, offset) - 1, len(edges) - 2))
        return self._unpacked.lines[chunk] + _breaks(self.text(edges[chunk], offset))

    def indented(self, offset: int) -> int:
        """Return the offset before the blanks that stand before one."""
        data = self._source.data
        while offset > 0 and data[offset - 1] in _BLANKS:
            offset -= 1
        return offset

    def lines(self, place: Place) -> tuple[int, int]:
        """Return the first and the last line of a place."""
        first = self.line_of(place.start)
        text = self.text(place.start, place.end)
        return first, first + max(0, _breaks(text.rstrip("\r\n \t")))


def source_of(record: Content) -> Source:
    """Return a content's bytes as they were when it was indexed."""
    data = isal_zlib.decompress(record.text)
    return Source(data, b"", record.encoding, bom_of(data), record.language)


def hit_of(found: Found, pages: Pages, places: Sequence[Place], question: Question, context: int) -> Hit:
    """Return the hit for the first place of a file; the others are folded under it."""
    place = places[0]._replace(start=pages.indented(places[0].start))
    first, last = pages.lines(place)
    text = pages.text(place.start, place.end)
    symbol = place.symbol
    if place.spot is not None:
        line = pages.line_of(place.spot)
    else:
        line = symbol.line if symbol is not None and question.kind == "symbol" else first + _best_line(text, question)
    if context > 0:
        first, last, text = lines_of(pages.whole(), first, last, context)
    return Hit(
        path=found.path,
        start_line=first,
        end_line=last,
        content=text,
        language=found.language,
        symbol=None if symbol is None else symbol.qualified_name,
        kind=None if symbol is None else symbol.kind,
        score=round(found.score, 6),
        why=found.why,
        line=line,
        more=tuple(pages.lines(other) for other in places[1:]),
    )


def within_budget(hits: Iterable[Hit], max_tokens: int | None) -> tuple[Hit, ...]:
    """Return the first hits that fit a number of model tokens; a first one that does not fit is cut after a line."""
    if max_tokens is None:
        return tuple(hits)
    kept: list[Hit] = []
    left = max(0, int(max_tokens * _BYTES_PER_TOKEN))
    for hit in hits:
        size = len(hit.content.encode("utf-8", "surrogateescape"))
        if size > left:
            return tuple(kept) if kept else (_cut(hit, left),)
        kept.append(hit)
        left -= size
    return tuple(kept)


def _cut(hit: Hit, size: int) -> Hit:
    lines = hit.content.splitlines(keepends=True)
    kept: list[str] = []
    for line in lines:
        size -= len(line.encode("utf-8", "surrogateescape"))
        if size < 0 and kept:
            break
        kept.append(line)
    return replace(hit, content="".join(kept), end_line=hit.start_line + max(0, len(kept) - 1))


def bom_of(data: bytes) -> int:
    """Return the length of a text's byte order mark."""
    if data.startswith(b"\xef\xbb\xbf"):
        return 3
    return 2 if data.startswith((b"\xff\xfe", b"\xfe\xff")) else 0


def _breaks(text: str) -> int:
    """Count the ends of lines as the index does: LF, CR or CRLF."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _best_line(text: str, question: Question) -> int:
    """Return how many lines stand before the one that holds most of the question."""
    text = text.lower()
    weights: dict[int, float] = {}
    for term in question.terms:
        for line in _lines_with(term.word, text):
            weights[line] = weights.get(line, 0.0) + term.weight
    most = max(weights.values(), default=0.0)
    if most > 0:
        return min(line for line, weight in weights.items() if weight == most)
    return text.count("\n", 0, len(text) - len(text.lstrip())) if text.strip() else 0


def _lines_with(word: str, text: str) -> Iterator[int]:
    """Yield how many lines stand before each one that holds a word."""
    line, counted = 0, 0
    at = text.find(word)
    while at >= 0:
        line += text.count("\n", counted, at)
        yield line
        counted = text.find("\n", at)
        at = -1 if counted < 0 else text.find(word, counted + 1)


def lines_of(text: str, first: int, last: int, context: int) -> tuple[int, int, str]:
    """Return lines `first` to `last` of a text with those around them: the numbers of both ends, and the lines."""
    lines = text.split("\n") if "\r" not in text else text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    count = max(1, len(lines) - (not lines[-1]))
    first, last = max(1, first - context), min(count, last + context)
    return first, last, "\n".join(lines[first - 1 : last]) + "\n"
