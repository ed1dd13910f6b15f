"""Chunk objects: see `treemill.chunking.build`, which asks for them."""

from typing import Any, TypeVar

Chunk = TypeVar("Chunk")

def build(
    type: type[Chunk],
    data: bytes,
    latin: bool,
    bom: int,
    ends: tuple[int, ...],
    symbols: tuple[tuple[object, ...], ...],
    path: object,
    language: str | None,
    source: str,
    fallback: str | None,
    /,
) -> list[Chunk]: ...
def untrack(objects: list[Any], /) -> None: ...
