"""Blocks: what workers bring together of a batch gives the same segments as its contents one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import treemill
from support.contents import content_of
from treemill.ranking.blocks import Member, block_of
from treemill.ranking.postings import plain, unpack
from treemill.records import Content
from treemill.storage import Segment
from treemill.storage.examining import examine
from treemill.storage.layout import lay_out, live_part, part_from, parts_from, stored_spellings
from treemill.storage.segments import spellings

texts = st.lists(st.sampled_from(["alpha", "beta", "alpha beta", "gamma_delta", ""]), max_size=5).map("\n".join)


def in_block(batch: list[str], *, dimension: int = 0) -> list[Content]:
    """The contents of a batch as a worker hands them over."""
    contents = [content_of(text, dimension=dimension) for text in batch]
    members = [
        Member(each.key, each.chunk_count, plain(unpack(each.postings, each.chunk_count)), stored_spellings(each))
        for each in contents
    ]
    block = block_of(members)
    return [replace(each, block=block) for each in contents]


def assert_same(found: Segment, expected: Segment) -> None:
    for name in Segment._fields:
        if name != "spellings":
            assert getattr(found, name).dtype == getattr(expected, name).dtype, name
            assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name
    assert set(spellings(expected).split()) <= set(spellings(found).split())


@given(
    st.lists(st.lists(texts, min_size=1, max_size=5), max_size=4), st.sets(st.integers(0, 19)), st.sampled_from([0, 4])
)
def test_a_segment_of_blocks_is_that_of_their_contents_whichever_of_them_are_new(batches, held, dimension):
    new: list[tuple[int, Content]] = []
    keys = set()
    for batch in batches:
        for content in in_block(batch, dimension=dimension):
            if content.key not in keys and len(new) not in held:
                new.append((10 + 2 * len(new), content))
            keys.add(content.key)
    expected = [part_from(number, content, dimension=dimension) for number, content in new]
    assert_same(
        lay_out(parts_from(new, dimension=dimension), dimension=dimension), lay_out(expected, dimension=dimension)
    )


@given(st.lists(texts, min_size=1, max_size=6, unique=True), st.sets(st.integers(1, 6)))
def test_a_part_without_what_was_collected_is_that_of_the_rest(batch, live):
    contents = list(enumerate(in_block(batch, dimension=4), start=1))
    (part,) = parts_from(contents, dimension=4)
    expected = [part_from(number, content, dimension=4) for number, content in contents if number in live]
    kept = live_part(part, np.array(sorted(live), np.int64))
    assert_same(lay_out([kept], dimension=4), lay_out(expected, dimension=4))


def test_contents_in_another_order_than_that_of_their_block_are_refused():
    one, other = in_block(["alpha\nbeta\n", "gamma\n"])
    with pytest.raises(ValueError, match="not in the order of their block"):
        parts_from([(1, other), (2, one)], dimension=0)


def test_files_that_are_equal_within_and_between_batches_leave_nothing_for_doctor(tree):
    root = tree({f"{folder}/{name}.py": f"def {name}():\n    return 1\n" for folder in "abc" for name in "xyz"})
    report = treemill.index(root, settings=treemill.Settings())
    assert report.stats.files_processed == 9
    assert list(examine(root / ".treemill")) == []


def test_a_processor_that_is_given_equal_files_leaves_nothing_for_doctor(tree, tmp_path):
    root = tree({f"{folder}/{name}.py": f"def {name}():\n    return 1\n" for folder in "abc" for name in "xyz"})
    with treemill.SqliteStore(tmp_path / "index", create=True) as store:
        processor = treemill.HighThroughputProcessor(None, store, root=root)
        stats = processor.process_files_high_throughput(sorted(root.rglob("*.py")), 1)
    assert stats.files_processed == 9
    assert list(examine(tmp_path / "index")) == []
