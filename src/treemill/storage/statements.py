"""Statements that ask for, write or delete many rows at once.

sqlite3 lets go of the interpreter's lock for each statement that it carries out and each row that it gives, and waits
for it again where other threads run; and each value that is bound takes its time. So rows go in by the hundred, with
what is the same in all of them in the text of the statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from treemill.records import PreparedFile, Status
from treemill.storage.connection import DamagedRow
from treemill.storage.rows import INDEXED_COLUMNS, STATUS_CODES, indexed_values, paths_bytes

# So many values are bound in one statement, and so many rows are written with one.
_VARIABLES = 500
_ROWS = 100

_SELECT_IDS = "SELECT key, id FROM contents"
_KEY_BYTES = 16

# All ids are read where one in so many has been asked for, if there are not so many that they take much memory.
_ONE_IN = 8
_MOST_READ = 200_000

_REPLACE_FILES = "INSERT OR REPLACE INTO files VALUES "
_FILE_COLUMNS = 10

# So many rows are looked for in a row. No path has a NUL in it.
_IN_A_ROW = 5_000
_BETWEEN = "FROM files WHERE path BETWEEN ? AND ?"
_JOINED = "CAST(group_concat(path, char(0)) AS BLOB)"

# Indexed files differ in six columns, so that more of them go into a statement.
_INDEXED = "(?, ?, ?, ?, ?, {seen_ns:d}, {status:d}, '', '', ?)"
_INDEXED_ROWS = 400


class HeldIds:
    """The ids of the contents that are held, by key, as a connection sees them while none is taken away.

    Where so many of them have been asked for that most will be, all are read: each costs half as much.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._asked = 0
        self._all: dict[bytes, int] | None = None

    def of(self, keys: Collection[bytes]) -> dict[bytes, int]:
        """Return the ids of those of these keys that are held.

        Raises:
            DamagedRow: a key is none.
        """
        self._asked += len(keys)
        if self._all is None and _most_contents(self.connection) <= min(self._asked * _ONE_IN, _MOST_READ):
            self._all = _read_ids(self.connection, "")
        known = self._all or {}
        found = {key: known[key] for key in keys if key in known}
        # bytearrays, which sqlite3 binds as they are: bytes it asks what they are to be bound as
        for some in _parts(bytearray(key) for key in keys if key not in found):
            found.update(_read_ids(self.connection, f" WHERE key IN {_marks(len(some))}", some))
        return found


def _most_contents(connection: sqlite3.Connection) -> int:
    """Return a number than which there are not more contents."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'contents'").fetchone()
    return row[0] if row else 0


def _read_ids(connection: sqlite3.Connection, which: str, values: Sequence[Any] = ()) -> dict[bytes, int]:
    ids = dict(connection.execute(_SELECT_IDS + which, values).fetchall())
    if not ({bytes}.issuperset(map(type, ids)) and {_KEY_BYTES}.issuperset(map(len, ids))):
        raise DamagedRow("the table of contents")
    return ids


def replace_files(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows of `files`, in the place of those that are there for their paths."""
    for some in (rows[place : place + _ROWS] for place in range(0, len(rows), _ROWS)):
        marks = ", ".join([_marks(_FILE_COLUMNS)] * len(some))
        # The path as a bytearray, which sqlite3 binds as it is: bytes it asks what they are to be bound as.
        values = chain.from_iterable((bytearray(path), *rest) for path, *rest in some)
        connection.execute(_REPLACE_FILES + marks, list(values))


def replace_indexed(
    connection: sqlite3.Connection, files: Sequence[PreparedFile], ids: dict[bytes, int], seen_ns: int
) -> None:
    """Write rows of `files` for indexed ones, given the ids of their contents by key.

    Raises:
        UnicodeEncodeError: no file system has such a path.
    """
    values = indexed_values(files, ids, seen_ns)
    row = _INDEXED.format(seen_ns=seen_ns, status=STATUS_CODES[Status.INDEXED])
    most = _INDEXED_ROWS * INDEXED_COLUMNS
    for some in (values[place : place + most] for place in range(0, len(values), most)):
        connection.execute(_REPLACE_FILES + ", ".join([row] * (len(some) // INDEXED_COLUMNS)), some)


def remove_files(connection: sqlite3.Connection, paths: Sequence[str]) -> int:
    """Delete the rows of `files` for these paths; return how many there were.

    Those of a folder that is gone stand in a row, and are deleted so.
    """
    before = connection.total_changes
    for many in _parts(sorted(dict.fromkeys(paths_bytes(paths))), _IN_A_ROW):
        if _remove_in_a_row(connection, many):
            continue
        for some in _parts(many):
            if not _remove_in_a_row(connection, some):
                connection.execute(f"DELETE FROM files WHERE path IN {_marks(len(some))}", list(map(bytearray, some)))
    return connection.total_changes - before


def _remove_in_a_row(connection: sqlite3.Connection, paths: Sequence[bytes]) -> bool:
    """Delete the rows for sorted paths if all are there and no other one between them; return whether that is so."""
    ends = (paths[0], paths[-1])
    there = connection.execute(f"SELECT {_JOINED} FROM (SELECT path {_BETWEEN} LIMIT {len(paths) + 1})", ends)
    if there.fetchone()[0] != b"\0".join(paths):
        return False
    connection.execute(f"DELETE {_BETWEEN}", ends)
    return True


def _parts(values: Iterable[Any], most: int = _VARIABLES) -> Iterator[list[Any]]:
    """Yield values, as many at a time as a statement binds."""
    remaining = iter(values)
    while some := list(islice(remaining, most)):
        yield some


def _marks(count: int) -> str:
    return f"({', '.join('?' * count)})"
