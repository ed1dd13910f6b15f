"""The compiled half of the word pass: texts are read and words counted in C; Python stems what was never seen before.

read ─▶ new parts, tokens that are not ASCII, odd names ─▶ stems ─▶ learn ─▶ count
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from treemill.ranking.occurrences import IndexedText, Occurrences, TextToIndex
from treemill.ranking.spellings import INCOMPLETE
from treemill.ranking.tokens import Places
from treemill.ranking.vocabulary import OddNames, Stems, split_others
from treemill.ranking.words import LONGEST_TOKEN, stems


class CompiledStems(Stems):
    """The stems that the compiled half has numbered."""

    def __init__(self, words: Any) -> None:
        """`words` is a `treemill.native._passing.Words`."""
        super().__init__()
        self._words = words

    @property
    def ids(self) -> npt.NDArray[np.uint32]:
        """The id of each term, by number."""
        return self.ids_from(0)

    def ids_from(self, first: int) -> npt.NDArray[np.uint32]:
        """Return the ids of the terms from a number on."""
        return np.frombuffer(self._words.ids(first), np.uint32)

    def number(self, texts: Sequence[bytes]) -> Places:
        """Return the number of each stem; new ones get the next."""
        return np.frombuffer(self.numbers(list(texts)), np.uint32).astype(np.int64)

    def numbers(self, texts: list[bytes]) -> bytes:
        """Return the same as uint32."""
        numbers: bytes = self._words.number(texts, self.texts)
        return numbers


class CompiledPass:
    """See `treemill.ranking.word_pass.WordPass`."""

    def __init__(self, native: ModuleType) -> None:
        """`native` is the extension module `treemill.native._passing`."""
        self._words = native.Words(LONGEST_TOKEN)
        self._stems = CompiledStems(self._words)
        self._odd_names = OddNames(self._stems)

    def __len__(self) -> int:
        return len(self._words)

    def read(self, files: Sequence[TextToIndex]) -> tuple[list[IndexedText], Occurrences]:
        """As the word pass's."""
        parts, others, odd, spellings = self._words.read(
            tuple(file.text for file in files),
            tuple(file.ends for file in files),
            tuple(file.names for file in files),
        )
        other_stems, other_counts, other_compounds = split_others(others, self._stems)
        names = [self._odd_names.of(name) for _, name in odd]
        self._words.learn(
            self._stems.numbers(stems(parts)), *map(_numbers, (other_counts, other_stems, other_compounds))
        )
        found, firsts, terms, times, named = self._words.count(
            _numbers([chunk for chunk, _ in odd]),
            _numbers([len(name.stems) for name in names]),
            _numbers(list(chain.from_iterable(name.stems for name in names))),
            _numbers([name.ids[-1] for name in names]),
        )
        indexed = [
            IndexedText(file[:4], file[4], INCOMPLETE if spelled is None else spelled)
            for file, spelled in zip(found, spellings, strict=True)
        ]
        first_chunks = np.cumsum([0, *(len(file.ends) for file in files)])
        occurrences = Occurrences(
            first_chunks,
            firsts=np.frombuffer(firsts, np.uint32).astype(np.int64),
            terms=np.frombuffer(terms, np.uint32),
            times=np.frombuffer(times, np.uint32),
            named=np.frombuffer(named, np.uint32),
            stems=self._stems,
        )
        return indexed, occurrences


def _numbers(values: npt.NDArray[Any] | list[int]) -> bytes:
    return np.asarray(values, np.uint32).tobytes()
