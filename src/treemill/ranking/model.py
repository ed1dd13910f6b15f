"""The score of a file: a weighted sum of signals, with weights for each kind of question.

    score = Σ weight · signal,   or   weight · signal / its greatest among the candidates ("… beside the best")

Linear, so that it explains itself: what each signal adds is a number in a hit's `why`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from treemill.ranking import signals
from treemill.ranking.evidence import Array, Evidence
from treemill.ranking.question import Question
from treemill.ranking.weights import WEIGHTS

BESIDE_THE_BEST = " beside the best"

# No annotated question is a message or a qualified name, so these are not learned: `benchmarks.quality` measures them
# on drawn ones. A message that stands in a file word for word adds more than everything else of a sentence can, and
# tests repeat messages with the very values; a definition in what qualifies it adds as much as most of its own weight.
MESSAGE = {"together": 12.0, "test": -4.0}
IN_PARENT = 3.0

SIGNALS: Mapping[str, Callable[[Evidence], Array]] = {
    "best passage": signals.best_passage,
    "passages": signals.passages,
    "length": signals.length,
    "name recall": signals.name_recall,
    "name asked whole": signals.name_asked_whole,
    "name likeness": signals.name_likeness,
    "name meaning": signals.name_meaning,
    "folders": signals.folder_words,
    "depth": signals.depth,
    "asked defined": signals.asked_defined,
    "asked used": signals.asked_used,
    "asked names file": signals.asked_names_file,
    "definition": signals.definition,
    "definition in parent": signals.in_parent,
    "test": signals.tests,
    "prose": signals.prose,
    "aside": signals.aside,
    "older version": signals.older,
    "defined likeness": signals.defined_likeness,
    "meaning": signals.meaning,
    "file meaning": signals.file_meaning,
    "path meaning": signals.path_meaning,
    "together": signals.together,
}


def values(evidence: Evidence, names: Sequence[str]) -> Array:
    """Return float32[files, names]: each named signal, as it is or beside the best."""
    plain = plain_values(evidence, names)
    return beside(plain, names, greatest(plain))


def plain_values(evidence: Evidence, names: Sequence[str]) -> Mapping[str, Array]:
    """Return float32[files] for each signal that the names speak of, as it is."""
    return {
        plain: SIGNALS[plain](evidence) for plain in dict.fromkeys(name.removesuffix(BESIDE_THE_BEST) for name in names)
    }


def greatest(plain: Mapping[str, Array]) -> dict[str, float]:
    """Return the greatest value of each signal among the files, 0 where none is greater."""
    return {name: float(value.max(initial=0.0)) for name, value in plain.items()}


def beside(plain: Mapping[str, Array], names: Sequence[str], best: Mapping[str, float]) -> Array:
    """Return float32[files, names]: each named signal as it is, or beside the best of all files that answer."""
    columns = [
        plain[name] if name in plain else plain[base] / max(1e-6, best[base])
        for name in names
        for base in (name.removesuffix(BESIDE_THE_BEST),)
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def weighs_meaning(question: Question) -> bool:
    """Tell whether likeness in meaning counts for a question of its kind: only then is it worth working out."""
    return f"{learned_as(question)}, with vectors" in WEIGHTS


def weighs_names(question: Question) -> bool:
    """Tell whether the likeness of definitions' names counts for a question of its kind."""
    return any(name.removesuffix(BESIDE_THE_BEST) == "defined likeness" for name in WEIGHTS[learned_as(question)])


def learned_as(question: Question) -> str:
    """Return the kind of question whose weights count for one: those of a name, a description, or a sentence."""
    if question.kind == "symbol":
        return "symbol"
    return "description" if question.described else "sentence"


def weights_for(question: Question, *, meaning: bool, verbatim: bool) -> Mapping[str, float]:
    """Return the weights for a question, those for an index with vectors where `meaning` is known.

    A message is a sentence whose words stand together where it comes from (`verbatim`: they do in some candidate; else
    it is a sentence like others); a qualified name is a name that is looked for in what qualifies it.
    """
    kind = learned_as(question)
    learned = WEIGHTS.get(f"{kind}, with vectors", WEIGHTS[kind]) if meaning else WEIGHTS[kind]
    if question.kind == "message" and verbatim:
        return {**learned, **{name: learned.get(name, 0.0) + added for name, added in MESSAGE.items()}}
    return {**learned, "definition in parent": IN_PARENT} if question.parents else learned


def contributions(
    weights: Mapping[str, float], plain: Mapping[str, Array], best: Mapping[str, float]
) -> tuple[tuple[str, ...], Array]:
    """Return the names of the signals that count, and what each adds to each file: float32[files, names].

    A file's score is the sum of its row. `best` holds the greatest value of each signal among all that answer, be it
    from this index or from others that are asked at once.
    """
    names = tuple(weights)
    return names, beside(plain, names, best) * np.array([weights[name] for name in names], np.float32)
