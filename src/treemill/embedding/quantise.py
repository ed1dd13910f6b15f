"""Vectors as they are stored: int8, each row scaled to its own largest component; and shortened, where asked for.

Only directions matter to search (cosine similarity), so the scale of a row is not kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from treemill.errors import EmbeddingError


def to_int8(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """Return int8[n, d] whose rows point where the rows of float32[n, d] do; a zero row stays zero.

    Raises:
        ValueError: a component is not finite.
    """
    if not np.isfinite(vectors).all():
        raise ValueError("a vector has components that are not finite")
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    scale = np.divide(127.0, largest, out=np.zeros_like(largest), where=largest > 0)
    packed: npt.NDArray[np.int8] = np.rint(vectors * scale).astype(np.int8)
    return packed


def shortened(vectors: npt.NDArray[np.float32], dimension: int, name: str) -> npt.NDArray[np.float32]:
    """Return the first `dimension` components of finite rows: how models trained for several lengths are shortened.

    Raises:
        EmbeddingError: a row is not finite.
    """
    if not np.isfinite(vectors).all():
        raise EmbeddingError(f"{name} made a vector that is not finite")
    return np.ascontiguousarray(vectors[:, :dimension], np.float32)
