"""Random tables of the static encoder's format, and a reading of one that is slow and plain."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from treemill.embedding.static_header import FORMAT, HEADER, HEADER_BYTES, MAGIC
from treemill.ranking.words import term_id


def write_table(
    path: Path,
    words: Sequence[str],
    *,
    dimension: int = 16,
    fallbacks: int = 64,
    counts: Sequence[int] = (0, 8, 13, 16),
    fallback_weight: int = 60,
    name_count: int = 0,
    seed: int = 1,
) -> Path:
    """Write a table of random rows for the given stems, and return its path."""
    draw = np.random.default_rng(seed)
    ids = np.array(sorted({term_id(word) for word in words}), "<u4")
    weights = draw.integers(0, 256, len(ids)).astype(np.uint8)
    rows = draw.integers(-127, 128, (len(ids) + fallbacks, dimension)).astype(np.int8)
    front = np.array(counts, "<u2").tobytes() + ids.tobytes() + weights.tobytes()
    body = front + bytes(-(HEADER_BYTES + len(front)) % 64) + rows.tobytes()
    version = hashlib.blake2b(body, digest_size=16).digest()
    header = HEADER.pack(
        MAGIC, FORMAT, dimension, len(ids), fallbacks, len(counts), fallback_weight, version, name_count
    )
    path.write_bytes(header.ljust(HEADER_BYTES, b"\0") + body)
    return path


def random_words(count: int, seed: int = 3) -> list[str]:
    """Return made-up words."""
    draw = random.Random(seed)
    return ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(count)]


def slow_sums(path: Path, terms: Mapping[str, int]) -> list[int]:
    """Return the sums for a text that holds each term so many times: the format as it is written down, term by term."""
    data = path.read_bytes()
    _, _, dimension, vocabulary, fallbacks, longest, fallback_weight, *_ = HEADER.unpack_from(data)
    counts = np.frombuffer(data, "<u2", longest, HEADER_BYTES).tolist()
    ids = np.frombuffer(data, "<u4", vocabulary, HEADER_BYTES + 2 * longest).tolist()
    weights = np.frombuffer(data, np.uint8, vocabulary, HEADER_BYTES + 2 * longest + 4 * vocabulary).tolist()
    start = -(-(HEADER_BYTES + 2 * longest + 5 * vocabulary) // 64) * 64
    rows = np.frombuffer(data, np.int8, offset=start).reshape(-1, dimension).tolist()
    sums = [0] * dimension
    for term, times in terms.items():
        if term_id(term) in ids:
            place = ids.index(term_id(term))
            taken = [(place, weights[place])]
        else:
            framed = f"<{term}>".encode()
            grams = [framed[i : i + 3] for i in range(len(framed) - 2)]
            share = max(1, fallback_weight // len(grams))
            taken = [(vocabulary + zlib.crc32(gram) % fallbacks, share) for gram in grams]
        factor = counts[min(times, longest - 1)]
        for row, weight in taken:
            sums = [total + factor * weight * value for total, value in zip(sums, rows[row], strict=True)]
    return sums
