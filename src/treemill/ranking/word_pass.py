"""The one pass over the words of a batch of files: postings for the text index, occurrences for an encoder.

Every byte that is no part of a word becomes a blank, the tokens between blanks are recognised all at once, each is
replaced by its terms, and one integer sort groups them by file, term and chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from treemill.ranking.postings import DEFINITION_CAP, DEFINITION_SHIFT, TEXT_CAP, Postings
from treemill.ranking.vocabulary import LONGEST_TOKEN, Stems, Vocabulary
from treemill.ranking.words import name_terms, term_id

_WORD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") | set(range(0x80, 0x100))
_TO_BLANKS = bytes(byte if byte in _WORD_BYTES else 0x20 for byte in range(256))

# A name that is one ASCII token goes through the same recognition as the text; others are rare.
_is_token = re.compile(f"[A-Za-z0-9_]{{1,{LONGEST_TOKEN}}}").fullmatch

# Distinct tokens a worker remembers (about 200 bytes each); random data would otherwise grow it without bound.
_MOST_TOKENS = 300_000

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextToIndex:
    """One file for the word pass: its text as UTF-8, where its chunks end in it, and (chunk, name) it defines."""

    text: bytes
    ends: Sequence[int]
    names: Iterable[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class IndexedText:
    """What the word pass made of one file: its postings, and the number of words in each chunk (uint16[n])."""

    postings: Postings
    lengths: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Which terms stand where in a batch: word i is term `terms[i]` of `stems`, in chunk `chunks[i]` of the batch.

    Compounds are left out. File j has the chunks from `first_chunks[j]` up to `first_chunks[j + 1]`.
    """

    first_chunks: Places
    chunks: Places
    terms: Places
    stems: Stems


class WordPass:
    """Turns batches of files into postings; keeps the tokens it has seen, so use one a worker.

    The result of a file depends on that file alone, whatever else is in its batch or was seen before.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._vocabulary = Vocabulary()
        self._odd_names: dict[str, list[int]] = {}

    def read(self, files: Sequence[TextToIndex]) -> tuple[list[IndexedText], Occurrences]:
        """Return the postings of each file, in order, and the occurrences in all of them.

        A call takes at most 16,383 files of at most 65,535 chunks.
        """
        if len(self._vocabulary) > _MOST_TOKENS:
            self._forget()
        chunk_counts = np.fromiter((len(file.ends) for file in files), np.int64, len(files))
        first_chunks = np.concatenate(([0], np.cumsum(chunk_counts)))
        total = int(first_chunks[-1])
        if total == 0:
            empty = IndexedText(_NO_POSTINGS, np.zeros(0, np.uint16))
            return [empty] * len(files), Occurrences(first_chunks, _NOWHERE, _NOWHERE, self._vocabulary.stems)
        place = _places(chunk_counts, first_chunks, total)
        chunks, tokens = self._tokens(files)
        counts, terms = self._vocabulary.terms_of(tokens)
        of_several = counts > 1
        compound_chunks = chunks[of_several]
        chunks = np.repeat(chunks, counts)
        lengths = np.bincount(chunks, minlength=total) + np.bincount(compound_chunks, minlength=total)
        keys = np.concatenate(
            (
                _keys(place.take(chunks), self._vocabulary.stems.ids.take(terms)),
                _keys(place[compound_chunks], self._vocabulary.compounds(tokens[of_several])),
                *self._definition_keys(files, place, first_chunks),
            )
        )
        keys.sort()
        lengths = np.minimum(lengths, 0xFFFF).astype(np.uint16)
        occurrences = Occurrences(first_chunks, chunks, terms, self._vocabulary.stems)
        return _postings_by_file(keys, lengths, first_chunks), occurrences

    def _tokens(self, files: Sequence[TextToIndex]) -> tuple[Places, Places]:
        """Return the chunk (counted over the batch) and the number of every token of the batch."""
        pieces = [b""]
        for file in files:
            blanked = file.text.translate(_TO_BLANKS)
            start = 0
            for end in file.ends:
                pieces.append(blanked[start:end])
                start = end
        pieces.append(b"")
        starts, tokens = self._vocabulary.read(b" ".join(pieces))
        sizes = np.fromiter(map(len, pieces), np.int64, len(pieces)) + 1
        before = np.searchsorted(starts, np.cumsum(sizes)[:-1])
        return np.repeat(np.arange(len(pieces) - 2), np.diff(before)), tokens

    def _definition_keys(
        self, files: Sequence[TextToIndex], place: npt.NDArray[np.uint64], first_chunks: Places
    ) -> tuple[npt.NDArray[np.uint64], ...]:
        """Return the keys of the names that the files define: each name's terms, and the whole as a compound."""
        tokens: list[bytes] = []
        token_chunks: list[int] = []
        odd: list[int] = []
        odd_chunks: list[int] = []
        for file, first in zip(files, first_chunks.tolist(), strict=False):
            for chunk, name in file.names:
                if _is_token(name):
                    tokens.append(name.encode())
                    token_chunks.append(first + chunk)
                else:
                    terms = self._terms_of_odd_name(name)
                    odd += terms
                    odd_chunks += [first + chunk] * len(terms)
        where = place[np.array(odd_chunks, np.int64)]
        found = [_keys(where, np.array(odd, np.uint32))]
        if tokens:
            where = place[np.array(token_chunks, np.int64)]
            _, numbers = self._vocabulary.read(b" ".join((b"", *tokens, b"")))
            counts, terms_ = self._vocabulary.terms_of(numbers)
            found.append(_keys(np.repeat(where, counts), self._vocabulary.stems.ids[terms_]))
            found.append(_keys(where, self._vocabulary.compounds(numbers)))
        return tuple(keys | _ONE for keys in found)

    def _terms_of_odd_name(self, name: str) -> list[int]:
        terms = self._odd_names.get(name)
        if terms is None:
            terms = self._odd_names[name] = [term_id(word) for word in name_terms(name)]
        return terms


# A key is file (14 bits), term (32), chunk of the file (16), and whether it counts a definition (1), so that one sort
# groups a batch by file, then term, then chunk, with the definitions of a word right behind its occurrences.
_ONE = np.uint64(1)
_NO_POSTINGS = Postings(np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.uint16), np.zeros(0, np.uint8))
_NOWHERE = np.zeros(0, np.int64)


def _places(chunk_counts: Places, first_chunks: Places, total: int) -> npt.NDArray[np.uint64]:
    """Return, for each chunk of the batch, the part of its key that says which file and which chunk of it."""
    files = np.repeat(np.arange(len(chunk_counts)), chunk_counts)
    inside = np.arange(total) - first_chunks[files]
    return (files.astype(np.uint64) << np.uint64(49)) | (inside.astype(np.uint64) << _ONE)


def _keys(places: npt.NDArray[np.uint64], terms: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    keys = terms.astype(np.uint64)
    keys <<= np.uint64(17)
    keys |= places
    return keys


def _starts_of_runs(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return where each run of equal values starts."""
    changes = np.empty(len(values), bool)
    changes[:1] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)


def _postings_by_file(
    keys: npt.NDArray[np.uint64], lengths: npt.NDArray[np.uint16], first_chunks: npt.NDArray[np.int64]
) -> list[IndexedText]:
    """Count sorted keys and cut the result into files."""
    starts = _starts_of_runs(keys)
    counts = np.diff(starts, append=len(keys))
    keys = keys[starts]
    weights = np.where(
        keys & _ONE, np.minimum(counts, DEFINITION_CAP) << DEFINITION_SHIFT, np.minimum(counts, TEXT_CAP)
    )
    places = keys >> _ONE
    starts = _starts_of_runs(places)
    weights = np.add.reduceat(weights, starts).astype(np.uint8) if len(starts) else weights.astype(np.uint8)
    places = places[starts]
    chunks = places.astype(np.uint16)
    words = places >> np.uint64(16)
    runs = _starts_of_runs(words)
    run_lengths = np.diff(runs, append=len(words)).astype(np.uint16)
    terms = words[runs].astype(np.uint32)
    edges = np.arange(len(first_chunks), dtype=np.uint64) << np.uint64(32)
    posting_edges = np.searchsorted(words, edges).tolist()
    run_edges = np.searchsorted(words[runs], edges).tolist()
    chunk_edges = first_chunks.tolist()
    return [
        IndexedText(
            Postings(
                terms[run_edges[i] : run_edges[i + 1]],
                run_lengths[run_edges[i] : run_edges[i + 1]],
                chunks[posting_edges[i] : posting_edges[i + 1]],
                weights[posting_edges[i] : posting_edges[i + 1]],
            ),
            lengths[chunk_edges[i] : chunk_edges[i + 1]],
        )
        for i in range(len(first_chunks) - 1)
    ]
