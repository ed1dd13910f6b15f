from collections.abc import Sequence
from typing import Any

def read_plain(
    root: bytes, paths: bytes, count: int, most: int, asks: bool = False
) -> list[tuple[bytes, int, int] | None]: ...
def prepare_plain(
    root: bytes,
    paths: bytes,
    names: Sequence[str],
    made: Sequence[tuple[bytes, bool]],
    most: int,
    files: tuple[type, tuple[Any, ...]],
    lanes: int = 8,
) -> list[Any | None]: ...
def stamps(root: bytes, paths: bytes) -> bytes | None: ...
