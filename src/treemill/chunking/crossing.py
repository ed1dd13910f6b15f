"""A file as it was cut, in the form in which it crosses to another process: buffers, numbers and names.

There is nothing in it that could refuse to be pickled, and chunks are built of it as it is.

Symbols are one buffer, numbers of 4 bytes in the machine's order, then texts in UTF-8: how many symbols, kinds,
lineages (the parents of some symbol) and names in lineages there are; how many names each lineage has; the length of
each kind, and of each name in a lineage; ten numbers a symbol (its kind, lineage, length of the name, start, end, line,
signature, documentation, where both ends are 2³² - 1 if there is none); the kinds, the names in lineages, the names.
Each kind and lineage is there once, and one object for all that have it.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from treemill.chunking.build import build_chunks, build_compiled, is_compiled
from treemill.chunking.governor import ChunkGovernor
from treemill.native import compiled
from treemill.types import Chunking, ChunkSource, CodeChunk, DiscoveredFile, Source, Symbol

_NATIVE = compiled("building")

# 4 bytes an offset: no file of 4 GB gets as far as this.
_OFFSETS = "I"
_OFFSET_BYTES = array(_OFFSETS).itemsize
_NOTHING = (1 << 8 * _OFFSET_BYTES) - 1

# Numbers that a buffer of symbols begins with, and those of each symbol.
_HEAD, _ROW = 4, 10


class PackedCut(NamedTuple):
    """A file as it was cut, in the form that crosses process boundaries. Fields as in `Source` and `Chunking`."""

    data: bytes
    digest: bytes
    encoding: str
    bom: int
    language: str | None
    ends: bytes
    symbols: bytes
    chunker: ChunkSource
    fallback: str | None

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return len(self.data)

    def chunks(self, file: DiscoveredFile, path: Path, governor: ChunkGovernor) -> list[CodeChunk]:
        """Build the chunks. `path` is the file's."""
        data, digest, encoding, bom, language, ends, packed, chunker, fallback = self
        symbols = symbols_from_bytes(packed)
        if is_compiled(encoding, governor):
            return build_compiled(data, encoding, bom, ends, symbols, path, language, chunker, fallback)
        source = Source(data, digest, encoding, bom, language)
        chunking = Chunking(tuple(array(_OFFSETS, ends)), symbols, chunker, fallback)
        return build_chunks(file, source, chunking, governor, path=path)


def packed_cut(source: Source, chunking: Chunking) -> PackedCut:
    """Pack a file as it was cut."""
    return PackedCut(
        source.data,
        source.digest,
        source.encoding,
        source.bom,
        source.language,
        array(_OFFSETS, chunking.ends).tobytes(),
        symbols_to_bytes(chunking.symbols),
        chunking.source,
        chunking.fallback,
    )


def symbols_to_bytes(symbols: tuple[Symbol, ...]) -> bytes:
    """Pack symbols as this module says. No symbols are no bytes.

    Raises:
        OverflowError: an offset or a line is beyond 4 GB.
    """
    if _NATIVE is None:
        return symbols_to_bytes_in_python(symbols)
    packed: bytes = _NATIVE.symbols_to_bytes(symbols)
    return packed


def symbols_from_bytes(packed: bytes) -> tuple[Symbol, ...]:
    """Return what `symbols_to_bytes` packed.

    Raises:
        ValueError: these bytes are something else.
    """
    if _NATIVE is None:
        return symbols_from_bytes_in_python(packed)
    symbols: tuple[Symbol, ...] = _NATIVE.symbols_from_bytes(Symbol, packed)
    return symbols


def symbols_to_bytes_in_python(symbols: tuple[Symbol, ...]) -> bytes:
    """Do what `symbols_to_bytes` says: the half that says what is right."""
    if not symbols:
        return b""
    kinds: dict[str, int] = {}
    lineages: dict[tuple[str, ...], int] = {}
    rows = array(_OFFSETS)
    names = [_encoded(symbol.name) for symbol in symbols]
    for (_, kind, parents, start, end, line, signature, doc), name in zip(symbols, names, strict=True):
        numbers = kinds.setdefault(kind, len(kinds)), lineages.setdefault(parents, len(lineages)), len(name)
        offsets = start, end, line, *signature, *(doc or ())
        if max(offsets) >= _NOTHING:
            raise OverflowError("an offset of 4 GB or more does not cross")
        rows.extend((*numbers, *offsets, *(() if doc else (_NOTHING, _NOTHING))))
    labels = [_encoded(kind) for kind in kinds]
    words = [_encoded(name) for lineage in lineages for name in lineage]
    depths = map(len, lineages)
    head = array(_OFFSETS, (len(symbols), len(kinds), len(lineages), len(words), *depths))
    head.extend(map(len, [*labels, *words]))
    return b"".join((head.tobytes(), rows.tobytes(), *labels, *words, *names))


def symbols_from_bytes_in_python(packed: bytes) -> tuple[Symbol, ...]:
    """Do what `symbols_from_bytes` says: the half that says what is right."""
    if not packed:
        return ()
    numbers = array(_OFFSETS, packed[: len(packed) // _OFFSET_BYTES * _OFFSET_BYTES])
    if len(numbers) < _HEAD:
        raise ValueError("damaged symbols: they have no beginning")
    count, kind_count, lineage_count, word_count = numbers[:_HEAD]
    lengths = _HEAD + lineage_count
    rows = lengths + kind_count + word_count
    behind = rows + _ROW * count
    if len(numbers) < behind:
        raise ValueError("damaged symbols: they are too short")
    columns = [numbers[rows + place : behind : _ROW] for place in range(_ROW)]
    kind_of, lineage_of, sizes, starts, ends, lines, heads, head_ends, docs, doc_ends = columns
    texts = _texts(packed, behind * _OFFSET_BYTES, [*numbers[lengths:rows], *sizes])
    of_names = kind_count + word_count
    kinds, words, names = texts[:kind_count], texts[kind_count:of_names], texts[of_names:]
    lineages = _lineages(numbers[_HEAD:lengths], words)
    if max(kind_of, default=-1) >= kind_count or max(lineage_of, default=-1) >= lineage_count:
        raise ValueError("damaged symbols: a kind or parents that there are not")
    return tuple(
        Symbol(
            name,
            kinds[kind],
            lineages[lineage],
            start,
            end,
            line,
            (head, head_end),
            None if doc == _NOTHING else (doc, doc_end),
        )
        for name, kind, lineage, start, end, line, head, head_end, doc, doc_end in zip(
            names, kind_of, lineage_of, starts, ends, lines, heads, head_ends, docs, doc_ends, strict=True
        )
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _texts(packed: bytes, start: int, lengths: list[int]) -> list[str]:
    """Return the texts of these lengths from `start` on."""
    ends = list(accumulate(lengths, initial=start))
    if ends[-1] > len(packed):
        raise ValueError("damaged symbols: a text ends behind them")
    return [packed[each:end].decode("utf-8", "surrogatepass") for each, end in pairwise(ends)]


def _lineages(depths: array[int], words: list[str]) -> list[tuple[str, ...]]:
    """Return the lineages whose names stand in `words` one behind the other."""
    if sum(depths) > len(words):
        raise ValueError("damaged symbols: there are fewer parents")
    return [tuple(words[start:end]) for start, end in pairwise(accumulate(depths, initial=0))]
