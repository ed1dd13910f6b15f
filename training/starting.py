"""What training starts from: which terms the table knows, and first rows for them, from the training code alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from features import rows
from scipy import sparse

Floats = npt.NDArray[np.float32]


def most_spread(archive: Any, terms: Sequence[str], most: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the terms that stand in the most packages, in order of how many; compounds left out.

    What one package alone says teaches nothing about others, however often it says it.
    """
    package = archive["package"]
    packages = int(package.max()) + 1
    spread = np.zeros(len(terms), np.int64)
    often = np.zeros(len(terms), np.int64)
    for prefix, owner in (("code", package), ("text", package[archive["text_record"]])):
        read = rows(archive, prefix)
        owners = np.repeat(owner, np.diff(read.offsets)).astype(np.int64)
        pairs = np.unique(read.terms.astype(np.int64) * packages + owners)
        spread += np.bincount(pairs // packages, minlength=len(terms))
        often += np.bincount(read.terms, minlength=len(terms))
    allowed = np.array([not term.startswith("=") and len(term) <= 24 for term in terms])
    score = np.where(allowed & (often >= 3), spread * 1_000_000 + np.minimum(often, 999_999), 0)
    order = np.argsort(-score, kind="stable")[:most]
    return order[score[order] > 0]


def decomposed(code: sparse.csr_matrix, dimension: int, seed: int, rounds: int = 3) -> Floats:
    """Return float32[columns, dimension]: the right singular vectors of the code's tf-idf, by their singular values.

    Randomised subspace iteration (Halko, Martinsson and Tropp, 2011). Terms that stand in the same definitions end up
    near each other. Values enter by their root, so that the few largest do not drown the rest.
    """
    chooser = np.random.default_rng(seed)
    held = np.bincount(code.indices, minlength=code.shape[1])
    idf = np.log1p(code.shape[0] / (1 + held)).astype(np.float32)
    row = np.repeat(np.arange(code.shape[0]), np.diff(code.indptr))
    values = code.data * idf[code.indices]
    lengths = np.sqrt(np.bincount(row, values * values, code.shape[0]))
    values /= np.maximum(lengths, 1e-6)[row].astype(np.float32)
    weighted = sparse.csr_matrix((values, code.indices, code.indptr), code.shape)
    basis = chooser.normal(0, 1, (code.shape[1], dimension + 16)).astype(np.float32)
    transposed = sparse.csr_matrix(weighted.T)
    for _ in range(rounds):
        basis = np.linalg.qr(transposed @ (weighted @ basis))[0].astype(np.float32)
    small = weighted @ basis
    squares, vectors = np.linalg.eigh(small.T @ small)
    leading = np.argsort(-squares)[1 : dimension + 1]
    # The first direction says how common a word is, which the weights say already.
    singular = np.sqrt(np.maximum(squares[leading], 0))
    found: Floats = ((basis @ vectors[:, leading]) * np.sqrt(singular)).astype(np.float32)
    return found
