"""From a question to the files that may answer it, and what is known of them.

The first stage is cheap and looks at everything: BM25F over chunks, the same over files, and the words of paths. The
best hundred or so, and what defines a name that was asked for, become candidates; only of these is the evidence laid
out. The right file is among the first 50 of the first stage for 99 of 100 questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treemill.ranking.evidence import DEFINITION_WEIGHT, K1, Array, B, Evidence, Rarity, inverse_frequency
from treemill.ranking.identifiers import split_identifier
from treemill.ranking.model import weighs_names
from treemill.ranking.paths import path_words
from treemill.ranking.postings import DEFINITION_SHIFT, TEXT_CAP
from treemill.ranking.question import Question
from treemill.searching.alike import alike
from treemill.searching.meaning import Meant, nearness
from treemill.searching.moment import Moment, Numbers, Postings, distinct
from treemill.searching.verbatim import verbatim
from treemill.sources import Symbol

# How many files the first stage hands on: by their words, by their paths, and of those that define a name. `get` is
# defined everywhere.
_BY_WORDS = 100
_BY_PATH = 40
_DEFINING = 60

# Where words find fewer files than this, meaning looks for some more.
_FEW = 10
_BY_MEANING = 40

# A word that stands in more places than this in the paths of a tree does not tell one from another.
_MOST_PLACES = 2_000

_B_FILE = 0.75
_SHORTEST_FRAGMENT = 3


class Candidates(NamedTuple):
    """Files (int64[f], numbers in the file table), their chunks (int64[c], ascending by file), and their evidence."""

    files: Numbers
    chunks: Numbers
    evidence: Evidence


def find_candidates(
    moment: Moment, question: Question, wanted: npt.NDArray[np.bool_] | None, meant: Meant | None
) -> Candidates | None:
    """Return the files that may answer, in order of path, at most a few hundred; None if there are none.

    `wanted` (bool[files]) leaves out the others; `meant` is the question's meaning, where the index has vectors.
    """
    postings = moment.postings([*(term.id for term in question.terms), *(name.id for name in question.names)])
    rarity = _rarity(moment, question, postings)
    files = _choose(moment, question, postings, rarity, wanted)
    if meant is not None and len(files) < _FEW:
        files = distinct(np.concatenate([files, _near(moment, meant, wanted)]))
    rows = moment.row_of_file[files]
    files = files[moment.first[rows + 1] > moment.first[rows]]
    if not len(files):
        return None
    return _lay_out(moment, question, files, postings, rarity, meant)


def _rarity(moment: Moment, question: Question, postings: Sequence[Postings]) -> Rarity:
    chunk, file, defining = (np.zeros(len(postings), np.float32) for _ in range(3))
    for column, found in enumerate(postings):
        rows = moment.row_of_chunk[found.chunks]
        chunk[column] = inverse_frequency(moment.chunks_live, len(rows))
        file[column] = inverse_frequency(moment.rows_live, _distinct(rows))
        if column >= len(question.terms):
            defining[column] = _distinct(rows[found.weights >> DEFINITION_SHIFT > 0])
    return Rarity(chunk, file, defining, moment.mean_chunk)


def _distinct(ascending: npt.NDArray[np.int32]) -> int:
    return int(np.count_nonzero(ascending[1:] != ascending[:-1])) + 1 if len(ascending) else 0


def _choose(
    moment: Moment,
    question: Question,
    postings: Sequence[Postings],
    rarity: Rarity,
    wanted: npt.NDArray[np.bool_] | None,
) -> Numbers:
    """Return the files to look at closely, in order of path."""
    by_path = _path_scores(moment, question, rarity)
    scores = _word_scores(moment, question, postings, rarity)
    total = scores[moment.row_of_file] + by_path
    if wanted is not None:
        total, by_path = np.where(wanted, total, 0.0), np.where(wanted, by_path, 0.0)
    chosen = [_top(total, _BY_WORDS), _top(by_path, _BY_PATH), _defining(moment, question, postings, total)]
    return distinct(np.concatenate(chosen))


def _near(moment: Moment, meant: Meant, wanted: npt.NDArray[np.bool_] | None) -> Numbers:
    """Return the files that are nearest in meaning, in order of path."""
    scores = moment.best_by_row(moment.likeness(meant.vector))[moment.row_of_file]
    return np.sort(_top(scores if wanted is None else np.where(wanted, scores, 0.0), _BY_MEANING))


def _top(scores: Array, most: int) -> Numbers:
    """Return where the greatest scores above 0 stand; ties go to the first, which is the first by path."""
    places = np.flatnonzero(scores > 0)
    if len(places) > most:
        found = scores[places]
        places = places[found >= np.partition(found, len(found) - most)[len(found) - most]]
    return places[np.argsort(-scores[places], kind="stable")[:most]]


def _word_scores(moment: Moment, question: Question, postings: Sequence[Postings], rarity: Rarity) -> Array:
    """Return float32[rows]: the best chunk's BM25F and the file's, each between 0 and 1."""
    chunks = np.zeros(moment.chunk_count, np.float32)
    rows = np.zeros(len(moment.contents), np.float32)
    chunk_total = file_total = 1e-6
    for column, (term, found) in enumerate(zip(question.terms, postings, strict=False)):
        chunk_weight, file_weight = term.weight * rarity.chunk[column], term.weight * rarity.file[column]
        chunk_total, file_total = chunk_total + chunk_weight, file_total + file_weight
        if not len(found.chunks):
            continue
        counts = (found.weights & np.uint8(TEXT_CAP)).astype(np.float32)
        counts += np.float32(DEFINITION_WEIGHT) * (found.weights >> np.uint8(DEFINITION_SHIFT))
        norms = K1 * (1 - B + B / moment.mean_chunk * moment.words[found.chunks])
        chunks[found.chunks] += chunk_weight * counts / (counts + norms)
        holders = moment.row_of_chunk[found.chunks]
        starts = np.flatnonzero(np.diff(holders, prepend=-1))
        holders, counts = holders[starts], np.add.reduceat(counts, starts)
        norms = K1 * (1 - _B_FILE + _B_FILE / moment.mean_row * moment.row_words[holders])
        rows[holders] += file_weight * counts / (counts + norms)
    return moment.best_by_row(chunks) / np.float32(chunk_total) + rows / np.float32(file_total)


def _path_scores(moment: Moment, question: Question, rarity: Rarity) -> Array:
    """Return float32[files]: how much of the question stands in the path, 0 to 1."""
    scores = np.zeros(len(moment.files.paths), np.float32)
    weights = [term.weight * float(each) for term, each in zip(question.terms, rarity.file, strict=False)]
    for term, weight in zip(question.terms, weights, strict=True):
        # A stem is the beginning of its word, but for a "y" that has become an "i".
        fragment = term.word[:-1] if len(term.word) > _SHORTEST_FRAGMENT and term.word.endswith("i") else term.word
        if weight > 0 and len(fragment) >= _SHORTEST_FRAGMENT:
            scores[moment.path_text.holding(fragment, _MOST_PLACES)] += weight / sum(weights)
    return scores


def _defining(moment: Moment, question: Question, postings: Sequence[Postings], total: Array) -> Numbers:
    """Return the files that define a name of the question, the best first where they are many."""
    found = [np.zeros(0, np.int64)]
    for places in postings[len(question.terms) :]:
        rows = distinct(moment.row_of_chunk[places.chunks[places.weights >> DEFINITION_SHIFT > 0]])
        files = np.sort(np.concatenate([np.zeros(0, np.int64), *(moment.files_of(row) for row in rows.tolist())]))
        found.append(files[_top(total[files], _DEFINING)])
    return np.concatenate(found).astype(np.int64)


def _lay_out(
    moment: Moment,
    question: Question,
    files: Numbers,
    postings: Sequence[Postings],
    rarity: Rarity,
    meant: Meant | None,
) -> Candidates:
    """Lay out the evidence of the chosen files."""
    rows = moment.row_of_file[files]
    sizes = moment.first[rows + 1] - moment.first[rows]
    starts = np.cumsum(sizes) - sizes
    chunks = np.repeat(moment.first[rows] - starts, sizes) + np.arange(int(sizes.sum()))
    text, defined = _counts(moment, chunks, postings)
    paths = [path_words(moment.files.paths[file]) for file in files.tolist()]
    column_of = {term.id: column for column, term in enumerate(question.terms)}
    own, folders = (np.zeros((len(files), len(postings)), np.float32) for _ in range(2))
    for into, held in ((own, [path.own for path in paths]), (folders, [path.folders for path in paths])):
        found = [(place, column_of[word]) for place, words in enumerate(held) for word in words if word in column_of]
        into[[place for place, _ in found], [column for _, column in found]] = 1.0
    near = None if meant is None else nearness(moment, meant, files, chunks, starts)
    nothing = np.zeros(len(files), np.float32)
    evidence = Evidence(
        question,
        rarity,
        text,
        defined,
        moment.words[chunks],
        starts,
        own,
        folders,
        paths,
        _asked_symbols(moment, question, rows, starts, defined),
        np.zeros(len(chunks), np.float32) if near is None else near.chunks,
        nothing if near is None else near.files,
        nothing if near is None else near.paths,
        np.zeros(len(chunks), np.float32),
        nothing,
        np.full(len(files), -1, np.int64),
    )
    if weighs_names(question):
        evidence = replace(evidence, names_alike=alike(moment, evidence, files, chunks))
    if question.kind == "message":
        share, spots = verbatim(moment, evidence, files)
        evidence = replace(evidence, together=share, spots=spots)
    return Candidates(files, chunks, evidence)


def _counts(moment: Moment, chunks: Numbers, postings: Sequence[Postings]) -> tuple[Array, Array]:
    """Return float32[chunks, columns] twice: how often each word stands in each chunk, and how many it names there."""
    distinct, back = np.unique(chunks, return_inverse=True)
    local = np.full(moment.chunk_count, -1, np.int32)
    local[distinct] = np.arange(len(distinct))
    text, defined = (np.zeros((len(distinct), len(postings)), np.float32) for _ in range(2))
    for column, found in enumerate(postings):
        places = local[found.chunks]
        inside = places >= 0
        places, weights = places[inside], found.weights[inside]
        text[places, column] = weights & np.uint8(TEXT_CAP)
        defined[places, column] = weights >> np.uint8(DEFINITION_SHIFT)
    return text[back], defined[back]


def _asked_symbols(
    moment: Moment, question: Question, rows: Numbers, starts: Numbers, defined: Array
) -> list[tuple[Symbol, ...]]:
    """Return each file's definitions of the name that the question is; none for a sentence."""
    if question.kind != "symbol" or not question.names:
        return [()] * len(rows)
    letters = question.names[0].letters
    defines = np.maximum.reduceat(defined[:, len(question.terms)], starts) > 0
    moment.expect(rows[defines].tolist())
    return [
        tuple(each for each in moment.unpacked(row).symbols if "".join(split_identifier(each.name)) == letters)
        if holds
        else ()
        for row, holds in zip(rows.tolist(), defines.tolist(), strict=True)
    ]
