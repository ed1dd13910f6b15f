from collections.abc import Sequence
from typing import Any

def file_sums(rows: Sequence[tuple[Any, ...]], /) -> list[int | None]: ...
