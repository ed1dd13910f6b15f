"""More like this place: its chunk, taken for a question of its most telling words."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treemill.errors import UsageError
from treemill.ranking.evidence import inverse_frequency
from treemill.ranking.identifiers import split_identifier
from treemill.ranking.question import Question, Term, is_form
from treemill.ranking.words import stem, term_id
from treemill.searching.hits import Pages
from treemill.searching.moment import Moment

# How many words of a chunk stand for it, and how many are looked up to find them.
_MOST_TELLING = 24
_LOOKED_UP = 400
_ENOUGH = 3

_WORD = re.compile(r"\w+")


class Spot(NamedTuple):
    """A chunk of a file: the file's number, its content's row, the number of the chunk in it, and the line meant."""

    file: int
    row: int
    chunk: int
    line: int


def question_like(moment: Moment, place: str) -> Question:
    """Return the question whose terms are the most telling words of the chunk at a place, "FILE" or "FILE:LINE".

    Raises:
        UsageError: the file is not in the index, or has no such line.
    """
    spot = spot_at(moment, place)
    unpacked = moment.unpacked(spot.row)
    text = Pages(unpacked).text(unpacked.edges[spot.chunk], unpacked.edges[spot.chunk + 1])
    counts = Counter(stem(part) for token in _WORD.findall(text) for part in split_identifier(token) if len(part) > 1)
    words = [word for word, _ in counts.most_common(_LOOKED_UP) if not is_form(word)]
    found = moment.postings(map(term_id, words))
    weights = {
        word: min(counts[word], _ENOUGH) * inverse_frequency(moment.chunks_live, len(postings.chunks))
        for word, postings in zip(words, found, strict=True)
        if len(postings.chunks) > 1
    }
    telling = sorted(weights, key=lambda word: (-weights[word], word))[:_MOST_TELLING]
    terms = tuple(Term(term_id(word), min(counts[word], _ENOUGH) / _ENOUGH, word) for word in telling)
    return Question(text, "sentence", terms, ())


def others(moment: Moment, place: str, files: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """Return which files may be like a place: those wanted, but for its own and the copies of that."""
    kept = np.ones(len(moment.files.paths), np.bool_) if files is None else files.copy()
    kept[moment.files_of(spot_at(moment, place).row)] = False
    return kept


def spot_at(moment: Moment, place: str) -> Spot:
    """Return the chunk at a place, "FILE" or "FILE:LINE".

    Raises:
        UsageError: the file is not in the index, or has no such line.
    """
    path, _, number = place.rpartition(":")
    if not path or not number.isdecimal():
        path, number = place, "1"
    try:
        file = moment.files.paths.index(path)
    except ValueError:
        raise UsageError(
            f"{path} is not in the index", suggestion=f"Name a file relative to the root, or ask: treemill why {path}"
        ) from None
    row = int(moment.row_of_file[file])
    if moment.first[row] == moment.first[row + 1]:
        raise UsageError(f"{path} is empty", suggestion="Name a file with something in it")
    unpacked = moment.unpacked(row)
    # A longer number than any file has lines would not even fit into the array's type.
    line = int(number) if len(number) < 10 else 0
    pages = Pages(unpacked)
    last = pages.line_of(unpacked.edges[-1])
    if not 1 <= line <= last:
        raise UsageError(f"{path} has no line {number[:20]}", suggestion=f"It has {last} lines")
    return Spot(file, row, bisect_right(unpacked.lines, line) - 1, line)
