"""Symbols as bytes: how they are stored, and how they cross to another process."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from isal import isal_zlib

from treemill.native import compiled
from treemill.sources import Symbol

# Level 1 makes symbols a third of their size; the higher levels gain little for much.
_LEVEL = 1

_NATIVE = compiled("packing")


def pack_symbols(symbols: Sequence[Symbol]) -> bytes:
    """Pack symbols as deflated UTF-8 JSON: a list for each, `[name, kind, parents, start, length, line, head, doc]`.

    `head` and `doc` are `[start, length]`, relative to the symbol's start; no documentation is null. No symbols are
    no bytes.
    """
    if not symbols:
        return b""
    return isal_zlib.compress(json_of(symbols) if _NATIVE is None else _NATIVE.symbols_json(symbols), _LEVEL)


def json_of(symbols: Sequence[Symbol]) -> bytes:
    """Return what `pack_symbols` deflates."""
    rows = [
        (
            each.name,
            each.kind,
            each.parents,
            each.start,
            each.end - each.start,
            each.line,
            (each.signature[0] - each.start, each.signature[1] - each.signature[0]),
            each.doc and (each.doc[0] - each.start, each.doc[1] - each.doc[0]),
        )
        for each in symbols
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def unpack_symbols(packed: bytes) -> tuple[Symbol, ...]:
    """Return what `pack_symbols` packed."""
    rows = json.loads(zlib.decompress(packed)) if packed else ()
    return tuple(
        Symbol(
            name,
            kind,
            tuple(parents),
            start,
            start + length,
            line,
            (start + head[0], start + head[0] + head[1]),
            doc and (start + doc[0], start + doc[0] + doc[1]),
        )
        for name, kind, parents, start, length, line, head, doc in rows
    )
