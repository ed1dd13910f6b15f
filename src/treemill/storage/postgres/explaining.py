"""The one place where PostgreSQL's errors become Treemill's: what failed, where, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from treemill.errors import StorageError
from treemill.storage.connection import DamagedRow

_INTACT = "What was committed is intact"

# What a server or the library says when no connection comes about, in parts; what to do about it.
_REFUSALS = (
    (
        ("password authentication failed", "no password supplied", "authentication failed"),
        "does not let this user in",
        "Check the user and the password: in PGPASSWORD, ~/.pgpass or the URL",
    ),
    (("no pg_hba.conf entry",), "does not let this user in from here", "Ask who runs it for an entry in pg_hba.conf"),
    (("database \"", "does not exist"), "has no such database", "Make it: createdb NAME"),
    (("role \"", "does not exist"), "does not know this user", "Name another user in the URL or in PGUSER"),
    (("permission denied for database",), "does not let this user in", "GRANT CONNECT ON DATABASE … TO the user"),
    (("too many clients", "remaining connection slots"), "has no connection left", "Try again in a moment"),
    (("starting up", "shutting down", "recovery mode"), "is starting or stopping", "Try again in a moment"),
    (("could not translate host name", "Name or service not known", "resolve host"), "has a name that nobody knows",
     "Check the host in the URL"),
    (("definition of service",), "is a service that is not defined", "Check the name, and pg_service.conf"),
)  # fmt: skip


def unreachable(error: psycopg.Error, shown: str) -> StorageError:
    """Return the error for a connection that did not come about."""
    said = " ".join(str(error).split())
    for words, what, step in _REFUSALS:
        matched = all(word in said for word in words) if words[0].endswith('"') else any(word in said for word in words)
        if matched:
            return StorageError(f"the server of {shown} {what}", suggestion=step)
    return StorageError(
        f"the server of {shown} cannot be reached ({said[:200]})",
        suggestion="Check host and port in the URL, and that the server runs: pg_isready -h HOST -p PORT",
    )


@contextmanager
def explained(shown: str) -> Iterator[None]:
    """Turn what the server raises in the block into a StorageError that says what to do; `shown` names the database."""
    try:
        yield
    except DamagedRow as error:
        raise StorageError(
            f"the index in {shown} is damaged: {error}", suggestion="Run: treemill index --rebuild"
        ) from error
    except psycopg.Error as error:
        raise explain(error, shown) from error


def explain(error: psycopg.Error, shown: str) -> StorageError:
    """Return the error for a statement that failed."""
    said = (error.diag.message_primary or " ".join(str(error).split()))[:300]
    if isinstance(error, errors.InsufficientPrivilege):
        return StorageError(f"the user may not do that in {shown} ({said})", suggestion=GRANTS)
    if isinstance(error, (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn)):
        return StorageError(
            f"the tables in {shown} are not those of this Treemill ({said})",
            suggestion="Run: treemill index, which makes them, or drop the schema treemill",
        )
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return StorageError(f"{shown} can only be read", suggestion="Name the primary server, or: --no-update")
    if isinstance(error, (errors.DiskFull, errors.OutOfMemory)):
        return StorageError(f"the server of {shown} is full ({said})", suggestion=f"Make room there. {_INTACT}")
    if isinstance(error, errors.LockNotAvailable):
        return StorageError(f"the tables in {shown} are held by another program", suggestion="Try again in a moment")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return StorageError(
            f"the connection to {shown} was lost ({said})",
            suggestion=f"Check the server, and run the command again. {_INTACT}",
        )
    return StorageError(f"the index in {shown} failed ({said})", suggestion=f"Run the command again. {_INTACT}")


GRANTS = (
    "Who owns the database grants it: GRANT CREATE ON DATABASE … TO the user for the first run, "
    "USAGE and CREATE on the schema treemill and all on its tables for the next ones, USAGE and SELECT to read"
)
