"""The schema of the database, brought up to date by numbered files: `migrations/0001.sql`, `0002.sql`, …

Each runs once, in one transaction with the note that it did; an advisory lock has others wait meanwhile. Whoever only
reads changes nothing, and is told what to run.
"""

from __future__ import annotations

from importlib.resources import files

import psycopg
from psycopg import errors

from treemill.errors import IndexMismatch, IndexMissing, StorageError
from treemill.storage.postgres.address import Address, Connection, query
from treemill.storage.postgres.explaining import GRANTS, explain, explained

_LOCK = 0x7472_6D6C_0000_0000

_PREPARE = """
CREATE SCHEMA IF NOT EXISTS treemill;
CREATE TABLE IF NOT EXISTS treemill.migrations (
    number     integer     PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


def newest() -> int:
    """Return the number of the newest migration that this Treemill knows."""
    return max(_scripts())


def check_schema(connection: Connection, address: Address) -> None:
    """Make sure that the tables are there, and of this Treemill's version.

    Raises:
        IndexMissing: there are none.
        IndexMismatch: they are older, or newer.
    """
    with explained(address.shown):
        found = _applied(connection)
    if found is None:
        raise IndexMissing(f"there is no index in {address}", suggestion="Run: treemill index")
    if found < newest():
        raise IndexMismatch(
            f"the tables in {address} have version {found}; this Treemill reads version {newest()}",
            suggestion="Run: treemill index, which brings them up to date",
        )
    _refuse_newer(found, address)


def migrate(connection: Connection, address: Address) -> None:
    """Make the tables, or bring them up to date.

    Raises:
        IndexMismatch: they are those of a newer Treemill.
        StorageError: the server has no pgvector, or the user may not make tables.
    """
    with explained(address.shown):
        found = _applied(connection)
    if found != newest():
        try:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                _run(connection, address)
        except (errors.UndefinedFile, errors.FeatureNotSupported, errors.UndefinedObject) as error:
            raise _no_vectors(error, address) from error
        except errors.InsufficientPrivilege as error:
            raise _not_allowed(error, address) from error
        except psycopg.Error as error:
            raise explain(error, address.shown) from error


def _run(connection: Connection, address: Address) -> None:
    found = _applied(connection)
    if found is None:
        connection.execute(_PREPARE)
        found = _applied(connection) or 0
    _refuse_newer(found, address)
    for number, script in sorted(_scripts().items()):
        if number > found:
            connection.execute(script.encode())
            connection.execute("INSERT INTO treemill.migrations (number) VALUES (%s)", (number,))


def _applied(connection: Connection) -> int | None:
    """Return the number of the newest migration that was run, None where there never was one."""
    row = query(connection, "SELECT to_regclass('treemill.migrations') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return None
    row = query(connection, "SELECT coalesce(max(number), 0) FROM treemill.migrations").fetchone()
    return int(row[0]) if row else 0


def _refuse_newer(found: int, address: Address) -> None:
    if found > newest():
        raise IndexMismatch(
            f"the tables in {address} have version {found}, and this Treemill knows up to version {newest()}",
            suggestion="Upgrade Treemill: pip install -U 'treemill[postgres]'",
        )


def _no_vectors(error: psycopg.Error, address: Address) -> StorageError:
    return StorageError(
        f"the server of {address} has no pgvector ({error.diag.message_primary})",
        suggestion="Install it on the server (the package is often called postgresql-18-pgvector), or name another one",
    )


def _not_allowed(error: psycopg.Error, address: Address) -> StorageError:
    said = error.diag.message_primary or ""
    if "extension" in said:
        return StorageError(
            f"the user may not add pgvector to {address} ({said})",
            suggestion="Have an administrator of the database run: CREATE EXTENSION vector",
        )
    return StorageError(f"the user may not make tables in {address} ({said})", suggestion=GRANTS)


def _scripts() -> dict[int, str]:
    """Return the text of each migration by its number."""
    folder = files("treemill.storage.postgres").joinpath("migrations")
    return {
        int(entry.name.removesuffix(".sql")): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }
