"""One moment of a repository: a read transaction on a connection of its own.

Nobody waits for it. As long as it is open, the server keeps what has been deleted since: hold a snapshot for a
question, not for a day. Where the server ends the connection (an idle transaction has its time limit, a server is
started again), the snapshot takes the moment up again, if nothing was committed since.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
import psycopg

from treemill.errors import IndexMissing, StorageError
from treemill.records import Content, Coverage, Recipe, RecordedFile, RunState
from treemill.storage import FileTable, Segment
from treemill.storage.postgres import rows as tables
from treemill.storage.postgres.address import Address, Connection, connect, query
from treemill.storage.postgres.explaining import explained
from treemill.storage.postgres.layouts import Layouts
from treemill.storage.postgres.migrating import check_schema
from treemill.storage.postgres.repository import Repository, holder_of, read_repository
from treemill.storage.rows import path_texts

_Value = TypeVar("_Value")

# Whole contents are asked for so many at a time: together they are some MB at most, and a round trip is shared.
_WHOLES = 64


class PostgresSnapshot:
    """The last commit at the time of opening. Any number of threads may use it; they take turns."""

    generation: int
    recipe: Recipe

    def __init__(self, address: Address, name: str) -> None:
        """Open a connection and a transaction on it.

        Raises:
            IndexMissing: nothing has been committed yet.
            IndexMismatch, StorageError: see `connect` and `check_schema`.
        """
        self._address = address
        self._lock = threading.Lock()
        self._coverage: Coverage | None = None
        self._files: FileTable | None = None
        self._segments: Sequence[Segment] | None = None
        self._connection, self._repository = _begun(address, name)
        if self._repository.recipe is None:
            self._connection.close()
            raise IndexMissing("the index is still empty", suggestion="Run: treemill index")
        self.recipe = self._repository.recipe
        self.generation = self._repository.generation

    def coverage(self) -> Coverage:
        """Return how much of the tree this moment covers, and who is writing now. Counted once."""
        with self._lock:
            if self._coverage is None:
                self._coverage = self._read(self._count)
            holder = self._read(lambda connection: holder_of(connection, self._repository))
            return replace(self._coverage, writer_pid=None if holder is None else holder.pid)

    def files(self) -> FileTable:
        """Return all indexed files, in the order of their paths' bytes. Computed once."""
        with self._lock:
            if self._files is None:
                self._files = self._read(self._read_files)
            return self._files

    def segments(self) -> Sequence[Segment]:
        """Return all chunks to scan. Computed once; what has no segment file on this machine yet is laid out."""
        with self._lock:
            if self._segments is None:
                layouts = Layouts(self._repository)
                self._segments = self._read(lambda connection: layouts.segments(connection, self._repository))
            return self._segments

    def content(self, content_id: int) -> Content:
        """Return the content under that id, `postings` and `vectors` left empty.

        Raises:
            KeyError: there is none.
            StorageError: it is damaged.
        """
        with self._lock:
            content = self._read(lambda connection: tables.read_content(connection, self._repository.id, content_id))
        if content is None:
            raise KeyError(content_id)
        return content

    def contents(self, content_ids: Sequence[int]) -> list[Content]:
        """Return the contents under those ids, as `content` does, with one question.

        Raises:
            KeyError: there is none under one of them.
            StorageError: one is damaged.
        """
        with self._lock:
            found = self._read(lambda connection: tables.read_contents(connection, self._repository.id, content_ids))
        return [found[content_id] for content_id in content_ids]

    def texts(self, content_ids: Sequence[int]) -> list[tuple[str, bytes]]:
        """Return the encodings and deflated texts of some contents, in that order.

        Raises:
            KeyError: there is none.
            StorageError: one is damaged.
        """
        with self._lock:
            found = self._read(lambda connection: tables.read_texts(connection, self._repository.id, content_ids))
        return [found[content_id] for content_id in content_ids]

    def wholes(self, content_ids: Sequence[int]) -> Iterator[Content]:
        """Yield the contents under those ids with their postings and vectors, in that order.

        Raises:
            KeyError: there is none under one of them.
            StorageError: one is damaged.
        """
        for start in range(0, len(content_ids), _WHOLES):
            some = content_ids[start : start + _WHOLES]
            with self._lock:
                found = self._read(partial(tables.read_wholes, repository=self._repository.id, content_ids=some))
            yield from (found[content_id] for content_id in some)

    def file(self, path: str) -> RecordedFile | None:
        """Return what is recorded of that path, or None."""
        with self._lock:
            return self._read(lambda connection: tables.read_file(connection, self._repository.id, path))

    def close(self) -> None:
        """End the transaction. What `files` and `segments` have returned stays usable."""
        with self._lock:
            self._segments = None
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, ask: Callable[[Connection], _Value]) -> _Value:
        """Ask the server, a second time if it has ended the connection and the moment can be had again."""
        with explained(self._address.shown):
            try:
                return ask(self._connection)
            except psycopg.OperationalError:
                if not self._connection.broken:
                    raise
            self._take_up_again()
            return ask(self._connection)

    def _take_up_again(self) -> None:
        """Begin a new transaction, which must show the very same moment.

        Raises:
            StorageError: something was committed since.
        """
        connection, repository = _begun(self._address, self._repository.name)
        now, then = (repository.id, repository.generation), (self._repository.id, self.generation)
        if now != then:
            connection.close()
            raise StorageError(
                f"the server of {self._address} ended the connection, and the index has changed since",
                suggestion="Ask again",
            )
        self._connection.close()
        self._connection = connection

    def _count(self, connection: Connection) -> Coverage:
        repository = self._repository.id
        by_status = query(
            connection,
            "SELECT status, count(*) FROM treemill.files WHERE repository = %s GROUP BY status",
            (repository,),
        )
        counts = {int(status): int(number) for status, number in by_status}
        row = query(
            connection,
            "SELECT coalesce(sum(c.chunk_count), 0)::int8, coalesce(sum(c.vector_count), 0)::int8 FROM treemill.files f"
            " JOIN treemill.contents c ON c.repository = f.repository AND c.id = f.content_id WHERE f.repository = %s",
            (repository,),
        ).fetchone()
        run = tables.read_run(connection, repository)
        searchable, skipped, failed = (counts.get(code, 0) for code in range(3))
        return Coverage(
            searchable=searchable,
            known=run.known if run else 0,
            complete=run is not None and run.state is RunState.COMPLETE and not failed,
            chunks=int(row[0]) if row else 0,
            vectors=int(row[1]) if row else 0,
            skipped=skipped,
            failed=failed,
            refreshed_ns=self._repository.refreshed_ns,
        )

    def _read_files(self, connection: Connection) -> FileTable:
        paths, contents, languages = tables.read_table(connection, self._repository.id)
        # Few languages stand in many rows: one string each is enough.
        shared = {language: language for language in languages}
        return FileTable(
            path_texts(paths),
            np.array(contents, np.int64),
            [shared[language] for language in languages],
        )


def _begun(address: Address, name: str) -> tuple[Connection, Repository]:
    """Return a connection with a transaction that sees one moment, and the repository in it."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(connect(address)))
        check_schema(connection, address)
        with explained(address.shown):
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            repository = read_repository(connection, address, name)
        stack.pop_all()
    return connection, repository
