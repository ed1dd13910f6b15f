"""Chunkers from outside: whatever can say how a text is cut works in the place of Treemill's own.

A chunker is an object with `chunk_file(path)`, one with `chunk_text(text)`, or a callable that takes a text. It returns
pieces: texts, or objects or mappings with a `text` or `content`, and, where they have them, a `start` and `end` in
characters. Each piece is found in the file as it was read, so that what is stored is the file and nothing else: pieces
may overlap or leave gaps, the chunks that they come to tile the file all the same. A chunk ends where its piece ends.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from treemill.chunking.fixed_size import FixedSizeChunker
from treemill.errors import ChunkingError, ChunkLimitExceededError, UsageError
from treemill.types import Chunking, DiscoveredFile, Failure, Source
from treemill.values import dataclass

Chunker = Any
"""An object with `chunk_file` or `chunk_text`, or a callable."""


@dataclass(frozen=True, slots=True)
class CustomCutter:
    """See `treemill.work.Cutter`: a chunker from outside, and how many chunks it may make of a file."""

    chunker: Chunker
    most_chunks: int

    @property
    def recipe(self) -> str:
        """The chunker's own `recipe`, where it has one, else the name of its type and its settings."""
        own = getattr(self.chunker, "recipe", None)
        if isinstance(own, str):
            return own
        named = self.chunker if hasattr(self.chunker, "__qualname__") else type(self.chunker)
        settings = getattr(self.chunker, "settings", None)
        return f"{named.__module__}.{named.__qualname__}" + ("" if settings is None else f" {settings!r}")

    def cut(self, file: DiscoveredFile, source: Source) -> Chunking | Failure:
        """Cut a file. What the chunker raises is the file's failure."""
        text = source.text()
        if not text or text.isspace():
            return Chunking((), (), "fixed")
        try:
            ends = _tile(list(self._pieces(file, text)), text, file.name)
            if len(ends) > self.most_chunks:
                raise ChunkLimitExceededError(
                    f"{file.name} makes {len(ends):,} chunks, more than {self.most_chunks:,}",
                    path=file.name,
                    limit=self.most_chunks,
                    actual=len(ends),
                    unit="chunks",
                    suggestion="Raise max_chunks_per_file, or leave the file out",
                )
        except Exception as error:  # noqa: BLE001 - foreign code; whatever it raises counts against this file
            return Failure(file.name, "chunk", type(error).__name__, str(error), traceback.format_exc())
        return Chunking(_in_bytes(ends, text, source), (), "fixed")

    def _pieces(self, file: DiscoveredFile, text: str) -> Iterable[Any]:
        chunker = self.chunker
        by_file = getattr(chunker, "chunk_file", None)
        # Treemill's own reads nothing else than what has been read; others may.
        if by_file is not None and type(chunker).chunk_file is not FixedSizeChunker.chunk_file:
            return _iterable(by_file(Path(file.absolute)))
        if hasattr(chunker, "chunk_text"):
            return _iterable(chunker.chunk_text(text))
        return _iterable(chunker(text))


def cutter_for(chunker: Chunker, most_chunks: int) -> CustomCutter:
    """Return the cutter for a chunker from outside.

    Raises:
        UsageError: it is no chunker.
    """
    if not (hasattr(chunker, "chunk_file") or hasattr(chunker, "chunk_text") or callable(chunker)):
        raise UsageError(
            f"{type(chunker).__name__} is no chunker",
            suggestion="Give an object with chunk_file(path) or chunk_text(text), or a function of a text",
        )
    return CustomCutter(chunker, most_chunks)


def _iterable(pieces: Any) -> Iterable[Any]:
    if isinstance(pieces, str) or not isinstance(pieces, Iterable):
        raise ChunkingError(f"the chunker returned {type(pieces).__name__}, not a list of pieces")
    return pieces


def _tile(pieces: Sequence[Any], text: str, name: str) -> list[int]:
    """Return the ends, in characters, of the chunks that pieces of a text come to; the last is the end of the text.

    Raises:
        ChunkingError: there are no pieces, or one is not found behind the beginning of the one before.
    """
    ends: list[int] = []
    start = end = 0
    for number, piece in enumerate(pieces):
        content, given = _read(piece)
        if not content:
            continue
        found = _place(content, given, text, start, end)
        if found < 0:
            raise ChunkingError(
                f"{name}: piece {number} that the chunker returned is not in the file",
                path=name,
                suggestion="A chunker must return pieces of the text, in order",
            )
        start, end = found, max(end, found + len(content))
        if end > (ends[-1] if ends else 0):
            ends.append(end)
    if not ends:
        raise ChunkingError(f"{name}: the chunker returned no pieces", path=name)
    ends[-1] = len(text)
    return ends


def _read(piece: Any) -> tuple[str, int | None]:
    """Return the text of a piece, and where it says that it starts."""
    if isinstance(piece, str):
        return piece, None
    field: Callable[[str], Any] = piece.get if isinstance(piece, Mapping) else lambda key: getattr(piece, key, None)
    content = next((each for key in ("text", "content") if isinstance(each := field(key), str)), None)
    if content is None:
        raise ChunkingError(f"a piece of type {type(piece).__name__} has no text")
    start = field("start")
    return content, start if isinstance(start, int) and not isinstance(start, bool) else None


def _place(content: str, given: int | None, text: str, start: int, end: int) -> int:
    """Return where a piece starts: where it says, else right behind the one before, else next after its beginning."""
    if given is not None and given >= 0 and text.startswith(content, given):
        return given
    if text.startswith(content, end):
        return end
    return text.find(content, start)


def _in_bytes(ends: list[int], text: str, source: Source) -> tuple[int, ...]:
    """Turn ends in characters into ends in bytes of the file."""
    if source.encoding == "utf-8" and source.data.isascii():
        return tuple(ends)
    errors = "surrogateescape" if source.encoding == "utf-8" else "strict"
    at = source.bom
    found: list[int] = []
    for first, last in pairwise((0, *ends)):
        at += len(text[first:last].encode(source.encoding, errors))
        found.append(at)
    found[-1] = len(source.data)
    return tuple(found)
