"""One moment of an index in SQLite: a read transaction on a connection of its own.

A snapshot neither waits for the writer nor makes it wait. While one is open, the write-ahead log cannot start over,
so it grows with what is written meanwhile: hold a snapshot for a question, not for a day.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

from treemill.errors import IndexMissing
from treemill.records import Content, Coverage, Recipe, RecordedFile, RunState
from treemill.storage import FileTable, Segment
from treemill.storage import rows as tables
from treemill.storage.connection import explained, open_database
from treemill.storage.lease import holder
from treemill.storage.text_rows import read_texts

# What questions scan is opened for those who ask: how far an index has come is told without.
_SCANNING = "treemill.storage.scanning"


class SqliteSnapshot:
    """The last commit at the time of opening. Any number of threads may use it; they take turns."""

    generation: int
    recipe: Recipe

    def __init__(self, folder: Path, index_id: bytes) -> None:
        """Open the database in a data folder.

        Raises:
            IndexMissing: nothing has been committed yet.
            IndexMismatch, StorageError: see `open_database`.
        """
        self._folder = folder
        self._index_id = index_id
        self._lock = threading.Lock()
        self._coverage: Coverage | None = None
        self._files: FileTable | None = None
        self._segments: Sequence[Segment] | None = None
        self._connection = open_database(folder, index_id)
        try:
            with explained(folder):
                self._connection.execute("BEGIN")
                self.generation = tables.read_number(self._connection, "generation")
                recipe = tables.read_recipe(self._connection)
            if recipe is None:
                raise IndexMissing("the index is still empty", suggestion="Run: treemill index")
            self.recipe = recipe
        except BaseException:
            self._connection.close()
            raise

    def coverage(self) -> Coverage:
        """Return how much of the tree this moment covers, and who is writing now. Counted once."""
        with self._lock, explained(self._folder):
            if self._coverage is None:
                self._coverage = self._count()
            return replace(self._coverage, writer_pid=holder(self._folder))

    def files(self) -> FileTable:
        """Return all indexed files, in the order of their paths' bytes. Computed once."""
        with self._lock, explained(self._folder):
            if self._files is None:
                self._files = import_module(_SCANNING).read_file_table(self._connection)
            return self._files

    def segments(self) -> Sequence[Segment]:
        """Return all chunks to scan. Computed once; what has no usable segment file is laid out in memory."""
        with self._lock, explained(self._folder):
            if self._segments is None:
                scanned = (self._folder, self._index_id, self._connection, self.recipe.dimension)
                self._segments = import_module(_SCANNING).read_segments(*scanned)
            return self._segments

    def content(self, content_id: int) -> Content:
        """Return the content under that id, `postings` and `vectors` left empty.

        Raises:
            KeyError: there is none.
            StorageError: it is damaged.
        """
        with self._lock, explained(self._folder):
            content = tables.read_content(self._connection, content_id)
        if content is None:
            raise KeyError(content_id)
        return content

    def contents(self, content_ids: Sequence[int]) -> list[Content]:
        """Return the contents under those ids, as `content` does. Here nothing is gained by asking together."""
        return [self.content(content_id) for content_id in content_ids]

    def wholes(self, content_ids: Sequence[int]) -> Iterator[Content]:
        """Yield the contents under those ids with their postings and vectors, in that order.

        Raises:
            KeyError: there is none under one of them.
            StorageError: one is damaged.
        """
        for content_id in content_ids:
            content = self.content(content_id)
            with self._lock, explained(self._folder):
                postings, vectors = tables.read_scan(self._connection, content_id)
            yield replace(content, postings=postings, vectors=vectors)

    def texts(self, content_ids: Sequence[int]) -> list[tuple[str, bytes]]:
        """Return the encodings and deflated texts of some contents, in that order.

        Raises:
            KeyError: there is none.
            StorageError: one is damaged.
        """
        with self._lock, explained(self._folder):
            found = read_texts(self._connection, content_ids)
        return [found[content_id] for content_id in content_ids]

    def file(self, path: str) -> RecordedFile | None:
        """Return what is recorded of that path, or None."""
        with self._lock, explained(self._folder):
            return tables.read_file(self._connection, path)

    def close(self) -> None:
        """End the read transaction. What `files` and `segments` have returned stays usable."""
        with self._lock:
            self._segments = None
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _count(self) -> Coverage:
        searchable, skipped, failed = self._connection.execute(
            "SELECT ifnull(sum(status = 0), 0), ifnull(sum(status = 1), 0), ifnull(sum(status = 2), 0) FROM files"
        ).fetchone()
        chunks, vectors = self._connection.execute(
            "SELECT ifnull(sum(chunk_count), 0), ifnull(sum(vector_count), 0)"
            " FROM files JOIN contents ON contents.id = files.content_id"
        ).fetchone()
        run = tables.read_run(self._connection)
        return Coverage(
            searchable=searchable,
            known=run.known if run else 0,
            complete=run is not None and run.state is RunState.COMPLETE and not failed,
            chunks=chunks,
            vectors=vectors,
            skipped=skipped,
            failed=failed,
            refreshed_ns=tables.read_number(self._connection, "refreshed_ns"),
        )
