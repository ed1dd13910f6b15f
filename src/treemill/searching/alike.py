"""How alike a sentence and the names of definitions are: `load_credentials` for one about loading credentials.

What a definition is called is chosen to tell what it does, as a sentence about it does. Postings know which words stand
in names, not which stand in one name and what else does: so the names themselves are read, where most words are hit.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from treemill.ranking.evidence import Array, Evidence, weighed
from treemill.ranking.identifiers import split_identifier
from treemill.ranking.words import stem
from treemill.searching.moment import Moment, Numbers

# In how many chunks names are read. Their files are mostly those that are shown, which are read anyway.
_MOST_CHUNKS = 40


def alike(moment: Moment, evidence: Evidence, files: Numbers, chunks: Numbers) -> Array:
    """Return how well the best name that a chunk defines and the question cover each other: float32[c], 0 to 1.

    The geometric mean of how much of the question (by weight) the name has, and how much of the name is asked for.
    """
    result = np.zeros(len(chunks), np.float32)
    weights = dict(zip((term.word for term in evidence.question.terms), evidence.file_weights.tolist(), strict=True))
    # No name in a chunk has more of the question than all names in it.
    most = weighed((evidence.defined[:, evidence.terms] > 0).astype(np.float32), evidence.file_weights)
    order = np.lexsort((-evidence.places, -most))[:_MOST_CHUNKS]
    order = order[most[order] > 0]
    rows = moment.row_of_file[files[evidence.owner[order]]].tolist()
    moment.expect(rows)
    for chunk, row in zip(order.tolist(), rows, strict=True):
        unpacked = moment.unpacked(row)
        number = int(chunks[chunk] - moment.first[row])
        start, end = unpacked.edges[number], unpacked.edges[number + 1]
        inside = slice(bisect_left(unpacked.starts, start), bisect_left(unpacked.starts, end))
        result[chunk] = max((_cover(symbol.name, weights) for symbol in unpacked.symbols[inside]), default=0.0)
    return result


def _cover(name: str, weights: Mapping[str, float]) -> float:
    words = _stems_of(name)
    asked = [weights[word] for word in words if word in weights]
    return math.sqrt(math.fsum(asked) * len(asked) / len(words)) if asked else 0.0


@lru_cache(maxsize=50_000)
def _stems_of(name: str) -> frozenset[str]:
    return frozenset(stem(part) for part in split_identifier(name))
