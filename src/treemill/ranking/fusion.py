"""Bringing scores by meaning beside scores by words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Embedded(Protocol):
    """What fusion needs of a segment: int8[n, dimension], or no rows where there are no vectors."""

    @property
    def vectors(self) -> npt.NDArray[np.int8]: ...
    @property
    def lengths(self) -> npt.NDArray[np.uint16]: ...


def cosine_scores(
    segments: Sequence[Embedded], question: npt.NDArray[np.float32], weight: float
) -> list[npt.NDArray[np.float32]]:
    """Return, for each segment, `weight` times the cosine between each chunk's vector and the question's.

    Negative cosines count as zero: being unlike a question is no evidence. A segment without vectors scores zero.
    """
    unit = question / max(float(np.linalg.norm(question)), 1e-9)
    scores: list[npt.NDArray[np.float32]] = []
    for segment in segments:
        if not segment.vectors.size:
            scores.append(np.zeros(len(segment.lengths), np.float32))
            continue
        rows = segment.vectors.astype(np.float32)
        norms = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
        scores.append((weight * np.maximum(rows @ unit / norms, 0.0)).astype(np.float32))
    return scores
