"""Signals: each one a reason why a file should stand higher or lower, as a small pure function with its reason.

    Evidence ──signal──▶ float32[files]

What a signal counts for is learned (`treemill.ranking.weights`); what it was worth when measured stands in
docs/ranking.md. A signal of the form "beside the best" is divided by its greatest value among the candidates: that the
best candidate has twice of it says more than how much it has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from treemill.ranking.evidence import Array, Evidence, saturated, weighed
from treemill.ranking.identifiers import split_identifier
from treemill.ranking.paths import PathWords, asks_for, kinds_of, likeness, version_of, versions_named
from treemill.sources import Symbol

# How much a definition of each kind is what someone means who asks for a bare name.
_KIND_WEIGHTS = {
    **dict.fromkeys(("class", "struct", "interface", "trait", "protocol", "enum", "record", "union"), 1.0),
    **dict.fromkeys(("type", "object"), 0.95),
    **dict.fromkeys(("function", "macro", "module"), 0.9),
    "method": 0.8,
    **dict.fromkeys(("constructor", "constant"), 0.7),
    **dict.fromkeys(("property", "impl"), 0.6),
    **dict.fromkeys(("variable", "field"), 0.5),
    "heading": 0.4,
}
_OTHER_KIND = 0.6

# What a file or folder says as the parent of a definition: modules and packages are often no definitions themselves.
_PATH_AS_PARENT = 0.7

_QUALIFIER = re.compile(r"\W+")


def best_passage(evidence: Evidence) -> Array:
    """The chunk that fits best, by words, names of definitions and path: where the answer is."""
    return evidence.best(evidence.passages)


def passages(evidence: Evidence) -> Array:
    """The eight chunks that fit best, each for less than the one before: a file about it has it in several places."""
    return evidence.decayed(evidence.passages, 8, 0.8) / np.float32(4)


def length(evidence: Evidence) -> Array:
    """How much there is in the file: of two that say the same, the longer one does it, the other passes it on."""
    words: Array = np.add.reduceat(evidence.chunk_words, evidence.starts)
    result: Array = (np.log1p(words) / 8).astype(np.float32)
    return result


def name_recall(evidence: Evidence) -> Array:
    """How much of the question stands in the file's own name: names are chosen to tell what is in a file."""
    return weighed(evidence.own[:, evidence.terms], evidence.file_weights)


def name_asked_whole(evidence: Evidence) -> Array:
    """All words of the file's name are asked for: `migration.py` before `migration_helpers.py`."""
    hits = evidence.own[:, evidence.terms].sum(axis=1)
    sizes = np.array([max(1, len(path.own)) for path in evidence.paths], np.float32)
    result: Array = (hits >= sizes) * np.sqrt(name_recall(evidence))
    return result


def name_likeness(evidence: Evidence) -> Array:
    """The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration."""
    return likeness(evidence.paths, evidence.question.terms, evidence.file_weights, synonyms=False)


def name_meaning(evidence: Evidence) -> Array:
    """The same, with synonyms for half: `loader.py` for what is read."""
    return likeness(evidence.paths, evidence.question.terms, evidence.file_weights, synonyms=True)


def folder_words(evidence: Evidence) -> Array:
    """The words in the folders above the file: what a group of files is about."""
    return weighed(saturated(evidence.folders[:, evidence.terms]), evidence.file_weights)


def depth(evidence: Evidence) -> Array:
    """How many folders lie above the file: what is general stands near the root."""
    return np.array([path.depth for path in evidence.paths], np.float32) / np.float32(5)


def asked_defined(evidence: Evidence) -> Array:
    """The file defines an identifier that the question names; the fewer do, the more it says."""
    total = np.zeros(evidence.files, np.float32)
    for column in evidence.names:
        if evidence.rarity.defining[column]:
            found = evidence.best(evidence.defined[:, column]) > 0
            total += found / np.float32(math.sqrt(evidence.rarity.defining[column]))
    return np.minimum(np.float32(1.5), total)


def asked_used(evidence: Evidence) -> Array:
    """The file uses an identifier that the question names."""
    total = np.zeros(evidence.files, np.float32)
    for column in evidence.names:
        total += evidence.rarity.chunk[column] * evidence.best(saturated(evidence.text[:, column])) / np.float32(8)
    return total


def asked_names_file(evidence: Evidence) -> Array:
    """The file is called as an identifier that the question names."""
    names = {name.letters for name in evidence.question.names}
    return np.array([path.letters in names for path in evidence.paths], np.float32)


def tests(evidence: Evidence) -> Array:
    """Tests show a thing from outside, over and over."""
    return _of_kind(evidence, "test")


def prose(evidence: Evidence) -> Array:
    """Documentation, translations and data say a word more often than the code that is asked for."""
    return _of_kind(evidence, "prose")


def aside(evidence: Evidence) -> Array:
    """Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about."""
    groups = [_of_kind(evidence, kind) for kind in ("bench", "example", "stub", "legacy")]
    result: Array = np.maximum.reduce(groups)
    return result


def older(evidence: Evidence) -> Array:
    """A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named."""
    named = versions_named(evidence.question.text)
    versions = [version_of(path.path) for path in evidence.paths]
    newest = max((number for number in versions if number is not None), default=0)
    wanted = named or {newest}
    return np.array([number is not None and number not in wanted for number in versions], np.float32)


def _of_kind(evidence: Evidence, kind: str) -> Array:
    if asks_for(evidence.question.terms, kind):
        return np.zeros(evidence.files, np.float32)
    return np.array([kind in kinds_of(path.path) for path in evidence.paths], np.float32)


def meaning(evidence: Evidence) -> Array:
    """The chunk that is nearest in meaning, by vectors."""
    return evidence.best(evidence.meaning)


def file_meaning(evidence: Evidence) -> Array:
    """All that the file holds is near in meaning, by vectors: what the file is about, not one line of it."""
    return evidence.file_meaning


def path_meaning(evidence: Evidence) -> Array:
    """The words of the file's path are near in meaning, by vectors: names that no list of synonyms has."""
    return evidence.path_meaning


def defined_likeness(evidence: Evidence) -> Array:
    """The name of a definition and the question cover each other: `load_credentials` for how credentials are loaded."""
    return evidence.best(evidence.names_alike)


def together(evidence: Evidence) -> Array:
    """The words of a message stand together in the file, in its order: this is where it comes from."""
    return evidence.together


def definition(evidence: Evidence) -> Array:
    """The best definition of the asked name in the file: its kind, letter case, size and parents."""
    return _best_symbol(evidence, lambda symbol: fit(symbol, evidence))


def in_parent(evidence: Evidence) -> Array:
    """The definition lies in what the question qualifies it with: `Session.send` in `Session`, or in its file."""
    parents = evidence.question.parents
    shares = [
        max((_qualified(symbol, parents, path) for symbol in symbols), default=0.0)
        for symbols, path in zip(evidence.symbols, evidence.paths, strict=True)
    ]
    return np.array(shares, np.float32)


def fit(symbol: Symbol, evidence: Evidence) -> float:
    """How well a definition is what was asked for by name, 0 to 1.3."""
    written = evidence.question.names[0].written if evidence.question.names else ""
    case = 1.0 if symbol.name == written else 0.75
    enclosed = 0.9 if len(symbol.parents) > 1 else 1.0
    weight = _KIND_WEIGHTS.get(symbol.kind, _OTHER_KIND)
    return case * weight * (0.5 + 0.5 * _size(symbol)) * enclosed + 0.3 * _qualified(symbol, evidence.question.parents)


def _size(symbol: Symbol) -> float:
    return min(1.0, math.log1p(symbol.end - symbol.start) / 9)


def _qualified(symbol: Symbol, parents: Sequence[str], path: PathWords | None = None) -> float:
    """Return how many of the asked parents a definition has, 0 to 1; a file or folder of the name counts for less."""
    if not parents:
        return 0.0
    here = {part.lower() for parent in symbol.parents for part in _QUALIFIER.split(parent)}
    found = 0.0
    for parent in parents:
        if parent.lower() in here:
            found += 1.0
        elif path is not None and path.names("".join(split_identifier(parent))):
            found += _PATH_AS_PARENT
    return found / len(parents)


def _best_symbol(evidence: Evidence, value: Callable[[Symbol], float]) -> Array:
    return np.array([max(map(value, symbols), default=0.0) for symbols in evidence.symbols], np.float32)
