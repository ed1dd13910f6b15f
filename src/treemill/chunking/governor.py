"""ChunkGovernor: how large a chunk may be, and what cutting a file may cost.

The embedding model decides, where there is one: a chunk (with its overlap) has to fit the smallest context window of
the models it is meant for. Without a model the settings decide. Windows are in tokens: where the model's tokenizer is
not at hand, a token is taken as 3 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sized
from typing import Any

from treemill.errors import UsageError
from treemill.settings import ChunkerSettings
from treemill.values import dataclass

CHUNKER_VERSION = "treemill-chunker-2"
"""Counts up whenever the same bytes and limits may be cut differently, or give other symbols.

An index that an earlier one made is cut again by the next run: see `treemill.records.Recipe.succeeds`.
"""

# A token of code is 3 to 4 bytes for the usual vocabularies; the low end keeps most chunks inside the window.
BYTES_PER_TOKEN = 3

# What a token or a character may take at most. A tokenizer may see nothing at all in a long run of signs or blanks, and
# a chunk of them has to end all the same.
_MOST_BYTES_PER_TOKEN = 32
_MOST_BYTES_PER_CHARACTER = 4

# Below this a limit could not hold a line; settings have the same bound.
_SMALLEST_LIMIT = 16

_LEAST_OVERLAP, _MOST_OVERLAP = 50, 200

Tokenizer = Callable[[str], int | Sized]
"""What returns the tokens of a text, or how many they are."""

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
    capabilities, less the overlap; without any it is the settings' value. `max_chunk_characters` and `max_chunk_tokens`
    are the most of these, None where the settings do not ask for them; where they do, `max_chunk_bytes` is what that
    comes to at most: 4 bytes a character, 32 a token.

    `tokenizer` is a function that returns the tokens of a text or their number; special tokens that it adds count. It
    must not cut texts short. Where worker processes are to use it, it must survive pickling (`encoding.encode` does,
    a lambda does not), and should have a name of its own where an index is made with it (its `name`, else that of the
    function). Without one, tokens are those of the model in the package: the parts of words and identifiers. With one
    and with capabilities, `max_chunk_tokens` is the window itself, if the settings do not ask for less.

    `overlap_tokens` is 0 unless the settings ask for overlap, and between 50 and 200 then.
    """

    capabilities: tuple[EmbeddingCapabilities, ...]
    settings: ChunkerSettings
    tokenizer: Tokenizer | None
    max_chunk_bytes: int
    max_chunk_characters: int | None
    max_chunk_tokens: int | None
    overlap_tokens: int

    def __init__(
        self,
        capabilities: EmbeddingCapabilities | Iterable[EmbeddingCapabilities] | None = None,
        settings: ChunkerSettings | None = None,
        *,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        """Work out the limits.

        Raises:
            UsageError: the tokenizer cannot be called, or there is no limit in tokens to measure with it.
        """
        if capabilities is None:
            known: tuple[EmbeddingCapabilities, ...] = ()
        elif isinstance(capabilities, EmbeddingCapabilities):
            known = (capabilities,)
        else:
            known = tuple(capabilities)
        chosen = ChunkerSettings() if settings is None else settings
        overlap = _clamped(chosen.overlap_tokens)
        window = min((each.context_window_tokens for each in known), default=None)
        room = None if window is None else window - min(overlap, window // 2)
        _check(tokenizer, chosen, room)
        limits = _limits(chosen, room, tokenizer is not None)
        for name, value in zip(self.__slots__, (known, chosen, tokenizer, *limits, overlap), strict=True):
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
        if self.max_chunk_characters is not None:
            parts.append(f"{self.max_chunk_characters}c")
        if self.max_chunk_tokens is not None:
            parts.append(f"{self.max_chunk_tokens}t:{_named(self.tokenizer)}")
        if self.overlap_tokens:
            parts.append(f"overlap{self.overlap_tokens}")
        if settings.custom_languages or settings.custom_delimiters:
            custom = repr((settings.custom_languages, sorted(settings.custom_delimiters.items())))
            parts.append(hashlib.blake2b(custom.encode(), digest_size=8).hexdigest())
        return " ".join(parts)


def _check(tokenizer: Tokenizer | None, settings: ChunkerSettings, room: int | None) -> None:
    if tokenizer is None:
        return
    if not callable(tokenizer):
        raise UsageError(
            f"a tokenizer is a function from a text to its tokens, not {type(tokenizer).__name__}",
            suggestion="Give its method that encodes a text",
        )
    if room is None and not settings.max_chunk_tokens:
        raise UsageError(
            "a tokenizer alone sets no limit", suggestion="Set max_chunk_tokens, or give the capabilities of its model"
        )


def _limits(settings: ChunkerSettings, room: int | None, exact: bool) -> tuple[int, int | None, int | None]:
    """Return the most bytes, characters and tokens of a chunk for which a model has `room`, in tokens.

    Where the limit is in tokens, or the model's tokenizer is at hand (`exact`), nothing is estimated from bytes.
    """
    characters, tokens = settings.max_chunk_characters or None, settings.max_chunk_tokens or None
    if room is not None and (exact or tokens is not None):
        tokens = max(_SMALLEST_LIMIT, room if tokens is None else min(room, tokens))
    most: list[int] = []
    if tokens is not None:
        most.append(tokens * _MOST_BYTES_PER_TOKEN)
    elif room is not None:
        most.append(max(_SMALLEST_LIMIT, room * BYTES_PER_TOKEN))
    if characters is not None:
        most.append(characters * _MOST_BYTES_PER_CHARACTER)
    return min(most, default=settings.max_chunk_bytes), characters, tokens


def _named(tokenizer: Tokenizer | None) -> str:
    """Return what tells a tokenizer from others, alike in every process: its own name, else where it was defined."""
    if tokenizer is None:
        return "parts"
    owner: Any = getattr(tokenizer, "__self__", tokenizer)
    kind = tokenizer if hasattr(tokenizer, "__qualname__") else type(tokenizer)
    name = getattr(tokenizer, "name", None) or getattr(owner, "name", None)
    where = f"{getattr(kind, '__module__', None) or type(owner).__module__}.{kind.__qualname__}"
    return f"{where}:{name}" if isinstance(name, str) else where


def _clamped(tokens: int) -> int:
    """Return an overlap that is worth having, or none."""
    return min(max(tokens, _LEAST_OVERLAP), _MOST_OVERLAP) if tokens else 0
