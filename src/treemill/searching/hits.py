"""From a candidate to what is shown: its lines, its text, and the symbol it is about."""

from __future__ import annotations

import zlib

import numpy as np

from treemill.records import Hit
from treemill.searching.candidates import Candidate, symbols_by_chunk
from treemill.searching.moment import Moment
from treemill.types import Source, Symbol


def hit_of(moment: Moment, candidate: Candidate) -> Hit:
    """Return a candidate with its text, as it was when it was indexed."""
    record = moment.snapshot.content(candidate.content)
    ends, lines = np.frombuffer(record.ends, "<u4"), np.frombuffer(record.lines, "<u4")
    start = int(ends[candidate.chunk - 1]) if candidate.chunk else 0
    end = int(ends[candidate.chunk])
    data = zlib.decompress(record.text)
    text = Source(data, b"", record.encoding, _bom(data), record.language).text(start, end)
    first = int(lines[candidate.chunk])
    breaks = len(text.splitlines()) if text.strip() else 1
    symbol = candidate.symbol or _main_symbol(moment, candidate, start, end)
    return Hit(
        path=candidate.path,
        start_line=first,
        end_line=first + max(0, breaks - 1),
        content=text,
        language=candidate.language,
        symbol=None if symbol is None else symbol.qualified_name,
        kind=None if symbol is None else symbol.kind,
        score=round(candidate.score, 6),
        why={name: round(value, 4) for name, value in candidate.why.items()},
    )


def _bom(data: bytes) -> int:
    if data.startswith(b"\xef\xbb\xbf"):
        return 3
    return 2 if data.startswith((b"\xff\xfe", b"\xfe\xff")) else 0


def _main_symbol(moment: Moment, candidate: Candidate, start: int, end: int) -> Symbol | None:
    """Return the largest definition that starts in the chunk, else the innermost that it continues."""
    symbols = symbols_by_chunk(moment, candidate.content)
    own = [symbol for chunk, symbol in symbols if chunk == candidate.chunk]
    if own:
        return max(own, key=lambda symbol: (min(symbol.end, end) - symbol.start, -len(symbol.parents)))
    around = [symbol for _, symbol in symbols if symbol.start < start < symbol.end]
    return min(around, key=lambda symbol: symbol.end - symbol.start, default=None)
