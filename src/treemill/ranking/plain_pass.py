"""The half of the word pass in numpy, which runs everywhere and says what is right.

Every byte that is no part of a word becomes a blank, the tokens between blanks are recognised all at once, each is
replaced by its terms, and one integer sort groups them by file, term and chunk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from treemill.ranking.occurrences import IndexedText, Occurrences, TextToIndex
from treemill.ranking.postings import DEFINITION_CAP, DEFINITION_SHIFT, TEXT_CAP, Postings, plain
from treemill.ranking.spellings import spellings_of
from treemill.ranking.vocabulary import OddName, OddNames, Vocabulary
from treemill.ranking.words import LONGEST_TOKEN

_WORD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") | set(range(0x80, 0x100))
_TO_BLANKS = bytes(byte if byte in _WORD_BYTES else 0x20 for byte in range(256))

# A name that is one ASCII token goes through the same recognition as the text; others are rare.
_is_token = re.compile(f"[A-Za-z0-9_]{{1,{LONGEST_TOKEN}}}").fullmatch

Places = npt.NDArray[np.int64]


class PlainPass:
    """See `treemill.ranking.word_pass.WordPass`."""

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._odd_names = OddNames(self._vocabulary.stems)

    def __len__(self) -> int:
        return len(self._vocabulary)

    def read(self, files: Sequence[TextToIndex]) -> tuple[list[IndexedText], Occurrences]:
        """As the word pass's."""
        chunk_counts = np.fromiter((len(file.ends) for file in files), np.int64, len(files))
        first_chunks = np.concatenate(([0], np.cumsum(chunk_counts)))
        total = int(first_chunks[-1])
        if total == 0:
            empty = IndexedText(plain(_NO_POSTINGS), b"", b"")
            counted = _counted(0, _NOWHERE, _NOWHERE, _NOWHERE, _NOWHERE)
            return [empty] * len(files), Occurrences(first_chunks, *counted, self._vocabulary.stems)
        place = _places(chunk_counts, first_chunks, total)
        chunks, tokens = self._tokens(files)
        counts, terms = self._vocabulary.terms_of(tokens)
        of_several = counts > 1
        compound_chunks = chunks[of_several]
        chunks = np.repeat(chunks, counts)
        lengths = np.bincount(chunks, minlength=total) + np.bincount(compound_chunks, minlength=total)
        definition_keys, name_chunks, name_terms = self._definitions(files, place, first_chunks)
        keys = np.concatenate(
            (
                _keys(place.take(chunks), self._vocabulary.stems.ids.take(terms)),
                _keys(place[compound_chunks], self._vocabulary.compounds(tokens[of_several])),
                *definition_keys,
            )
        )
        keys.sort()
        lengths = np.minimum(lengths, 0xFFFF).astype(np.uint16)
        counted = _counted(total, chunks, terms, name_chunks, name_terms)
        occurrences = Occurrences(first_chunks, *counted, self._vocabulary.stems)
        return _postings_by_file(keys, lengths, first_chunks, list(map(_spelled, files))), occurrences

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

    def _definitions(
        self, files: Sequence[TextToIndex], place: npt.NDArray[np.uint64], first_chunks: Places
    ) -> tuple[tuple[npt.NDArray[np.uint64], ...], Places, Places]:
        """Return the keys of the names that the files define (each name's terms, and the whole as a compound).

        Beside them stand the chunks and the stems of the names' words, one by one.
        """
        tokens: list[bytes] = []
        token_chunks: list[int] = []
        odd: list[OddName] = []
        odd_chunks: list[int] = []
        for file, first in zip(files, first_chunks.tolist(), strict=False):
            for chunk, name in file.names:
                if _is_token(name):
                    tokens.append(name.encode())
                    token_chunks.append(first + chunk)
                else:
                    odd.append(self._odd_names.of(name))
                    odd_chunks.append(first + chunk)
        ids = [term for name in odd for term in name.ids]
        stems = [term for name in odd for term in name.stems]
        where = np.array(odd_chunks, np.int64)
        found = [_keys(place[np.repeat(where, [len(name.ids) for name in odd])], np.array(ids, np.uint32))]
        chunks = [np.repeat(where, [len(name.stems) for name in odd])]
        terms = [np.array(stems, np.int64)]
        if tokens:
            where = np.array(token_chunks, np.int64)
            _, numbers = self._vocabulary.read(b" ".join((b"", *tokens, b"")))
            counts, token_terms = self._vocabulary.terms_of(numbers)
            chunks.append(np.repeat(where, counts))
            terms.append(token_terms)
            found.append(_keys(place[chunks[-1]], self._vocabulary.stems.ids[token_terms]))
            found.append(_keys(place[where], self._vocabulary.compounds(numbers)))
        return tuple(keys | _ONE for keys in found), np.concatenate(chunks), np.concatenate(terms)


# A key is file (14 bits), term (32), chunk of the file (16), and whether it counts a definition (1), so that one sort
# groups a batch by file, then term, then chunk, with the definitions of a word right behind its occurrences.
_ONE = np.uint64(1)
_NO_POSTINGS = Postings(np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.uint16), np.zeros(0, np.uint8))
_NOWHERE = np.zeros(0, np.int64)


def _spelled(file: TextToIndex) -> bytes:
    return spellings_of(file.text[: file.ends[-1]], file.ends) if file.ends else b""


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
    keys: npt.NDArray[np.uint64],
    lengths: npt.NDArray[np.uint16],
    first_chunks: npt.NDArray[np.int64],
    spelled: Sequence[bytes],
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
    lengths = lengths.astype("<u2", copy=False)
    return [
        IndexedText(
            plain(
                Postings(
                    terms[run_edges[i] : run_edges[i + 1]],
                    run_lengths[run_edges[i] : run_edges[i + 1]],
                    chunks[posting_edges[i] : posting_edges[i + 1]],
                    weights[posting_edges[i] : posting_edges[i + 1]],
                )
            ),
            lengths[chunk_edges[i] : chunk_edges[i + 1]].tobytes(),
            spelled[i],
        )
        for i in range(len(first_chunks) - 1)
    ]


def _counted(
    total: int, chunks: Places, terms: Places, name_chunks: Places, name_terms: Places
) -> tuple[Places, npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return where the stems of each chunk of a batch start, the stems, and how often each stands in text and names."""
    # A key is chunk (31 bits), stem (32), and whether it counts a name.
    of_text = chunks.astype(np.uint64) << np.uint64(33) | terms.astype(np.uint64) << _ONE
    of_names = name_chunks.astype(np.uint64) << np.uint64(33) | name_terms.astype(np.uint64) << _ONE | _ONE
    keys = np.concatenate((of_text, of_names))
    keys.sort()
    starts = _starts_of_runs(keys)
    counts = np.diff(starts, append=len(keys)).astype(np.uint32)
    keys = keys[starts]
    counts_name = (keys & _ONE).astype(np.bool_)
    keys >>= _ONE
    starts = _starts_of_runs(keys)
    keys = keys[starts]
    firsts = np.searchsorted(keys, np.arange(total + 1, dtype=np.uint64) << np.uint64(32))
    times, named = (
        np.add.reduceat(np.where(which, counts, 0), starts).astype(np.uint32) if len(starts) else counts
        for which in (~counts_name, counts_name)
    )
    return firsts, keys.astype(np.uint32), times, named
