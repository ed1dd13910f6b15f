"""Blocks: what a segment takes from the contents of a batch, brought together by the worker that made them.

A segment is the same whether it is laid out from single contents or from blocks of them. With blocks, the sorting by
term and the telling apart of words are done by workers, in the nearest caches, and the run that lays out has a third of
the groups to go through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treemill.ranking.postings import Postings
from treemill.ranking.regrouping import offsets_of, regrouped_contents
from treemill.ranking.spellings import INCOMPLETE, joined
from treemill.records import Block

_NARROW = 1 << 16


class Member(NamedTuple):
    """One content of a block: its key, how many chunks it has, its postings (`postings.plain`) and its spellings."""

    key: bytes
    chunk_count: int
    plain: tuple[bytes, bytes, bytes, bytes]
    spellings: bytes


def block_of(members: Sequence[Member]) -> Block:
    """Return the block of some contents, in order."""
    firsts = offsets_of(np.array([each.chunk_count for each in members], np.int64)).tolist()
    terms, offsets, chunks, weights = regrouped_contents(
        [(*each.plain, first) for each, first in zip(members, firsts, strict=False)], narrow=firsts[-1] <= _NARROW
    )
    counts = np.diff(offsets)
    return Block(
        keys=tuple(each.key for each in members),
        chunk_counts=tuple(each.chunk_count for each in members),
        terms=terms.tobytes(),
        counts=counts.astype("<u2" if firsts[-1] < _NARROW else "<u4").tobytes(),
        chunks=chunks.tobytes(),
        weights=weights.tobytes(),
        spellings=joined(each.spellings for each in members),
        spelled=bytes(each.spellings != INCOMPLETE for each in members),
    )


def postings_of(block: Block) -> Postings:
    """Return the postings of a block, whose chunks are numbered through."""
    chunk_count = sum(block.chunk_counts)
    return Postings(
        np.frombuffer(block.terms, "<u4"),
        np.frombuffer(block.counts, "<u2" if chunk_count < _NARROW else "<u4"),
        np.frombuffer(block.chunks, "<u2" if chunk_count <= _NARROW else "<u4"),
        np.frombuffer(block.weights, np.uint8),
    )


def without(postings: Postings, chunk_alive: npt.NDArray[np.bool_]) -> Postings:
    """Return postings without those of some chunks; the others are numbered through."""
    keep = chunk_alive[postings.chunks]
    number = np.cumsum(chunk_alive, dtype=np.int64) - 1
    kept_before = offsets_of(keep)
    ends = np.cumsum(postings.counts, dtype=np.int64)
    counts = kept_before[ends] - kept_before[ends - postings.counts]
    used = counts > 0
    return Postings(
        postings.terms[used],
        counts[used].astype(postings.counts.dtype),
        number[postings.chunks[keep]].astype(postings.chunks.dtype),
        postings.weights[keep],
    )
