"""One writer a repository: an advisory lock that ends with the connection, and a number that shuts out who lost it.

The lock belongs to the session, so it ends when the server notices that its client is gone. A client that is cut off
may still believe that it holds it: each taking of the lease adds one to the repository's `fence`, each commit names the
number that its writer took, and another number takes nothing.
"""

from __future__ import annotations

import os
import socket
import time
from types import TracebackType
from typing import Self

import psycopg
from psycopg import errors

from treemill.errors import IndexLocked
from treemill.storage.postgres.address import Address, Connection, connect, query
from treemill.storage.postgres.explaining import explained
from treemill.storage.postgres.repository import LEASE_CLASS, WATCH_CLASS, Holder, Repository, holder_of

_LONGEST_WAIT_MS = 2_000_000_000


def take_lock(connection: Connection, repository: Repository, kind: int, *, wait_seconds: float) -> bool:
    """Take an advisory lock of a repository for this session, waiting at most that long; return whether it was."""
    key = (kind, repository.id)
    if wait_seconds <= 0:
        row = query(connection, "SELECT pg_try_advisory_lock(%s::int4, %s::int4)", key).fetchone()
        return bool(row and row[0])
    wait = max(1, min(_LONGEST_WAIT_MS, int(wait_seconds * 1000)))
    try:
        connection.execute(f"SET lock_timeout = {wait}".encode())
        query(connection, "SELECT pg_advisory_lock(%s::int4, %s::int4)", key)
    except errors.LockNotAvailable:
        return False
    finally:
        connection.execute("RESET lock_timeout")
    return True


def fence_off(connection: Connection, repository: Repository) -> int:
    """Say who writes from now on, and return the number that its commits have to name."""
    row = query(
        connection,
        "UPDATE treemill.repositories SET fence = fence + 1, writer_pid = %s, writer_host = %s, writer_since_ns = %s"
        " WHERE id = %s RETURNING fence",
        (os.getpid(), socket.gethostname(), time.time_ns(), repository.id),
    ).fetchone()
    return int(row[0]) if row else 0


def release(connection: Connection, repository: Repository, kind: int) -> None:
    """Give a lock back; a connection that is gone has given it back already."""
    try:
        connection.execute("SELECT pg_advisory_unlock(%s::int4, %s::int4)", (kind, repository.id))
    except psycopg.Error:
        pass


def refusal(connection: Connection, repository: Repository, kind: int = LEASE_CLASS) -> IndexLocked | None:
    """Return the error that taking a lease would raise now, or None if nobody holds it."""
    holder = holder_of(connection, repository, kind)
    if holder is None:
        return None
    return watched() if kind == WATCH_CLASS else written(holder)


def written(holder: Holder | None) -> IndexLocked:
    """Return the error for a repository that somebody writes to, who may have ended meanwhile."""
    advice = "Wait for it, or run: treemill index --wait"
    if holder is None or not holder.pid:
        return IndexLocked("another process is writing this index", suggestion=advice)
    here = holder.host == socket.gethostname()
    where = "" if here else f" on {holder.host}"
    since = time.strftime("%H:%M:%S", time.localtime(holder.since_ns / 1e9))
    return IndexLocked(
        f"process {holder.pid}{where} is writing this index since {since}", pid=holder.pid, suggestion=advice
    )


def watched() -> IndexLocked:
    """Return the error for a repository whose tree somebody watches."""
    return IndexLocked("another process is watching this tree", suggestion="It keeps the index up to date")


class WatchLease:
    """The right to keep a repository up to date by watching its tree, on a connection of its own. A context manager."""

    def __init__(self, address: Address, repository: Repository) -> None:
        """Take it; never waits.

        Raises:
            IndexLocked: another process holds it.
        """
        self._repository = repository
        self._connection = connect(address)
        try:
            with explained(address.shown):
                taken = take_lock(self._connection, repository, WATCH_CLASS, wait_seconds=0)
            if not taken:
                raise watched()
        except BaseException:
            self._connection.close()
            raise

    def release(self) -> None:
        """Give the lease back. Doing it twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
