"""What is known of each repository of a fleet: a small database in the fleet's folder, written by one run at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from treemill.errors import StorageError
from treemill.storage.lease import FLEET_NAME, Lease
from treemill.values import dataclass

CATALOGUE_NAME = "catalogue.sqlite"


class State(StrEnum):
    """How far a repository is."""

    PENDING = "pending"
    INDEXING = "indexing"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Entry:
    """A repository in the catalogue.

    `root` is its working tree, `place` where its index is; `commit` what was indexed, None outside of git. `files`
    of `known`, `chunks` and `bytes` are what is searchable, `seconds` what the last visit took, `error` why it failed;
    `seen_ns` is when that was (wall clock).
    """

    name: str
    source: str
    state: State = State.PENDING
    root: str = ""
    place: str = ""
    commit: str | None = None
    files: int = 0
    known: int = 0
    chunks: int = 0
    bytes: int = 0
    seconds: float = 0.0
    error: str = ""
    seen_ns: int = 0


_FIELDS = tuple(each.name for each in fields(Entry))
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)

_SCHEMA = """\
CREATE TABLE IF NOT EXISTS repositories (
    name TEXT PRIMARY KEY, source TEXT NOT NULL, state TEXT NOT NULL, root TEXT NOT NULL, place TEXT NOT NULL,
    "commit" TEXT, files INTEGER NOT NULL, known INTEGER NOT NULL, chunks INTEGER NOT NULL, bytes INTEGER NOT NULL,
    seconds REAL NOT NULL, error TEXT NOT NULL, seen_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""


class Catalogue:
    """The catalogue in a folder. One process writes to it, which holds its lease; any may read.

    Raises:
        IndexLocked: another run of this fleet is going on.
        StorageError: it cannot be opened.
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self._lease: Lease | None = None
        if write:
            _made(folder)
            self._lease = Lease.acquire(folder, name=FLEET_NAME)
        try:
            with _explained(folder):
                self._database = sqlite3.connect(folder / CATALOGUE_NAME, isolation_level=None)
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute(_SCHEMA)
        except BaseException:
            self.close()
            raise
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def entries(self) -> dict[str, Entry]:
        """Return what is known, by name, in order of names."""
        with _explained(self._folder):
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM repositories ORDER BY name").fetchall()
        return {row[0]: replace(Entry(*row), state=State(row[2])) for row in rows}

    def begin(self, listed: Iterable[Entry]) -> int:
        """Take in the list of a run: new ones are pending, what a killed run had in hand is interrupted.

        Returns how many are no longer listed, and so forgotten; their indexes stay.
        """
        known = self.entries()
        wanted = {entry.name: entry for entry in listed}
        gone = [name for name in known if name not in wanted]
        fresh = [entry for name, entry in wanted.items() if name not in known or known[name].source != entry.source]
        cut = [replace(each, state=State.INTERRUPTED) for each in known.values() if each.state is State.INDEXING]
        with self._transaction():
            self._database.executemany("DELETE FROM repositories WHERE name = ?", [(name,) for name in gone])
            self._write([*(each for each in cut if each.name in wanted), *fresh])
        return len(gone)

    def put(self, *entries: Entry) -> None:
        """Write down what is known now, durably."""
        with self._transaction():
            self._write([replace(entry, seen_ns=time.time_ns()) for entry in entries])

    def interrupt(self) -> None:
        """Put down that what is in hand now is interrupted: the run is over."""
        with self._transaction():
            self._database.execute(
                "UPDATE repositories SET state = ? WHERE state = ?", (State.INTERRUPTED, State.INDEXING)
            )

    def close(self) -> None:
        """Close it and give the lease back. Closing twice is fine."""
        database = getattr(self, "_database", None)
        if database is not None:
            database.close()
        if self._lease is not None:
            self._lease.release()

    def _write(self, entries: Iterable[Entry]) -> None:
        marks = ", ".join("?" * len(_FIELDS))
        self._database.executemany(
            f"INSERT OR REPLACE INTO repositories ({_COLUMNS}) VALUES ({marks})", [astuple(entry) for entry in entries]
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _explained(self._folder):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the fleet's folder {folder} cannot be made: {error.strerror}", suggestion="Name another with --folder"
        ) from error


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"the catalogue in {folder} cannot be used: {error}",
            suggestion=f"Remove {folder / CATALOGUE_NAME}: the next run finds out again what is indexed",
        ) from error
