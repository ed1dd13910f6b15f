"""One question, answered from one moment: candidates, scores, places, hits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider
from treemill.ranking.model import contributions
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


def answer(moment: Moment, query: Query, provider: EmbeddingProvider | None) -> tuple[tuple[Hit, ...], str]:
    """Return the hits, best first, and why there are none. Equal scores go by path.

    Raises:
        UsageError: a limit, a pattern or a place is none.
    """
    check(query)
    if query.mode == "regex":
        return matching(moment, query)
    if query.mode == "place":
        return within_budget([standing_at(moment, query)], query.max_tokens), ""
    question, files = _asked(moment, query)
    if not question.terms:
        return (), "the question has no words in it"
    vector = provider.embed_query(question.text) if provider is not None and moment.has_vectors else None
    candidates = find_candidates(moment, question, files, vector)
    if candidates is None:
        return (), "no file holds these words"
    hits = _ranked(moment, question, candidates, query)
    return within_budget(hits, query.max_tokens), "" if hits else f"fewer than {query.offset + 1} places answer"


def _asked(moment: Moment, query: Query) -> tuple[Question, npt.NDArray[np.bool_] | None]:
    """Return what is asked for, and which files may answer."""
    files = wanted(moment.files, query)
    if query.mode == "symbol":
        return as_symbol(query.text), files
    if query.mode == "related":
        return question_like(moment, query.text), others(moment, query.text, files)
    return analyse(query.text), files


def _ranked(moment: Moment, question: Question, candidates: Candidates, query: Query) -> list[Hit]:
    """Return the hits that the query's limits let through; those of a file stand together, best first."""
    names, parts = contributions(candidates.evidence)
    scores = parts.sum(axis=1, dtype="float64").round(_DIGITS).tolist()
    hits: list[Hit] = []
    seen = 0
    for place in sorted(range(len(scores)), key=lambda each: -scores[each]):
        if seen >= query.offset + query.limit:
            break
        file = int(candidates.files[place])
        unpacked = moment.unpacked(int(moment.row_of_file[file]))
        found = places_in(unpacked, candidates.evidence, place, max(_MOST_PLACES, query.per_file))
        shown = _shown(found, query.per_file)
        skipped = max(0, query.offset - seen)
        taken = shown[skipped : query.offset + query.limit - seen]
        seen += len(shown)
        if not taken:
            continue
        why = {name: round(float(part), 4) for name, part in zip(names, parts[place], strict=True) if abs(part) >= 5e-4}
        whole = Found(moment.files.paths[file], moment.files.languages[file], scores[place], why)
        pages = Pages(unpacked)
        hits += [hit_of(whole, pages, places, question, query.context) for places in taken]
    return hits


def _shown(places: list[Place], per_file: int) -> list[list[Place]]:
    """Return one list of places a hit: the first is shown, and the file's last hit names those that are not."""
    shown = [[place] for place in places[:per_file]]
    shown[-1] += places[per_file:]
    return shown
