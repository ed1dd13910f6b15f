from typing import Any

def pooled(
    firsts: Any, terms: Any, times: Any, named: Any, factors: Any, name_times: int, rows: Any, dimension: int, /
) -> bytes: ...
def weighed(
    places: Any,
    texts: list[bytes],
    weights: Any,
    rows: Any,
    fallbacks: int,
    fallback_weight: int,
    dimension: int,
    /,
) -> bytes: ...
