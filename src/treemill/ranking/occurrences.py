"""What the word pass takes and gives: texts with their chunks; the postings of each, and what an encoder adds up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from treemill.ranking.postings import Postings
from treemill.ranking.vocabulary import Stems


@dataclass(frozen=True, slots=True)
class TextToIndex:
    """One file for the word pass: its text as UTF-8, where its chunks end in it, and (chunk, name) it defines."""

    text: bytes
    ends: Sequence[int]
    names: Iterable[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class IndexedText:
    """What the word pass made of one file: its postings, and the number of words in each chunk (uint16[n]).

    `spellings` are its distinct words, as `treemill.ranking.spellings.spellings_of` has them.
    """

    postings: Postings
    lengths: npt.NDArray[np.uint16]
    spellings: bytes


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
