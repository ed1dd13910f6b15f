"""Chunks that are built when somebody looks at them.

Making `CodeChunk` objects costs as much as a twentieth of the parse, and they are made in the one process that all
workers wait for. So a file's chunks can be handed out before they are built: as an ordinary list, of objects that
become what they stand for at the first access to any of their attributes. All chunks of a file are built at once then.
Only `type()` can see the difference before that; `isinstance`, comparison, copies and pickles are those of the chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treemill.types import CodeChunk

_set, _get, _new = object.__setattr__, object.__getattribute__, object.__new__


def deferred_chunks(count: int, build: Callable[[], list[CodeChunk]]) -> list[CodeChunk]:
    """Return a list of `count` chunks, which `build` makes when the first of them is looked at.

    `build` has to give the same chunks each time: where several threads look at once, it may be called more than once.
    What it holds on to is let go of when all chunks of the list are built or gone.
    """
    source = _Once(build)
    chunks: list[CodeChunk] = []
    for index in range(count):
        chunk = _new(_Deferred)
        _set(chunk, "_from", (source, index))
        chunks.append(chunk)
    return chunks


class _Once:
    """A call whose result is kept."""

    __slots__ = ("_build", "_chunks")

    def __init__(self, build: Callable[[], list[CodeChunk]]) -> None:
        self._build: Callable[[], list[CodeChunk]] | None = build
        self._chunks: list[CodeChunk] = []

    def chunk(self, index: int) -> CodeChunk:
        build = self._build
        if build is not None:
            self._chunks = build()
            self._build = None
        return self._chunks[index]


class _Deferred(CodeChunk):
    """A chunk to be. It turns into the real one before anybody can see that it is not.

    The attributes come first and the class behind them, so that a second thread finds either nothing built, and does
    the same, or everything.
    """

    def __getattribute__(self, name: str) -> Any:
        waiting = _get(self, "__dict__").get("_from")
        if waiting is not None:
            source, index = waiting
            _set(self, "__dict__", source.chunk(index).__dict__)
            _set(self, "__class__", CodeChunk)
        return _get(self, name)
