"""What a question asks for: its terms with their weights, the names in it, and of which kind it is.

Words that carry the form of a question rather than its content ("how", "where", "the") are left out, unless nothing
else is there. Neighbouring words are also tried as one name: "rate limiter" finds `RateLimiter`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from treemill.ranking.words import split_identifier, stem, term_id

# A question longer than this is cut: a pasted file asks for nothing that its first words do not.
MOST_CHARACTERS = 4_000
MOST_TERMS = 64

_TOKEN = re.compile(r"[^\W_](?:\w|[.:]{1,2}(?=[^\W\d]))*|\w+", re.UNICODE)

_FORM_WORDS = frozenset(
    stem(word)
    for word in (
        "how what where which when why who is are was were be been the a an of to in into for and or on with by from "
        "at as that this it its do does did can could should would than then via if not no between across during each "
        "any all their them they before after while whether against per up out over under within without only about "
        "through both also i we you my our your there here has have had gets get got done"
    ).split()
)
_WEAK_WORDS = frozenset(
    stem(word)
    for word in (
        "using used use uses work works working handle handles handled handling implement implements implemented "
        "implementation code function functions method methods class classes file files logic support supports "
        "different various type types object objects defined definition"
    ).split()
)
_WEAK_WEIGHT = 0.45


@dataclass(frozen=True, slots=True)
class Term:
    """One term to look up: its id, how much it counts, and the word for people."""

    id: int
    weight: float
    word: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question, taken apart.

    `kind` is "symbol" for a single name (`parents` are the names it is qualified with), else "sentence". `terms` score
    text; `names` are identifiers to look for among definitions, as they were written; `compounds` the ids under which
    they are indexed, beside how much finding one counts.
    """

    text: str
    kind: Literal["symbol", "sentence"]
    terms: tuple[Term, ...]
    names: tuple[str, ...]
    parents: tuple[str, ...]
    compounds: tuple[Term, ...]


def analyse(text: str) -> Question:
    """Take a question apart. Any text is a question; one without a word in it has no terms."""
    text = text[:MOST_CHARACTERS]
    tokens = [match for match in _TOKEN.findall(text) if split_identifier(match)]
    if len(tokens) == 1 and not re.search(r"\s", text.strip()):
        return _symbol(text, tokens[0])
    return _sentence(text, tokens)


def _symbol(text: str, token: str) -> Question:
    path = [part for part in re.split(r"\.|::|#|->", token) if part]
    name = path[-1] if path else token
    parts = split_identifier(name)
    terms = _unique(Term(term_id(stem(part)), 1.0, part) for part in parts)
    compound = "=" + "".join(parts)
    above = tuple(Term(term_id(stem(part)), 0.5, part) for parent in path[:-1] for part in split_identifier(parent))
    return Question(text, "symbol", (*terms, *above), (name,), tuple(path[:-1]), (Term(term_id(compound), 1.0, name),))


def _sentence(text: str, tokens: list[str]) -> Question:
    weighed: dict[str, float] = {}
    names: list[str] = []
    compounds: dict[str, tuple[float, str]] = {}
    for token in tokens[:MOST_TERMS]:
        parts = split_identifier(token)
        if len(parts) > 1:
            names.append(re.split(r"\.|::", token)[-1])
            compounds["=" + "".join(split_identifier(names[-1]))] = (1.0, names[-1])
        for part in parts:
            root = stem(part)
            weight = 1.0
            if len(parts) == 1:
                weight = 0.0 if root in _FORM_WORDS else _WEAK_WEIGHT if root in _WEAK_WORDS else 1.0
            weighed[root] = max(weighed.get(root, 0.0), weight)
    if not any(weighed.values()):
        weighed = dict.fromkeys(weighed, 1.0)
    plain = [token for token in tokens[:MOST_TERMS] if weighed.get(stem(token.lower()), 1.0) > 0]
    for first, second in pairwise(plain):
        joined = "".join(split_identifier(first) + split_identifier(second))
        compounds.setdefault("=" + joined, (0.7, f"{first} {second}"))
    terms = tuple(Term(term_id(root), weight, root) for root, weight in weighed.items() if weight > 0)
    wanted = tuple(Term(term_id(word), weight, label) for word, (weight, label) in compounds.items())
    return Question(text, "sentence", terms[:MOST_TERMS], tuple(names), (), wanted[:MOST_TERMS])


def _unique(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple({term.id: term for term in terms}.values())
