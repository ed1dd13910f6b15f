"""Postings survive being packed, and what is not packed postings is refused."""

from __future__ import annotations

import random
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.native import compiled
from treemill.ranking.postings import Postings, from_plain, pack, planes, unpack, unplaned

PACKING = compiled("packing")

TERMS = st.integers(0, 2**32 - 1)


@st.composite
def postings(draw: st.DrawFn) -> tuple[Postings, int]:
    """Draw postings and the number of chunks of their content."""
    chunk_count = draw(st.sampled_from([1, 2, 5, 254, 255, 256, 257, 65_535]))
    some_chunks = st.sets(st.integers(0, chunk_count - 1) | st.just(chunk_count - 1), min_size=1, max_size=6)
    by_term = draw(st.dictionaries(TERMS, some_chunks, max_size=20))
    terms = sorted(by_term)
    chunks = [chunk for word in terms for chunk in sorted(by_term[word])]
    weights = draw(st.lists(st.integers(1, 255), min_size=len(chunks), max_size=len(chunks)))
    return (
        Postings(
            np.array(terms, np.uint32),
            np.array([len(by_term[word]) for word in terms], np.uint16),
            np.array(chunks, np.uint16),
            np.array(weights, np.uint8),
        ),
        chunk_count,
    )


def of(entries: dict[int, list[int]]) -> Postings:
    """Return postings of weight 1, terms and chunks as given: also such as no content has."""
    chunks = [chunk for each in entries.values() for chunk in each]
    return Postings(
        np.array(list(entries), np.uint32),
        np.array([len(each) for each in entries.values()], np.uint16),
        np.array(chunks, np.uint16),
        np.ones(len(chunks), np.uint8),
    )


def assert_equal(one: Postings, other: Postings) -> None:
    for name in ("terms", "counts", "chunks", "weights"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        assert left.tolist() == right.tolist()


@given(postings())
def test_what_is_packed_comes_back(drawn):
    given_, chunk_count = drawn
    assert_equal(unpack(pack(given_), chunk_count), given_)


@pytest.mark.skipif(PACKING is None, reason="this installation has no compiled halves")
@given(postings())
def test_both_halves_lay_them_out_alike(drawn):
    given_, _ = drawn
    assert PACKING.planes(*given_) == planes(given_)


@pytest.mark.skipif(PACKING is None, reason="this installation has no compiled halves")
@given(postings(), st.data())
def test_both_halves_read_them_alike_sound_or_damaged(drawn, data):
    given_, chunk_count = drawn
    low, small = planes(given_)
    low, small = low[8:], bytearray(small)
    for place in data.draw(st.lists(st.integers(0, len(small) - 1), max_size=2)) if small else ():
        small[place] ^= data.draw(st.sampled_from([1, 128, 255]))
    wide = len(given_.chunks) > 0 and int(given_.chunks.max()) >= 255
    arguments = (low, bytes(small), len(given_.terms), len(given_.chunks), wide, chunk_count)
    try:
        expected = unplaned(*arguments)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            PACKING.unplaned(*arguments)
    else:
        assert_equal(from_plain(PACKING.unplaned(*arguments)), expected)


@pytest.mark.skipif(PACKING is None, reason="this installation has no compiled halves")
@pytest.mark.parametrize(
    "arguments",
    [
        (b"", b"", -1, 0, False, 0),
        (b"", b"", 0, -1, False, 0),
        (b"", b"", 1, 0, False, 1),
        (b"", b"", 0, 0, False, -1),
        (b"abc", b"abcd", 1, 1, True, 1),
        (b"ab", b"abcd", 1, 1, False, 1),
        (b"", b"ab", 0, 1 << 62, False, 1),
        (b"", b"", 1 << 62, 0, False, 1),
        (b"", b"", 0, 0, False, 1 << 17),
    ],
)
def test_planes_that_do_not_fit_are_refused(arguments):
    with pytest.raises(ValueError):
        PACKING.unplaned(*arguments)


@pytest.mark.skipif(PACKING is None, reason="this installation has no compiled halves")
@pytest.mark.parametrize("place", range(4))
def test_arrays_that_are_no_postings_are_refused(place):
    arrays = [bytes(4), b"\1\0", bytes(2), bytes(1)]
    assert PACKING.planes(*arrays)
    for other in (b"", bytes(3), bytes(8)):
        with pytest.raises(ValueError):
            PACKING.planes(*arrays[:place], other, *arrays[place + 1 :])


def test_no_words_at_all_come_back_as_none():
    assert_equal(unpack(pack(of({})), 0), of({}))


def test_a_word_in_every_chunk_of_the_largest_content_comes_back():
    everywhere = of({0: list(range(65_535)), 2**32 - 1: [65_534]})
    assert_equal(unpack(pack(everywhere), 65_535), everywhere)


@given(postings(), st.data())
def test_packed_postings_that_are_cut_short_are_refused(drawn, data):
    given_, chunk_count = drawn
    packed = pack(given_)
    end = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(ValueError, match=r"damaged postings|buffer"):
        unpack(packed[:end], chunk_count)


@given(postings(), st.binary(min_size=1, max_size=9))
def test_packed_postings_with_something_behind_them_are_refused(drawn, more):
    given_, chunk_count = drawn
    with pytest.raises(ValueError):
        unpack(pack(given_) + more, chunk_count)


@given(st.binary(max_size=200), st.integers(0, 65_535))
def test_random_bytes_are_refused_or_well_formed(noise, chunk_count):
    try:
        result = unpack(noise, chunk_count)
    except ValueError:
        return
    assert (np.diff(result.terms.astype(np.int64)) > 0).all()
    assert not len(result.chunks) or int(result.chunks.max()) < chunk_count


def test_any_flipped_bit_is_refused_or_gives_well_formed_postings():
    words = random.Random(7)
    packed = pack(of({word: sorted(words.sample(range(40), 3)) for word in sorted(words.sample(range(2**32), 30))}))
    refused = 0
    for position in range(len(packed)):
        flipped = packed[:position] + bytes([packed[position] ^ 1]) + packed[position + 1 :]
        try:
            result = unpack(flipped, 40)
        except ValueError:
            refused += 1
        else:
            assert (np.diff(result.terms.astype(np.int64)) > 0).all()
            assert int(result.chunks.max()) < 40
    assert refused > len(packed) // 2


BAD = {
    "terms that fall": of({5: [0], 3: [0]}),
    "a term twice": Postings(
        np.array([5, 5], np.uint32), np.array([1, 1], np.uint16), np.zeros(2, np.uint16), np.ones(2, np.uint8)
    ),
    "chunks that fall": of({5: [1, 0]}),
    "a chunk twice": of({5: [1, 1]}),
    "a chunk too many": of({5: [0, 2]}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_postings_that_no_content_has_are_refused(bad):
    with pytest.raises(ValueError, match="damaged postings"):
        unpack(pack(bad), 2)


def test_a_header_that_promises_gigabytes_costs_nothing():
    bomb = struct.pack("<II", 1 << 1, 2**32 - 1) + b"\0" * 3 + zlib.compress(b"\0" * 1_000_000)
    with pytest.raises(ValueError, match="more than there is room for"):
        unpack(bomb, 65_535)


def test_a_posting_of_real_code_costs_about_three_bytes():
    words = random.Random(1)
    vocabulary = [words.randrange(2**32) for _ in range(3_000)]
    entries: dict[int, set[int]] = {}
    for chunk in range(40):
        for _ in range(80):
            entries.setdefault(vocabulary[int(words.paretovariate(0.7)) % 3_000], set()).add(chunk)
    packed = pack(of({word: sorted(entries[word]) for word in sorted(entries)}))
    assert len(packed) < 3 * sum(map(len, entries.values()))
