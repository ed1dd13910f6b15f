"""Words: how text and identifiers become terms, once for the text index, the encoder and the question.

An identifier gives its parts (`parseHTTPHeader_v2` → pars, http, header, v, 2), lower-cased and stemmed, and, where it
has more than one, the whole as a compound (`=parsehttpheaderv2`), so that asking for the exact name finds it. A term is
known by the CRC-32 of its UTF-8: no dictionary has to be shared between workers, and a collision costs a little
precision, nothing else.

One pass over a batch of files does it all: every byte that is no part of a word becomes a blank, the tokens between
blanks are numbered all at once (`tokens`), a dictionary that fills itself turns each distinct token into its terms, and
one integer sort groups them. The regular expression and the stemmer see each distinct token once in a worker's life.
"""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import Stemmer

from treemill.ranking.postings import DEFINITION_CAP, DEFINITION_SHIFT, TEXT_CAP, Postings
from treemill.ranking.tokens import TokenTable

RECIPE = "words-1"
"""Names this splitter in an index's recipe: change it with anything that changes the terms of a text."""

_WORD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") | set(range(0x80, 0x100))
_TO_BLANKS = bytes(byte if byte in _WORD_BYTES else 0x20 for byte in range(256))

_ASCII_PARTS = re.compile(rb"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+").findall
_UNICODE_PARTS = re.compile(r"[^\W\d_]+|\d+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")

# A token longer than this is data (a hash, base64, a row of separators), not a word that anyone asks for.
_LONGEST_TOKEN = 80

# Distinct tokens a worker remembers (about 200 bytes each); random data would otherwise grow it without bound.
_MOST_TOKENS = 300_000

# The stemmer's own cache is off: words are remembered here with what else is known of them.
_stem = Stemmer.Stemmer("english", 0).stemWord


def term_id(word: str) -> int:
    """Return the 32-bit id of a term, given as it is indexed (a stem, or "=" and a compound)."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def split_identifier(token: str) -> list[str]:
    """Return the lower-case parts of an identifier or word, unstemmed, in order.

    Scripts that are written without spaces give overlapping pairs of characters.
    """
    if token.isascii():
        return [part.decode().lower() for part in _ASCII_PARTS(token.encode())]
    if token.isalpha() and not _UNSPACED.search(token):
        return [token.lower()]
    parts: list[str] = []
    for run in _UNICODE_PARTS.findall(token):
        if run.isascii():
            parts += split_identifier(run)
        elif _UNSPACED.search(run) and len(run) > 2:
            parts += [run[i : i + 2].lower() for i in range(len(run) - 1)]
        else:
            parts.append(run.lower())
    return parts


def stem(part: str) -> str:
    """Return the stem of a lower-case part; digits and short words stay as they are."""
    return _stem(part) if len(part) > 2 and part.isascii() and part.isalpha() else part


def terms_of(token: str) -> list[str]:
    """Return the terms of one token as they are indexed: its stems, then the compound if it has several parts."""
    parts = split_identifier(token)
    stems = [stem(part) for part in parts]
    if len(parts) > 1:
        stems.append("=" + "".join(parts))
    return stems


def name_terms(name: str) -> list[str]:
    """Return the terms under which a defined name is found: its stems and the whole name as a compound."""
    parts = split_identifier(name)
    return [*map(stem, parts), "=" + "".join(parts)]


class _Parts(dict[bytes, int]):
    """part of an ASCII identifier, as it is written → the id of its term, filling itself."""

    def __missing__(self, part: bytes) -> int:
        word = part.lower()
        term = self[part] = zlib.crc32(_stem(word) if len(word) > 2 and word.isalpha() else word)
        return term


class _Tokens(dict[bytes, int]):
    """token → number, from 1, filling itself; the terms of token i are `terms[starts[i] : starts[i + 1]]`.

    For an ASCII token this is `terms_of` on bytes, with each part stemmed once: most tokens are made of parts that were
    seen before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.terms = array("I")
        self.starts = array("I", [0, 0])
        self._parts = _Parts()

    def __missing__(self, token: bytes) -> int:
        number = self[token] = len(self.starts) - 1
        if token.isascii():
            parts = _ASCII_PARTS(token)
            self.terms.extend([self._parts[part] for part in parts])
            if len(parts) > 1:
                self.terms.append(zlib.crc32(b"=" + token.replace(b"_", b"").lower()))
        else:
            self.terms.extend([zlib.crc32(word.encode()) for word in terms_of(token.decode("utf-8", "replace"))])
        self.starts.append(len(self.terms))
        return number

    def of_name(self, name: str) -> list[int]:
        """Return the ids of `name_terms`."""
        if not name.isascii():
            return [term_id(word) for word in name_terms(name)]
        parts = _ASCII_PARTS(name.encode())
        return [*(self._parts[part] for part in parts), zlib.crc32(b"=" + b"".join(parts).lower())]


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


class WordPass:
    """Turns batches of files into postings; keeps the tokens it has seen, so use one a worker.

    The result of a file depends on that file alone, whatever else is in its batch or was seen before.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._tokens = _Tokens()
        self._table = TokenTable(self._tokens.__getitem__, _LONGEST_TOKEN)
        self._names: dict[str, list[int]] = {}

    def read(self, files: Sequence[TextToIndex]) -> list[IndexedText]:
        """Return the postings of each file, in order; at most 16,383 files of at most 65,535 chunks a call."""
        if len(self._tokens) > _MOST_TOKENS:
            self._forget()
        chunk_counts = np.fromiter((len(file.ends) for file in files), np.int64, len(files))
        first_chunks = np.concatenate(([0], np.cumsum(chunk_counts)))
        total = int(first_chunks[-1])
        if total == 0:
            return [IndexedText(_NO_POSTINGS, np.zeros(0, np.uint16)) for _ in files]
        place = _places(chunk_counts, first_chunks, total)
        chunks, terms = self._text_terms(files)
        lengths = np.minimum(np.bincount(chunks, minlength=total), 0xFFFF).astype(np.uint16)
        keys = np.concatenate((_keys(place[chunks], terms), self._definition_keys(files)))
        keys.sort()
        return _postings_by_file(keys, lengths, first_chunks)

    def _text_terms(self, files: Sequence[TextToIndex]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
        """Return the chunk (counted over the batch) and the term of every word of the batch."""
        pieces = [b""]
        for file in files:
            blanked = file.text.translate(_TO_BLANKS)
            start = 0
            for end in file.ends:
                pieces.append(blanked[start:end])
                start = end
        pieces.append(b"")
        tokens, numbers = self._table.read(b" ".join(pieces))
        sizes = np.fromiter(map(len, pieces), np.int64, len(pieces)) + 1
        tokens_before = np.searchsorted(tokens, np.cumsum(sizes)[:-1])
        chunk_of_token = np.repeat(np.arange(len(pieces) - 2), np.diff(tokens_before))
        starts = np.frombuffer(self._tokens.starts, np.uint32).astype(np.int64)
        first, count = starts[numbers], starts[numbers + 1] - starts[numbers]
        ends = np.cumsum(count)
        flat = np.repeat(first - (ends - count), count) + np.arange(int(ends[-1]) if len(ends) else 0)
        return np.repeat(chunk_of_token, count), np.frombuffer(self._tokens.terms, np.uint32)[flat]

    def _definition_keys(self, files: Sequence[TextToIndex]) -> npt.NDArray[np.uint64]:
        keys: list[int] = []
        for number, file in enumerate(files):
            for chunk, name in file.names:
                terms = self._names.get(name)
                if terms is None:
                    terms = self._names[name] = self._tokens.of_name(name)
                keys += [((number << 48 | term << 16 | chunk) << 1) | 1 for term in terms]
        return np.array(keys, np.uint64)


# A key is file (14 bits), term (32), chunk of the file (16), and whether it counts a definition (1), so that one sort
# groups a batch by file, then term, then chunk, with the definitions of a word right behind its occurrences.
_ONE = np.uint64(1)
_NO_POSTINGS = Postings(np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.uint16), np.zeros(0, np.uint8))


def _places(
    chunk_counts: npt.NDArray[np.int64], first_chunks: npt.NDArray[np.int64], total: int
) -> npt.NDArray[np.uint64]:
    """Return, for each chunk of the batch, the part of its key that says which file and which chunk of it."""
    files = np.repeat(np.arange(len(chunk_counts)), chunk_counts)
    inside = np.arange(total) - first_chunks[files]
    return (files.astype(np.uint64) << np.uint64(48)) | inside.astype(np.uint64)


def _keys(places: npt.NDArray[np.uint64], terms: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    return (places | (terms.astype(np.uint64) << np.uint64(16))) << _ONE


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
