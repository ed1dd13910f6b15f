"""Statements that ask for, write or delete many rows at once.

sqlite3 lets go of the interpreter's lock for each row that a statement takes or gives, and waits for it again where
other threads run: while a tree is walked beside, that costs more than the rows. So rows go in by the hundred, and what
is asked for comes as one row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from treemill.storage.connection import DamagedRow
from treemill.storage.rows import paths_bytes

# So many values are bound in one statement, and so many rows are written with one.
_VARIABLES = 500
_ROWS = 100

_SELECT_IDS = "SELECT group_concat(hex(key), ''), group_concat(id) FROM contents"
_KEY_BYTES = 16

# All ids are read where one in so many has been asked for, if there are not so many that they take much memory.
_ONE_IN = 8
_MOST_READ = 200_000

_REPLACE_FILES = "INSERT OR REPLACE INTO files VALUES "
_FILE_COLUMNS = 10


class HeldIds:
    """The ids of the contents that are held, by key, as a connection sees them while none is taken away.

    Where so many of them have been asked for that most will be, all are read: in a row, each costs half as much.
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
    digits, ids = connection.execute(_SELECT_IDS + which, values).fetchone()
    if ids is None:
        return {}
    held, numbers = bytes.fromhex(digits), list(map(int, ids.split(",")))
    if len(held) != len(numbers) * _KEY_BYTES:
        raise DamagedRow("the table of contents")
    keys = [held[place : place + _KEY_BYTES] for place in range(0, len(held), _KEY_BYTES)]
    return dict(zip(keys, numbers, strict=True))


def replace_files(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows of `files`, in the place of those that are there for their paths."""
    for some in (rows[place : place + _ROWS] for place in range(0, len(rows), _ROWS)):
        marks = ", ".join([_marks(_FILE_COLUMNS)] * len(some))
        # The path as a bytearray, which sqlite3 binds as it is: bytes it asks what they are to be bound as.
        values = chain.from_iterable((bytearray(path), *rest) for path, *rest in some)
        connection.execute(_REPLACE_FILES + marks, list(values))


def remove_files(connection: sqlite3.Connection, paths: Sequence[str]) -> int:
    """Delete the rows of `files` for these paths; return how many there were."""
    before = connection.total_changes
    for some in _parts(map(bytearray, paths_bytes(paths))):
        connection.execute(f"DELETE FROM files WHERE path IN {_marks(len(some))}", some)
    return connection.total_changes - before


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield values, as many at a time as a statement binds."""
    remaining = iter(values)
    while some := list(islice(remaining, _VARIABLES)):
        yield some


def _marks(count: int) -> str:
    return f"({', '.join('?' * count)})"
