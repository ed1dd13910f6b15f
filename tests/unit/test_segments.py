"""Segments: laid out and merged they hold the same postings; from a file they come back, or are refused."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.contents import check_duties, content_of
from treemill.native import compiled
from treemill.ranking.regrouping import regrouped_plainly
from treemill.storage import Segment
from treemill.storage.layout import Part, dead_share, lay_out, merge, part_of
from treemill.storage.segment_files import FULL_CHUNKS, SegmentFile, plan_merges
from treemill.storage.segments import SQUEEZED_CHUNKS, SegmentRefused, open_segment, spellings, write_segment

LAYOUT = compiled("layout")
INDEX = b"i" * 16
TEXTS = ["alpha beta\nbeta\n", "", "gamma alpha alpha\n", "delta\nepsilon beta\n\n"]


def part(content_id: int, text: str, *, dimension: int = 0) -> Part:
    content = content_of(text, dimension=dimension)
    return part_of(
        content_id, content.chunk_count, content.lengths, content.postings, content.vectors, dimension=dimension
    )


def parts(texts: list[str], *, first: int = 1, dimension: int = 0) -> list[Part]:
    return [part(first + number, text, dimension=dimension) for number, text in enumerate(texts)]


def segment_of(*texts: str, dimension: int = 0) -> Segment:
    return lay_out(parts(list(texts) or TEXTS, dimension=dimension), dimension=dimension)


def assert_equal(one: Segment, other: Segment) -> None:
    for name, left, right in zip(Segment._fields, one, other, strict=True):
        assert left.dtype == right.dtype, name
        assert left.tolist() == right.tolist(), name


def write(folder: Path, segment: Segment, *, squeezed: bool = True) -> SegmentFile:
    at_most = SQUEEZED_CHUNKS if squeezed else 0
    return write_segment(folder, segment, index_id=INDEX, after=0, last_id=4, squeezed_chunks=at_most)


forms = pytest.mark.parametrize("squeezed", [True, False], ids=["squeezed", "plain"])


# ── laying out and merging ──


@pytest.mark.parametrize("dimension", [0, 4])
def test_a_segment_holds_the_postings_of_its_contents_by_term(dimension):
    segment = segment_of(dimension=dimension)
    check_duties(segment)
    assert segment.contents.tolist() == [1, 2, 3, 4]
    assert segment.first_chunk.tolist() == [0, 2, 2, 3, 6]
    assert len(segment.terms) == 5
    assert len(segment.vectors) == len(segment.norms) == (6 if dimension else 0)


needs_native = pytest.mark.skipif(LAYOUT is None, reason="this installation has no compiled halves")
groups = st.lists(st.tuples(st.integers(0, 9) | st.integers(0, 2**32 - 1), st.integers(0, 4)), max_size=40)


def source_of(drawn, *, base=0, wide=False):
    """A source of groups (term, how many postings), whose arrays have 32 bits if `wide`, else 16."""
    terms, counts = np.array(drawn, np.uint32).reshape(-1, 2).T.copy()
    total = int(counts.sum())
    kind = np.uint32 if wide else np.uint16
    return terms, counts.astype(kind), np.arange(total, dtype=kind), (np.arange(total) % 251).astype(np.uint8), base


@needs_native
@given(st.lists(st.tuples(groups, st.booleans(), st.booleans()), max_size=6), st.booleans())
def test_both_halves_bring_postings_into_the_order_of_terms_alike(drawn, narrow):
    sources = [
        source_of(sorted(dict(some).items()) if ascending else some, base=1_000 * number, wide=wide)
        for number, (some, ascending, wide) in enumerate(drawn)
    ]
    expected = regrouped_plainly(sources, narrow=narrow)
    assert [each.tobytes() for each in expected] == list(LAYOUT.regrouped(sources, narrow))


@needs_native
def test_many_groups_come_into_the_order_of_terms_slice_by_slice():
    rng = np.random.default_rng(3)
    terms = [np.unique(rng.integers(0, 2**32, 50_000, np.uint32)) for _ in range(5)]
    sources = [source_of(np.stack((each, each % 3), axis=1), base=7 * n, wide=True) for n, each in enumerate(terms)]
    expected = regrouped_plainly(sources, narrow=False)
    assert [each.tobytes() for each in expected] == list(LAYOUT.regrouped(sources, False))


@needs_native
@pytest.mark.parametrize("place", range(4))
def test_groups_that_do_not_fit_are_refused(place):
    arrays = [bytes(4), (2).to_bytes(2, "little"), bytes(4), bytes(2)]
    assert LAYOUT.regrouped([(*arrays, 0)], True)
    for other in (b"", bytes(3), b"\xff" * 6, (3).to_bytes(2, "little"), bytes(16)):
        if len(other) != len(arrays[place]) or place == 1:
            with pytest.raises(ValueError):
                LAYOUT.regrouped([(*arrays[:place], other, *arrays[place + 1 :], 0)], True)


@needs_native
def test_what_is_no_source_of_groups_is_refused():
    for other in (None, (), (b"", b"", b"", b""), (b"", b"", b"", "", 0), (b"", b"", b"", b"", -1)):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            LAYOUT.regrouped([other], True)


def test_a_segment_of_nothing_is_empty():
    segment = lay_out([], dimension=0)
    check_duties(segment)
    assert_equal(merge([], live=np.empty(0, np.int64)), segment)


@pytest.mark.parametrize("dimension", [0, 4])
def test_merged_segments_equal_one_laid_out_at_once(dimension):
    several = [
        lay_out(parts(TEXTS[:1], dimension=dimension), dimension=dimension),
        lay_out(parts(TEXTS[1:3], first=2, dimension=dimension), dimension=dimension),
        lay_out(parts(TEXTS[3:], first=4, dimension=dimension), dimension=dimension),
    ]
    assert_equal(merge(several, live=np.arange(1, 5)), segment_of(dimension=dimension))


def test_words_that_are_gathered_beside_are_those_of_all_contents():
    texts = [f"word{n} shared\n" for n in range(1_200)]
    spelled = [part(n + 1, text)._replace(spellings=text.replace(" ", "\n").encode()) for n, text in enumerate(texts)]
    whole = lay_out(spelled, dimension=0)
    assert set(spellings(whole).split()) == {*b" ".join(text.encode() for text in texts).split()}
    assert_equal(
        merge([lay_out(spelled[:1_100], dimension=0), lay_out(spelled[1_100:], dimension=0)], live=whole.contents),
        whole,
    )


@pytest.mark.parametrize("dimension", [0, 4])
def test_a_merge_drops_the_dead(dimension):
    several = [
        lay_out(parts(TEXTS[:2], dimension=dimension), dimension=dimension),
        lay_out(parts(TEXTS[2:], first=3, dimension=dimension), dimension=dimension),
    ]
    living = [part(2, TEXTS[1], dimension=dimension), part(4, TEXTS[3], dimension=dimension)]
    assert_equal(merge(several, live=np.array([2, 4])), lay_out(living, dimension=dimension))


def test_a_merge_of_nothing_but_dead_is_empty():
    merged = merge([segment_of()], live=np.empty(0, np.int64))
    check_duties(merged)
    assert not len(merged.terms)


def test_the_dead_share_counts_chunks():
    assert dead_share(segment_of(), np.array([1, 2, 3, 4])) == 0
    assert dead_share(segment_of(), np.array([2, 4])) == 0.5
    assert dead_share(lay_out([], dimension=0), np.empty(0, np.int64)) == 0


def test_chunk_numbers_take_four_bytes_only_where_two_do_not_suffice():
    line = part(1, "word\n")
    block = line._replace(
        sizes=np.array([FULL_CHUNKS // 2]),
        lengths=np.ones(FULL_CHUNKS // 2, np.uint16),
        postings=line.postings._replace(
            counts=np.array([FULL_CHUNKS // 2], np.uint16),
            chunks=np.arange(FULL_CHUNKS // 2, dtype=np.uint16),
            weights=np.ones(FULL_CHUNKS // 2, np.uint8),
        ),
    )
    full = lay_out([block, block._replace(contents=np.array([2]))], dimension=0)
    others = block._replace(contents=np.array([2])), line._replace(contents=np.array([3]))
    over = lay_out([block, *others], dimension=0)
    assert (full.chunks.dtype, over.chunks.dtype) == (np.uint16, np.uint32)
    for segment in (full, over):
        check_duties(segment)
        assert segment.chunks.tolist() == list(range(len(segment.lengths)))


def test_a_full_segment_of_one_word_comes_back_from_its_file(tmp_path):
    everywhere = np.arange(FULL_CHUNKS)
    full = Segment(
        contents=np.array([1]),
        first_chunk=np.array([0, FULL_CHUNKS]),
        lengths=np.ones(FULL_CHUNKS, np.uint16),
        terms=np.array([7], np.uint32),
        offsets=np.array([0, FULL_CHUNKS]),
        chunks=everywhere.astype(np.uint16),
        weights=np.ones(FULL_CHUNKS, np.uint8),
        vectors=np.empty((0, 0), np.int8),
        norms=np.empty(0, np.float32),
        spellings=np.frombuffer(zlib.compress(b"word\n"), np.uint8),
        spelled=np.ones(1, np.uint8),
    )
    assert_equal(open_segment(tmp_path, write(tmp_path, full), index_id=INDEX), full)


# ── when to merge ──


def test_segments_stay_few_and_no_chunk_is_moved_often():
    sizes: list[int] = []
    moved = added = 0
    most = 0
    for step in range(4_000):
        size = 100 + step % 7 * 50
        sizes.append(size)
        added += size
        for start, stop in reversed(plan_merges(sizes)):
            moved += sum(sizes[start:stop])
            sizes[start:stop] = [sum(sizes[start:stop])]
        assert max(sizes) <= FULL_CHUNKS
        most = max(most, len(sizes) - sum(size > FULL_CHUNKS // 2 for size in sizes))
    assert most <= 12
    assert moved / added <= 12


def test_full_segments_are_left_alone():
    assert plan_merges([60_000, 65_000, 50_000]) == []


def test_a_small_segment_joins_the_larger_one_behind_it():
    assert plan_merges([60_000, 20, 30_000]) == [(1, 3)]


def test_a_very_large_index_gets_larger_segments_instead_of_ever_more():
    sizes = [60_000] * 100
    for start, stop in reversed(plan_merges(sizes)):
        sizes[start:stop] = [sum(sizes[start:stop])]
    assert len(sizes) <= 34


def test_there_is_nothing_to_merge_in_nothing():
    assert plan_merges([]) == plan_merges([5]) == []


# ── files ──


@forms
@pytest.mark.parametrize("dimension", [0, 4])
def test_a_segment_comes_back_from_its_file(tmp_path, dimension, squeezed):
    segment = segment_of(dimension=dimension)
    file = write(tmp_path, segment, squeezed=squeezed)
    opened = open_segment(tmp_path, file, index_id=INDEX)
    assert_equal(opened, segment)
    check_duties(opened)
    assert (file.chunks, file.last_id) == (6, 4)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_small_segment_is_squeezed_and_a_large_one_is_not(tmp_path):
    line = part(1, "".join(f"word{n}\n" for n in range(40)))
    small, large = (
        lay_out([line._replace(contents=np.array([n + 1])) for n in range(count)], dimension=0)
        for count in (SQUEEZED_CHUNKS // len(line.lengths), SQUEEZED_CHUNKS // len(line.lengths) + 1)
    )
    assert len(small.lengths) <= SQUEEZED_CHUNKS < len(large.lengths)
    for segment, expected in ((small, True), (large, False)):
        file = write(tmp_path, segment)
        assert (file.size < write(tmp_path, segment, squeezed=False).size) is expected
        assert_equal(open_segment(tmp_path, file, index_id=INDEX), segment)


def test_an_empty_segment_comes_back_from_its_file(tmp_path):
    file = write(tmp_path, lay_out([], dimension=0))
    assert not len(open_segment(tmp_path, file, index_id=INDEX).terms)


def test_an_opened_segment_outlives_its_file(tmp_path):
    segment = segment_of()
    file = write(tmp_path, segment)
    opened = open_segment(tmp_path, file, index_id=INDEX)
    (tmp_path / file.name).unlink()
    assert_equal(opened, segment)


@forms
def test_every_flipped_byte_is_refused(tmp_path, squeezed):
    file = write(tmp_path, segment_of(dimension=4), squeezed=squeezed)
    path = tmp_path / file.name
    image = path.read_bytes()
    for position in range(len(image)):
        flipped = bytearray(image)
        flipped[position] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(SegmentRefused):
            open_segment(tmp_path, file, index_id=INDEX)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 128, -64, -1])
def test_a_file_of_another_length_is_refused(tmp_path, length):
    file = write(tmp_path, segment_of())
    path = tmp_path / file.name
    image = path.read_bytes()
    path.write_bytes(image[:length])
    with pytest.raises(SegmentRefused):
        open_segment(tmp_path, file, index_id=INDEX)
    path.write_bytes(image + b"\0" * 64)
    with pytest.raises(SegmentRefused):
        open_segment(tmp_path, file, index_id=INDEX)


def test_a_missing_file_is_refused(tmp_path):
    file = write(tmp_path, segment_of())
    (tmp_path / file.name).unlink()
    with pytest.raises(SegmentRefused):
        open_segment(tmp_path, file, index_id=INDEX)


def test_a_file_of_another_index_is_refused(tmp_path):
    file = write(tmp_path, segment_of())
    with pytest.raises(SegmentRefused, match="does not belong"):
        open_segment(tmp_path, file, index_id=b"j" * 16)


@pytest.mark.parametrize("claim", [{"after": 1}, {"last_id": 5}, {"chunks": 5}])
def test_a_file_that_covers_other_contents_than_the_index_says_is_refused(tmp_path, claim):
    file = write(tmp_path, segment_of())
    with pytest.raises(SegmentRefused, match="covers other contents"):
        open_segment(tmp_path, file._replace(**claim), index_id=INDEX)


def test_a_file_that_was_swapped_for_an_older_one_of_the_same_index_is_refused(tmp_path):
    file, other = write(tmp_path, segment_of("one two\n")), write(tmp_path, segment_of("two one one\n"))
    assert file.size == other.size
    os.replace(tmp_path / other.name, tmp_path / file.name)
    with pytest.raises(SegmentRefused):
        open_segment(tmp_path, file, index_id=INDEX)


def test_a_link_and_a_name_that_leads_elsewhere_are_refused(tmp_path):
    folder = tmp_path / "index"
    folder.mkdir()
    file = write(tmp_path, segment_of())
    with pytest.raises(SegmentRefused, match="no name"):
        open_segment(folder, file._replace(name=f"../{file.name}"), index_id=INDEX)
    (folder / file.name).symlink_to(tmp_path / file.name)
    with pytest.raises(SegmentRefused):
        open_segment(folder, file, index_id=INDEX)


HOSTILE = {
    "chunks out of range": {"chunks": np.array([60_000] * 8, np.uint16)},
    "more chunks than the contents have": {"first_chunk": np.array([0, 2, 2, 3, 9])},
    "runs that fall": {"first_chunk": np.array([0, 5, 2, 3, 6])},
    "runs that start late": {"first_chunk": np.array([1, 2, 2, 3, 6])},
    "contents out of order": {"contents": np.array([1, 3, 2, 4])},
    "terms out of order": {"terms": np.array([5, 4, 3, 2, 1], np.uint32)},
    "counts that pass the end": {"offsets": np.array([0, 2, 4, 6, 8, 30_000])},
}


@forms
@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_with_a_right_checksum_is_refused(tmp_path, changes, squeezed):
    segment = segment_of()
    assert (len(segment.chunks), len(segment.terms)) == (8, 5)
    hostile = segment._replace(**changes)
    if squeezed and "offsets" in changes:
        with pytest.raises(ValueError, match="do not fit"):
            write(tmp_path, hostile)
        return
    file = write(tmp_path, hostile, squeezed=squeezed)
    with pytest.raises(SegmentRefused):
        open_segment(tmp_path, file, index_id=INDEX)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, segment_of())
    assert list(tmp_path.iterdir()) == []
