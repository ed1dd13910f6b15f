"""How near files are to a question in meaning: their best chunk, all they hold, and what their path says.

Only candidates are compared, which words and paths have found: on annotated questions, candidates by meaning added
nothing. Where words find hardly any file, all chunks are compared, and the nearest become candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from treemill.embedding import EmbeddingProvider, TermEncoder
from treemill.ranking.evidence import Array
from treemill.searching.moment import Moment, Numbers

# Vectors of paths that are kept: about ten megabytes.
_MOST_PATHS = 20_000


class Meant(NamedTuple):
    """A question's vector (float32[dimension]), and what made it."""

    vector: Array
    provider: EmbeddingProvider

    @property
    def unit(self) -> Array:
        """The vector at length 1."""
        unit: Array = _units(self.vector.astype(np.float32)[None])[0]
        return unit


class Nearness(NamedTuple):
    """Cosines with the question, 0 where negative: of chunks (float32[c]), of whole files and paths (float32[f])."""

    chunks: Array
    files: Array
    paths: Array


def nearness(moment: Moment, meant: Meant, files: Numbers, chunks: Numbers, starts: Numbers) -> Nearness:
    """Compare candidates with a question: `chunks` (int64[c]) ascending by file, `starts` (int64[f]) each file's first.

    Paths are embedded only by providers that need no more than words for it: others would take too long for an answer.
    """
    vectors = moment.vectors_of(chunks)
    unit = meant.unit
    whole = np.add.reduceat(vectors, starts, axis=0)
    paths = np.zeros(len(files), np.float32)
    if isinstance(meant.provider, TermEncoder):
        paths = _positive(_path_vectors(moment, meant.provider, files) @ unit)
    return Nearness(_positive(_units(vectors) @ unit), _positive(_units(whole) @ unit), paths)


def _path_vectors(moment: Moment, provider: EmbeddingProvider, files: Numbers) -> Array:
    """Return the vector of each file's path without its suffix, at length 1: float32[f, dimension]."""
    known = moment.path_vectors
    paths = [moment.files.paths[file] for file in files.tolist()]
    new = [path for path in dict.fromkeys(paths) if path not in known]
    if new:
        made = dict(zip(new, _units(provider.embed([_without_suffix(path) for path in new])), strict=True))
        if len(known) > _MOST_PATHS:
            known.clear()
        found = {path: vector for path in paths if (vector := made.get(path, known.get(path))) is not None}
        known.update(made)
    else:
        found = known
    nothing = np.zeros(provider.dimension, np.float32)
    return np.stack([found.get(path, nothing) for path in paths])


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _units(vectors: Array) -> Array:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    units: Array = vectors / np.maximum(lengths, 1e-9)[:, None]
    return units.astype(np.float32, copy=False)


def _positive(values: Array) -> Array:
    """Being unlike a question is no evidence."""
    result: Array = np.maximum(values, 0.0).astype(np.float32)
    return result
