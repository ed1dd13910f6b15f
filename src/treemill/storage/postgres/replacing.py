"""A new index that grows beside the one that is there, under another name, and takes its name when it is whole.

The lease of the old one is held all the while. A process that is killed leaves the old one as it was; what it had built
is removed by the next rebuild.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from treemill.storage.postgres import store as stores
from treemill.storage.postgres.address import address_of, connect, query
from treemill.storage.postgres.explaining import explained
from treemill.storage.postgres.layouts import Layouts
from treemill.storage.postgres.lease import take_lock, written
from treemill.storage.postgres.migrating import migrate
from treemill.storage.postgres.repository import (
    BESIDE,
    LEASE_CLASS,
    drop_repository,
    ensure_repository,
    holder_of,
    name_beside,
    read_by_id,
    read_repository,
)


class Replacement:
    """Use it in a `with`: `store` is empty, and goes in the place of the repository when `finish` is called."""

    def __init__(self, url: str, name: str, *, wait_seconds: float = 0.0) -> None:
        """Take the lease of a repository, which is made where there is none, and make an empty one beside it.

        Raises:
            IndexLocked: somebody is writing to it.
            StorageError: the server cannot be used; see `PostgresStore`.
        """
        self._address = address_of(url)
        self._name = name
        self._beside = name_beside(name)
        self._finished = False
        self._connection = connect(self._address)
        try:
            migrate(self._connection, self._address)
            with explained(self._address.shown):
                ensure_repository(self._connection, name)
                self._old = read_repository(self._connection, self._address, name, any_format=True)
                if not take_lock(self._connection, self._old, LEASE_CLASS, wait_seconds=wait_seconds):
                    raise written(holder_of(self._connection, self._old))
                self._remove_leftovers()
                self._old = read_by_id(self._connection, self._address, self._old, any_format=True)
                ensure_repository(self._connection, self._beside, generation=self._old.generation)
            self.store = stores.PostgresStore(url, self._beside)
        except BaseException:
            self._connection.close()
            raise

    def finish(self) -> None:
        """Put the new index in the place of the old one, at once, and remove that.

        Raises:
            StorageError: it cannot be done; the old index is as it was.
        """
        self.store.close()
        with explained(self._address.shown), self._connection.transaction():
            drop_repository(self._connection, self._old)
            self._connection.execute(
                "UPDATE treemill.repositories SET name = %s WHERE name = %s", (self._name, self._beside)
            )
        self._finished = True
        Layouts(self._old).remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()
        with contextlib.suppress(Exception) if value is not None else contextlib.nullcontext():
            if not self._finished:
                with explained(self._address.shown):
                    self._remove_leftovers()
        self._connection.close()

    def _remove_leftovers(self) -> None:
        """Remove what rebuilds of this repository have left: its lease is held, so none of them is going on."""
        names = query(
            self._connection,
            "SELECT name FROM treemill.repositories WHERE starts_with(name, %s)",
            (self._name + BESIDE,),
        ).fetchall()
        for (name,) in names:
            left = read_repository(self._connection, self._address, str(name), any_format=True)
            drop_repository(self._connection, left)
            Layouts(left).remove()
