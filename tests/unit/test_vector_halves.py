"""The compiled half of the static encoder sums what the one in numpy does, and refuses what does not fit together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tables import random_words, write_table
from treemill.embedding.pooling import Rows, pooled, pooled_plainly
from treemill.embedding.static_model import StaticModel
from treemill.native import compiled
from treemill.ranking.occurrences import Occurrences
from treemill.ranking.vocabulary import Stems

VECTORS = compiled("vectors")
pytestmark = pytest.mark.skipif(VECTORS is None, reason="this installation has no compiled halves")

WORDS = random_words(60)
TEXTS = [*(word.encode() for word in WORDS), b"x", "größe".encode(), b"\xff\xfe", b"zzxq", b"a" * 300]


@pytest.fixture(scope="module", params=[(0, 8, 13), (0, 40_000, 65_535)], ids=["small", "large"])
def model(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> StaticModel:
    folder = tmp_path_factory.mktemp("model")
    return StaticModel(write_table(folder / "static.model", WORDS[:40], counts=request.param, name_count=3))


def stems_of(texts: list[bytes]) -> Stems:
    stems = Stems()
    stems.number(texts)
    return stems


places = st.tuples(st.integers(0, len(TEXTS) - 1), st.integers(0, 5), st.integers(0, 3))


@given(st.lists(st.lists(places, max_size=12, unique_by=lambda place: place[0]), max_size=40))
def test_both_halves_sum_alike(model: StaticModel, chunks: list[list[tuple[int, int, int]]]) -> None:
    flat = np.array([place for chunk in chunks for place in chunk], np.uint32).reshape(-1, 3)
    firsts = np.cumsum([0, *map(len, chunks)])
    terms, times, named = (np.ascontiguousarray(column) for column in flat.T)
    found = Occurrences(np.array([0, len(chunks)]), firsts, terms, times, named, stems_of(TEXTS))
    one, other = (pool(found, Rows(model, found.stems)) for pool in (pooled, pooled_plainly))
    assert one.shape == other.shape == (len(chunks), model.dimension)
    assert one.tolist() == other.tolist()


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20))
def test_both_halves_weigh_the_rows_of_terms_alike(model: StaticModel, texts: list[bytes]) -> None:
    stems = stems_of([*texts, *TEXTS])
    rows = model.weighed_rows(stems.ids, stems.texts)
    known = dict(zip(model.own_ids.tolist(), range(len(model.own_ids)), strict=True))
    where = np.array([known.get(term, -1) for term in stems.ids.tolist()])
    assert rows.tolist() == model.weighed_plainly(where, stems.texts).tolist()


def numbers(kind: type[np.generic], *values: int) -> bytes:
    return np.array(values, kind).tobytes()


SOUND = (
    numbers(np.int64, 0, 1), numbers(np.uint32, 0), numbers(np.uint32, 1), numbers(np.uint32, 0),
    numbers(np.uint16, 0, 8), 1, numbers(np.int16, 1, 2, 3), 3,
)  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, b""),
        (0, numbers(np.int64, 0, 2)),
        (0, numbers(np.int64, 1, 0)),
        (0, numbers(np.int64, -1, 1)),
        (1, numbers(np.uint32, 1)),
        (1, numbers(np.uint32, 0, 0)),
        (2, b""),
        (3, b"\1"),
        (4, b""),
        (5, -1),
        (5, 1 << 20),
        (6, b"\0" * 5),
        (7, 0),
        (7, 4),
    ],
)
def test_occurrences_that_do_not_fit_are_refused(place: int, value: object) -> None:
    assert VECTORS is not None
    assert np.frombuffer(VECTORS.pooled(*SOUND), np.float32).tolist() == [8, 16, 24]
    with pytest.raises(ValueError):
        VECTORS.pooled(*SOUND[:place], value, *SOUND[place + 1 :])


TABLE = (numbers(np.int64, 0, -1), [b"ab", b"cd"], b"\2", b"\1\2\3\4", 1, 255, 2)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, numbers(np.int64, 1, -1)),
        (0, numbers(np.int64, 0)),
        (1, [b"ab", b""]),
        (1, [b"ab", "cd"]),
        (2, b""),
        (3, b"\1\2\3"),
        (4, -1),
        (4, 2),
        (5, 256),
        (6, 0),
        (6, 70_000),
    ],
)
def test_terms_that_do_not_fit_the_table_are_refused(place: int, value: object) -> None:
    assert VECTORS is not None
    assert np.frombuffer(VECTORS.weighed(*TABLE), np.int16).tolist() == [2, 4, 6 * 127, 8 * 127]
    with pytest.raises((TypeError, ValueError)):
        VECTORS.weighed(*TABLE[:place], value, *TABLE[place + 1 :])
