"""The store on disk: SQLite for the truth, segment files for speed, in a folder that only its maker opens."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from treemill.errors import IndexMissing, StorageError
from treemill.records import Recipe, RecordedFile, RunRecord, RunState
from treemill.storage import rows as tables
from treemill.storage.connection import create_database, explained, open_database
from treemill.storage.housekeeping import GarbageLimits
from treemill.storage.lease import Lease, holder
from treemill.storage.ownership import check_private, data_folder, new_id, read_mark, write_mark
from treemill.storage.sqlite_snapshot import SqliteSnapshot
from treemill.storage.sqlite_writer import SqliteWriter

_LEFTOVER_SECONDS = 3600.0

# Connections that came along through a fork. They are the parent's, and closing one here could take its locks.
_inherited: list[sqlite3.Connection] = []


class SqliteStore:
    """See `treemill.storage.IndexStore`. `folder` is what `treemill.storage.location.locate` returns.

    The folder's mark is read again for each connection, so that a store that was opened before a rebuild goes on with
    the new index. Threads may share a store.
    """

    def __init__(self, folder: Path, *, create: bool = False, garbage: GarbageLimits | None = None) -> None:
        """Open an index, or make an empty one where there is none and `create` is set.

        Raises:
            IndexMissing: there is none.
            IndexMismatch: it has another format.
            StorageError: it is not this user's, damaged, or cannot be written.
        """
        self.folder = folder
        self._garbage = garbage or GarbageLimits()
        if create:
            _create(folder)
        with contextlib.closing(self._connect()):
            pass

    def recipe(self) -> Recipe | None:
        """Return what the index was built with, or None while it is empty."""
        with contextlib.closing(self._connect()) as connection, explained(self._data()):
            return tables.read_recipe(connection)

    def recorded(self) -> Iterator[RecordedFile]:
        """Return everything recorded, in the order of the paths' bytes, as of the last commit."""
        with contextlib.closing(self._connect()) as connection, explained(self._data()):
            yield from tables.read_files(connection)

    def last_run(self) -> RunRecord | None:
        """Return the newest run, or None. RUNNING is reported as INTERRUPTED when nobody holds the lease."""
        data = self._data()
        # Whoever holds the lease is asked first: a run that ends in between is then read as ended.
        writing = holder(data) is not None
        with contextlib.closing(self._connect()) as connection, explained(data):
            run = tables.read_run(connection)
        if run is not None and run.state is RunState.RUNNING and not writing:
            return replace(run, state=RunState.INTERRUPTED)
        return run

    def lookup(self) -> SqliteLookup:
        """Return a lookup of contents for workers."""
        return SqliteLookup(self.folder)

    def writer(self, *, wait_seconds: float = 0.0) -> SqliteWriter:
        """Take the writer lease, waiting at most that long.

        Raises:
            IndexLocked: another writer holds it; its pid is in the error.
        """
        index_id = read_mark(self.folder)
        data = data_folder(self.folder, index_id)
        lease = Lease.acquire(data, wait_seconds=wait_seconds)
        return SqliteWriter(data, index_id, lease, garbage=self._garbage)

    def snapshot(self) -> SqliteSnapshot:
        """Open the last commit for reading; never waits for a writer.

        Raises:
            IndexMissing: nothing has been committed yet.
        """
        index_id = read_mark(self.folder)
        return SqliteSnapshot(data_folder(self.folder, index_id), index_id)

    def close(self) -> None:
        """Nothing is held between calls; snapshots and writers are closed by who opened them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _data(self) -> Path:
        return data_folder(self.folder, read_mark(self.folder))

    def _connect(self) -> sqlite3.Connection:
        index_id = read_mark(self.folder)
        return open_database(data_folder(self.folder, index_id), index_id)


class SqliteLookup:
    """See `treemill.storage.KeyLookup`. Opens a connection when first asked, in each process anew."""

    def __init__(self, folder: Path) -> None:
        self._open_in(folder)

    def _open_in(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def known(self, key: bytes) -> bool:
        """Return whether the index holds this content, as of the last commit."""
        with self._lock, explained(self._folder):
            found = self._opened().execute("SELECT 1 FROM contents WHERE key = ?", (key,)).fetchone()
        return found is not None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._pid != os.getpid():
            _inherited.append(self._connection)
            self._connection = None
        if self._connection is None:
            index_id = read_mark(self._folder)
            self._connection = open_database(data_folder(self._folder, index_id), index_id)
            self._pid = os.getpid()
        return self._connection

    def close(self) -> None:
        """Close the connection of this process; the next question opens one again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
                self._connection = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_folder": self._folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open_in(state["_folder"])


def rebuild(folder: Path, *, wait_seconds: float = 0.0) -> None:
    """Put an empty index in the place of what is in a folder, whoever made that. Nothing of the old one is read.

    Raises:
        IndexLocked: somebody is writing to the old one.
        StorageError: it cannot be replaced.
    """
    with contextlib.ExitStack() as stack, explained(folder / "new"):
        try:
            data = data_folder(folder, read_mark(folder))
        except IndexMissing:
            _create(folder)
            return
        except StorageError:
            # Nobody's Treemill writes to a folder that it would not open.
            pass
        else:
            stack.enter_context(Lease.acquire(data, wait_seconds=wait_seconds))
        beside = _built_beside(folder)
        old = folder.with_name(f"{folder.name}.old-{secrets.token_hex(4)}")
        os.rename(folder, old)
        os.rename(beside, folder)
        _remove(old)


def _remove(path: Path) -> None:
    """Remove a folder and everything in it, or a link or file, following no link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _create(folder: Path) -> None:
    """Make an empty index, unless there is something already: built beside and renamed, so it is there whole."""
    with explained(folder / "new"):
        if os.path.lexists(folder):
            return
        _remove_leftovers(folder)
        beside = _built_beside(folder)
        try:
            os.rename(beside, folder)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            if not os.path.lexists(folder):
                raise


def _built_beside(folder: Path) -> Path:
    """Return a new index folder with an empty database in it, next to where it is to go."""
    beside = folder.with_name(f"{folder.name}.new-{secrets.token_hex(4)}")
    index_id = new_id()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside.mkdir(mode=0o700)
    try:
        (beside / ".gitignore").write_text("*\n")
        data = data_folder(beside, index_id)
        data.mkdir(mode=0o700)
        create_database(data, index_id)
        write_mark(beside, index_id)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return beside


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed while they made or replaced an index have left beside it."""
    for path in folder.parent.glob(f"{glob.escape(folder.name)}.???-????????"):
        # Somebody else's, or one that is being made right now, is not touched.
        with contextlib.suppress(OSError, StorageError):
            check_private(path, directory=True)
            if time.time() - path.lstat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(path)
