"""Make an index right where `treemill.storage.examining` found it wrong: at the least cost that does.

What is a cache is laid out again, a damaged content or path is forgotten so that the next run reads it again, and only
where the database itself is damaged is all of it replaced.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path

from treemill.storage import rows as tables
from treemill.storage.connection import explained, open_database
from treemill.storage.examining import Finding, Repair
from treemill.storage.folders import rebuild
from treemill.storage.housekeeping import Layouts
from treemill.storage.lease import Lease
from treemill.storage.ownership import data_folder, read_mark


def repair(folder: Path, findings: Sequence[Finding]) -> None:
    """Carry out the repairs that findings name, under the writer's lease. Afterwards a run completes the index.

    Raises:
        IndexLocked: somebody is writing.
        StorageError: it cannot be repaired.
    """
    wanted = {finding.repair for finding in findings}
    if Repair.REBUILD in wanted:
        rebuild(folder)
        return
    if not wanted - {Repair.NONE}:
        return
    index_id = read_mark(folder)
    data = data_folder(folder, index_id)
    with Lease.acquire(data), explained(data):
        for finding in findings:
            if finding.file is not None:
                _mend_file(finding.repair, finding.file)
        with contextlib.closing(open_database(data, index_id, writable=True)) as connection:
            contents = {each.content for each in findings if each.repair is Repair.FORGET and each.content is not None}
            paths = [each.path for each in findings if each.repair is Repair.FORGET and each.path is not None]
            _forget(connection, contents, paths)
            recipe = tables.read_recipe(connection)
            Layouts(data, index_id, connection).tidy(0 if recipe is None else recipe.dimension, collected=len(contents))


def _mend_file(how: Repair, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if how is Repair.LAY_OUT:
            path.unlink()
        elif how is Repair.RESTRICT:
            os.chmod(
                path,
                stat.S_IMODE(path.lstat().st_mode) & 0o700,
                follow_symlinks=os.chmod in os.supports_follow_symlinks,
            )


def _forget(connection: sqlite3.Connection, contents: set[int], paths: Sequence[bytes]) -> None:
    """Delete contents and paths; a path whose content goes, goes with it."""
    if not contents and not paths:
        return
    ids = [(each,) for each in contents]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("DELETE FROM files WHERE content_id = ?", ids)
    connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in paths])
    for table in ("contents", "bodies", "scans", "garbage"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", ids)
    generation = tables.read_number(connection, "generation")
    connection.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (str(generation + 1),))
    connection.execute("COMMIT")
