"""Comparing a question with every chunk: the same as working out each cosine by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from treemill.ranking.postings import Postings
from treemill.searching.moment import Moment
from treemill.storage import FileTable, Segment
from treemill.storage.layout import Part, lay_out, merge

DIMENSION = 24
NO_POSTINGS = Postings(np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.uint16), np.zeros(0, np.uint8))


@dataclass
class Laid:
    """As much of a snapshot as a moment looks at."""

    parts: Sequence[Segment]

    def segments(self) -> Sequence[Segment]:
        return self.parts

    def files(self) -> FileTable:
        contents = np.concatenate([segment.contents for segment in self.parts])
        return FileTable([f"{number:04}.py" for number in contents], contents, [None] * len(contents))


def part(content: int, vectors: Any, *, chunks: int | None = None) -> Part:
    size = len(vectors) if chunks is None else chunks
    ids, sizes = np.array([content], np.int64), np.array([size], np.int64)
    return Part(ids, sizes, np.ones(size, np.uint16), NO_POSTINGS, vectors, b"", np.zeros(1, np.uint8))


def drawn(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(-127, 128, (count, DIMENSION)).astype(np.int8)


def cosine(vector: Any, question: Any) -> float:
    lengths = np.linalg.norm(vector.astype(float)) * np.linalg.norm(question)
    return max(0.0, float(vector.astype(float) @ question / lengths)) if lengths else 0.0


@pytest.mark.parametrize("sizes", [(1,), (3, 2), (1_100, 511), (512, 513)])
def test_each_chunk_gets_its_cosine_or_0_where_that_is_negative(sizes: tuple[int, ...]) -> None:
    vectors = [drawn(size, seed) for seed, size in enumerate(sizes)]
    vectors[0][0] = 0
    segments = [lay_out([part(number, each)], dimension=DIMENSION) for number, each in enumerate(vectors, 1)]
    question = drawn(1, 99)[0].astype(np.float32)
    found = Moment(Laid(segments)).likeness(question)  # type: ignore[arg-type]
    assert found.dtype == np.float32
    expected = [cosine(vector, question) for each in vectors for vector in each]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    joined = merge(segments, live=np.arange(1, len(sizes) + 1))
    assert Moment(Laid([joined])).likeness(question).tolist() == pytest.approx(expected, abs=1e-6)  # type: ignore[arg-type]


def test_chunks_without_vectors_are_like_nothing() -> None:
    with_vectors = lay_out([part(1, drawn(2, 1))], dimension=DIMENSION)
    without = lay_out([part(2, np.zeros((0, 0), np.int8), chunks=3)], dimension=0)
    moment = Moment(Laid([with_vectors, without]))  # type: ignore[arg-type]
    assert moment.has_vectors
    assert moment.likeness(np.ones(DIMENSION, np.float32))[2:].tolist() == [0.0, 0.0, 0.0]
    assert not moment.likeness(np.zeros(DIMENSION, np.float32)).any()
