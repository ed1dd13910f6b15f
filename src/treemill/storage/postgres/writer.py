"""The one that changes a repository: whole files in by COPY, one transaction a commit.

A batch of files goes in under a savepoint. Where one of them is refused, the batch is taken back and its files go in
one by one, so that a bad file fails alone. A commit names the number that the writer took with its lease: one that has
lost it commits nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus

from treemill.errors import IndexMismatch, StorageError
from treemill.records import Content, PreparedFile, Recipe, RecordedFile, RunState
from treemill.storage.garbage import GarbageLimits
from treemill.storage.layout import Part, part_from
from treemill.storage.postgres import rows as tables
from treemill.storage.postgres.address import Address, Connection, query
from treemill.storage.postgres.explaining import explained
from treemill.storage.postgres.garbage import collect
from treemill.storage.postgres.layouts import Layouts
from treemill.storage.postgres.lease import fence_off, release
from treemill.storage.postgres.repository import LEASE_CLASS, Repository, read_by_id
from treemill.storage.postgres.vectors import VectorTable
from treemill.storage.rows import file_row, path_bytes, recipe_text
from treemill.storage.segment_files import FULL_CHUNKS
from treemill.types import Failure

_log = logging.getLogger(__name__)

# A segment is laid out when about so many chunks are in none.
_TAIL_CHUNKS = FULL_CHUNKS * 3 // 4

_RUNS_KEPT = 100

# A writer that lost its lease may have left a transaction open: the server looks whether its client is still there, and
# the next writer does not wait for ever.
_SESSION = (
    "lock_timeout = '60s'",
    "tcp_keepalives_idle = 30",
    "tcp_keepalives_interval = 10",
    "tcp_keepalives_count = 3",
)

# What is raised when a value cannot be stored, as against a server that cannot take any.
_BAD_VALUE = (ValueError, TypeError, OverflowError, psycopg.DataError, psycopg.IntegrityError)


class PostgresWriter:
    """See `treemill.storage.Writer`. Holds the lease, and a transaction since the first change after a commit."""

    takes_blocks = False

    def __init__(
        self, connection: Connection, address: Address, repository: Repository, garbage: GarbageLimits
    ) -> None:
        """Begin to write on a connection that holds the lease; it is the writer's from here on."""
        self._connection = connection
        self._address = address
        self._garbage = garbage
        self._run: int | None = None
        self._seen_ns = time.time_ns()
        self._tail: dict[int, Part] = {}
        self._tail_chunks = 0
        self.index_seconds = 0.0
        """What building the index of vectors took at the end of the last run."""
        self._pending: list[Part] = []
        self._changed = False
        self._recipe: Recipe | None = None
        for setting in _SESSION:
            connection.execute(f"SET {setting}".encode())
        self._fence = fence_off(connection, repository)
        # What the writer before has committed is read after its commits are shut out.
        repository = read_by_id(connection, address, repository)
        self._vectors = VectorTable(connection, repository, repository.dimension)
        self._take(repository)

    def begin_run(self, recipe: Recipe) -> None:
        """Record that a run began, at once. An empty index takes the recipe, and so does one that it succeeds.

        Raises:
            IndexMismatch: the index was built with another recipe.
        """
        if self._recipe is not None and self._recipe != recipe and not recipe.succeeds(self._recipe):
            raise _mismatch(self._address, self._recipe, recipe)
        self._seen_ns = time.time_ns()
        with self._rolled_back():
            self._begin()
            if recipe.succeeds(self._recipe):
                tables.doubt_files(self._connection, self._repository.id)
            self._recipe = recipe
            self._vectors = VectorTable(self._connection, self._repository, recipe.dimension)
            self._vectors.open()
            self._connection.execute(
                "UPDATE treemill.repositories SET recipe = %s WHERE id = %s", (recipe_text(recipe), self._repository.id)
            )
            row = query(
                self._connection,
                "INSERT INTO treemill.runs (repository, started_ns, ended_ns, state, pid, known)"
                " VALUES (%s, %s, 0, %s, %s, 0) RETURNING id",
                (self._repository.id, self._seen_ns, RunState.RUNNING.value, os.getpid()),
            ).fetchone()
            self._run = int(row[0]) if row else None
            self._connection.execute(
                "DELETE FROM treemill.runs WHERE repository = %s AND id NOT IN (SELECT id FROM treemill.runs"
                " WHERE repository = %s ORDER BY id DESC LIMIT %s)",
                (self._repository.id, self._repository.id, _RUNS_KEPT),
            )
        self.commit()

    def set_known(self, known: int) -> None:
        """State how many files the run found to index; part of the next commit."""
        with self._rolled_back():
            self._begin()
            self._connection.execute(
                "UPDATE treemill.runs SET known = %s WHERE repository = %s AND id = %s",
                (known, self._repository.id, self._run),
            )

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        """Replace these files whole. One that cannot be written fails alone and is returned; it leaves no trace.

        Raises:
            StorageError: the store can take none; everything since the last commit is lost.
        """
        with self._rolled_back():
            self._begin()
            try:
                self._put_under_savepoint(files)
            except _BAD_VALUE:
                return [failure for file in files if (failure := self._put_alone(file)) is not None]
        return []

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some keys whose contents are held, what was put and not committed yet included."""
        with self._rolled_back():
            return frozenset(self._ids_of(set(keys)))

    def mark(self, records: Sequence[RecordedFile]) -> None:
        """Record paths that are skipped or failed; rows they had before are dropped."""
        with self._rolled_back():
            self._begin()
            self._replace_files(
                [
                    file_row(
                        record.path,
                        None,
                        size=record.size,
                        stamp=record.stamp,
                        changed_ns=record.changed_ns,
                        seen_ns=record.seen_ns,
                        status=record.status,
                        reason=record.reason,
                        detail=record.detail,
                    )
                    for record in map(tables.storable, records)
                ]
            )

    def remove(self, paths: Iterable[str]) -> int:
        """Forget these paths; return how many were recorded."""
        gone = [path_bytes(path) for path in paths]
        if not gone:
            return 0
        with self._rolled_back():
            self._begin()
            return self._delete_files(gone)

    def commit(self) -> int:
        """Make everything since the last commit durable and visible at once; return the generation.

        Without a change there is nothing to commit, and the generation stays.

        Raises:
            StorageError: the server failed, or another writer has taken over; what was committed before is intact.
        """
        if not self._changed:
            return self._repository.generation
        with self._rolled_back():
            row = query(
                self._connection,
                "UPDATE treemill.repositories SET generation = generation + 1, refreshed_ns = %s, last_content = %s"
                " WHERE id = %s AND fence = %s RETURNING generation",
                (time.time_ns(), self._next_id - 1, self._repository.id, self._fence),
            ).fetchone()
            if row is None:
                raise _taken_over(self._address)
            self._connection.execute("COMMIT")
            repository = read_by_id(self._connection, self._address, self._repository)
        self._tail.update((int(part.contents[0]), part) for part in self._pending)
        self._tail_chunks += sum(len(part.lengths) for part in self._pending)
        self._take(repository)
        if self._tail_chunks >= _TAIL_CHUNKS:
            self._lay_out()
        return self._repository.generation

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        with explained(self._address.shown):
            if self._connection.info.transaction_status != TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")
            self._take(read_by_id(self._connection, self._address, self._repository))

    def end_run(self, state: RunState) -> None:
        """Record how the run ended, with what was not committed yet; collect garbage; build the index of vectors."""
        now = time.time_ns()
        with self._rolled_back():
            self._begin()
            self._connection.execute(
                "UPDATE treemill.runs SET state = %s, ended_ns = %s WHERE repository = %s AND id = %s",
                (state.value, now, self._repository.id, self._run),
            )
            self._vectors.remove(collect(self._connection, self._repository, now, self._garbage))
        self.commit()
        self._lay_out()
        began = time.perf_counter()
        with self._rolled_back():
            self._connection.execute("BEGIN")
            self._vectors.build_index()
            self._connection.execute("COMMIT")
        self.index_seconds = time.perf_counter() - began

    def close(self) -> None:
        """Roll back to the last commit and give the lease back. Closing twice is fine."""
        if self._connection.closed:
            return
        with contextlib.suppress(psycopg.Error):
            self._connection.execute("ROLLBACK")
        release(self._connection, self._repository, LEASE_CLASS)
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, repository: Repository) -> None:
        """Go on from the state that the last commit left."""
        self._repository = repository
        self._recipe = repository.recipe
        self._next_id = repository.last_content + 1
        self._pending = []
        self._changed = False

    def _begin(self) -> None:
        if self._changed:
            return
        self._connection.execute("BEGIN")
        self._changed = True
        mine = "SELECT FROM treemill.repositories WHERE id = %s AND fence = %s"
        if query(self._connection, mine, (self._repository.id, self._fence)).fetchone() is None:
            raise _taken_over(self._address)

    def _rolled_back(self) -> _RolledBack:
        return _RolledBack(self)

    def _lay_out(self) -> None:
        """Lay out on this machine what is in no segment file yet."""
        with explained(self._address.shown):
            Layouts(self._repository).extend(self._connection, self._repository, self._tail)
        self._tail = {}
        self._tail_chunks = 0

    def _put_under_savepoint(self, files: Sequence[PreparedFile]) -> None:
        """Put files in, all or none."""
        next_id, pending = self._next_id, len(self._pending)
        try:
            with self._connection.transaction():
                self._insert(files)
        except _BAD_VALUE:
            self._next_id = next_id
            del self._pending[pending:]
            raise

    def _put_alone(self, file: PreparedFile) -> Failure | None:
        try:
            self._put_under_savepoint([file])
        except _BAD_VALUE as error:
            return Failure(file.path, "write", type(error).__name__, str(error))
        return None

    def _insert(self, files: Sequence[PreparedFile]) -> None:
        ids = self._ids_of({file.key for file in files})
        new: list[tuple[int, Content]] = []
        entries: dict[str, tuple[Any, ...]] = {}
        for file in files:
            content_id = ids.get(file.key)
            if content_id is None:
                if file.content is None:
                    raise ValueError("the index does not hold its content, which was left out")
                if file.content.key != file.key:
                    raise ValueError("its content has another key")
                content_id = ids[file.key] = self._next_id
                self._next_id += 1
                new.append((content_id, file.content))
            entries[file.path] = file_row(
                file.path,
                content_id,
                size=file.size,
                stamp=file.stamp,
                changed_ns=file.changed_ns,
                seen_ns=self._seen_ns,
            )
        dimension = self._recipe.dimension if self._recipe else 0
        parts = [part_from(i, content, dimension=dimension) for i, content in new]
        self._pending.extend(parts)
        if new:
            heads, bulk = tables.content_rows(self._repository.id, new)
            self._copy("contents", tables.CONTENT_COLUMNS, tables.CONTENT_TYPES, heads)
            self._copy("bulk", tables.BULK_COLUMNS, tables.BULK_TYPES, bulk)
            self._vectors.add(parts)
        self._replace_files(list(entries.values()))

    def _replace_files(self, entries: Sequence[tuple[Any, ...]]) -> None:
        rows = {entry[0]: (self._repository.id, *entry) for entry in entries}
        self._delete_files(list(rows))
        self._copy("files", tables.FILE_COLUMNS, tables.FILE_TYPES, list(rows.values()))

    def _delete_files(self, paths: Sequence[bytes]) -> int:
        return self._connection.execute(
            "DELETE FROM treemill.files WHERE repository = %s AND path = ANY(%b)", (self._repository.id, list(paths))
        ).rowcount

    def _copy(self, table: str, columns: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        statement = f"COPY treemill.{table} ({columns}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def _ids_of(self, keys: set[bytes]) -> dict[bytes, int]:
        """Return the ids of those keys that are held."""
        found = query(
            self._connection,
            "SELECT key, id FROM treemill.contents WHERE repository = %s AND key = ANY(%b)",
            (self._repository.id, list(keys)),
        )
        return {bytes(key): int(content_id) for key, content_id in found}


class _RolledBack:
    """Leaves the writer at its last commit, and raises a StorageError, when the store fails inside the block."""

    def __init__(self, writer: PostgresWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        self._explained = explained(self._writer._address.shown)
        self._explained.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            with contextlib.suppress(StorageError):
                self._writer.rollback()
        self._explained.__exit__(kind, value, trace)


def _taken_over(address: Address) -> StorageError:
    return StorageError(
        f"another process has taken over writing this index in {address}, as the server had lost this one",
        suggestion="Nothing of it is mixed in. Run: treemill index",
    )


def _mismatch(address: Address, built: Recipe, asked: Recipe) -> IndexMismatch:
    return IndexMismatch(
        f"the index in {address} was built with {_described(built)}; now asked for is {_described(asked)}",
        suggestion="Run: treemill index --rebuild",
    )


def _described(recipe: Recipe) -> str:
    model = f"{recipe.model} ({recipe.dimension})" if recipe.model else "no model"
    return f"format {recipe.format}, {recipe.chunker}, {recipe.words}, {model}"
