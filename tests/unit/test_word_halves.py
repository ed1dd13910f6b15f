"""The compiled half of the word pass finds what the one in numpy does, in any text, and refuses what is none."""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.native import compiled
from treemill.ranking.compiled_pass import CompiledPass
from treemill.ranking.occurrences import IndexedText, Occurrences, TextToIndex
from treemill.ranking.plain_pass import PlainPass
from treemill.ranking.vocabulary import LONGEST_TOKEN

PASSING = compiled("passing")
pytestmark = pytest.mark.skipif(PASSING is None, reason="this installation has no compiled halves")


def compiled_pass() -> CompiledPass:
    assert PASSING is not None
    return CompiledPass(PASSING)


def shown(result: tuple[list[IndexedText], Occurrences]) -> tuple[object, ...]:
    """What a pass returned, without the numbers of stems, which each half gives as it meets them."""
    indexed, found = result
    texts = found.stems.texts
    places = zip(found.terms.tolist(), found.times.tolist(), found.named.tolist(), strict=True)
    stems = [(texts[term], times, named) for term, times, named in places]
    return (
        [[array.tolist() for array in file.postings] for file in indexed],
        [(file.lengths.tolist(), file.spellings) for file in indexed],
        found.first_chunks.tolist(),
        [sorted(stems[first:last]) for first, last in pairwise(found.firsts.tolist())],
    )


def agree(*batches: list[TextToIndex]) -> None:
    one, other = compiled_pass(), PlainPass()
    for batch in batches:
        assert shown(one.read(batch)) == shown(other.read(batch))
    assert len(one) == len(other)


tokens = st.one_of(
    st.sampled_from(["parseHTTPHeader_v2", "XMLHttp", "__init__", "_", "HTTPS", "aB", "ABc", "größe", "検索する", "İ"]),
    st.text("aBC09_", min_size=1, max_size=12),
    st.integers(LONGEST_TOKEN - 1, LONGEST_TOKEN + 1).map("x".__mul__),
)
texts = st.lists(st.one_of(tokens, st.sampled_from([" ", "\n", ".", "\0", "("])), max_size=30).map("".join)
pieces = st.one_of(texts.map(str.encode), st.binary(max_size=60))
names = st.one_of(tokens, st.text(max_size=5), st.sampled_from(["operator+", "Cart.add", "\udc80", ""]))


@st.composite
def files(draw: st.DrawFn) -> TextToIndex:
    chunks = draw(st.lists(pieces, max_size=5))
    defined = draw(st.lists(st.tuples(st.integers(0, len(chunks) - 1), names), max_size=6)) if chunks else []
    return TextToIndex(b"".join(chunks), np.cumsum([len(each) for each in chunks]).tolist(), defined)


@given(st.lists(st.lists(files(), max_size=4), max_size=3))
def test_both_halves_find_the_same_batch_after_batch(batches: list[list[TextToIndex]]) -> None:
    agree(*batches)


def test_words_with_bytes_that_are_no_text_are_spelled_alike() -> None:
    text = b"e\x9f\xc3\xb6\xc3rg\xff'e\x9f\xc3\xb6\xc3rg"
    agree([TextToIndex(text, [len(text)], ())])


def test_words_that_share_an_id_are_counted_together() -> None:
    assert zlib.crc32(b"plumless") == zlib.crc32(b"buckeroo")
    text = b"plumless buckeroo plumless\n"
    only = TextToIndex(text * 40 + b"buckeroo", [len(text), 40 * len(text), 40 * len(text) + 8], [(0, "buckeroo")])
    agree([only], [only, only])


def test_more_than_the_tables_hold_at_first_is_read_alike() -> None:
    draw = np.random.default_rng(3)
    words = b" ".join(b"%x_%d" % (each, each % 977) for each in draw.integers(0, 1 << 40, 30_000).tolist())
    batch = [TextToIndex(words, [*range(1_000, len(words), 1_000), len(words)], [])]
    agree(batch, batch)


def test_a_file_of_as_many_chunks_as_can_be_numbered_is_read_alike() -> None:
    count = 65_535
    agree([TextToIndex(b"ab " * count, range(3, 3 * count + 1, 3), [(count - 1, "ab")])])


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (TextToIndex(b"ab", [3], ()), ValueError),
        (TextToIndex(b"ab", [2, 1], ()), ValueError),
        (TextToIndex(b"ab", [-1], ()), ValueError),
        (TextToIndex(b"ab", ["2"], ()), TypeError),  # type: ignore[list-item]
        (TextToIndex("ab", [2], ()), TypeError),  # type: ignore[arg-type]
        (TextToIndex(b"ab", [2], [(1, "a")]), ValueError),
        (TextToIndex(b"ab", [2], [(-1, "a")]), ValueError),
        (TextToIndex(b"ab", [2], ["ab"]), TypeError),  # type: ignore[list-item]
        (TextToIndex(b"ab", [2], [(0, b"ab")]), TypeError),  # type: ignore[list-item]
        (TextToIndex(b"a" * 70_000, range(1, 70_001), ()), ValueError),
    ],
)
def test_what_is_no_file_is_refused(file: TextToIndex, error: type[Exception]) -> None:
    with pytest.raises(error):
        compiled_pass().read([file])


def test_calls_out_of_turn_and_numbers_that_do_not_fit_are_refused() -> None:
    assert PASSING is not None
    words = PASSING.Words(LONGEST_TOKEN)
    with pytest.raises(RuntimeError):
        words.count(b"", b"", b"", b"")
    parts, others, odd, spellings = words.read((b"ab \xc3\xa4",), ([5],), ([(0, "a.b")],))
    assert spellings == ["ab\nä\n".encode()]
    assert (parts, others, odd) == ([b"ab"], ["ä".encode()], [(0, "a.b")])
    with pytest.raises(RuntimeError):
        words.read((), (), ())
    number = np.uint32(1).tobytes()
    known: list[bytes] = []
    assert words.number([b"ab", "ä".encode(), b"ab"], known) == np.array([0, 1, 0], np.uint32).tobytes()
    assert known == [b"ab", "ä".encode()]
    assert np.frombuffer(words.ids(1), np.uint32).tolist() == [zlib.crc32("ä".encode())]
    for call in (lambda: words.number([b"c"], []), lambda: words.count(b"", b"", b"", b"")):
        with pytest.raises(RuntimeError):
            call()
    for first in (-1, 3):
        with pytest.raises(ValueError):
            words.ids(first)
    two = np.uint32(2).tobytes()
    for wrong in [
        (b"", b"", b"", b""),
        (two, number, bytes(4), number),
        (number,) * 3 + (b"",),
        (b"abc", b"", b"", b""),
    ]:
        with pytest.raises(ValueError):
            words.learn(*wrong)
    words.learn(bytes(4), number, number, number)
    for wrong in [(number, bytes(4), b"", bytes(4)), (bytes(4), number, two, bytes(4)), (bytes(4), b"", b"", b"")]:
        with pytest.raises(ValueError):
            words.count(*wrong)
    files, firsts, *_ = words.count(b"", b"", b"", b"")
    assert (len(files), np.frombuffer(firsts, np.uint32).tolist()) == (1, [0, 2])


@pytest.mark.parametrize("longest", [0, -1, 256, "a"])
def test_tokens_of_no_sensible_length_are_refused(longest: object) -> None:
    assert PASSING is not None
    with pytest.raises((TypeError, ValueError)):
        PASSING.Words(longest)
