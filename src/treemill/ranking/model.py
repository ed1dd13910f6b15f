"""The score of a file: a weighted sum of signals, with weights for each kind of question.

    score = Σ weight · signal,   or   weight · signal / its greatest among the candidates ("… beside the best")

Linear, so that it explains itself: what each signal adds is a number in a hit's `why`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from treemill.ranking import signals
from treemill.ranking.evidence import Array, Evidence
from treemill.ranking.weights import WEIGHTS

BESIDE_THE_BEST = " beside the best"

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
    "meaning": signals.meaning,
}


def values(evidence: Evidence, names: Sequence[str]) -> Array:
    """Return float32[files, names]: each named signal, as it is or beside the best."""
    known: dict[str, Array] = {}
    table = np.zeros((evidence.files, len(names)), np.float32)
    for column, name in enumerate(names):
        plain = name.removesuffix(BESIDE_THE_BEST)
        if plain not in known:
            known[plain] = SIGNALS[plain](evidence)
        value = known[plain]
        table[:, column] = value / max(1e-6, float(value.max(initial=0.0))) if plain != name else value
    return table


def weights_for(evidence: Evidence) -> Mapping[str, float]:
    """Return the weights for the kind of question, and for an index with vectors where there are some."""
    kind = evidence.question.kind
    return WEIGHTS[f"{kind}, with vectors" if evidence.meaning.any() and f"{kind}, with vectors" in WEIGHTS else kind]


def contributions(evidence: Evidence) -> tuple[tuple[str, ...], Array]:
    """Return the names of the signals that count, and what each adds to each file: float32[files, names].

    A file's score is the sum of its row.
    """
    weights = weights_for(evidence)
    names = tuple(weights)
    return names, values(evidence, names) * np.array([weights[name] for name in names], np.float32)
