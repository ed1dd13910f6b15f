"""Segment files of a repository in the user's cache folder: what questions scan, laid out from the rows once.

    ~/.cache/treemill/postgres/<id of the index>/
      catalogue.json      which segment covers which contents, and the state of the repository that it was laid out from
      *.segment           as the embedded store has them

The rows are the truth and are never waited for by another client; each client lays out its own files, its processes
share them. Contents never change and no id is used twice, so a segment is good for every later moment; for an earlier
one too, unless contents were deleted in between: `collected` says up to which deletion a segment knows.

Everything here is a cache: deleting it costs time only, and what cannot be written is laid out in memory.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from treemill.errors import IndexLocked, StorageError
from treemill.siblings import cache_folder
from treemill.storage import Segment
from treemill.storage.layout import Part, lay_out, merge
from treemill.storage.lease import LAYOUT_NAME, Lease
from treemill.storage.ownership import check_private
from treemill.storage.postgres import rows as tables
from treemill.storage.postgres.address import Connection, query
from treemill.storage.postgres.repository import Repository
from treemill.storage.segment_files import (
    FULL_CHUNKS,
    SMALL_TAIL_CHUNKS,
    SMALL_TAIL_CONTENTS,
    SegmentFile,
    plan_merges,
    stray_segments,
)
from treemill.storage.segments import SegmentRefused, open_segment, write_segment
from treemill.values import dataclass

_log = logging.getLogger(__name__)

_CATALOGUE = "catalogue.json"
_WAIT_SECONDS = 5.0

# What belongs to no repository that was asked for so long is removed.
_UNUSED_SECONDS = 60 * 86_400.0

# How many chunks at least a new segment gets while many are laid out, so that memory stays bounded.
_CHUNKS_AT_ONCE = FULL_CHUNKS * 3 // 4


@dataclass(frozen=True, slots=True)
class _Entry:
    """A segment file, and the newest deletion of contents that it knows of."""

    file: SegmentFile
    collected: int


class Layouts:
    """The segment files of one repository on this machine."""

    def __init__(self, repository: Repository) -> None:
        self._index_id = repository.index_id
        self._folder = cache_folder() / "postgres" / repository.index_id.hex()

    def segments(self, connection: Connection, repository: Repository) -> list[Segment]:
        """Return all chunks of a moment, of which `connection` holds the transaction, laying out what is missing."""
        entries = self._usable(repository)
        if self._tail_is_large(connection, repository, entries):
            self.extend(connection, repository, {})
            entries = self._usable(repository)
        found = [self._opened(connection, repository, entry.file) for entry in entries]
        tail = _laid_out(connection, repository, _covered(entries), sys.maxsize)
        return [segment for segment in (*found, tail) if len(segment.lengths)]

    def extend(self, connection: Connection, repository: Repository, known: Mapping[int, Part]) -> None:
        """Lay out in files what is in none, and merge small ones; `known` spares reading what the writer just wrote.

        Another process that is at it is waited for a few seconds. Where it cannot be done, questions take longer.
        """
        try:
            self._prepare()
            with Lease.acquire(self._folder, wait_seconds=_WAIT_SECONDS, name=LAYOUT_NAME):
                self._extend(connection, repository, known)
        except (OSError, IndexLocked, StorageError) as error:
            _log.warning("segments of the index were not laid out, so questions take longer: %s", error)

    def remove(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _extend(self, connection: Connection, repository: Repository, known: Mapping[int, Part]) -> None:
        entries = self._usable(repository)
        if not self._tail_is_large(connection, repository, entries):
            return
        for parts in _batches(connection, repository, _covered(entries), known):
            segment = lay_out(parts, dimension=repository.dimension)
            entries.append(self._write(repository, segment, _covered(entries), int(parts[-1].contents[-1])))
        self._record(self._merged(connection, repository, entries))

    def _merged(self, connection: Connection, repository: Repository, entries: list[_Entry]) -> list[_Entry]:
        """Return entries of which small neighbours have become one."""
        groups = plan_merges([entry.file.chunks for entry in entries])
        live = _held(connection, repository) if groups else np.empty(0, np.int64)
        for start, stop in reversed(groups):
            some = [entry.file for entry in entries[start:stop]]
            segment = merge([self._opened(connection, repository, file) for file in some], live=live)
            entries[start:stop] = [self._write(repository, segment, some[0].after, some[-1].last_id)]
        return entries

    def _write(self, repository: Repository, segment: Segment, after: int, last_id: int) -> _Entry:
        file = write_segment(self._folder, segment, index_id=self._index_id, after=after, last_id=last_id)
        return _Entry(file, repository.collected)

    def _opened(self, connection: Connection, repository: Repository, file: SegmentFile) -> Segment:
        try:
            return open_segment(self._folder, file, index_id=self._index_id)
        except SegmentRefused as refused:
            _log.info("segments are laid out again: %s", refused)
            with contextlib.suppress(OSError):
                (self._folder / _CATALOGUE).unlink(missing_ok=True)
            return _laid_out(connection, repository, file.after, file.last_id)

    def _tail_is_large(self, connection: Connection, repository: Repository, entries: Sequence[_Entry]) -> bool:
        if repository.last_content <= _covered(entries):
            return False
        row = query(
            connection,
            "SELECT count(*), coalesce(sum(chunk_count), 0)::int8 FROM treemill.contents"
            " WHERE repository = %s AND id > %s AND id <= %s",
            (repository.id, _covered(entries), repository.last_content),
        ).fetchone()
        return row is not None and (int(row[0]) > SMALL_TAIL_CONTENTS or int(row[1]) > SMALL_TAIL_CHUNKS)

    def _usable(self, repository: Repository) -> list[_Entry]:
        """Return the segments that a moment can use: without a gap from the first content on."""
        usable: list[_Entry] = []
        for entry in self._read():
            if entry.collected > repository.generation or entry.file.after != _covered(usable):
                break
            usable.append(entry)
        return usable

    def _read(self) -> list[_Entry]:
        """Return what the catalogue says; nothing if there is none, it is damaged or not this user's."""
        try:
            check_private(self._folder, directory=True)
            values = json.loads((self._folder / _CATALOGUE).read_bytes())
            entries = [
                _Entry(SegmentFile(name, after, last, chunks, size, bytes.fromhex(checksum)), collected)
                for name, after, last, chunks, size, checksum, collected in values
            ]
            numbers = [(e.file.after, e.file.last_id, e.file.chunks, e.file.size, e.collected) for e in entries]
            return entries if all(type(number) is int for each in numbers for number in each) else []
        except (OSError, ValueError, TypeError, StorageError):
            return []

    def _record(self, entries: Sequence[_Entry]) -> None:
        values = [
            [e.file.name, e.file.after, e.file.last_id, e.file.chunks, e.file.size, e.file.checksum.hex(), e.collected]
            for e in entries
        ]
        beside = self._folder / f"{_CATALOGUE}.{secrets.token_hex(4)}"
        beside.write_text(json.dumps(values))
        os.replace(beside, self._folder / _CATALOGUE)
        for path in stray_segments(self._folder, [entry.file for entry in entries]):
            with contextlib.suppress(OSError):
                path.unlink()

    def _prepare(self) -> None:
        """Make the folder, and remove those that nobody has used for long."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(self._folder, directory=True)
        os.utime(self._folder)
        for other in self._folder.parent.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - other.lstat().st_mtime > _UNUSED_SECONDS and not other.is_symlink():
                    shutil.rmtree(other, ignore_errors=True)


def _covered(entries: Sequence[_Entry]) -> int:
    return entries[-1].file.last_id if entries else 0


def _batches(
    connection: Connection, repository: Repository, after: int, known: Mapping[int, Part]
) -> Iterator[list[Part]]:
    """Yield the parts above a content in runs of a segment's size: from memory if all are there, else from the rows."""
    ids = [
        int(row[0])
        for row in query(
            connection,
            "SELECT id FROM treemill.contents WHERE repository = %s AND id > %s AND id <= %s ORDER BY id",
            (repository.id, after, repository.last_content),
        )
    ]
    batch: list[Part] = []
    chunks = 0
    for part in _parts(connection, repository, ids, known):
        batch.append(part)
        chunks += len(part.lengths)
        if chunks >= _CHUNKS_AT_ONCE:
            yield batch
            batch, chunks = [], 0
    if batch:
        yield batch


def _parts(
    connection: Connection, repository: Repository, ids: Sequence[int], known: Mapping[int, Part]
) -> Iterator[Part]:
    if all(content_id in known for content_id in ids):
        return iter([known[content_id] for content_id in ids])
    dimension = repository.dimension
    return tables.read_parts(connection, repository.id, ids[0] - 1, ids[-1], dimension=dimension, spelled=True)


def _laid_out(connection: Connection, repository: Repository, after: int, last: int) -> Segment:
    dimension = repository.dimension
    return lay_out(
        list(tables.read_parts(connection, repository.id, after, last, dimension=dimension)), dimension=dimension
    )


def _held(connection: Connection, repository: Repository) -> npt.NDArray[np.int64]:
    """Return the ids of all contents that are held, in order."""
    found = query(connection, "SELECT id FROM treemill.contents WHERE repository = %s ORDER BY id", (repository.id,))
    return np.fromiter((row[0] for row in found), np.int64)
