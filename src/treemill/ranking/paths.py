"""What the path of a file says: the words of its own name, those of its folders, and what kind of file it must be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treemill.ranking.identifiers import split_identifier
from treemill.ranking.question import Term
from treemill.ranking.synonyms import SYNONYMS
from treemill.ranking.words import stem, term_id

# Files whose name says nothing are known by their folder.
_INDEX_NAMES = frozenset({"__init__", "__main__", "index", "mod", "lib", "main", "init", "package"})

# What a file is for, told by its path in lower case. Files of these kinds answer less often than what they are about.
_KINDS = {
    "test": re.compile(
        r"(^|/)(tests?|specs?|__tests__|testing|testdata|fixtures?|testutils?|e2e)(/|$)"
        r"|[_.-](tests?|specs?|unittests?)\.[a-z]+$|(^|/)(tests?|specs?|conftest)\.[a-z]+$|(^|/)test_",
    ),
    "bench": re.compile(r"(^|/)(bench|benchmarks?|perf)(/|$)|bench(mark)?s?\.[a-z]+$|_benchmark"),
    "example": re.compile(r"(^|/)_?(examples?|samples?|demos?|tutorials?)(/|$)|example"),
    "prose": re.compile(
        r"(^|/)(docs?|changelogs?|locales?|i18n|translations?)(/|$)"
        r"|\.(md|rst|txt|po|pot|adoc|csv|svg|json|lock|html?|ya?ml|toml)$|(^|/)(changelog|authors)",
    ),
    "stub": re.compile(
        r"\.pyi$|\.d\.[mc]?ts$|\.min\.(js|css)$|(^|/)(vendor|third_party|deps|external|node_modules)(/|$)|polyfill|shim",
    ),
    "legacy": re.compile(r"legacy|deprecat|compat|(^|/)(old|mini|experimental)(/|$)"),
}

# Languages that people write for people, and those that programs are set up with. All others are code.
_DOCS_LANGUAGES = frozenset(
    "markdown asciidoc latex mdx mediawiki org pod rmarkdown roff rst texinfo textile typst text bibtex gettext"
    " subtitles log diff".split()
)
_CONFIG_LANGUAGES = frozenset(
    "yaml toml desktop-entry editorconfig git-config ini registry systemd json json5 json-lines xml codeowners csv"
    " dotenv gitattributes go-checksums go-module ignore-list pip-requirements procfile properties robots tsv"
    " dockerfile nginx hcl kconfig makefile just ninja cmake qmake meson".split()
)

# `CartTest.java` is a test, `latest.py` is none.
_CAMEL_TEST = re.compile(r"[a-z0-9](Tests?|Spec)\.[A-Za-z]+$")

# A question with one of these stems asks for files of that kind.
_ASKING = {
    "test": frozenset({"test", "tester", "spec", "fixtur", "mock"}),
    "bench": frozenset({"bench", "benchmark", "perf", "perform"}),
    "example": frozenset({"exampl", "sampl", "demo", "tutori"}),
    "prose": frozenset({"doc", "document", "readm", "changelog", "translat", "local"}),
    "stub": frozenset({"stub", "vendor", "polyfil", "shim"}),
    "legacy": frozenset({"legaci", "deprec", "compat", "backward", "experiment", "mini"}),
}

_VERSION = re.compile(r"(?:^|/)v(\d{1,4})(?=/)", re.IGNORECASE)
_NAMED_VERSION = re.compile(r"\bv(\d{1,4})\b", re.IGNORECASE)

# What a synonym in a file's name counts beside the word itself, and the shortest beginning that stands for a word.
_SYNONYM = 0.5
_SHORTEST_BEGINNING = 3


class PathWords(NamedTuple):
    """A path, taken apart.

    `own` are the terms and `stems` the stems of the file's own name (its folder's, for an index file), in order;
    `letters` is that name in lower case without what divides its words. `folders` are the terms of the folders above,
    `depth` is how many there are.
    """

    path: str
    own: tuple[int, ...]
    stems: tuple[str, ...]
    letters: str
    folders: frozenset[int]
    depth: int

    def names(self, letters: str) -> bool:
        """Tell whether the file or its folder is called by these letters, written in whatever way."""
        folder = self.path.split("/")[-2:-1]
        return letters == self.letters or any("".join(split_identifier(name)) == letters for name in folder)


@lru_cache(maxsize=20_000)
def path_words(path: str) -> PathWords:
    """Take a path apart."""
    *folders, name = path.split("/")
    own = name.split(".")[0] or name
    if own.lower() in _INDEX_NAMES and folders:
        own = folders.pop()
    terms, stems, letters = _name_words(own)
    around = frozenset[int]().union(*(_name_words(folder)[0] for folder in folders))
    return PathWords(path, terms, stems, letters, around, path.count("/"))


@lru_cache(maxsize=20_000)
def _name_words(name: str) -> tuple[tuple[int, ...], tuple[str, ...], str]:
    parts = split_identifier(name)
    stems = tuple(dict.fromkeys(map(stem, parts)))
    return tuple(map(term_id, stems)), stems, "".join(parts)


@lru_cache(maxsize=20_000)
def kinds_of(path: str) -> frozenset[str]:
    """Return what a file is for, any of "test", "bench", "example", "prose", "stub" and "legacy"."""
    lowered = path.lower()
    found = {kind for kind, pattern in _KINDS.items() if pattern.search(lowered)}
    return frozenset(found | {"test"} if _CAMEL_TEST.search(path) else found)


def file_kind(path: str, language: str | None) -> str:
    """Return which of "code", "docs", "config" and "tests" a file is: a test, else what its language is for."""
    if "test" in kinds_of(path):
        return "tests"
    if language in _CONFIG_LANGUAGES:
        return "config"
    return "docs" if language is None or language in _DOCS_LANGUAGES else "code"


def asks_for(terms: Sequence[Term], kind: str) -> bool:
    """Tell whether a question with these terms asks for files of the kind."""
    return any(term.word in _ASKING[kind] for term in terms)


@lru_cache(maxsize=20_000)
def version_of(path: str) -> int | None:
    """Return the version that a folder of the path is named after: 3 for `src/v3/types.ts`."""
    found = _VERSION.search(path)
    return None if found is None else int(found[1])


def versions_named(text: str) -> frozenset[int]:
    """Return the versions that a question names: 3 for "v3 parser"."""
    return frozenset(map(int, _NAMED_VERSION.findall(text)))


def likeness(
    paths: Sequence[PathWords], terms: Sequence[Term], weights: npt.NDArray[np.float32], *, synonyms: bool
) -> npt.NDArray[np.float32]:
    """Return how well the own name of each file and the question cover each other, 0 to 1.

    The harmonic mean of how much of the question (by weight) the name has, and how much of the name is asked for. A
    beginning of a word counts by how much of the word it is; with `synonyms` they count half.
    """
    fits = _Fits(terms, synonyms=synonyms)
    weighed = weights.tolist()
    result = np.zeros(len(paths), np.float32)
    for number, path in enumerate(paths):
        covered: dict[int, float] = {}
        asked = 0.0
        for word in path.stems:
            fit, place = fits[word]
            asked += fit
            if fit > covered.get(place, 0.0):
                covered[place] = fit
        if asked:
            precision = asked / len(path.stems)
            recall = sum(fit * weighed[place] for place, fit in covered.items())
            result[number] = 2 * precision * recall / (precision + recall) if recall else 0.0
    return result


class _Fits(dict[str, tuple[float, int]]):
    """word → how well it fits the term of a question that it fits best, and which that is; fills itself."""

    def __init__(self, terms: Sequence[Term], *, synonyms: bool) -> None:
        super().__init__()
        self._beginnings: dict[str, list[int]] = {}
        self._synonyms: dict[str, int] = {}
        self._terms = [term.word for term in terms]
        for place in range(len(terms) - 1, -1, -1):
            word = self._terms[place]
            self._beginnings.setdefault(word[:_SHORTEST_BEGINNING], []).append(place)
            self._synonyms |= dict.fromkeys(SYNONYMS.get(word, ()) if synonyms else (), place)

    def __missing__(self, word: str) -> tuple[float, int]:
        best, place = (_SYNONYM, self._synonyms[word]) if word in self._synonyms else (0.0, 0)
        for other in self._beginnings.get(word[:_SHORTEST_BEGINNING], ()):
            fit = _fit(word, self._terms[other])
            if fit > best or (fit == best and other < place):
                best, place = fit, other
        self[word] = best, place
        return best, place


def _fit(word: str, term: str) -> float:
    if word == term:
        return 1.0
    short, long = (word, term) if len(word) < len(term) else (term, word)
    return len(short) / len(long) if len(short) >= _SHORTEST_BEGINNING and long.startswith(short) else 0.0
