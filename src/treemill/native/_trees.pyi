"""Semantic chunking: see `treemill.chunking.trees`, which asks for it."""

from collections.abc import Callable

def kinds(language: object, /) -> list[tuple[str, bool]] | None: ...
def compile(language: object, kinds: bytes, definitions: tuple[object, ...] | None, /) -> object: ...
def cut(
    grammar: object,
    text: bytes,
    limit: int,
    max_depth: int,
    timeout: float,
    most_bytes: float,
    list_bytes: float,
    estimate: float,
    reach: Callable[[int], int] | None,
    /,
) -> tuple[tuple[int, ...], tuple[object, ...]] | tuple[str, float]: ...
