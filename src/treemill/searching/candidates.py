"""From scores of chunks to ranked candidates: who is looked at closely, and what speaks for each.

The first stage scores every chunk; the best few hundred, and whatever defines a name that was asked for, become
candidates. Each signal then adds its part to a candidate's `why`; the score is their sum.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from treemill.chunking.packing import unpack_symbols
from treemill.embedding import EmbeddingProvider
from treemill.ranking import lexical, signals
from treemill.ranking.fusion import cosine_scores
from treemill.ranking.question import Question
from treemill.ranking.words import split_identifier
from treemill.records import Query
from treemill.searching.moment import Moment
from treemill.types import Symbol

# How many chunks the first stage hands to the signals. The right file is among the first 50 for 99 of 100 questions.
_MOST_CANDIDATES = 250

# How many chunks that define an asked name are looked at in detail; `get` is defined everywhere.
_MOST_DEFINING = 150

# In a sentence a name found among the definitions is a hint, in a symbol question it is the answer.
_SYMBOL_BONUS = 1.5
_NAME_IN_SENTENCE_BONUS = 0.3

_MEANING_WEIGHT = 0.4


@dataclass(slots=True)
class Candidate:
    """A chunk of a file that may answer, and what speaks for it. `chunk` counts within the content."""

    path: str
    language: str | None
    content: int
    chunk: int
    why: dict[str, float] = field(default_factory=dict)
    symbol: Symbol | None = None

    @property
    def score(self) -> float:
        """The sum of the signals."""
        return sum(self.why.values())


def rank(moment: Moment, question: Question, query: Query, provider: EmbeddingProvider | None) -> list[Candidate]:
    """Return the candidates that pass the query's filters, best first, at most `per_file` of each file."""
    scores = lexical.score(moment.segments, moment.collection, question.terms)
    parts = {"words": scores}
    if provider is not None and any(segment.vectors.size for segment in moment.segments):
        parts["meaning"] = cosine_scores(moment.segments, provider.embed_query(question.text), _MEANING_WEIGHT)
    whole = [np.sum(each, axis=0) for each in zip(*parts.values(), strict=True)]
    defining = _defining(moment, question)
    chosen = _best(moment, whole) | set(defining)
    candidates = [
        candidate for segment, chunk in chosen for candidate in _at_each_path(moment, segment, chunk, parts, query)
    ]
    _add_definitions(moment, question, candidates, {moment.content_of(*place) for place in defining})
    _add_file_signals(moment, question, candidates)
    candidates.sort(key=lambda candidate: (-round(candidate.score, 6), candidate.path, candidate.chunk))
    return _few_per_file(candidates, query.per_file)


def _best(moment: Moment, scores: Sequence[npt.NDArray[np.float32]]) -> set[tuple[int, int]]:
    """Return (segment, chunk) of the best chunks of all segments; ties go to the earlier content."""
    places: list[tuple[float, int, int, int]] = []
    for number, (each, live) in enumerate(zip(scores, moment.live, strict=True)):
        scored = each if live is None else np.where(live, each, 0.0)
        top = min(_MOST_CANDIDATES, len(scored))
        if top == 0:
            continue
        threshold = np.partition(scored, len(scored) - top)[len(scored) - top]
        for chunk in np.flatnonzero((scored >= threshold) & (scored > 0)).tolist():
            places.append((-float(scored[chunk]), *moment.content_of(number, chunk)[:1], number, chunk))
    places.sort()
    return {(number, chunk) for _, _, number, chunk in places[:_MOST_CANDIDATES]}


def _defining(moment: Moment, question: Question) -> list[tuple[int, int]]:
    """Return (segment, chunk) of chunks that define a name the question asks for."""
    found: list[tuple[int, int]] = []
    for term in question.compounds:
        here: list[tuple[int, int]] = []
        for number, (segment, live) in enumerate(zip(moment.segments, moment.live, strict=True)):
            chunks = lexical.defining(segment, term.id)
            chunks = chunks if live is None else chunks[live[chunks]]
            here += [(number, chunk) for chunk in chunks.tolist()]
        found += here[:_MOST_DEFINING]
    return found


def _at_each_path(
    moment: Moment, segment: int, chunk: int, parts: dict[str, list[npt.NDArray[np.float32]]], query: Query
) -> Iterable[Candidate]:
    """Return a candidate for each file that holds the chunk and passes the filters."""
    content, inside = moment.content_of(segment, chunk)
    why = {name: float(scores[segment][chunk]) for name, scores in parts.items()}
    for number in moment.files_of(content):
        path, language = moment.files.paths[number], moment.files.languages[number]
        if passes(path, language, query):
            yield Candidate(path, language, content, inside, dict(why))


def passes(path: str, language: str | None, query: Query) -> bool:
    """Whether a file is one that the query wants to hear of."""
    if query.languages and language not in query.languages:
        return False
    if query.under and not path.startswith(query.under.rstrip("/") + "/") and path != query.under:
        return False
    if query.include and not any(_matches(path, glob) for glob in query.include):
        return False
    return not any(_matches(path, glob) for glob in query.exclude)


def _matches(path: str, glob: str) -> bool:
    """Match as ignore files do: a glob without a slash is about the name, `*` crosses folders."""
    return fnmatchcase(path if "/" in glob else path.rpartition("/")[2], glob)


def _add_definitions(
    moment: Moment, question: Question, candidates: Sequence[Candidate], defining: set[tuple[int, int]]
) -> None:
    """Credit candidates that define what is asked for, and note which definition it is."""
    wanted = {"".join(split_identifier(term.word)): term for term in question.compounds}
    symbols: dict[int, tuple[tuple[int, Symbol], ...]] = {}
    bonus = _SYMBOL_BONUS if question.kind == "symbol" else _NAME_IN_SENTENCE_BONUS
    for candidate in candidates:
        if (candidate.content, candidate.chunk) not in defining:
            continue
        if candidate.content not in symbols:
            symbols[candidate.content] = symbols_by_chunk(moment, candidate.content)
        best = 0.0
        for chunk, symbol in symbols[candidate.content]:
            term = wanted.get("".join(split_identifier(symbol.name))) if chunk == candidate.chunk else None
            if term is None:
                continue
            fit = term.weight * signals.definition(symbol, term.word, question.parents)
            if fit > best:
                best, candidate.symbol = fit, symbol
        if best:
            candidate.why["definition"] = bonus * best


def symbols_by_chunk(moment: Moment, content: int) -> tuple[tuple[int, Symbol], ...]:
    """Return a content's symbols, each with the number of the chunk it starts in."""
    record = moment.snapshot.content(content)
    ends = np.frombuffer(record.ends, "<u4")
    symbols = unpack_symbols(record.symbols)
    chunks = np.searchsorted(ends, [symbol.start for symbol in symbols], side="right").tolist()
    return tuple(zip(chunks, symbols, strict=True))


def _add_file_signals(moment: Moment, question: Question, candidates: Sequence[Candidate]) -> None:
    """Credit candidates for their path and for the other good chunks of their file."""
    rarity = _rarity(moment, question)
    of_file: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        of_file[candidate.path].append(candidate)
    for path, siblings in of_file.items():
        scores = [candidate.why["words"] for candidate in siblings]
        shared = {
            "path": signals.PATH_WEIGHT * signals.path_match(question, path, rarity),
            "file": signals.COMPANY_WEIGHT * signals.company(scores),
            "demoted": signals.demotion(question, path),
        }
        for candidate in siblings:
            candidate.why |= {name: value for name, value in shared.items() if value}


def _rarity(moment: Moment, question: Question) -> dict[int, float]:
    total = moment.collection.chunks
    rarity: dict[int, float] = {}
    for term in question.terms:
        places = [lexical.find(segment, term.id) for segment in moment.segments]
        rarity[term.id] = lexical.inverse_frequency(total, sum(p.stop - p.start for p in places))
    return rarity


def _few_per_file(candidates: Iterable[Candidate], most: int) -> list[Candidate]:
    taken: Counter[str] = Counter()
    kept: list[Candidate] = []
    for candidate in candidates:
        taken[candidate.path] += 1
        if taken[candidate.path] <= most:
            kept.append(candidate)
    return kept
