"""Squeezed postings: they come back, both halves do the same, and what is damaged is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treemill.native import compiled
from treemill.storage.squeezing import squeezed, squeezed_plainly, unsqueezed, unsqueezed_plainly

PACKING = compiled("packing")
needs_native = pytest.mark.skipif(PACKING is None, reason="this installation has no compiled halves")

CHUNKS = 65_536
numbers = st.integers(0, 60) | st.integers(0, CHUNKS - 1) | st.sampled_from([15, 16, 17, 3_855, 3_856, 3_857, 65_535])
weights = st.integers(1, 7) | st.sampled_from([64, 65, 66]) | st.integers(0, 255)
terms = st.lists(st.dictionaries(numbers, weights, min_size=1, max_size=12), max_size=8)


def arrays(drawn):
    """What terms have: how many postings each, their chunks, their weights."""
    counts = np.array([len(each) for each in drawn], np.uint16)
    chunks = np.array([chunk for each in drawn for chunk in sorted(each)], np.uint16)
    return counts, chunks, np.array([each[chunk] for each in drawn for chunk in sorted(each)], np.uint8)


@given(terms)
@example([])
@example([{0: 0, 1: 1, CHUNKS - 1: 255}])
@example([{15: 1}, {16: 65}, {3_855: 66}, {3_856: 6}])
def test_postings_come_back(drawn):
    counts, chunks, weights_ = arrays(drawn)
    data = squeezed(counts, chunks, weights_)
    assert data.tobytes() == squeezed_plainly(counts, chunks, weights_).tobytes()
    for whole in (unsqueezed, unsqueezed_plainly):
        found = whole(counts, data, CHUNKS)
        assert [each.dtype for each in found] == [np.uint16, np.uint8]
        assert [each.tolist() for each in found] == [chunks.tolist(), weights_.tolist()]


def test_most_postings_take_a_byte_where_words_are_near_each_other():
    near = np.arange(0, 3_000, 3, dtype=np.uint16)
    data = squeezed(np.array([len(near)], np.uint16), near, np.ones(len(near), np.uint8))
    assert len(data) == len(near) + 1


@needs_native
@given(st.lists(st.integers(0, 5), max_size=5), st.binary(max_size=40), st.integers(0, CHUNKS))
def test_both_halves_refuse_the_same_bytes(counts, data, chunk_count):
    given_ = np.array(counts, np.uint16), np.frombuffer(data, np.uint8), chunk_count
    try:
        expected = unsqueezed_plainly(*given_)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)):
            unsqueezed(*given_)
    else:
        assert [each.tolist() for each in unsqueezed(*given_)] == [each.tolist() for each in expected]


@given(terms.filter(bool), st.data())
def test_damaged_bytes_never_name_a_chunk_that_there_is_not(drawn, data):
    counts, chunks, weights_ = arrays(drawn)
    damaged = squeezed(counts, chunks, weights_).copy()
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    most = int(chunks.max()) + 1
    for whole in (unsqueezed, unsqueezed_plainly):
        try:
            found, _ = whole(counts, damaged, most)
        except ValueError:
            continue
        assert len(found) == len(chunks)
        assert int(found.max()) < most


@pytest.mark.parametrize("place", range(3))
def test_arrays_that_do_not_fit_each_other_are_refused(place):
    fitting = [np.array([2], np.uint16), np.array([3, 9], np.uint16), np.ones(2, np.uint8)]
    for half in (squeezed, squeezed_plainly):
        half(*fitting)
        with pytest.raises(ValueError, match="do not fit"):
            half(*fitting[:place], fitting[place][:0], *fitting[place + 1 :])


@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, -1), slice(1, None)])
def test_bytes_that_are_cut_are_refused(cut):
    counts = np.array([2], np.uint16)
    data = squeezed(counts, np.array([3, 9_000], np.uint16), np.array([1, 200], np.uint8))
    for whole in (unsqueezed, unsqueezed_plainly):
        with pytest.raises(ValueError, match="damaged"):
            whole(counts, data[cut], CHUNKS)
