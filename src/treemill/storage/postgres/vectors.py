"""The vectors of a repository once more, as a table for SQL with an HNSW index: `treemill.vectors_7`.

    content_id bigint │ chunk integer │ embedding halfvec(dimension)

A table a repository: its index is searched without a filter, built without holding up another repository, and dropped
with it. The numbers are those that the encoder's int8 vectors have, whose cosines are the same at any length.

Rows come in by binary COPY, which is an array of records here. A graph takes a vector in milliseconds and is built
from many in a fraction of that: it is built when a run ends, kept from then on, and given up for one that brings many.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from psycopg import errors

from treemill.storage.layout import Part
from treemill.storage.postgres.address import Connection, query
from treemill.storage.postgres.repository import Repository

_log = logging.getLogger(__name__)

LEAST_INDEXED = 1_000
"""Below so many vectors there is no index: a scan is as fast."""

MOST_DIMENSIONS = 4_000
"""What pgvector indexes at most, as halves."""

# A run that brings more vectors than this, and than that share of what is there, has the graph built anew behind it.
_MANY = 5_000
_MANY_SHARE = 0.25

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_END = b"\xff\xff"


class VectorTable:
    """The vectors of one repository, changed within the writer's transactions."""

    def __init__(self, connection: Connection, repository: Repository, dimension: int) -> None:
        self._connection = connection
        self._table = repository.vectors
        self._index = f"vectors_{repository.id}_hnsw"
        self._dimension = dimension
        self._usable = 0 < dimension <= MOST_DIMENSIONS
        self._brought = 0
        self._indexed = False
        self._held = 0

    def open(self) -> None:
        """Make the table where there is none, inside a transaction."""
        if not self._usable:
            return
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (content_id bigint NOT NULL, chunk integer NOT NULL,"
            f" embedding halfvec({self._dimension}) NOT NULL, PRIMARY KEY (content_id, chunk))".encode()
        )
        self._brought = 0
        self._indexed = self._has_index()
        row = query(self._connection, f"SELECT count(*) FROM {self._table}").fetchone() if self._indexed else None
        self._held = int(row[0]) if row else 0

    def add(self, parts: Sequence[Part]) -> None:
        """Copy the vectors of contents in."""
        rows = sum(len(part.vectors) for part in parts)
        if not self._usable or not rows:
            return
        self._brought += rows
        if self._indexed and self._brought > max(_MANY, _MANY_SHARE * self._held):
            self._give_up_index()
        with self._connection.cursor().copy(
            f"COPY {self._table} (content_id, chunk, embedding) FROM STDIN (FORMAT BINARY)".encode()
        ) as copy:
            copy.write(_SIGNATURE)
            copy.write(_records(parts, rows, self._dimension))
            copy.write(_END)

    def remove(self, contents: Sequence[int]) -> None:
        """Delete the vectors of contents."""
        if self._usable and contents:
            self._connection.execute(
                f"DELETE FROM {self._table} WHERE content_id = ANY(%s)".encode(), (list(contents),)
            )

    def build_index(self) -> None:
        """Build the graph where there is none and enough vectors are there, inside a transaction."""
        if not self._usable or self._indexed:
            return
        row = query(self._connection, f"SELECT count(*) FROM {self._table}").fetchone()
        if row is None or row[0] < LEAST_INDEXED:
            return
        _log.info("building the vector index of %s vectors", f"{row[0]:,}")
        self._connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        self._connection.execute(
            f"CREATE INDEX IF NOT EXISTS {self._index} ON {self._table}"
            " USING hnsw (embedding halfvec_cosine_ops)".encode()
        )
        self._indexed = True

    def _has_index(self) -> bool:
        row = query(self._connection, "SELECT to_regclass(%s) IS NOT NULL", (f"treemill.{self._index}",)).fetchone()
        return bool(row and row[0])

    def _give_up_index(self) -> None:
        """Drop the graph, unless somebody is reading from it right now: then it takes the vectors one by one."""
        try:
            with self._connection.transaction():
                self._connection.execute("SET LOCAL lock_timeout = '200ms'")
                self._connection.execute(f"DROP INDEX IF EXISTS treemill.{self._index}".encode())
                self._connection.execute("SET LOCAL lock_timeout = '60s'")
            self._indexed = False
        except errors.LockNotAvailable:
            self._brought = 0


def _records(parts: Sequence[Part], rows: int, dimension: int) -> memoryview:
    """Return the rows as binary COPY has them: for each field its length and its bytes, most significant first."""
    record = np.dtype(
        [
            ("fields", ">i2"),
            ("content_bytes", ">i4"),
            ("content", ">i8"),
            ("chunk_bytes", ">i4"),
            ("chunk", ">i4"),
            ("embedding_bytes", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("embedding", ">f2", (dimension,)),
        ]
    )
    filled = np.zeros(rows, record)
    filled["fields"], filled["content_bytes"], filled["chunk_bytes"] = 3, 8, 4
    filled["embedding_bytes"], filled["dimension"] = 4 + 2 * dimension, dimension
    counts = [len(part.vectors) for part in parts]
    filled["content"] = np.repeat([int(part.contents[0]) for part in parts], counts)
    filled["chunk"] = np.concatenate([np.arange(count) for count in counts])
    filled["embedding"] = np.concatenate([part.vectors for part in parts if len(part.vectors)])
    return filled.view(np.uint8).data
