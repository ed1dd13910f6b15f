"""Which segment files an index has, and whether they are as readers like them: all there, few, no long tail.

Of what is in them nothing is read here, so that a run which finds nothing to lay out loads nothing that could.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from treemill.storage.connection import DamagedRow

FULL_CHUNKS = 65_536
"""Chunks of a full segment: as many as sixteen bits can number, which makes a posting cost three bytes."""

MOST_FULL = 16
"""How many full segments an index may have before larger ones are allowed."""

# Below this many chunks and contents, a tail is served from the rows: laying it out in memory takes a query a few
# milliseconds, and an edit of one file writes no segment.
SMALL_TAIL_CHUNKS = 1_000
SMALL_TAIL_CONTENTS = 100

# A reader that has just read the names may still be about to open the files.
_GRACE_SECONDS = 60.0


class SegmentFile(NamedTuple):
    """What the index knows of a segment file: it covers the contents above `after`, up to `last_id`.

    `size` is in bytes.
    """

    name: str
    after: int
    last_id: int
    chunks: int
    size: int
    checksum: bytes


def is_missing(folder: Path, file: SegmentFile) -> bool:
    """Whether a segment file is not there, or has not the length that it was written with."""
    try:
        return (folder / file.name).stat().st_size != file.size
    except FileNotFoundError:
        return True


def read_segment_files(connection: sqlite3.Connection) -> list[SegmentFile]:
    """Return the segment files of the index, in order of content.

    Raises:
        DamagedRow: a row is not what was written.
    """
    found = connection.execute(
        "SELECT name, last_id, chunks, bytes, checksum FROM segments ORDER BY last_id"
    ).fetchall()
    if any(tuple(map(type, row)) != (str, int, int, int, bytes) for row in found):
        raise DamagedRow("the table of segments")
    starts = [0, *(row[1] for row in found)]
    return [SegmentFile(name, after, *rest) for after, (name, *rest) in zip(starts, found, strict=False)]


def tail_is_large(connection: sqlite3.Connection) -> bool:
    """Whether so much is in no segment file that every question would feel it."""
    contents, chunks = connection.execute(
        "SELECT count(*), ifnull(sum(chunk_count), 0) FROM contents"
        " WHERE id > (SELECT ifnull(max(last_id), 0) FROM segments)"
    ).fetchone()
    return bool(contents > SMALL_TAIL_CONTENTS or chunks > SMALL_TAIL_CHUNKS)


def is_tidy(connection: sqlite3.Connection, folder: Path) -> bool:
    """Whether nothing is to be laid out or merged, as long as no content was deleted."""
    files = read_segment_files(connection)
    if any(is_missing(folder, file) for file in files) or tail_is_large(connection):
        return False
    return not plan_merges([file.chunks for file in files])


def plan_merges(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return which runs [start, stop) of adjacent segments to merge, given their numbers of chunks in order.

    What stays shrinks geometrically towards the newest, so that a chunk is moved a logarithmic number of times and
    the number of segments stays small; no merge makes more than a full segment.
    """
    full = FULL_CHUNKS
    while sum(sizes) > MOST_FULL * full:
        full *= 2
    groups: list[tuple[int, int, int]] = []
    for position, size in enumerate(sizes):
        start, stop, chunks = position, position + 1, size
        while groups and groups[-1][2] <= 2 * chunks and groups[-1][2] + chunks <= full:
            start, _, older = groups.pop()
            chunks += older
        groups.append((start, stop, chunks))
    return [(start, stop) for start, stop, _ in groups if stop - start > 1]


def stray_segments(folder: Path, files: Sequence[SegmentFile]) -> list[Path]:
    """Return the segment files that the index does not name, and that are too old for a reader to be about to open."""
    named = {file.name for file in files}
    strays = []
    for path in sorted(folder.glob("*.segment*")):
        with contextlib.suppress(OSError):
            if path.name not in named and time.time() - path.lstat().st_mtime > _GRACE_SECONDS:
                strays.append(path)
    return strays


def remove_stray_segments(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove segment files that the index no longer names, once no reader can be about to open them."""
    for path in stray_segments(folder, read_segment_files(connection)):
        # One that another program holds open, or that is gone already, is left to the next run.
        with contextlib.suppress(OSError):
            path.unlink()
