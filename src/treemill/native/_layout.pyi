from typing import Any

def regrouped(
    terms: Any, counts: Any, chunks: Any, weights: Any, narrow: bool, /
) -> tuple[bytes, bytes, bytes, bytes]: ...
