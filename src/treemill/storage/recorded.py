"""What the table of files says of all of a tree: read at every look, and so read in bulk.

sqlite3 makes an object of each value, and takes turns with other threads for each row. SQLite itself puts a column of
many rows into one text in a fifth of that time, and the compiled half makes records of those. Where that half is not
there, or a row is not just as it was written, rows are read one by one, by what says what they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from treemill.errors import TreemillError
from treemill.flow.aside import Aside
from treemill.native import compiled
from treemill.records import RecordedFile
from treemill.storage.connection import DamagedRow, open_database
from treemill.storage.rows import STATUS_CODES, read_number, recorded_from_all

_NATIVE = compiled("sums")

# So many rows are read at a time, and so many times as many at most ahead of who asks: they wait in memory.
_ROWS = 10_000
_MOST_FORESEEN = 10

# Whatever a flipped bit has made of a path stands behind it.
_Path = bytes | float
_BEFORE_ALL: _Path = float("-inf")

# The content's number stands where its key would.
_SELECT = """
    SELECT path, content_id, size, stamp, changed_ns, seen_ns, status, reason, detail, sum, content_id
    FROM files WHERE path > ? ORDER BY path LIMIT ?"""
_NUMBERS = ("ifnull(content_id, '')", "size", "stamp", "changed_ns", "seen_ns", "status", "sum")
_STATUS = _NUMBERS.index("status")
_JOINED = f"""
    SELECT count(*), CAST(group_concat(path, char(0)) AS BLOB),
    {", ".join(f"group_concat({column})" for column in _NUMBERS)}
    FROM (SELECT * FROM files WHERE path > ? ORDER BY path LIMIT ?)"""
_TEXTS = "SELECT reason, detail FROM files WHERE path > ? AND path <= ? AND status <> 0 ORDER BY path"

_STATUSES = tuple(sorted(STATUS_CODES, key=STATUS_CODES.__getitem__))


class _Joined(NamedTuple):
    """So many rows of the table, by column; `texts` are those of files that are not indexed, `end` the last path."""

    number: int
    paths: bytes
    columns: tuple[str, ...]
    texts: list[tuple[str, str]]
    end: bytes


def read_recorded(connection: sqlite3.Connection) -> Iterator[RecordedFile]:
    """Return everything recorded, in the order of the paths' bytes; keys are left empty.

    Raises:
        DamagedRow: a row is not what was written.
    """
    last = _BEFORE_ALL
    while True:
        joined = _read(connection, last)
        found = None if joined is None else _records(joined)
        if joined is None or found is None:
            rows: list[tuple[Any, ...]] = connection.execute(_SELECT, (last, _ROWS)).fetchall()
            found, last = recorded_from_all(rows), rows[-1][0] if rows else last
        else:
            last = joined.end
        if not found:
            return
        yield from found


class Foresight:
    """Everything recorded, read in a thread of its own while something else is done, for who will ask for it soon."""

    def __init__(self, folder: Path, index_id: bytes) -> None:
        """Begin to read from the database in a data folder."""
        self._reading = Aside(partial(_read_all, folder, index_id))

    def records(self, generation: int) -> list[RecordedFile] | None:
        """Return what `read_recorded` does of this generation; None where that is to be asked.

        Never raises: what is wrong is said by that one.
        """
        try:
            read_at, parts = self._reading()
        except (sqlite3.Error, OSError, TreemillError, DamagedRow):
            return None
        if read_at != generation:
            return None
        found: list[RecordedFile] = []
        for joined in parts:
            some = _records(joined)
            if some is None:
                return None
            found += some
        return found


def _read_all(folder: Path, index_id: bytes) -> tuple[int, list[_Joined]]:
    """Return the generation of the last commit and what is recorded in it; another one where that is too much."""
    parts: list[_Joined] = []
    with closing(open_database(folder, index_id)) as connection:
        connection.execute("BEGIN")
        generation = read_number(connection, "generation")
        while (joined := _read(connection, parts[-1].end if parts else _BEFORE_ALL)) is not None and joined.number:
            parts.append(joined)
            if len(parts) > _MOST_FORESEEN:
                return -1, []
    return (-1, []) if joined is None else (generation, parts)


def _read(connection: sqlite3.Connection, last: _Path) -> _Joined | None:
    """Return the rows behind a path; None where they are to be read one by one."""
    if _NATIVE is None:
        return None
    try:
        count, paths, *columns = connection.execute(_JOINED, (last, _ROWS)).fetchone()
        if not count:
            return _Joined(0, b"", (), [], b"")
        end = paths.rpartition(b"\0")[2]
        none_but_indexed = not columns[_STATUS].strip("0,")
        texts = [] if none_but_indexed else connection.execute(_TEXTS, (last, end)).fetchall()
    except (TypeError, AttributeError, sqlite3.OperationalError):  # a flipped bit makes another type, or no text
        return None
    return _Joined(count, paths, tuple(columns), texts, end)


def _records(joined: _Joined) -> list[RecordedFile] | None:
    """Return the records of rows; None where one is not just as it was written."""
    if not joined.number:
        return []
    assert _NATIVE is not None, "rows are joined for it alone"
    try:
        found: list[RecordedFile] | None = _NATIVE.records(*joined[:4], _STATUSES, RecordedFile)
    except TypeError:
        return None
    return found
