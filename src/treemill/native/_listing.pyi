from collections.abc import Callable
from typing import Any

def list_folders(
    paths: bytes, count: int, enough: int
) -> list[list[tuple[str, str, int, int, int, int, int, int]] | int | None] | None: ...
def walk_plain(
    place: bytes,
    folder: bytes,
    most: int,
    enough: int,
    marks: tuple[bytes, bytes],
    rules: tuple[bytes, bytes, bytes, bytes, bytes],
    languages: tuple[dict[str, str], dict[str, str], Callable[[str], str | None]],
    files: tuple[type, tuple[Any, ...], str],
    /,
) -> list[Any] | None: ...
