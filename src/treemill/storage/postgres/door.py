"""What `treemill.storage.opening` takes from a kind of store: its store, what replaces an index, what removes one."""

from __future__ import annotations

from treemill.storage.postgres.replacing import Replacement
from treemill.storage.postgres.store import PostgresStore, remove

__all__ = ["PostgresStore", "Replacement", "remove"]
