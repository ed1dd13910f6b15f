"""What a question asks for: its terms with their weights, the names in it, and of which kind it is.

Words that carry the form of a question rather than its content ("how", "where", "the") are left out, unless nothing
else is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from treemill.ranking.asking import describes, looks_like_message
from treemill.ranking.identifiers import split_identifier
from treemill.ranking.words import stem, term_id

# A question longer than this is cut: a pasted file asks for nothing that its first words do not.
MOST_CHARACTERS = 4_000
MOST_TERMS = 64

Kind = Literal["symbol", "sentence", "message"]

_TOKEN = re.compile(r"\w(?:\w|(?:[.:]{1,2}|#|->)(?=[^\W\d]))*", re.UNICODE)
_QUALIFIER = re.compile(r"\.|::?|#|->")

_FORM_WORDS = frozenset(
    stem(word)
    for word in (
        "how what where which when why who is are was were be been the a an of to in into for and or on with by from "
        "at as that this it its do does did can could should would than then via if not no between across during each "
        "any all their them they before after while whether against per up out over under within without only about "
        "through both also i we you my our your there here has have had gets get got done so one like"
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
_PARENT_WEIGHT = 0.5


class Term(NamedTuple):
    """One word to look up: the id of its stem, how much it counts, and the stem."""

    id: int
    weight: float
    word: str


class Name(NamedTuple):
    """A name to look for among definitions and file names: the id it is indexed under, and its letters in lower case.

    `written` is how the question writes it.
    """

    id: int
    letters: str
    written: str


class Question(NamedTuple):
    """A question, taken apart.

    `kind` is "symbol" for a single name (`parents` are the names it is qualified with, outermost first), "message" for
    what a program seems to have printed, else "sentence". `described` says that it tells in a sentence what something
    does. `terms` score text, `names` are looked for among definitions.
    """

    text: str
    kind: Kind
    terms: tuple[Term, ...]
    names: tuple[Name, ...]
    parents: tuple[str, ...] = ()
    described: bool = False


def analyse(text: str) -> Question:
    """Take a question apart. Any text is a question; one without a word in it has no terms."""
    text = text[:MOST_CHARACTERS]
    tokens = [token for token in _TOKEN.findall(text) if split_identifier(token)][:MOST_TERMS]
    if len(tokens) == 1 and not re.search(r"\s", text.strip()):
        return as_symbol(tokens[0])
    return _sentence(text, tokens)


def as_symbol(text: str) -> Question:
    """Take a text for the name of a definition, qualified or not, whatever it looks like."""
    text = text[:MOST_CHARACTERS]
    path = [part for part in _QUALIFIER.split(text.strip()) if split_identifier(part)]
    if not path:
        return Question(text, "symbol", (), ())
    name, parents = path[-1], tuple(path[:-1])
    weighed = {stem(part): _PARENT_WEIGHT for parent in parents for part in split_identifier(parent)}
    weighed |= {stem(part): 1.0 for part in split_identifier(name)}
    return Question(text, "symbol", _terms(weighed), (_name(name),), parents)


def _sentence(text: str, tokens: Sequence[str]) -> Question:
    weighed: dict[str, float] = {}
    names: dict[str, Name] = {}
    for token in tokens:
        parts = split_identifier(token)
        if len(parts) > 1:
            asked = _name(_last(token))
            names.setdefault(asked.letters, asked)
        for part in parts:
            root = stem(part)
            weighed[root] = max(weighed.get(root, 0.0), 1.0 if len(parts) > 1 else _weight(root))
    if not any(weighed.values()):
        weighed = dict.fromkeys(weighed, 1.0)
    kind: Kind = "message" if looks_like_message(text) else "sentence"
    return Question(text, kind, _terms(weighed), tuple(names.values())[:MOST_TERMS], described=describes(text))


def _terms(weighed: dict[str, float]) -> tuple[Term, ...]:
    return tuple(Term(term_id(root), weight, root) for root, weight in weighed.items() if weight > 0)[:MOST_TERMS]


def _last(token: str) -> str:
    """Return the last name of a qualified one."""
    return next(part for part in reversed(_QUALIFIER.split(token)) if split_identifier(part))


def is_form(root: str) -> bool:
    """Tell whether a stem is of a word that carries the form of a question rather than its content."""
    return root in _FORM_WORDS


def _weight(root: str) -> float:
    return 0.0 if root in _FORM_WORDS else _WEAK_WEIGHT if root in _WEAK_WORDS else 1.0


def _name(written: str) -> Name:
    letters = "".join(split_identifier(written))
    return Name(term_id("=" + letters), letters, written)
