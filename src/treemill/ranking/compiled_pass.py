"""The compiled half of the word pass: texts are read and words counted in C; Python stems what was never seen before.

read ─▶ new parts, tokens that are not ASCII, odd names ─▶ stems ─▶ learn ─▶ count
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from treemill.ranking.occurrences import IndexedText, Occurrences, TextToIndex
from treemill.ranking.postings import Postings
from treemill.ranking.spellings import INCOMPLETE
from treemill.ranking.vocabulary import OddNames, Stems, split_others
from treemill.ranking.words import LONGEST_TOKEN, stems


class CompiledPass:
    """See `treemill.ranking.word_pass.WordPass`."""

    def __init__(self, native: ModuleType) -> None:
        """`native` is the extension module `treemill.native._passing`."""
        self._words = native.Words(LONGEST_TOKEN)
        self._stems = Stems()
        self._odd_names = OddNames(self._stems)

    def __len__(self) -> int:
        return len(self._words)

    def read(self, files: Sequence[TextToIndex]) -> tuple[list[IndexedText], Occurrences]:
        """As the word pass's."""
        known = len(self._stems)
        texts = tuple(file.text for file in files)
        parts, others, odd, spellings = self._words.read(
            texts, tuple(file.ends for file in files), tuple(file.names for file in files)
        )
        of_parts = self._stems.number(stems(parts))
        other_stems, other_counts, other_compounds = split_others(others, self._stems)
        names = [self._odd_names.of(name) for _, name in odd]
        new_ids = self._stems.ids[known:].tobytes()
        self._words.learn(
            _numbers(of_parts), new_ids, _numbers(other_counts), _numbers(other_stems), _numbers(other_compounds)
        )
        found = self._words.count(
            _numbers([chunk for chunk, _ in odd]),
            _numbers([len(name.stems) for name in names]),
            _numbers(list(chain.from_iterable(name.stems for name in names))),
            _numbers([name.ids[-1] for name in names]),
        )
        spelled = [INCOMPLETE if each is None else each for each in spellings]
        return self._shaped(found, [len(file.ends) for file in files], spelled)

    def _shaped(
        self, found: tuple[bytes, ...], sizes: Iterable[int], spelled: Sequence[bytes]
    ) -> tuple[list[IndexedText], Occurrences]:
        """Cut what was counted of a batch into files, and say what its arrays are."""
        kinds = (np.uint32, np.uint16, np.uint16, np.uint8, np.uint16, *(np.uint32,) * 6)
        terms, counts, chunks, weights, lengths, term_edges, edges, firsts, in_stems, times, named = (
            np.frombuffer(each, kind) for each, kind in zip(found, kinds, strict=True)
        )
        first_chunks = np.cumsum([0, *sizes])
        indexed = []
        heads, places, starts = term_edges.tolist(), edges.tolist(), first_chunks.tolist()
        for i in range(len(starts) - 1):
            head, tail, first, last = heads[i], heads[i + 1], places[i], places[i + 1]
            postings = Postings(terms[head:tail], counts[head:tail], chunks[first:last], weights[first:last])
            indexed.append(IndexedText(postings, lengths[starts[i] : starts[i + 1]], spelled[i]))
        return indexed, Occurrences(first_chunks, firsts.astype(np.int64), in_stems, times, named, self._stems)


def _numbers(values: npt.NDArray[Any] | list[int]) -> bytes:
    return np.asarray(values, np.uint32).tobytes()
