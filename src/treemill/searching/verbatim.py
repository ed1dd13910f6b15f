"""Where a message stands in the code: the files of whose text neighbouring words of it are neighbours too.

A message as its reader sees it has values where the source has placeholders, so it is looked for in pairs of words: the
place where most pairs stand close together is where it comes from.
"""

from __future__ import annotations

import numpy as np
from isal import isal_zlib

from treemill.ranking.asking import pairs_of
from treemill.ranking.evidence import Array, Evidence
from treemill.searching.moment import Moment, Numbers

_MOST_PAIRS = 24
_MOST_FILES = 25
_MOST_PLACES = 50

# How far apart the parts of one message stand: a few lines, where the source breaks it.
_REACH = 300
_LEAST_SHARE = 0.35


def verbatim(moment: Moment, evidence: Evidence, files: Numbers) -> tuple[Array, Numbers]:
    """Return how much of a message stands together in each file (float32[f], 0 to 1), and where (int64[f], else -1).

    Only the candidates that have most of its words are looked at.
    """
    share, offsets = np.zeros(evidence.files, np.float32), np.full(evidence.files, -1, np.int64)
    pairs = [pair.encode("utf-8", "surrogateescape") for pair in pairs_of(evidence.question.text, _MOST_PAIRS)]
    likely = np.argsort(-evidence.best(evidence.places), kind="stable")[:_MOST_FILES]
    for place in likely.tolist() if pairs else ():
        record = moment.snapshot.content(int(moment.files.contents[files[place]]))
        count, offset = _together(isal_zlib.decompress(record.text).lower(), pairs)
        # A few pairs of many say nothing: they stand everywhere.
        if count > 1 and count >= _LEAST_SHARE * len(pairs):
            share[place], offsets[place] = count / len(pairs), offset
    return share, offsets


def _together(text: bytes, pairs: list[bytes]) -> tuple[int, int]:
    """Return how many different pairs stand within reach of each other at most, and where: the closest such place."""
    found: list[tuple[int, int]] = []
    for number, pair in enumerate(pairs):
        at = text.find(pair)
        for _ in range(_MOST_PLACES):
            if at < 0:
                break
            found.append((at, number))
            at = text.find(pair, at + 1)
    found.sort()
    best, width, offset, first = 0, 0, -1, 0
    counts = [0] * len(pairs)
    different = 0
    for at, number in found:
        counts[number] += 1
        different += counts[number] == 1
        while found[first][0] < at - _REACH or counts[found[first][1]] > 1:
            counts[found[first][1]] -= 1
            different -= counts[found[first][1]] == 0
            first += 1
        start = found[first][0]
        if different > best or (different == best and at - start < width):
            best, width, offset = different, at - start, start
    return best, offset
