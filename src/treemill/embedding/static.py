"""The static code encoder: a chunk is the weighed sum of its terms' rows in a table that was trained on code.

    occurrences (of the word pass): (chunk, term, times) ─▶ sparse × dense product ─▶ int8

The words of a definition's name count as if they stood more often in its chunk: what code is for stands in its name.
It runs in the chunk workers, beside the text index and fed by the same word pass: no text is split twice. All sums are
of integers and come out exactly, whatever the order of additions, so that the same text has the same vector on every
machine, in every batch and with any number of workers. Where a sum could pass what single precision holds exactly, it
is taken in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from treemill.embedding.static_header import read_facts
from treemill.settings import EmbeddingSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from treemill.embedding.pooling import Rows
    from treemill.embedding.static_model import StaticModel
    from treemill.ranking.occurrences import Occurrences

MODEL_PATH = Path(__file__).with_name("static.model")

# What encodes is loaded with the first text or question: an index in which nothing is new needs only the name.
_POOLING = "treemill.embedding.pooling"
_MODEL = "treemill.embedding.static_model"


class StaticEncoder:
    """The provider "static-1". It survives pickling, and may be used by many threads; the table loads on first use.

    `version` names the table: the first eight hexadecimal digits of its digest.
    """

    name = "static-1"
    runs_in: Literal["worker", "thread"] = "worker"

    def __init__(self, path: Path = MODEL_PATH) -> None:
        """Read the header of the table at `path`.

        Raises:
            EmbeddingError: it cannot be read, or is no table.
        """
        facts = read_facts(path)
        self.path = path
        self.dimension = facts.dimension
        self.version = facts.version.hex()[:8]
        self._rows: Rows | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The table of the package is found where the package is, which may be another machine.
        return type(self), () if self.path == MODEL_PATH else (self.path,)

    @cached_property
    def model(self) -> StaticModel:
        """The table, mapped."""
        made: StaticModel = import_module(_MODEL).StaticModel(self.path)
        return made

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[len(texts), dimension]: integers, the direction is that of a chunk that defines nothing."""
        vectors: npt.NDArray[np.float32] = import_module(_POOLING).of_texts(texts, self.model)
        return vectors

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return float32[dimension] for a question: each of its terms once, those that only carry its form left out."""
        vector: npt.NDArray[np.float32] = import_module(_POOLING).of_question(text, self.model)
        return vector

    def encode(self, occurrences: Occurrences) -> npt.NDArray[np.int8]:
        """Return int8[chunks, dimension] for a batch that the word pass has read.

        One thread at a time: rows of terms are kept for the batches that follow.
        """
        pooling = import_module(_POOLING)
        if self._rows is None or self._rows.stems is not occurrences.stems:
            self._rows = pooling.Rows(self.model, occurrences.stems)
        vectors: npt.NDArray[np.int8] = pooling.of_chunks(occurrences, self._rows)
        return vectors


def make(settings: EmbeddingSettings) -> StaticEncoder | None:
    """Return the encoder with the table in the package, None where the package has none."""
    return StaticEncoder() if MODEL_PATH.exists() else None
