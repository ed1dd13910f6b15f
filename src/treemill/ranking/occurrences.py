"""What the word pass takes and gives: texts with their chunks; the postings of each, and what an encoder adds up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from treemill.ranking.postings import Postings, from_plain
from treemill.ranking.vocabulary import Stems
from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class TextToIndex:
    """One file for the word pass: its text as UTF-8, where its chunks end in it, and (chunk, name) it defines."""

    text: bytes
    ends: Sequence[int]
    names: Iterable[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class IndexedText:
    """What the word pass made of one file, as bytes that go into the store or to it.

    `plain` is its postings, as `treemill.ranking.postings.plain` has them; `counted` (uint16[n], little-endian) is the
    number of words in each chunk; `spellings` is what `treemill.ranking.spellings.spellings_of` returns.
    """

    plain: tuple[bytes, bytes, bytes, bytes]
    counted: bytes
    spellings: bytes

    @property
    def postings(self) -> Postings:
        """The postings, as arrays."""
        return from_plain(self.plain)

    @property
    def lengths(self) -> npt.NDArray[np.uint16]:
        """The number of words in each chunk, capped at 65,535."""
        return np.frombuffer(self.counted, "<u2")


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often which stems stand in the chunks of a batch. Compounds are left out.

    File j has the chunks from `first_chunks[j]` up to `first_chunks[j + 1]`; chunk i the places from `firsts[i]` up to
    `firsts[i + 1]` (both int64). At place p, stem `terms[p]` of `stems` stands `times[p]` times in the chunk's text and
    `named[p]` times in the names that it defines (all uint32); a chunk has one place for each of its stems.
    """

    first_chunks: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    terms: npt.NDArray[np.uint32]
    times: npt.NDArray[np.uint32]
    named: npt.NDArray[np.uint32]
    stems: Stems
