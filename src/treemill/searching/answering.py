"""One question, answered from one moment or from several: candidates, scores, places, hits."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import islice, takewhile
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider
from treemill.errors import EmbeddingError
from treemill.ranking.asking import looks_like_pattern, path_asked
from treemill.ranking.evidence import Array
from treemill.ranking.model import contributions, greatest, plain_values, weighs_meaning, weights_for
from treemill.ranking.question import Question, analyse, as_symbol
from treemill.records import Hit, Query
from treemill.searching.candidates import Candidates, find_candidates
from treemill.searching.filters import check, wanted
from treemill.searching.hits import Found, Pages, hit_of, within_budget
from treemill.searching.located import hits_at, located
from treemill.searching.meaning import Meant
from treemill.searching.moment import Moment
from treemill.searching.places import Place, places_in

# How many places of a file are named: the one that is shown, and those folded under it.
_MOST_PLACES = 4

# What matches patterns is loaded for those who ask for one.
_PATTERNS = "treemill.searching.patterns"

# And so is what looks at places.
_RELATED = "treemill.searching.related"
_STANDING = "treemill.searching.standing"

# Scores are compared to six digits: beyond that the order of additions shows.
_DIGITS = 6


class Asked(NamedTuple):
    """An index that a question is put to: its root's name where there are several, its moment, and its query.

    `notes` takes what whoever asks should know besides the answer.
    """

    root: str
    moment: Moment
    query: Query
    provider: EmbeddingProvider | None
    notes: list[str]


class _Weighed(NamedTuple):
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
    found, reasons = _found(asked, query, skipped)
    hits = _merged([map(partial(_rooted, each.root), hits) for each, hits in zip(asked, found, strict=True)])
    if query.threshold is not None:
        floor = query.threshold
        hits = takewhile(lambda hit: hit.score >= floor, hits)
    page = list(islice(hits, query.offset - skipped, query.offset - skipped + query.limit))
    return within_budget(page, query.max_tokens), "" if page else "; ".join(reasons) or _nothing_left(query)


def _found(asked: Sequence[Asked], query: Query, skipped: int) -> tuple[Sequence[Iterator[Hit]], Sequence[str]]:
    """Return the hits of each index, best first, without the first `skipped`, and why there are none.

    What looks like a path or like a pattern is one if the indexes have it; else its words are asked for.
    """
    if query.mode == "regex":
        return _by_pattern(asked, skipped), ["no line matches"]
    if query.mode == "place":
        standing_at = import_module(_STANDING).standing_at
        return [islice((standing_at(each.moment, each.query),), skipped, None) for each in asked], []
    if query.mode == "ask":
        path = path_asked(query.text)
        if path is not None:
            files = [located(each.moment, each.query, path) for each in asked]
            if any(files):
                pairs = zip(asked, files, strict=True)
                return [hits_at(each.moment, each.query, path, mine, skipped) for each, mine in pairs], []
        if looks_like_pattern(query.text):
            matches = import_module(_PATTERNS).matches
            if any(matches(each.moment, each.query) for each in asked):
                return _by_pattern(asked, skipped), []
    weighed, reasons = _weighed(asked)
    best = _greatest(weighed)
    return [_ranked(each, best, skipped) if each else iter(()) for each in weighed], reasons


def _by_pattern(asked: Sequence[Asked], skipped: int) -> list[Iterator[Hit]]:
    matching = import_module(_PATTERNS).matching
    return [matching(each.moment, each.query, skipped, each.notes) for each in asked]


def _nothing_left(query: Query) -> str:
    floor = "" if query.threshold is None else f" with a score of at least {query.threshold:g}"
    return f"fewer than {query.offset + 1} places answer{floor}"


def _rooted(root: str, hit: Hit) -> Hit:
    """Return a hit with the name of its root, where that has one."""
    return replace(hit, root=root) if root else hit


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


def _weighed(asked: Sequence[Asked]) -> tuple[list[_Weighed | None], list[str]]:
    """Return what each index has to say, None where it has nothing, and why none has."""
    reasons: dict[str, None] = {}
    found: list[tuple[Asked, Question, Candidates] | None] = []
    for each in asked:
        question, files = _asked(each.moment, each.query)
        candidates = find_candidates(each.moment, question, files, _meant(each, question)) if question.terms else None
        if candidates is None:
            reasons["no file holds these words" if question.terms else "the question has no words in it"] = None
        found.append(None if candidates is None else (each, question, candidates))
    meaning = all(each[2].evidence.meaning.any() for each in found if each is not None)
    verbatim = any(each[2].evidence.together.any() for each in found if each is not None)
    weighed = [None if each is None else _with_signals(*each, meaning=meaning, verbatim=verbatim) for each in found]
    return weighed, [] if any(weighed) else list(reasons)


def _meant(asked: Asked, question: Question) -> Meant | None:
    """Return the question's meaning, where there are vectors to compare it with and weights for what comes out."""
    if asked.provider is None or not asked.moment.has_vectors or not weighs_meaning(question):
        return None
    try:
        return Meant(asked.provider.embed_query(question.text), asked.provider)
    except EmbeddingError as error:
        asked.notes.append(f"answered by words alone: {error}")
        return None


def _with_signals(
    asked: Asked, question: Question, candidates: Candidates, *, meaning: bool, verbatim: bool
) -> _Weighed:
    weights = weights_for(question, meaning=meaning, verbatim=verbatim)
    return _Weighed(asked, question, candidates, weights, plain_values(candidates.evidence, tuple(weights)))


def _greatest(weighed: Sequence[_Weighed | None]) -> dict[str, float]:
    """Return the greatest value of each signal in all indexes, so that scores from several can be compared."""
    best: dict[str, float] = {}
    for each in filter(None, weighed):
        best |= {name: max(value, best.get(name, 0.0)) for name, value in greatest(each.signals).items()}
    return best


def _asked(moment: Moment, query: Query) -> tuple[Question, npt.NDArray[np.bool_] | None]:
    """Return what is asked for, and which files may answer."""
    files = wanted(moment.files, query)
    if query.mode == "symbol":
        return as_symbol(query.text), files
    if query.mode == "related":
        related = import_module(_RELATED)
        return related.question_like(moment, query.text), related.others(moment, query.text, files)
    return analyse(query.text), files


def _ranked(weighed: _Weighed, best: Mapping[str, float], skipped: int) -> Iterator[Hit]:
    """Yield the hits of an index, best first, without the first `skipped`; those of a file stand together."""
    moment, query = weighed.asked.moment, weighed.asked.query
    names, parts = contributions(weighed.weights, weighed.signals, best)
    scores = parts.sum(axis=1, dtype="float64").round(_DIGITS).tolist()
    seen = 0
    order = sorted(range(len(scores)), key=lambda each: -scores[each])
    rows = moment.row_of_file[weighed.candidates.files[order[: skipped + query.limit]]]
    moment.expect(rows.tolist())
    for place in order:
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
