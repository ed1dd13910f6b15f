"""Pairs as sparse rows: what the encoder sees of a text and of code, ready to be multiplied with the table's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from features import Terms, rows
from judging import as_matrix, kept_columns, without
from scipy import sparse
from table import fallback_rows
from texts import FRAMES

# How often a text of each kind is taken, beside the first sentence of documentation.
_SHARES = {
    "doc": 1.0,
    "more": 0.5,
    "comment": 0.6,
    "name": 0.4,
    "test": 0.5,
    "change": 0.6,
    "file": 0.4,
    "heading": 0.6,
}


@dataclass(frozen=True)
class Examples:
    """Definitions and their texts over the columns of the table (vocabulary, then fallback rows).

    `code_and_unnamed` (float32[2 × records, columns]) is the code, then the code without what the definition's name
    says; `texts` (float32[texts, columns]); `frames` (float32[frames, columns]) the words around a question. The texts
    of record i are `first[i] : first[i + 1]`, taken with `chance`; `masked_kind` marks texts that are the name itself.
    """

    code_and_unnamed: sparse.csr_matrix
    records: int
    texts: sparse.csr_matrix
    frames: sparse.csr_matrix
    package: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    chance: npt.NDArray[np.float64]
    masked_kind: npt.NDArray[np.bool_]

    @property
    def code(self) -> sparse.csr_matrix:
        return self.code_and_unnamed[: self.records]

    @cached_property
    def idf(self) -> npt.NDArray[np.float32]:
        """How rare each column is in code: float32[columns]."""
        code = self.code
        held = np.bincount(code.indices, minlength=code.shape[1])
        return np.log1p(self.records / (1 + held)).astype(np.float32)

    @property
    def total(self) -> int:
        return self.texts.shape[0]

    def order(self, block: int, chooser: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return records in a random order in which blocks of one package stay together.

        A record whose texts count less than one documentation is there with that probability.
        """
        worth = np.diff(self.chance[self.first])
        shuffled = chooser.permutation(np.flatnonzero(chooser.random(self.records) < worth))
        shuffled = shuffled[np.argsort(self.package[shuffled], kind="stable")]
        starts = np.flatnonzero(np.diff(self.package[shuffled], prepend=-1))
        inside = np.arange(len(shuffled)) - np.repeat(starts, np.diff(starts, append=len(shuffled)))
        blocks = np.cumsum(inside % block == 0) - 1
        places = chooser.permutation(int(blocks[-1]) + 1)
        return shuffled[np.argsort(places[blocks], kind="stable")]

    def pairs(
        self,
        records: npt.NDArray[np.int64],
        masked: float,
        framed: float,
        dropped: float,
        chooser: np.random.Generator,
    ) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Return a text of each record and its code, row by row."""
        low, high = self.chance[self.first[records]], self.chance[self.first[records + 1]]
        drawn = low + chooser.random(len(records)) * (high - low)
        chosen = np.searchsorted(self.chance, drawn, side="right") - 1
        chosen = np.clip(chosen, self.first[records], self.first[records + 1] - 1)
        texts = self.texts[chosen]
        asked = np.where(chooser.random(len(records)) < framed, 1.0, 0.0).astype(np.float32)
        picked = chooser.integers(0, self.frames.shape[0], len(records))
        around = sparse.csr_matrix((asked, picked, np.arange(len(records) + 1)), (len(records), self.frames.shape[0]))
        texts = sparse.csr_matrix(texts + around @ self.frames)
        hidden = self.masked_kind[chosen] | (chooser.random(len(records)) < masked)
        code = self.code_and_unnamed[records + hidden * self.records]
        if dropped:
            for matrix in (texts, code):
                matrix.data *= chooser.random(len(matrix.data)) >= dropped
        return texts, code


def projection(terms: Sequence[str], chosen: npt.NDArray[np.int64], fallbacks: int) -> sparse.csr_matrix:
    """Return float32[terms, columns]: the column of a known term, the shares of the trigrams of another."""
    place = np.full(len(terms), -1)
    place[chosen] = np.arange(len(chosen))
    columns: list[int] = []
    values: list[float] = []
    starts = [0]
    for term, known in zip(terms, place.tolist(), strict=True):
        if known >= 0:
            columns.append(known)
            values.append(1.0)
        elif not term.startswith("="):
            found = fallback_rows(term, fallbacks)
            columns += [len(chosen) + row for row in found]
            values += [1 / len(found)] * len(found)
        starts.append(len(columns))
    shape = (len(terms), len(chosen) + fallbacks)
    return sparse.csr_matrix((np.array(values, np.float32), columns, starts), shape=shape)


def load_examples(
    archive: Any,
    terms: Sequence[str],
    chosen: npt.NDArray[np.int64],
    fallbacks: int,
    counts: npt.NDArray[np.float32],
    name_count: int,
) -> Examples:
    """Turn what `features.py` made into rows over the table's columns; records without a text left are dropped."""
    columns = projection(terms, chosen, fallbacks)

    def matrix(prefix: str) -> sparse.csr_matrix:
        read = rows(archive, prefix)
        return as_matrix(read.offsets, read.terms, read.counts, len(terms))

    def encoded(counted: sparse.csr_matrix) -> sparse.csr_matrix:
        factors = counts[np.clip(counted.data.astype(np.int64), 0, len(counts) - 1)]
        taken = sparse.csr_matrix((factors, counted.indices, counted.indptr), counted.shape) @ columns
        return sparse.csr_matrix(taken, dtype=np.float32)

    code = matrix("code")
    names = matrix("name")
    unnamed = sparse.csr_matrix(code - names.minimum(code))
    unnamed.eliminate_zeros()
    names.data[:] = name_count
    code = sparse.csr_matrix(code + names)
    kept = kept_columns(terms)
    texts = matrix("text")
    texts.data[:] = 1
    texts = without(texts, kept | np.array([term.startswith("=") for term in terms]))
    order = np.argsort(archive["text_record"], kind="stable")
    owners = archive["text_record"][order]
    kinds = np.array([str(kind) for kind in archive["kinds"]])[archive["text_kind"][order]]
    shares = np.array([_SHARES[kind] for kind in kinds])
    first = np.searchsorted(owners, np.arange(code.shape[0] + 1))
    return Examples(
        encoded(sparse.csr_matrix(sparse.vstack((code, unnamed)))),
        code.shape[0],
        encoded(texts[order]),
        _frames(terms, columns),
        archive["package"],
        first,
        np.concatenate(([0.0], np.cumsum(shares))),
        kinds == "name",
    )


def _frames(terms: Sequence[str], columns: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the words that the frames of questions add, words of form left out."""
    place = {term: number for number, term in enumerate(terms)}
    kept = kept_columns(terms)
    words = Terms()
    counted = sparse.lil_matrix((len(FRAMES), len(terms)), dtype=np.float32)
    for row, frame in enumerate(FRAMES):
        for token in frame.replace("{}", " ").split():
            for term in (list(words.numbers)[number] for number in words.of_token(token)):
                if term in place and kept[place[term]]:
                    counted[row, place[term]] = 1
    return sparse.csr_matrix(sparse.csr_matrix(counted) @ columns, dtype=np.float32)
