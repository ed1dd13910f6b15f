"""One question, answered from one moment or from several: candidates, scores, places, hits."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider
from treemill.ranking.evidence import Array
from treemill.ranking.model import contributions, greatest, plain_values, weighs_meaning, weights_for
from treemill.ranking.question import Question, analyse, as_symbol
from treemill.records import Hit, Query
from treemill.searching.candidates import Candidates, find_candidates
from treemill.searching.filters import check, wanted
from treemill.searching.hits import Found, Pages, hit_of, within_budget
from treemill.searching.moment import Moment
from treemill.searching.patterns import matching
from treemill.searching.places import Place, places_in
from treemill.searching.related import others, question_like
from treemill.searching.standing import standing_at

# How many places of a file are named: the one that is shown, and those folded under it.
_MOST_PLACES = 4

# Scores are compared to six digits: beyond that the order of additions shows.
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """An index that a question is put to: its root's name where there are several, its moment, and its query."""

    root: str
    moment: Moment
    query: Query
    provider: EmbeddingProvider | None


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What one index has to say: its candidates, and each signal of them (name → float32[files])."""

    asked: Asked
    question: Question
    candidates: Candidates
    weights: Mapping[str, float]
    signals: Mapping[str, Array]


def answer(asked: Sequence[Asked], query: Query) -> tuple[tuple[Hit, ...], str]:
    """Return the hits from all indexes, best first, and why there are none. Equal scores go by root and path.

    `query` says what is wanted of the whole: its limit, offset, threshold and tokens.

    Raises:
        UsageError: a limit, a pattern or a place is none.
    """
    check(query)
    # A single index skips what an earlier page has shown without laying it out.
    skipped = query.offset if len(asked) == 1 else 0
    if query.mode == "regex":
        reasons = ["no line matches"]
        found = [matching(each.moment, each.query, skipped) for each in asked]
    elif query.mode == "place":
        reasons = []
        found = [islice((standing_at(each.moment, each.query),), skipped, None) for each in asked]
    else:
        weighed, reasons = _weighed(asked)
        best = _greatest(weighed)
        found = [_ranked(each, best, skipped) for each in weighed]
        asked = [each.asked for each in weighed]
    hits = _merged([map(_Rooted(each.root), hits) for each, hits in zip(asked, found, strict=True)])
    if query.threshold is not None:
        floor = query.threshold
        hits = takewhile(lambda hit: hit.score >= floor, hits)
    page = list(islice(hits, query.offset - skipped, query.offset - skipped + query.limit))
    return within_budget(page, query.max_tokens), "" if page else "; ".join(reasons) or _nothing_left(query)


def _nothing_left(query: Query) -> str:
    floor = "" if query.threshold is None else f" with a score of at least {query.threshold:g}"
    return f"fewer than {query.offset + 1} places answer{floor}"


@dataclass(frozen=True, slots=True)
class _Rooted:
    """Names the root of hits; a function of its own, as a lambda in a loop would see the last root only."""

    root: str

    def __call__(self, hit: Hit) -> Hit:
        return replace(hit, root=self.root) if self.root else hit


def _merged(found: Sequence[Iterator[Hit]]) -> Iterator[Hit]:
    """Return hits from several indexes, best first, each place once: two folders of one root may overlap."""
    if len(found) == 1:
        return found[0]
    return _distinct(heapq.merge(*found, key=lambda hit: -hit.score))


def _distinct(hits: Iterable[Hit]) -> Iterator[Hit]:
    seen: set[tuple[str, str, int]] = set()
    for hit in hits:
        place = hit.root, hit.path, hit.start_line
        if place not in seen:
            seen.add(place)
            yield hit


def _weighed(asked: Sequence[Asked]) -> tuple[list[_Weighed], list[str]]:
    """Return what each index has to say, and why those that are missing have nothing."""
    found: list[tuple[Asked, Question, Candidates]] = []
    reasons: dict[str, None] = {}
    for each in asked:
        question, files = _asked(each.moment, each.query)
        if not question.terms:
            reasons["the question has no words in it"] = None
            continue
        candidates = find_candidates(each.moment, question, files, _vector(each, question))
        if candidates is None:
            reasons["no file holds these words"] = None
            continue
        found.append((each, question, candidates))
    meaning = all(candidates.evidence.meaning.any() for _, _, candidates in found)
    weighed = []
    for each, question, candidates in found:
        weights = weights_for(question.kind, meaning=meaning)
        weighed.append(_Weighed(each, question, candidates, weights, plain_values(candidates.evidence, tuple(weights))))
    return weighed, [] if weighed else list(reasons)


def _vector(asked: Asked, question: Question) -> Array | None:
    """Return the question's vector, where there are vectors to compare it with and weights for what comes out."""
    if asked.provider is None or not asked.moment.has_vectors or not weighs_meaning(question.kind):
        return None
    return asked.provider.embed_query(question.text)


def _greatest(weighed: Sequence[_Weighed]) -> dict[str, float]:
    """Return the greatest value of each signal in all indexes, so that scores from several can be compared."""
    best: dict[str, float] = {}
    for each in weighed:
        best |= {name: max(value, best.get(name, 0.0)) for name, value in greatest(each.signals).items()}
    return best


def _asked(moment: Moment, query: Query) -> tuple[Question, npt.NDArray[np.bool_] | None]:
    """Return what is asked for, and which files may answer."""
    files = wanted(moment.files, query)
    if query.mode == "symbol":
        return as_symbol(query.text), files
    if query.mode == "related":
        return question_like(moment, query.text), others(moment, query.text, files)
    return analyse(query.text), files


def _ranked(weighed: _Weighed, best: Mapping[str, float], skipped: int) -> Iterator[Hit]:
    """Yield the hits of an index, best first, without the first `skipped`; those of a file stand together."""
    moment, query = weighed.asked.moment, weighed.asked.query
    names, parts = contributions(weighed.weights, weighed.signals, best)
    scores = parts.sum(axis=1, dtype="float64").round(_DIGITS).tolist()
    seen = 0
    for place in sorted(range(len(scores)), key=lambda each: -scores[each]):
        file = int(weighed.candidates.files[place])
        unpacked = moment.unpacked(int(moment.row_of_file[file]))
        found = places_in(unpacked, weighed.candidates.evidence, place, max(_MOST_PLACES, query.per_file))
        shown = _shown(found, query.per_file)
        taken = shown[max(0, skipped - seen) :]
        seen += len(shown)
        if not taken:
            continue
        why = {name: round(float(part), 4) for name, part in zip(names, parts[place], strict=True) if abs(part) >= 5e-4}
        whole = Found(moment.files.paths[file], moment.files.languages[file], scores[place], why)
        pages = Pages(unpacked)
        yield from (hit_of(whole, pages, places, weighed.question, query.context) for places in taken)


def _shown(places: list[Place], per_file: int) -> list[list[Place]]:
    """Return one list of places a hit: the first is shown, and the file's last hit names those that are not."""
    shown = [[place] for place in places[:per_file]]
    shown[-1] += places[per_file:]
    return shown
