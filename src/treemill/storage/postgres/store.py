"""The store on PostgreSQL: one repository of a database, for one root."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

import psycopg

from treemill.errors import IndexLocked, IndexMismatch, IndexMissing, TreemillError
from treemill.records import Recipe, RecordedFile, RunRecord, RunState
from treemill.storage.garbage import GarbageLimits
from treemill.storage.postgres import rows as tables
from treemill.storage.postgres.address import Address, Connection, address_of, connect, query
from treemill.storage.postgres.explaining import explained
from treemill.storage.postgres.layouts import Layouts
from treemill.storage.postgres.lease import WatchLease, refusal, take_lock, written
from treemill.storage.postgres.migrating import check_schema, migrate
from treemill.storage.postgres.repository import (
    LEASE_CLASS,
    Repository,
    drop_repository,
    ensure_repository,
    holder_of,
    read_repository,
)
from treemill.storage.postgres.snapshot import PostgresSnapshot
from treemill.storage.postgres.writer import PostgresWriter

_log = logging.getLogger(__name__)

# Connections that came along through a fork are the parent's: they are neither used nor closed here.
_inherited: list[Connection] = []


class PostgresStore:
    """See `treemill.storage.IndexStore`. Threads may share a store. Its repr and its errors show no password."""

    def __init__(self, url: str, name: str, *, create: bool = False, garbage: GarbageLimits | None = None) -> None:
        """Open the repository of that name, or make an empty one where there is none and `create` is set.

        `url` is libpq's (postgresql://user@host:5432/database). With `create`, the tables are made or brought up to
        date.

        Raises:
            SettingsError: the URL is none.
            IndexMissing: there is no such repository.
            IndexMismatch: the tables, or the repository, have another version.
            StorageError: the server cannot be reached, does not let this user in, or has no pgvector.
        """
        self.address = address_of(url)
        self.name = name
        self._garbage = garbage or GarbageLimits()
        self._reader = _Reader(self.address)
        try:
            with self._reader.connection() as connection:
                if create:
                    migrate(connection, self.address)
                    ensure_repository(connection, name)
                else:
                    check_schema(connection, self.address)
                read_repository(connection, self.address, name)
        except BaseException:
            self._reader.close()
            raise

    def __repr__(self) -> str:
        return f"PostgresStore({self.address.shown!r}, {self.name!r})"

    def recipe(self) -> Recipe | None:
        """Return what the index was built with, or None while it is empty."""
        with self._repository() as (_, repository):
            return repository.recipe

    def recorded(self, within: Sequence[str] | None = None, *, keys: bool = True) -> Iterator[RecordedFile]:
        """Return everything recorded (with `within`: at or below those paths), in the order of the paths' bytes."""
        with self._repository() as (connection, repository):
            found = tables.read_files(connection, repository.id, within)
        return iter(found)

    def last_run(self) -> RunRecord | None:
        """Return the newest run, or None. RUNNING is reported as INTERRUPTED when nobody holds the lease."""
        with self._repository() as (connection, repository):
            # Whoever holds the lease is asked first: a run that ends in between is then read as ended.
            writing = holder_of(connection, repository) is not None
            run = tables.read_run(connection, repository.id)
        if run is not None and run.state is RunState.RUNNING and not writing:
            return replace(run, state=RunState.INTERRUPTED)
        return run

    def generation(self) -> int:
        """Return the number of the newest commit, 0 before the first."""
        with self._repository() as (_, repository):
            return repository.generation

    def lookup(self) -> PostgresLookup:
        """Return a lookup of contents for workers. Pickled, it carries the URL as it was given."""
        return PostgresLookup(self.address.url, self.name)

    def writer(self, *, wait_seconds: float = 0.0) -> PostgresWriter:
        """Take the writer lease, waiting at most that long.

        Raises:
            IndexLocked: another writer holds it; its pid is in the error.
        """
        with self._repository() as (_, repository):
            pass
        connection = connect(self.address)
        try:
            with explained(self.address.shown):
                if not take_lock(connection, repository, LEASE_CLASS, wait_seconds=wait_seconds):
                    raise written(holder_of(connection, repository))
                return PostgresWriter(connection, self.address, repository, self._garbage)
        except BaseException:
            connection.close()
            raise

    def locked(self) -> IndexLocked | None:
        """Return the error that `writer` would raise now, or None if nobody is writing; never waits."""
        with self._repository() as (connection, repository):
            return refusal(connection, repository)

    def watcher(self) -> WatchLease:
        """Take the lease of whoever keeps this index up to date by watching its tree; never waits.

        Raises:
            IndexLocked: another process holds it.
        """
        with self._repository() as (_, repository):
            pass
        return WatchLease(self.address, repository)

    def snapshot(self) -> PostgresSnapshot:
        """Open the last commit for reading; never waits for a writer.

        Raises:
            IndexMissing: nothing has been committed yet.
        """
        return PostgresSnapshot(self.address, self.name)

    def foresee(self) -> None:
        """Nothing: the server is asked when there is a question."""

    def described(self) -> str:
        """Return where the index is, as people may be told."""
        return f"{self.address.shown} as {self.name}"

    def is_laid_out(self) -> bool:
        """Return True: whoever asks lays out for himself."""
        return True

    def private_folder(self) -> None:
        """Return None: nothing on this machine belongs to the index alone."""

    def held_bytes(self) -> int:
        """Return about how many bytes the index takes in the database, its vector index apart."""
        with self._repository() as (connection, repository):
            row = query(
                connection,
                "SELECT coalesce(sum(octet_length(text) + octet_length(postings) + octet_length(vectors)"
                " + octet_length(ends) + octet_length(lines) + octet_length(symbols)), 0)::int8"
                " FROM treemill.bulk WHERE repository = %s",
                (repository.id,),
            ).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the store's own connection; snapshots and writers are closed by who opened them."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _repository(self) -> Iterator[tuple[Connection, Repository]]:
        with self._reader.connection() as connection:
            yield connection, read_repository(connection, self.address, self.name)


class PostgresLookup:
    """See `treemill.storage.KeyLookup`. Opens a connection when first asked, in each process anew."""

    def __init__(self, url: str, name: str) -> None:
        self._name = name
        self._reader = _Reader(address_of(url))

    def known(self, key: bytes) -> bool:
        """Return whether the index holds this content, as of the last commit; False where it cannot be asked."""
        try:
            with self._reader.connection() as connection:
                row = query(
                    connection,
                    "SELECT 1 FROM treemill.contents WHERE key = %b"
                    " AND repository = (SELECT id FROM treemill.repositories WHERE name = %s)",
                    (key, self._name),
                ).fetchone()
        except TreemillError as error:
            _log.debug("a content is made anew, since the index cannot be asked for it: %s", error)
            return False
        return row is not None

    def close(self) -> None:
        """Close the connection of this process; the next question opens one again."""
        self._reader.close()

    def __reduce__(self) -> tuple[type[PostgresLookup], tuple[str, str]]:
        return PostgresLookup, (self._reader.address.url, self._name)


class _Reader:
    """A connection for short reads, kept open; one that the server has ended is opened again at the next use."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._process = 0

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend the connection; each statement sees the last commit."""
        with self._lock, explained(self.address.shown):
            yield self._current()

    def close(self) -> None:
        """Close the connection; the next use opens one again."""
        with self._lock:
            self._forget()

    def __del__(self) -> None:
        self._forget()

    def _current(self) -> Connection:
        if self._connection is not None and (self._process != os.getpid() or not _answers(self._connection)):
            self._forget()
        if self._connection is None:
            self._connection = connect(self.address)
            self._process = os.getpid()
        return self._connection

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._process == os.getpid():
            connection.close()
        else:
            _inherited.append(connection)


def _answers(connection: Connection) -> bool:
    """Whether a connection is still there: one that the server has ended says so when it is used."""
    if connection.closed:
        return False
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def existing(url: str, names: Sequence[str]) -> set[str]:
    """Return those of some names that repositories of a database have.

    Raises:
        SettingsError, StorageError: the URL is none, or the server cannot be asked.
    """
    address = address_of(url)
    with contextlib.closing(connect(address)) as connection, explained(address.shown):
        try:
            check_schema(connection, address)
        except (IndexMissing, IndexMismatch):
            # Whoever opens the index says so, or mends it.
            return set()
        found = query(connection, "SELECT name FROM treemill.repositories WHERE name = ANY(%s)", (list(names),))
        return {str(name) for (name,) in found}


def remove(url: str, name: str) -> None:
    """Remove a repository from a database, and what this machine keeps of it.

    Raises:
        IndexMissing: there is none.
        IndexLocked: somebody is writing to it.
    """
    with PostgresStore(url, name) as store, store._repository() as (connection, repository):
        if not take_lock(connection, repository, LEASE_CLASS, wait_seconds=0):
            raise written(holder_of(connection, repository))
        drop_repository(connection, repository)
        Layouts(repository).remove()
