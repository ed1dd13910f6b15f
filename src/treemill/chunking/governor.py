"""ChunkGovernor: how large a chunk may be, and what cutting a file may cost.

The embedding model decides, where there is one: a chunk (with its overlap) has to fit the smallest context window of
the models it is meant for. Without a model the settings decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from treemill.settings import ChunkerSettings

CHUNKER_VERSION = "treemill-chunker-1"
"""Changes whenever the same bytes and limits may be cut differently, or give other symbols."""

# A token of code is 3 to 4 bytes for the usual vocabularies; the low end keeps most chunks inside the window.
BYTES_PER_TOKEN = 3

# Below this a limit could not hold a line; settings have the same bound.
_SMALLEST_LIMIT = 16

_LEAST_OVERLAP, _MOST_OVERLAP = 50, 200
_LARGE_CONTEXT = 8192


@dataclass(frozen=True, slots=True)
class EmbeddingCapabilities:
    """What a model can take: `context_window_tokens` is the longest input that it reads whole."""

    context_window_tokens: int
    name: str = ""

    def __post_init__(self) -> None:
        if self.context_window_tokens < 1:
            raise ValueError(f"a context window has at least one token, not {self.context_window_tokens}")

    @property
    def large_context(self) -> bool:
        """Whether the window takes whole files of usual size (8,192 tokens or more)."""
        return self.context_window_tokens >= _LARGE_CONTEXT


@dataclass(frozen=True, slots=True, init=False)
class ChunkGovernor:
    """The limits for cutting files: frozen, comparable, and small to pickle.

    `max_chunk_bytes` is the most bytes of UTF-8 text in a chunk. It follows the smallest context window of the
    capabilities, less the overlap; without any it is the settings' value. `overlap_tokens` is 0 unless the settings
    ask for overlap, and between 50 and 200 then.
    """

    capabilities: tuple[EmbeddingCapabilities, ...]
    settings: ChunkerSettings
    max_chunk_bytes: int
    overlap_tokens: int

    def __init__(
        self,
        capabilities: EmbeddingCapabilities | Iterable[EmbeddingCapabilities] | None = None,
        settings: ChunkerSettings | None = None,
    ) -> None:
        if capabilities is None:
            known: tuple[EmbeddingCapabilities, ...] = ()
        elif isinstance(capabilities, EmbeddingCapabilities):
            known = (capabilities,)
        else:
            known = tuple(capabilities)
        chosen = ChunkerSettings() if settings is None else settings
        overlap = _clamped(chosen.overlap_tokens)
        limit = chosen.max_chunk_bytes
        if known:
            window = min(each.context_window_tokens for each in known)
            limit = max(_SMALLEST_LIMIT, (window - min(overlap, window // 2)) * BYTES_PER_TOKEN)
        for name, value in zip(self.__slots__, (known, chosen, limit, overlap), strict=True):
            object.__setattr__(self, name, value)

    @property
    def overlap_bytes(self) -> int:
        """About how many bytes of the chunk before are repeated in `overlap_before`."""
        return self.overlap_tokens * BYTES_PER_TOKEN

    @property
    def recipe(self) -> str:
        """Name everything here that changes how a file is cut: equal recipes cut equal files equally."""
        settings = self.settings
        parts = [CHUNKER_VERSION, f"{self.max_chunk_bytes}b", f"depth{settings.performance.max_ast_depth}"]
        if self.overlap_tokens:
            parts.append(f"overlap{self.overlap_tokens}")
        if settings.custom_languages or settings.custom_delimiters:
            custom = repr((settings.custom_languages, sorted(settings.custom_delimiters.items())))
            parts.append(hashlib.blake2b(custom.encode(), digest_size=8).hexdigest())
        return " ".join(parts)


def _clamped(tokens: int) -> int:
    """Return an overlap that is worth having, or none."""
    return min(max(tokens, _LEAST_OVERLAP), _MOST_OVERLAP) if tokens else 0
