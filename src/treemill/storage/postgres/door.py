"""What `treemill.storage.opening` takes from a kind of store: its store, and what finds, replaces and removes."""

from __future__ import annotations

from treemill.storage.postgres.replacing import Replacement
from treemill.storage.postgres.store import PostgresStore, existing, remove

__all__ = ["PostgresStore", "Replacement", "existing", "remove"]
