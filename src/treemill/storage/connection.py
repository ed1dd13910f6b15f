"""Connections to the database of an index, and the one place where SQLite's errors become Treemill's."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from treemill.errors import IndexMismatch, StorageError, TreemillError
from treemill.records import INDEX_FORMAT

DATABASE_NAME = "index.db"
APPLICATION_ID = 0x74726D6C
"""Marks the file as Treemill's for tools such as `file`."""

# Readers and the writer never wait for each other; only the first one in after a crash, and the last one out, hold
# the database for a moment.
_BUSY_SECONDS = 10.0

# Rows are some kilobytes: with pages of 4 kB a commit takes a quarter longer.
_PAGE_BYTES = 8192
# What is written is seldom read again; questions read more.
_WRITERS_CACHE_KIB, _READERS_CACHE_KIB = 8_192, 16_384
_CHECKPOINT_PAGES = 2_000
_WAL_LIMIT_BYTES = 64 << 20

_REBUILD = "Run: treemill index --rebuild"


def create_database(folder: Path, index_id: bytes, generation: int = 0) -> None:
    """Lay out an empty database in a folder that has none, whose commits count on from a generation.

    Raises:
        StorageError: it cannot be written.
    """
    path = folder / DATABASE_NAME
    with explained(folder):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        connection = _connected(path, cache_kib=_WRITERS_CACHE_KIB)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN; {_schema()} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {INDEX_FORMAT};"
                f"INSERT INTO meta VALUES ('id', '{index_id.hex()}'), ('generation', '{generation}'),"
                " ('refreshed_ns', '0'); COMMIT;"
            )
        finally:
            connection.close()


def open_database(folder: Path, index_id: bytes, *, writable: bool = False) -> sqlite3.Connection:
    """Open the database in a folder, in autocommit mode, for use from any one thread at a time.

    Raises:
        IndexMismatch: it has another format.
        StorageError: it is not there, cannot be read, is damaged, or is not the one with that id.
    """
    with explained(folder):
        cache_kib = _WRITERS_CACHE_KIB if writable else _READERS_CACHE_KIB
        connection = _connected(folder / DATABASE_NAME, cache_kib=cache_kib)
        try:
            _check_format(connection, folder, index_id)
            if not writable:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
    return connection


def copy_database(reader: sqlite3.Connection, folder: Path) -> None:
    """Copy what a connection reads, as it is at one moment, into a folder that has no database."""
    path = folder / DATABASE_NAME
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as target:
        reader.backup(target)


class DamagedRow(Exception):
    """A row holds something else than was written; `explained` makes it a StorageError."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what SQLite or the operating system raises in the block into a StorageError that says what to do.

    `folder` is the data folder of the index; the message names the one that it is in.
    """
    try:
        yield
    except DamagedRow as error:
        raise damaged(folder, str(error)) from error
    except sqlite3.Error as error:
        raise _explain(error, folder) from error
    except OSError as error:
        raise StorageError(
            f"the index in {folder.parent} cannot be used: {error.strerror or error}",
            suggestion="Check that the disk has space and the folder is yours",
        ) from error


def damaged(folder: Path, what: str) -> StorageError:
    """Return the error for something in the index that is not what was written."""
    return StorageError(f"the index in {folder.parent} is damaged: {what}", suggestion=_REBUILD)


_EXPLANATIONS = {
    sqlite3.SQLITE_FULL: (
        "cannot grow: the disk is full",
        "Free some space and run: treemill index. What was committed is intact",
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written: the disk reports an error",
        "Check the disk and its free space, and run: treemill index. What was committed is intact",
    ),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _REBUILD),
    sqlite3.SQLITE_NOTADB: ("is damaged: its file is not a database", _REBUILD),
    sqlite3.SQLITE_BUSY: ("is held by another program", "Try again when that one has ended"),
    sqlite3.SQLITE_LOCKED: ("is held by another program", "Try again when that one has ended"),
    sqlite3.SQLITE_READONLY: ("cannot be written", "Check the permissions of that folder"),
    sqlite3.SQLITE_PERM: ("cannot be opened", "Check the permissions of that folder"),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        f"Check that it is there and yours. {_REBUILD}",
    ),
}


def _explain(error: sqlite3.Error, folder: Path) -> TreemillError:
    code = getattr(error, "sqlite_errorcode", 0)
    what, step = _EXPLANATIONS.get(code & 0xFF, ("failed", _REBUILD))
    return StorageError(f"the index in {folder.parent} {what} ({error})", suggestion=step)


def _connected(path: Path, *, cache_kib: int) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        for pragma in (
            "synchronous = FULL",
            f"cache_size = -{cache_kib}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            f"journal_size_limit = {_WAL_LIMIT_BYTES}",
            "secure_delete = OFF",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_format(connection: sqlite3.Connection, folder: Path, index_id: bytes) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != APPLICATION_ID:
        raise damaged(folder, "its file is not a Treemill database")
    if version != INDEX_FORMAT:
        raise IndexMismatch(
            f"the index in {folder.parent} has format {version}; this Treemill reads format {INDEX_FORMAT}",
            suggestion=_REBUILD,
        )
    if connection.execute("SELECT value FROM meta WHERE key = 'id'").fetchone() != (index_id.hex(),):
        raise damaged(folder, "its database belongs to another index")


def _schema() -> str:
    return Path(__file__).with_name("schema.sql").read_text("utf-8")
