"""Signals: small pure functions, each one reason why a place should stand higher or lower, with its weight.

The first stage (BM25F) says which chunks hold the words; signals say what the path, the definitions and the company of
a chunk add to that. All return plain numbers that `treemill.searching` adds up; `why` in a hit names them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from treemill.ranking.question import Question
from treemill.ranking.words import split_identifier, stem, term_id
from treemill.types import Symbol

# Files whose name says nothing are known by their folder.
_INDEX_STEMS = frozenset({"__init__", "index", "mod", "lib", "main", "init", "package"})

_TESTS = re.compile(
    r"(^|/)(tests?|specs?|__tests__|testing|testdata|fixtures?|testutils?|e2e)(/|$)"
    r"|(_test|_spec|\.test|\.spec|tests?|spec|-test|_unittest)\.[a-z]+$|(^|/)(test_|conftest)",
    re.IGNORECASE,
)
_EXAMPLES = re.compile(r"(^|/)_?(examples?|samples?|demos?|tutorials?|bench(marks?)?)(/|$)", re.IGNORECASE)
_PROSE = re.compile(
    r"(^|/)(docs?|changelogs?|locales?|i18n|translations?)(/|$)"
    r"|\.(md|rst|txt|po|pot|adoc|csv|svg|json|lock)$|(^|/)(changelog|authors)",
    re.IGNORECASE,
)
_STUBS = re.compile(
    r"\.pyi$|\.d\.[mc]?ts$|\.min\.(js|css)$|(^|/)(vendor|third_party|external|node_modules)(/|$)", re.IGNORECASE
)

PATH_WEIGHT = 0.45
COMPANY_WEIGHT = 0.25
TEST_PENALTY = 0.30
EXAMPLE_PENALTY = 0.15
PROSE_PENALTY = 0.15
STUB_PENALTY = 0.15

# How much a definition of each kind is what someone means who asks for a bare name.
_KIND_WEIGHTS = {
    "class": 1.0,
    "struct": 1.0,
    "interface": 1.0,
    "trait": 1.0,
    "enum": 1.0,
    "type": 0.95,
    "module": 0.9,
    "object": 0.95,
    "function": 0.9,
    "macro": 0.9,
    "method": 0.8,
    "constructor": 0.7,
    "constant": 0.7,
    "variable": 0.5,
    "field": 0.5,
    "property": 0.6,
    "heading": 0.4,
    "impl": 0.6,
}


@lru_cache(maxsize=100_000)
def path_terms(path: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the terms of a file's own name (its folder's, for an index file) and those of its folders."""
    pure = PurePosixPath(path)
    own = pure.name.split(".")[0] or pure.name
    folders = list(pure.parts[:-1])
    if own in _INDEX_STEMS and folders:
        own = folders.pop()
    return _terms(own), frozenset().union(*map(_terms, folders)) if folders else frozenset()


def _terms(name: str) -> frozenset[int]:
    return frozenset(term_id(stem(part)) for part in split_identifier(name))


def path_match(question: Question, path: str, rarity: Mapping[int, float]) -> float:
    """How far the file's name and folders say what is asked for, 0 to 1.

    The harmonic mean of how much of the question (by rarity) the name covers and how much of the name is asked for,
    so that `migration.py` beats `migration_test_helpers.py`; folders count two fifths.
    """
    own, folders = path_terms(path)
    asked = {term.id: term.weight * rarity.get(term.id, 0.0) for term in question.terms}
    whole = sum(asked.values())
    if whole <= 0 or not own:
        return 0.0
    covered = sum(weight for term, weight in asked.items() if term in own) / whole
    precise = len(own & asked.keys()) / len(own)
    name = 2 * covered * precise / (covered + precise) if covered and precise else 0.0
    around = sum(weight for term, weight in asked.items() if term in folders) / whole
    return min(1.0, name + 0.4 * around)


def company(scores: Sequence[float]) -> float:
    """What the other good chunks of a file add, given all its scores: a decayed sum without the best one."""
    return sum(score * 0.8**rank for rank, score in enumerate(sorted(scores, reverse=True)[1:8])) / 4


def demotion(question: Question, path: str) -> float:
    """What tests, examples, prose and stubs cost, unless the question asks for them. Zero or negative."""
    words = {term.word for term in question.terms}
    cost = 0.0
    if not words & {"test", "tests", "spec", "fixtur", "mock"} and _TESTS.search(path):
        cost += TEST_PENALTY
    if not words & {"exampl", "sampl", "demo", "benchmark", "tutori"} and _EXAMPLES.search(path):
        cost += EXAMPLE_PENALTY
    if not words & {"doc", "document", "readm", "changelog", "translat", "local"} and _PROSE.search(path):
        cost += PROSE_PENALTY
    if _STUBS.search(path):
        cost += STUB_PENALTY
    return -cost


def definition(symbol: Symbol, asked: str, wanted_parents: Sequence[str]) -> float:
    """How well a definition is what was asked for by name, 0 to 1.3.

    Letter case, the kind of thing, its size, and the names it is qualified with all count.
    """
    case = 1.0 if symbol.name == asked else 0.75
    weight = _KIND_WEIGHTS.get(symbol.kind, 0.6)
    substance = 0.8 + 0.2 * min(1.0, math.log1p(symbol.end - symbol.start) / 9)
    depth = 0.9 if len(symbol.parents) > 1 else 1.0
    qualified = 0.0
    if wanted_parents:
        here = {parent.lower() for parent in symbol.parents}
        qualified = 0.3 * sum(parent.lower() in here for parent in wanted_parents) / len(wanted_parents)
    return case * weight * substance * depth + qualified
