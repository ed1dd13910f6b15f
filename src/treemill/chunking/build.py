"""From a cutting to `CodeChunk` objects: content, lines, and what each piece defines.

Everything goes from front to back once: lines are counted in the piece at hand, and the definitions that are still
open wait on a stack, innermost on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from treemill.chunking.governor import ChunkGovernor
from treemill.chunking.sizes import count_tokens
from treemill.native import compiled
from treemill.types import Chunking, ChunkSource, CodeChunk, DiscoveredFile, Source, Symbol

_NATIVE = compiled("building")

# Encodings in which a line feed is a byte, and no part of anything else.
_BY_BYTES = ("utf-8", "latin-1")

# More than most tokens take: what is looked at for an overlap in tokens.
_LONG_TOKEN_BYTES = 8

_new, _set = object.__new__, object.__setattr__


def build_chunks(
    file: DiscoveredFile, source: Source, chunking: Chunking, governor: ChunkGovernor, *, path: Path | None = None
) -> list[CodeChunk]:
    """Return the chunks of a file, in order, with their lines, symbols and, where it is on, overlap.

    `path` is `file.path`, where the caller has it at hand: making one costs as much as a chunk.

    `symbols` are the definitions that start in the chunk; `symbol` is the largest of these, else the innermost that
    the chunk continues. `overlap_before` is about `governor.overlap_bytes` of the chunk before, from a line's
    beginning where there is one; where chunks are counted in tokens, at most `governor.overlap_tokens`.
    """
    if not is_compiled(source.encoding, governor):
        return build_chunks_in_python(file, source, chunking, governor, path=path)
    data, encoding, bom, language = source.data, source.encoding, source.bom, source.language
    ends, symbols, how, fallback = chunking.ends, chunking.symbols, chunking.source, chunking.fallback
    return build_compiled(data, encoding, bom, ends, symbols, path or file.path, language, how, fallback)


def is_compiled(encoding: str, governor: ChunkGovernor) -> bool:
    """Tell whether the chunks of files in this encoding are built by the compiled half, where there is one."""
    return _NATIVE is not None and not governor.overlap_bytes and encoding in _BY_BYTES


def build_compiled(
    data: bytes,
    encoding: str,
    bom: int,
    ends: tuple[int, ...] | bytes,
    symbols: tuple[Symbol, ...],
    path: Path,
    language: str | None,
    how: ChunkSource,
    fallback: str | None,
) -> list[CodeChunk]:
    """Do what `build_chunks` says where `is_compiled` holds. `ends` may be bytes: numbers of 4, as the machine does."""
    assert _NATIVE is not None
    latin = encoding == "latin-1"
    chunks: list[CodeChunk]
    chunks = _NATIVE.build(CodeChunk, data, latin, bom, ends, symbols, path, language, how, fallback)
    return chunks


def build_chunks_in_python(
    file: DiscoveredFile, source: Source, chunking: Chunking, governor: ChunkGovernor, *, path: Path | None = None
) -> list[CodeChunk]:
    """Do what `build_chunks` says: the half that says what is right, and takes every encoding and overlap."""
    ends = chunking.ends
    where, language = path or file.path, source.language
    how, fallback, overlap = chunking.source, chunking.fallback, governor.overlap_bytes
    ranges = list(zip((0, *ends), ends, strict=False))
    contents = _pieces(source, ranges)
    lines = _lines_with_cr(contents) if b"\r" in source.data else _lines(contents)
    ordinals = _ordinals(contents)
    chunks: list[CodeChunk] = []
    before = ""
    rows = zip(ranges, contents, lines, ordinals, _definitions(chunking.symbols, ends), strict=True)
    for byte_range, content, line_range, ordinal, (main, symbols) in rows:
        chunk = _new(CodeChunk)
        # A frozen dataclass sets its fields one by one, which takes four times as long.
        fields = {
            "content": content,
            "line_range": line_range,
            "byte_range": byte_range,
            "path": where,
            "language": language,
            "symbol": None if main is None else main.name,
            "kind": None if main is None else main.kind,
            "parents": () if main is None else main.parents,
            "symbols": symbols,
            "source": how,
            "fallback": fallback,
            "ordinal": ordinal,
            "overlap_before": before,
        }
        _set(chunk, "__dict__", fields)
        chunks.append(chunk)
        if overlap:
            before = (
                _tail(content, overlap) if governor.max_chunk_tokens is None else _tail_in_tokens(content, governor)
            )
    return chunks


def _pieces(source: Source, ranges: list[tuple[int, int]]) -> list[str]:
    """Return the text of each range. Where a character is a byte, the file is decoded once and sliced."""
    if source.bom or not (source.encoding == "latin-1" or source.data.isascii()):
        return [source.text(start, end) for start, end in ranges]
    text = source.text()
    return [text[start:end] for start, end in ranges]


def _ordinals(contents: list[str]) -> Sequence[int]:
    """Return, for each piece, how many equal ones stand before it. Pieces of different lengths need no comparing."""
    if len(set(map(len, contents))) == len(contents):
        return bytes(len(contents))
    seen: dict[str, int] = {}
    ordinals = []
    for content in contents:
        ordinal = seen[content] = seen.get(content, -1) + 1
        ordinals.append(ordinal)
    return ordinals


def _lines(contents: list[str]) -> Iterable[tuple[int, int]]:
    """Return the first and last line of each piece, 1-based, where lines end with LF alone."""
    breaks = [content.count("\n") for content in contents]
    firsts = list(accumulate(breaks, initial=1))
    lasts = [after - content.endswith("\n") for content, after in zip(contents, firsts[1:], strict=True)]
    return zip(firsts, lasts, strict=False)


def _lines_with_cr(contents: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of each piece, 1-based. A line ends with LF, CR or CRLF."""
    first = 1
    for content, following in zip(contents, [*contents[1:], ""], strict=False):
        breaks = content.count("\n")
        if "\r" in content:
            breaks += content.count("\r") - content.count("\r\n")
            if content[-1] == "\r" and following.startswith("\n"):
                breaks -= 1  # that line ends in the next piece
                yield first, first + breaks
                first += breaks
                continue
        yield first, first + breaks - (content[-1:] in ("\n", "\r"))
        first += breaks


def _definitions(
    symbols: tuple[Symbol, ...], ends: tuple[int, ...]
) -> Iterator[tuple[Symbol | None, tuple[Symbol, ...]]]:
    """Yield, for each piece, the main definition and those that start in it. `symbols` are in order of start."""
    around: list[Symbol] = []
    start = following = 0
    for end in ends:
        first = following
        while following < len(symbols) and symbols[following].start < end:
            following += 1
        here = symbols[first:following]
        if here:
            main: Symbol | None = max(here, key=_size) if len(here) > 1 else here[0]
        else:
            while around and around[-1].end <= start:
                around.pop()
            main = around[-1] if around else None
        for each in here:
            while around and around[-1].end <= each.start:
                around.pop()
            around.append(each)
        yield main, here
        start = end


def _size(symbol: Symbol) -> int:
    return symbol.end - symbol.start


def _tail(content: str, size: int) -> str:
    """Return about the last `size` bytes of a text: whole characters, and whole lines if half the size is left."""
    return _from_line(content, _bytes_of_tail(content, size))


def _tail_in_tokens(content: str, governor: ChunkGovernor) -> str:
    """Return about the last tokens of a text, never more than the governor's overlap; else as `_tail`."""
    most = governor.overlap_tokens
    tail = _bytes_of_tail(content, most * _LONG_TOKEN_BYTES)
    while (found := count_tokens(tail.encode("utf-8", "surrogateescape"), governor.tokenizer)) > most and tail:
        tail = tail[max(1, len(tail) - len(tail) * most // found) :]
    return _from_line(content, tail)


def _bytes_of_tail(content: str, size: int) -> str:
    """Return the last `size` bytes of a text, less what a character takes that would be parted."""
    tail = content[-size:]
    excess = len(tail.encode("utf-8", "surrogateescape")) - size
    while excess > 0:
        tail = tail[max(1, excess // 4) :]
        excess = len(tail.encode("utf-8", "surrogateescape")) - size
    return tail


def _from_line(content: str, tail: str) -> str:
    """Return the end of a text from its first beginning of a line, if half of it is left."""
    if len(tail) == len(content):
        return tail
    lines = tail[tail.find("\n") + 1 :]
    return lines if len(lines) * 2 >= len(tail) else tail
