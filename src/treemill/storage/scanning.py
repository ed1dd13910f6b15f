"""What questions scan, out of one moment of an index in SQLite: the table of its files, and its segments."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from treemill.storage import FileTable, Segment
from treemill.storage import rows as tables
from treemill.storage.segment_files import SegmentFile, read_segment_files
from treemill.storage.segments import SegmentRefused, open_segment

_log = logging.getLogger(__name__)

# What lays out is loaded where something is in no segment file: in a tree at rest nothing is.
_LAYOUT = "treemill.storage.layout"
_PARTS = "treemill.storage.part_rows"


def read_file_table(connection: sqlite3.Connection) -> FileTable:
    """Return all indexed files, in the order of their paths' bytes.

    Raises:
        DamagedRow: a row is not what was written.
    """
    paths, contents, languages = tables.read_table(connection)
    # Few languages stand in many rows: one string each is enough.
    shared = {language: language for language in languages}
    return FileTable(
        tables.path_texts(paths),
        np.array(contents, np.int64),
        [shared[language] for language in languages],
    )


def read_segments(folder: Path, index_id: bytes, connection: sqlite3.Connection, dimension: int) -> Sequence[Segment]:
    """Return all chunks to scan; what has no usable segment file is laid out in memory.

    Raises:
        DamagedRow: a row is not what was written.
    """

    def laid_out(after: int, last: int) -> Segment:
        parts = import_module(_PARTS).read_parts(connection, after, last, dimension=dimension)
        segment: Segment = import_module(_LAYOUT).lay_out(list(parts), dimension=dimension)
        return segment

    def open_or_lay_out(file: SegmentFile) -> Segment:
        try:
            return open_segment(folder, file, index_id=index_id)
        except SegmentRefused as refused:
            _log.info("a segment is laid out again: %s", refused)
            # The writer looks for missing files only: taking a bad one away makes the next run write it again.
            with contextlib.suppress(OSError):
                (folder / file.name).unlink(missing_ok=True)
            return laid_out(file.after, file.last_id)

    files = read_segment_files(connection)
    segments = [open_or_lay_out(file) for file in files]
    after = files[-1].last_id if files else 0
    if connection.execute("SELECT 1 FROM contents WHERE id > ? LIMIT 1", (after,)).fetchone():
        segments.append(laid_out(after, sys.maxsize))
    return [segment for segment in segments if len(segment.lengths)]
