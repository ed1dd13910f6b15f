"""What the adapters share: texts in, chunks with facts about them out; hits as plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treemill.chunking.governor import ChunkGovernor, EmbeddingCapabilities, Tokenizer
from treemill.records import Hit
from treemill.settings import ChunkerSettings
from treemill.texts import chunk_text
from treemill.types import CodeChunk

# Where loaders of either framework put the name of a file.
_NAMES = ("file_path", "source", "path", "file_name", "filename")


def governor_for(
    max_tokens: int | None, tokenizer: Tokenizer | None = None, max_characters: int | None = None
) -> ChunkGovernor:
    """Return the limits for a model that reads so many tokens, and in characters; the default ones without either.

    Raises:
        UsageError: there is a tokenizer, and no limit in tokens.
        SettingsError: a limit is too small.
    """
    settings = ChunkerSettings(max_chunk_characters=max_characters or 0)
    capabilities = None if max_tokens is None else EmbeddingCapabilities(max_tokens)
    return ChunkGovernor(capabilities, settings, tokenizer=tokenizer)


def name_of(metadata: Mapping[str, Any]) -> str:
    """Return the file name that a document carries, "" where it has none."""
    return next((str(metadata[key]) for key in _NAMES if metadata.get(key)), "")


def cut(text: str, metadata: Mapping[str, Any], language: str | None, governor: ChunkGovernor) -> list[CodeChunk]:
    """Cut a document's text; the language is the given one, else that of the file name in its metadata.

    Raises:
        ChunkLimitExceededError: it makes more chunks than the settings allow.
    """
    return chunk_text(text, name=name_of(metadata), language=language, governor=governor)


def facts_of(chunk: CodeChunk) -> dict[str, Any]:
    """Return what a chunk's metadata says: lines, language, and what it defines; nothing that is None."""
    facts = {
        "start_line": chunk.line_range[0],
        "end_line": chunk.line_range[1],
        "language": chunk.language,
        "symbol": chunk.qualified_name,
        "kind": chunk.kind,
    }
    return {key: value for key, value in facts.items() if value is not None}


def facts_of_hit(hit: Hit) -> dict[str, Any]:
    """Return what a hit's metadata says; the keys are those of `--json`."""
    facts = {
        "file_path": hit.path,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "language": hit.language,
        "symbol": hit.symbol,
        "kind": hit.kind,
        "score": hit.score,
        "root": hit.root or None,
    }
    return {key: value for key, value in facts.items() if value is not None}
