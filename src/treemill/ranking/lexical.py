"""BM25F over chunks: how well the words of a chunk, and the names it defines, fit a question.

The formula is Okapi BM25 with weighted fields (Robertson, Zaragoza and Taylor, "Simple BM25 Extension to Multiple
Weighted Fields", CIKM 2004): a word in the name of a definition counts as several in the text, before saturation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from treemill.ranking.postings import DEFINITION_SHIFT, TEXT_CAP
from treemill.ranking.question import Term

# Long chunks are cut at a limit, so length says little: saturation at 2 beats 1.2 on annotated questions.
K1 = 2.0
B = 0.6
DEFINITION_WEIGHT = 2.5


class Scannable(Protocol):
    """What scoring needs of a segment; see `treemill.storage.Segment`."""

    @property
    def lengths(self) -> npt.NDArray[np.uint16]: ...
    @property
    def terms(self) -> npt.NDArray[np.uint32]: ...
    @property
    def offsets(self) -> npt.NDArray[np.int64]: ...
    @property
    def chunks(self) -> npt.NDArray[Any]: ...
    @property
    def weights(self) -> npt.NDArray[np.uint8]: ...


@dataclass(frozen=True, slots=True)
class Collection:
    """What BM25 needs to know of all chunks together: how many there are, and their mean length in words."""

    chunks: int
    mean_length: float


def collection_of(segments: Sequence[Scannable]) -> Collection:
    """Measure the chunks of all segments."""
    count = sum(len(segment.lengths) for segment in segments)
    words = sum(int(segment.lengths.sum(dtype=np.int64)) for segment in segments)
    return Collection(count, words / count if count else 1.0)


def find(segment: Scannable, term: int) -> slice:
    """Return where a term's postings stand in a segment; empty if it is not there."""
    place = int(np.searchsorted(segment.terms, np.uint32(term)))
    if place == len(segment.terms) or int(segment.terms[place]) != term:
        return slice(0, 0)
    return slice(int(segment.offsets[place]), int(segment.offsets[place + 1]))


def inverse_frequency(total: int, holding: int) -> float:
    """How rare a term is: BM25's idf, never negative."""
    return math.log(1.0 + (total - holding + 0.5) / (holding + 0.5))


def score(
    segments: Sequence[Scannable], collection: Collection, terms: Sequence[Term]
) -> list[npt.NDArray[np.float32]]:
    """Return float32[n] for each segment: the BM25F score of each of its chunks, between 0 and the sum of weights.

    Scores are divided by what a chunk full of all terms would get, so that they compare between questions.
    """
    scores = [np.zeros(len(segment.lengths), np.float32) for segment in segments]
    whole = 0.0
    for term in terms:
        places = [find(segment, term.id) for segment in segments]
        holding = sum(place.stop - place.start for place in places)
        rarity = term.weight * inverse_frequency(collection.chunks, holding)
        whole += rarity
        if holding == 0:
            continue
        for segment, place, into in zip(segments, places, scores, strict=True):
            if place.stop > place.start:
                chunks = segment.chunks[place]
                into[chunks] += rarity * _saturated(segment, chunks, segment.weights[place], collection.mean_length)
    if whole > 0:
        for into in scores:
            into *= 1.0 / (whole * (K1 + 1.0))
    return scores


def _saturated(
    segment: Scannable, chunks: npt.NDArray[Any], weights: npt.NDArray[np.uint8], mean_length: float
) -> npt.NDArray[np.float32]:
    counts = (weights & np.uint8(TEXT_CAP)).astype(np.float32)
    counts += DEFINITION_WEIGHT * (weights >> np.uint8(DEFINITION_SHIFT))
    norms = K1 * (1.0 - B + (B / mean_length) * segment.lengths[chunks].astype(np.float32))
    result: npt.NDArray[np.float32] = counts * np.float32(K1 + 1.0) / (counts + norms)
    return result


def defining(segment: Scannable, term: int) -> npt.NDArray[np.int64]:
    """Return the chunks of a segment that define a name, given the term of the name as a compound."""
    place = find(segment, term)
    chunks = segment.chunks[place][segment.weights[place] >> np.uint8(DEFINITION_SHIFT) > 0]
    return chunks.astype(np.int64)
