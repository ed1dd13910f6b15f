"""Chunkers see UTF-8; files may be anything. Offsets are carried back exactly.

A UTF-8 file is its own text, BOM included. Another file is decoded, its text encoded as UTF-8 and cut, and every
offset is turned back by measuring the text in front of it in the file's own encoding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from treemill.types import Chunking, Source, Symbol


def utf8(source: Source) -> bytes:
    """Return a file's text as UTF-8: `source.data` itself, where it is that already."""
    if source.encoding == "utf-8":
        return source.data
    return source.text().encode("utf-8")


def original(source: Source, text: bytes, chunking: Chunking) -> Chunking:
    """Return a cutting of `text` (what `utf8` made of this source) with the offsets of the source's own bytes."""
    offsets: set[int] = set(chunking.ends)
    for symbol in chunking.symbols:
        offsets.update((symbol.start, symbol.end, *symbol.signature, *(symbol.doc or ())))
    there = _offsets(source, text, offsets)
    return replace(
        chunking,
        ends=tuple(there[end] for end in chunking.ends),
        symbols=tuple(_moved(symbol, there) for symbol in chunking.symbols),
    )


def _offsets(source: Source, text: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """Map offsets in the text to offsets in the source; 0 stays 0, so that the first range holds the BOM."""
    there: dict[int, int] = {}
    here, position = 0, source.bom
    for offset in sorted(offsets):
        piece = text[here:offset].decode("utf-8")
        position += len(piece) if source.encoding == "latin-1" else len(piece.encode(source.encoding))
        here = offset
        there[offset] = position if offset else 0
    return there


def _moved(symbol: Symbol, there: dict[int, int]) -> Symbol:
    start, end = symbol.signature
    doc = symbol.doc
    return symbol._replace(
        start=there[symbol.start],
        end=there[symbol.end],
        signature=(there[start], there[end]),
        doc=None if doc is None else (there[doc[0]], there[doc[1]]),
    )
