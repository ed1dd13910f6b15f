"""Texts that are no files: cut at once, in this process, as a file of that name would be."""

from __future__ import annotations

from treemill.chunking import chunk
from treemill.chunking.build import build_chunks
from treemill.chunking.governor import ChunkGovernor
from treemill.errors import BinaryFileError
from treemill.languages import language_of_name
from treemill.reading import source_of
from treemill.types import CodeChunk, DiscoveredFile


def chunk_text(
    text: str | bytes,
    *,
    name: str = "",
    language: str | None = None,
    governor: ChunkGovernor | None = None,
    strict: bool = False,
) -> list[CodeChunk]:
    """Return the chunks of a text, in order; their contents, joined, are the text (whitespace alone has none).

    The language is the given one, else the one that `name` or a shebang tells; chunks carry `name` as their path. With
    `strict`, a limit that keeps the better chunker from cutting is raised instead of falling to the next one.

    Raises:
        BinaryFileError: bytes that are no text.
        ChunkLimitExceededError: there are more chunks than `max_chunks_per_file`.
        ChunkingError: with `strict` only, a better chunker had to be given up.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    source = source_of(data, language or language_of_name(name))
    if source is None:
        raise BinaryFileError(f"{name or 'the text'} is not text", path=name or None, suggestion="Leave it out")
    limits = governor or ChunkGovernor()
    file = DiscoveredFile(name, None, source.language, len(data), 0)
    return build_chunks(file, source, chunk(source, limits, name=name, strict=strict), limits)
