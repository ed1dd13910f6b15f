"""What a writer does behind a run's back: lays out segment files, merges and removes them.

None of it changes an answer, and none of it is needed for one: an interrupted housekeeping is taken up by the next.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from treemill.flow.freeing import give_back_now
from treemill.ranking.regrouping import joined_arrays
from treemill.storage import Segment
from treemill.storage.layout import Part, dead_share, lay_out, live_part, lost_share, merge
from treemill.storage.part_rows import read_parts
from treemill.storage.segment_files import (
    SegmentFile,
    is_missing,
    plan_merges,
    read_segment_files,
    remove_stray_segments,
    tail_is_large,
)
from treemill.storage.segments import SegmentRefused, open_segment, write_segment

_log = logging.getLogger(__name__)

DEAD_SHARE = 0.25

# A merge keeps the spellings of the dead, which do no harm but take room: where more has died, the texts of the living
# are read instead.
DEAD_WORDS_SHARE = 0.1


class Layouts:
    """The segment files of an index, and the tail: what is committed and in none of them."""

    def __init__(self, folder: Path, index_id: bytes, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._index_id = index_id
        self._connection = connection
        self._tail: list[Part] = []
        self.tail_chunks = 0

    def add(self, parts: Sequence[Part]) -> None:
        """Take note of parts that have been committed."""
        self._tail += parts
        self.tail_chunks += sum(len(part.lengths) for part in parts)

    def lay_out_tail(self, dimension: int) -> None:
        """Write the tail into a segment file and record it, or leave it to the next time. Outside a transaction."""
        try:
            self._lay_out_tail(dimension)
        except sqlite3.OperationalError as error:
            self._put_off(error)
        give_back_now()

    def _lay_out_tail(self, dimension: int) -> None:
        files = read_segment_files(self._connection)
        after = files[-1].last_id if files else 0
        rows = self._connection.execute("SELECT id FROM contents WHERE id > ? ORDER BY id", (after,))
        found = np.fromiter((row[0] for row in rows), np.int64)
        if len(found):
            parts = self._parts(found, after, dimension)
            self._replace([], lay_out(parts, dimension=dimension), after=after, last_id=int(found[-1]))
        self._tail = []
        self.tail_chunks = 0

    def tidy(self, dimension: int, *, collected: int) -> None:
        """Bring the segment files into the form that readers like: none missing, few, and little in them dead.

        `collected` contents have been deleted before: without any, nothing more is dead than last time. Where the disk
        is full or fails, it is left to the next time; a damaged index is an error.
        """
        try:
            self._tidy(dimension, collected)
        except sqlite3.OperationalError as error:
            self._put_off(error)

    def _tidy(self, dimension: int, collected: int) -> None:
        self._restore_missing(dimension)
        if tail_is_large(self._connection):
            self._lay_out_tail(dimension)
        self._merge(dimension, collected)
        remove_stray_segments(self._connection, self._folder)
        if collected:
            self._connection.execute("PRAGMA incremental_vacuum").fetchall()
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _parts(self, ids: npt.NDArray[np.int64], after: int, dimension: int) -> list[Part]:
        """Return the parts of these contents: from memory if all are there, else from the rows."""
        if np.array_equal(joined_arrays([part.contents for part in self._tail], np.int64), ids):
            return self._tail
        parts = [live_part(part, ids) for part in self._tail]
        if sum(len(part.contents) for part in parts) == len(ids):
            return parts
        return self._read_parts(after, int(ids[-1]), dimension)

    def _read_parts(self, after: int, last: int, dimension: int) -> list[Part]:
        return list(read_parts(self._connection, after, last, dimension=dimension, spelled=True))

    def _restore_missing(self, dimension: int) -> None:
        for file in read_segment_files(self._connection):
            if is_missing(self._folder, file):
                parts = self._read_parts(file.after, file.last_id, dimension)
                self._replace([file], lay_out(parts, dimension=dimension), after=file.after, last_id=file.last_id)

    def _merge(self, dimension: int, collected: int) -> None:
        files = read_segment_files(self._connection)
        groups = plan_merges([file.chunks for file in files])
        if collected:
            merged = {position for start, stop in groups for position in range(start, stop)}
            groups += [(position, position + 1) for position in range(len(files)) if position not in merged]
        live = _held_contents(self._connection) if groups else np.empty(0, np.int64)
        for start, stop in groups:
            some = files[start:stop]
            segments = [self._opened(file, dimension) for file in some]
            if len(some) > 1 or dead_share(segments[0], live) > DEAD_SHARE:
                segment = merge(segments, live=live)
                if lost_share(segments, segment) > DEAD_WORDS_SHARE:
                    parts = self._read_parts(some[0].after, some[-1].last_id, dimension)
                    segment = lay_out(parts, dimension=dimension)
                self._replace(some, segment, after=some[0].after, last_id=some[-1].last_id)

    def _opened(self, file: SegmentFile, dimension: int) -> Segment:
        try:
            return open_segment(self._folder, file, index_id=self._index_id)
        except SegmentRefused as refused:
            _log.info("a segment is laid out again: %s", refused)
            return lay_out(self._read_parts(file.after, file.last_id, dimension), dimension=dimension)

    def _replace(self, old: Sequence[SegmentFile], segment: Segment, *, after: int, last_id: int) -> None:
        """Write a segment and record it in the place of others, whose files stay for readers who know them."""
        try:
            new = write_segment(self._folder, segment, index_id=self._index_id, after=after, last_id=last_id)
        except OSError as error:
            self._put_off(error)
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("DELETE FROM segments WHERE last_id = ?", [(file.last_id,) for file in old])
        self._connection.execute(
            "INSERT INTO segments (last_id, name, chunks, bytes, checksum) VALUES (?, ?, ?, ?, ?)",
            (new.last_id, new.name, new.chunks, new.size, new.checksum),
        )
        self._connection.execute("COMMIT")

    def _put_off(self, error: Exception) -> None:
        """Leave housekeeping to the next time: readers do without, only slower."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        _log.warning("segments of the index were not laid out, so questions take longer: %s", error)


def _held_contents(connection: sqlite3.Connection) -> npt.NDArray[np.int64]:
    """Return the ids of all contents that are held, in order."""
    return np.fromiter((row[0] for row in connection.execute("SELECT id FROM contents ORDER BY id")), np.int64)
