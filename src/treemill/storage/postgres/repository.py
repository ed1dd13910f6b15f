"""The row that stands for one root's index, and who writes to it.

A repository is found by its name at every use: a rebuild swaps names, and whoever asks next has the new one.
"""

from __future__ import annotations

import secrets

from treemill.errors import IndexMismatch, IndexMissing
from treemill.records import INDEX_FORMAT, Recipe
from treemill.storage.ownership import new_id
from treemill.storage.postgres.address import Address, Connection, query
from treemill.storage.rows import recipe_from
from treemill.values import dataclass

LEASE_CLASS = 0x7472_6D6C
"""The first half of the advisory lock of a repository's writer; the second is the repository's number."""

WATCH_CLASS = 0x7472_6D6D
"""The same of whoever keeps a repository up to date by watching its tree."""


BESIDE = "\x1frebuilt-"
"""Stands between a repository's name and a random word in the name of what is to take its place."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One root's index, as of one moment. `collected` is the generation that last deleted contents."""

    id: int
    name: str
    index_id: bytes
    recipe: Recipe | None
    generation: int
    refreshed_ns: int
    collected: int
    last_content: int

    @property
    def dimension(self) -> int:
        """The dimension of the vectors, 0 without a model."""
        return self.recipe.dimension if self.recipe else 0

    @property
    def vectors(self) -> str:
        """The table of the vectors."""
        return f"treemill.vectors_{self.id}"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease: on which machine, and since when (wall clock in ns)."""

    pid: int
    host: str
    since_ns: int


_SELECT = """
    SELECT id, name, index_id, format, recipe, generation, refreshed_ns, collected, last_content
    FROM treemill.repositories WHERE """


def read_repository(connection: Connection, address: Address, name: str, *, any_format: bool = False) -> Repository:
    """Return the repository of that name as it is now; with `any_format`, also one that can only be replaced.

    Raises:
        IndexMissing: there is none.
        IndexMismatch: it has another format.
    """
    return _repository(query(connection, f"{_SELECT} name = %s", (name,)).fetchone(), address, name, any_format)


def read_by_id(
    connection: Connection, address: Address, repository: Repository, *, any_format: bool = False
) -> Repository:
    """Return a repository as it is now, whatever it is called by now."""
    row = query(connection, f"{_SELECT} id = %s", (repository.id,)).fetchone()
    return _repository(row, address, repository.name, any_format)


def _repository(row: tuple[object, ...] | None, address: Address, name: str, any_format: bool) -> Repository:
    if row is None:
        raise IndexMissing(f"there is no index of {name} in {address}", suggestion="Run: treemill index")
    number, name_now, index_id, form, recipe, *numbers = row
    if form != INDEX_FORMAT and not any_format:
        raise IndexMismatch(
            f"the index of {name} in {address} has format {form}; this Treemill reads format {INDEX_FORMAT}",
            suggestion="Run: treemill index --rebuild",
        )
    generation, refreshed_ns, collected, last_content = (int(str(each)) for each in numbers)
    return Repository(
        int(str(number)),
        str(name_now),
        bytes(index_id) if isinstance(index_id, (bytes, bytearray, memoryview)) else b"",
        None if recipe is None or form != INDEX_FORMAT else recipe_from(str(recipe)),
        generation,
        refreshed_ns,
        collected,
        last_content,
    )


def ensure_repository(connection: Connection, name: str, *, generation: int = 0) -> None:
    """Make an empty repository of that name, whose commits count on from a generation, unless there is one."""
    connection.execute(
        "INSERT INTO treemill.repositories (name, index_id, format, generation) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (name) DO NOTHING",
        (name, new_id(), INDEX_FORMAT, generation),
    )


def name_beside(name: str) -> str:
    """Return a name for what is to take the place of a repository."""
    return f"{name}{BESIDE}{secrets.token_hex(4)}"


def drop_repository(connection: Connection, repository: Repository) -> None:
    """Delete a repository and everything in it, in a transaction of its own."""
    with connection.transaction():
        connection.execute(f"DROP TABLE IF EXISTS {repository.vectors}".encode())
        connection.execute("DELETE FROM treemill.repositories WHERE id = %s", (repository.id,))


def holder_of(connection: Connection, repository: Repository, kind: int = LEASE_CLASS) -> Holder | None:
    """Return who holds the lease of a repository, or None; never waits. Who watches does not say since when."""
    row = query(
        connection,
        "SELECT writer_pid, writer_host, writer_since_ns FROM treemill.repositories WHERE id = %s AND EXISTS ("
        " SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid = %s AND objid = %s)",
        (repository.id, kind, repository.id),
    ).fetchone()
    return None if row is None else Holder(int(row[0]), str(row[1]), int(row[2]))
