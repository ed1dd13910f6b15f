"""The postings of a small segment as its file has them: half as long, and whole again in a moment.

    codes, one a posting │ low bytes of gaps │ high bytes of gaps │ weights │ a zero

A gap is how many chunks a term leaves out before a posting. A code's low five bits say the gap, or how it goes on:
below 16 they are it; up to 30 they are its high part, and a low byte follows; 31 stands for a gap of two bytes. The
high three bits stand for one of the commonest weights, or for one that follows. Four postings of five are one byte or
two, where chunk and weight as they are take three.

Large segments keep their arrays as they are: what a question takes of them it reads in place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from treemill.native import compiled

Numbers = npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]

_NATIVE = compiled("packing")

_GAP_BITS = 5
_GAP_MASK = (1 << _GAP_BITS) - 1
_NEAR, _FAR = 16, 31
_FARTHEST = _NEAR + 256 * (_FAR - _NEAR)
"""Gaps below take one byte behind their code."""

_COMMON = (1, 2, 3, 4, 5, 6, 65)
"""The weights that have a code: words that stand in a chunk up to six times, and one that also defines something."""

_OTHER = len(_COMMON)


def squeezed(counts: Numbers, chunks: Numbers, weights: Bytes) -> Bytes:
    """Return what a file has of postings: so many of each term (uint16), ascending chunks of each (uint16), weights.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    if _NATIVE is None:
        return squeezed_plainly(counts, chunks, weights)
    return np.frombuffer(_NATIVE.squeezed(counts, chunks, weights), np.uint8)


def squeezed_plainly(counts: Numbers, chunks: Numbers, weights: Bytes) -> Bytes:
    """Return what `squeezed` does; what the compiled half must equal.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    ends = np.cumsum(counts, dtype=np.int64)
    if not len(chunks) == len(weights) == (ends[-1] if len(ends) else 0):
        raise ValueError("the arrays of the postings do not fit each other")
    gaps = np.diff(chunks, prepend=np.uint16(0)) - np.uint16(1)
    firsts = (ends - counts)[counts > 0]
    gaps[firsts] = chunks[firsts]
    beyond = gaps >= _NEAR
    some = gaps[beyond]
    far = some >= _FARTHEST
    near = some - np.uint16(_NEAR)
    code_of_weight = np.full(256, _OTHER, np.uint8)
    code_of_weight[list(_COMMON)] = np.arange(_OTHER)
    codes = code_of_weight[weights]
    others = weights[codes == _OTHER]
    codes <<= _GAP_BITS
    codes[~beyond] |= gaps[~beyond].astype(np.uint8)
    codes[beyond] |= np.where(far, _FAR, _NEAR + (near >> 8)).astype(np.uint8)
    low = np.where(far, some, near).astype(np.uint8)
    return np.concatenate([codes, low, (some[far] >> 8).astype(np.uint8), others, np.zeros(1, np.uint8)])


def unsqueezed(counts: Numbers, data: Bytes, chunk_count: int) -> tuple[Numbers, Bytes]:
    """Return the chunks and weights behind `squeezed`.

    Raises:
        ValueError: they are damaged.
    """
    if _NATIVE is None:
        return unsqueezed_plainly(counts, data, chunk_count)
    chunks, weights = _NATIVE.unsqueezed(counts, data, chunk_count)
    return np.frombuffer(chunks, "<u2"), np.frombuffer(weights, np.uint8)


def unsqueezed_plainly(counts: Numbers, data: Bytes, chunk_count: int) -> tuple[Numbers, Bytes]:
    """Return what `unsqueezed` does; what the compiled half must equal.

    Raises:
        ValueError: they are damaged.
    """
    total = int(counts.sum(dtype=np.int64))
    codes = data[:total]
    gaps = (codes & _GAP_MASK).astype(np.int64)
    kinds = codes >> _GAP_BITS
    beyond, other = gaps >= _NEAR, kinds == _OTHER
    far = gaps[beyond] == _FAR
    low_end = total + len(far)
    high_end = low_end + int(far.sum())
    end = high_end + int(other.sum())
    if len(data) != end + 1 or len(codes) != total:
        raise ValueError("damaged postings: the length does not match the codes")
    low = data[total:low_end].astype(np.int64)
    some = _NEAR + ((gaps[beyond] - _NEAR) << 8) + low
    some[far] = low[far] | data[low_end:high_end].astype(np.int64) << 8
    gaps[beyond] = some
    chunks = np.cumsum(gaps + 1) - 1
    firsts = (np.cumsum(counts, dtype=np.int64) - counts)[counts > 0]
    chunks -= np.repeat(chunks[firsts] - gaps[firsts], counts[counts > 0])
    if total and int(chunks.max()) >= chunk_count:
        raise ValueError("damaged postings: a chunk that there is not")
    weights = np.array([*_COMMON, 0], np.uint8)[kinds]
    weights[other] = data[high_end:end]
    return chunks.astype(np.uint16), weights
