"""From a cutting to `CodeChunk` objects: content, lines, and what each piece defines.

Everything goes from front to back once: lines are counted in the piece at hand, and the definitions that are still
open wait on a stack, innermost on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from treemill.chunking.governor import ChunkGovernor
from treemill.types import Chunking, CodeChunk, DiscoveredFile, Source, Symbol


def build_chunks(file: DiscoveredFile, source: Source, chunking: Chunking, governor: ChunkGovernor) -> list[CodeChunk]:
    """Return the chunks of a file, in order, with their lines, symbols and, where it is on, overlap.

    `symbols` are the definitions that start in the chunk; `symbol` is the largest of these, else the innermost that
    the chunk continues. `overlap_before` is about `governor.overlap_bytes` of the chunk before, from a line's
    beginning where there is one.
    """
    ends = chunking.ends
    path, language = Path(file.name), source.language
    how, fallback, overlap = chunking.source, chunking.fallback, governor.overlap_bytes
    ranges = list(zip((0, *ends), ends, strict=False))
    contents = [source.text(start, end) for start, end in ranges]
    seen: dict[str, int] = {}
    chunks: list[CodeChunk] = []
    before = ""
    rows = zip(ranges, contents, _line_ranges(contents), _definitions(chunking.symbols, ends), strict=True)
    for byte_range, content, line_range, (main, symbols) in rows:
        ordinal = seen[content] = seen.get(content, -1) + 1
        chunks.append(
            CodeChunk(
                content,
                line_range,
                byte_range,
                path,
                language,
                None if main is None else main.name,
                None if main is None else main.kind,
                () if main is None else main.parents,
                symbols,
                how,
                fallback,
                ordinal,
                before,
            )
        )
        before = _tail(content, overlap) if overlap else ""
    return chunks


def _line_ranges(contents: list[str]) -> Iterator[tuple[int, int]]:
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
    tail = content[-size:]
    excess = len(tail.encode("utf-8", "surrogateescape")) - size
    while excess > 0:
        tail = tail[max(1, excess // 4) :]
        excess = len(tail.encode("utf-8", "surrogateescape")) - size
    if len(tail) == len(content):
        return tail
    lines = tail[tail.find("\n") + 1 :]
    return lines if len(lines) * 2 >= len(tail) else tail
