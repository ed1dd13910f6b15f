"""Statements that ask for, write or delete many rows at once.

sqlite3 lets go of the interpreter's lock for each statement that it carries out and each row that it gives, and waits
for it again where other threads run; and each value that is bound takes its time, as does each row in the text of a
statement that is compiled. So rows go in by the hundred, with few statements, and what is the same in all comes once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any, NamedTuple

from treemill.records import PreparedFile, RecordedFile, Status
from treemill.storage.connection import DamagedRow
from treemill.storage.rows import STATUS_CODES, paths_bytes
from treemill.storage.sums import file_sums, own_values_plainly

# So many values are bound in one statement, and so many rows are written with one: there are few statements, which are
# kept compiled.
_VARIABLES = 500
_ROWS = (1, 8, 64, 256)

_SELECT_ALL_IDS = "SELECT count(*), CAST(group_concat(key, '') AS BLOB), group_concat(id) FROM contents"
_KEY_BYTES = 16

# All ids are read where one in so many has been asked for, if there are not so many that they take much memory.
_ONE_IN = 8
_MOST_READ = 200_000

# What is the same in all rows is bound behind the first values of the first one, so that only its numbers are written
# out: SQLite looks for each such number among all parameters before it.
_OWN_BEFORE = 5
_ALIKE = "(?, ?, ?, ?, ?, ?6, ?7, ?8, ?9, ?)"
_REPLACE_ALIKE = {rows: "INSERT OR REPLACE INTO files VALUES " + ", ".join([_ALIKE] * rows) for rows in _ROWS}

# No path has a NUL in it.
_BETWEEN = "FROM files WHERE path BETWEEN ? AND ?"
_JOINED = "CAST(group_concat(path, char(0)) AS BLOB)"


class Alike(NamedTuple):
    """What is the same in many rows of `files`: when they were seen, and what became of them."""

    seen_ns: int
    status: Status = Status.INDEXED
    reason: str = ""
    detail: str = ""

    @property
    def columns(self) -> tuple[int, int, str, str]:
        """The columns of those rows."""
        return self.seen_ns, STATUS_CODES[self.status], self.reason, self.detail


OWN_COLUMNS = 6
"""How many columns of rows that are alike differ."""


def own_values(
    files: Sequence[PreparedFile | RecordedFile], contents: Mapping[bytes, int | None], alike: Alike
) -> list[Any]:
    """Return path, content, size, times of modification and change, and sum of the row for each of some files.

    `contents` are the numbers of contents by key. Paths are bytearrays, which sqlite3 binds as they are: bytes it asks
    what they are to be bound as.

    Raises:
        UnicodeEncodeError: no file system has such a path.
    """
    values: list[Any] | None = own_values_plainly(files, contents, alike.columns)
    if values is not None:
        return values
    rows = [
        (path, contents[file.key], file.size, file.stamp, file.changed_ns, *alike.columns)
        for path, file in zip(paths_bytes([file.path for file in files]), files, strict=True)
    ]
    sums = file_sums(rows)
    return [each for row, total in zip(rows, sums, strict=True) for each in (bytearray(row[0]), *row[1:5], total)]


class HeldIds:
    """The ids of the contents that are held, by key, as a connection sees them while none is taken away.

    Where so many of them have been asked for that most will be, all are read: each costs half as much.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._asked = 0
        self._all: dict[bytes, int] | None = None

    def of(self, keys: Set[bytes]) -> Mapping[bytes, int]:
        """Return the ids of those of these keys that are held; there may be others beside them.

        Raises:
            DamagedRow: a key is none.
        """
        self._asked += len(keys)
        if self._all is None and _most_contents(self.connection) <= min(self._asked * _ONE_IN, _MOST_READ):
            self._all = _read_all_ids(self.connection)
        known = self._all or {}
        if known.keys() >= keys:
            return known
        found = {key: known[key] for key in keys if key in known}
        # bytearrays, which sqlite3 binds as they are: bytes it asks what they are to be bound as
        for some in _parts(bytearray(key) for key in keys if key not in found):
            found.update(_read_ids(self.connection, some))
        return found


def _most_contents(connection: sqlite3.Connection) -> int:
    """Return a number than which there are not more contents."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'contents'").fetchone()
    return row[0] if row else 0


def _read_ids(connection: sqlite3.Connection, keys: Sequence[Any]) -> dict[bytes, int]:
    ids = dict(connection.execute(f"SELECT key, id FROM contents WHERE key IN {_marks(len(keys))}", keys).fetchall())
    if not ({bytes}.issuperset(map(type, ids)) and {_KEY_BYTES}.issuperset(map(len, ids))):
        raise DamagedRow("the table of contents")
    return ids


def _read_all_ids(connection: sqlite3.Connection) -> dict[bytes, int]:
    """Return the ids of all contents; to have SQLite join them costs half as much as to be given them one by one."""
    count, keys, ids = connection.execute(_SELECT_ALL_IDS).fetchone()
    if not count:
        return {}
    if len(keys) != count * _KEY_BYTES:
        raise DamagedRow("the table of contents")
    places = range(0, len(keys), _KEY_BYTES)
    return dict(zip([keys[place : place + _KEY_BYTES] for place in places], map(int, ids.split(",")), strict=True))


def replace_files(connection: sqlite3.Connection, records: Sequence[RecordedFile]) -> None:
    """Write rows of `files` for files that are not indexed, in the place of those that are there for their paths.

    Raises:
        UnicodeEncodeError: no file system has such a path.
    """
    groups: dict[Alike, list[RecordedFile]] = {}
    for record in records:
        groups.setdefault(Alike(record.seen_ns, record.status, record.reason, record.detail), []).append(record)
    for alike, group in groups.items():
        replace_alike(connection, group, {b"": None}, alike)


def replace_alike(
    connection: sqlite3.Connection,
    files: Sequence[PreparedFile | RecordedFile],
    contents: Mapping[bytes, int | None],
    alike: Alike,
) -> None:
    """Write rows of `files` of which the same is said, given their contents by key.

    Raises:
        UnicodeEncodeError: no file system has such a path.
    """
    values = own_values(files, contents, alike)
    most = _ROWS[-1] * OWN_COLUMNS
    for some in (values[place : place + most] for place in range(0, len(values), most)):
        count = len(some) // OWN_COLUMNS
        rows = next(rows for rows in _ROWS if rows >= count)
        # To write the last row once more takes less time than to have another statement compiled.
        again = some[-OWN_COLUMNS:] * (rows - count)
        connection.execute(_REPLACE_ALIKE[rows], (*some[:_OWN_BEFORE], *alike.columns, *some[_OWN_BEFORE:], *again))


def remove_files(connection: sqlite3.Connection, paths: Sequence[str]) -> int:
    """Delete the rows of `files` for these paths; return how many there were.

    Those of a folder that is gone stand in a row, and are deleted so.
    """
    before = connection.total_changes
    for some in _parts(sorted(dict.fromkeys(paths_bytes(paths)))):
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
