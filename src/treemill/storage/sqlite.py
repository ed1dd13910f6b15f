"""The store on disk: SQLite for the truth, segment files for speed, in a folder that only its maker opens."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from treemill.errors import IndexLocked, StorageError, TreemillError
from treemill.records import Recipe, RecordedFile, RunRecord, RunState
from treemill.storage import Writer
from treemill.storage import rows as tables
from treemill.storage.connection import explained, open_database
from treemill.storage.garbage import GarbageLimits
from treemill.storage.lease import WATCH_NAME, Lease, holder, locked
from treemill.storage.ownership import MARK_NAME, data_folder, read_mark
from treemill.storage.segment_files import is_missing, read_segment_files
from treemill.storage.sqlite_snapshot import SqliteSnapshot

if TYPE_CHECKING:
    from treemill.storage.recorded import Foresight

_log = logging.getLogger(__name__)

# What writes, and what reads all that is recorded, is loaded for those who do: a question reads alone.
_RECORDED = "treemill.storage.recorded"
_WRITER = "treemill.storage.sqlite_writer"
_FOLDERS = "treemill.storage.folders"

_ATTEMPTS = 5

# Connections that came along through a fork. They are the parent's, and closing one here could take its locks.
_inherited: list[sqlite3.Connection] = []


class SqliteStore:
    """See `treemill.storage.IndexStore`. `folder` is what `treemill.storage.location.locate` returns.

    Threads may share a store, and it goes on with the new index where a rebuild has replaced the one it opened.
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
        self._foresight: Foresight | None = None
        if create:
            import_module(_FOLDERS).create(folder)
        self._reader = _Reader(folder)
        with self._reader.connection():
            pass

    def recipe(self) -> Recipe | None:
        """Return what the index was built with, or None while it is empty."""
        with self._reader.connection() as connection:
            return tables.read_recipe(connection)

    def recorded(self, within: Sequence[str] | None = None, *, keys: bool = True) -> Iterator[RecordedFile]:
        """Return everything recorded (with `within`: at or below those paths), in the order of the paths' bytes."""
        foresight, self._foresight = self._foresight, None
        everything = within is None or "" in within
        foreseen = foresight.records(self.generation()) if foresight is not None and everything and not keys else None
        if foreseen is not None:
            yield from foreseen
            return
        index_id = self._reader.index_id()
        data = data_folder(self.folder, index_id)
        with contextlib.closing(open_database(data, index_id)) as connection, explained(data):
            if everything and not keys:
                yield from import_module(_RECORDED).read_recorded(connection)
            else:
                yield from tables.read_files(connection, within)

    def foresee(self) -> None:
        """Have what a look at the tree needs read already, while who takes that look is loaded."""
        index_id = self._reader.index_id()
        self._foresight = import_module(_RECORDED).Foresight(data_folder(self.folder, index_id), index_id)

    def last_run(self) -> RunRecord | None:
        """Return the newest run, or None. RUNNING is reported as INTERRUPTED when nobody holds the lease."""
        # Whoever holds the lease is asked first: a run that ends in between is then read as ended.
        writing = holder(self._data()) is not None
        with self._reader.connection() as connection:
            run = tables.read_run(connection)
        if run is not None and run.state is RunState.RUNNING and not writing:
            return replace(run, state=RunState.INTERRUPTED)
        return run

    def generation(self) -> int:
        """Return the number of the newest commit, 0 before the first."""
        with self._reader.connection() as connection:
            return tables.read_number(connection, "generation")

    def is_laid_out(self) -> bool:
        """Whether every segment file is there; readers take away those that they cannot use."""
        data = self._data()
        with self._reader.connection() as connection:
            return not any(is_missing(data, file) for file in read_segment_files(connection))

    def lookup(self) -> SqliteLookup:
        """Return a lookup of contents for workers."""
        return SqliteLookup(self.folder)

    def writer(self, *, wait_seconds: float = 0.0) -> Writer:
        """Take the writer lease, waiting at most that long.

        Raises:
            IndexLocked: another writer holds it; its pid is in the error.
        """
        for _ in range(_ATTEMPTS):
            index_id = self._reader.index_id()
            data = data_folder(self.folder, index_id)
            with contextlib.suppress(FileNotFoundError):
                lease = Lease.acquire(data, wait_seconds=wait_seconds)
                # The index may have been replaced while we waited for who replaced it.
                if self._reader.index_id() == index_id:
                    import_module(_FOLDERS).remove_strays(self.folder, index_id)
                    writer: Writer = import_module(_WRITER).SqliteWriter(data, index_id, lease, garbage=self._garbage)
                    return writer
                lease.release()
        raise StorageError(f"the index in {self.folder} is being replaced", suggestion="Try again in a moment")

    def locked(self) -> IndexLocked | None:
        """Return the error that `writer` would raise now, or None if nobody is writing; never waits."""
        return locked(self._data())

    def watcher(self) -> Lease:
        """Take the lease of whoever keeps this index up to date by watching its tree; never waits.

        Raises:
            IndexLocked: another process holds it; its pid is in the error.
        """
        return Lease.acquire(self._data(), name=WATCH_NAME)

    def snapshot(self) -> SqliteSnapshot:
        """Open the last commit for reading; never waits for a writer.

        Raises:
            IndexMissing: nothing has been committed yet.
        """
        for _ in range(_ATTEMPTS):
            index_id = self._reader.index_id()
            try:
                return SqliteSnapshot(data_folder(self.folder, index_id), index_id)
            except StorageError:
                # What was there a moment ago may just have been replaced.
                if self._reader.index_id() == index_id:
                    raise
        raise StorageError(f"the index in {self.folder} is being replaced", suggestion="Try again in a moment")

    def described(self) -> str:
        """Return where the index is, as people may be told."""
        return str(self.folder)

    def held_bytes(self) -> int:
        """Return how many bytes the index takes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def private_folder(self) -> Path:
        """Return the folder of everything that belongs to this very index, and goes with it."""
        return self._data()

    def close(self) -> None:
        """Close the store's own connection; snapshots and writers are closed by who opened them."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _data(self) -> Path:
        return data_folder(self.folder, self._reader.index_id())


class SqliteLookup:
    """See `treemill.storage.KeyLookup`. Opens a connection when first asked, in each process anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader = _Reader(folder)

    def known(self, key: bytes) -> bool:
        """Return whether the index holds this content, as of the last commit; False where it cannot be asked."""
        try:
            with self._reader.connection() as connection:
                return connection.execute("SELECT 1 FROM contents WHERE key = ?", (key,)).fetchone() is not None
        except TreemillError as error:
            _log.debug("a content is made anew, since the index cannot be asked for it: %s", error)
            return False

    def close(self) -> None:
        """Close the connection of this process; the next question opens one again."""
        self._reader.close()

    def __reduce__(self) -> tuple[type[SqliteLookup], tuple[Path]]:
        return SqliteLookup, (self._folder,)


class _Reader:
    """A connection for short reads, kept open as long as the folder holds the same index and the process is the same.

    The folder's mark is checked in full when the connection is opened; as long as its file is the very same one, the
    index is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._index_id = b""
        self._opened_for: tuple[int, ...] = ()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection; each statement sees the last commit."""
        with self._lock:
            connection = self._current()
            with explained(data_folder(self._folder, self._index_id)):
                yield connection

    def index_id(self) -> bytes:
        """Return the id of the index that is there now."""
        with self._lock:
            self._current()
            return self._index_id

    def close(self) -> None:
        """Close the connection; the next use opens one again."""
        with self._lock:
            self._forget()

    def __del__(self) -> None:
        self._forget()

    def _current(self) -> sqlite3.Connection:
        place = self._place()
        while self._connection is None or place != self._opened_for:
            self._forget()
            try:
                self._index_id = read_mark(self._folder)
                self._connection = open_database(data_folder(self._folder, self._index_id), self._index_id)
                self._opened_for = place
            except StorageError:
                # What the mark named may have been replaced before it could be opened.
                before, place = place, self._place()
                if before == place:
                    raise
        return self._connection

    def _place(self) -> tuple[int, ...]:
        """Return what tells one mark from another, and this process from one that it was forked from."""
        try:
            entry = os.lstat(self._folder / MARK_NAME)
        except OSError:
            return (os.getpid(),)
        return (os.getpid(), entry.st_dev, entry.st_ino, entry.st_mtime_ns)

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._opened_for[0] == os.getpid():
            connection.close()
        else:
            _inherited.append(connection)
