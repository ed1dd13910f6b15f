"""A new index that starts from the contents of another one: of a tree that is like its own.

Everything is copied but what is said of files, and shared on disk where nothing is written to it again: no path of the
other tree is in the new index, and what its own tree does not hold of the contents is collected when the first run has
ended. The other index must be this user's, as for any opening; it is read at one moment, and neither changed nor held
up.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from treemill.records import Recipe
from treemill.storage import rows as tables
from treemill.storage.connection import copy_database, explained, open_database
from treemill.storage.ownership import data_folder, read_mark, write_mark
from treemill.storage.segment_files import read_segment_files

STARTED_ELSEWHERE = "started_elsewhere"
"""Stands in `meta` until the first run over the new tree has ended."""


def start_from(other: Path, folder: Path, recipe: Recipe) -> int | None:
    """Make the index of a new folder from the one in another, and return its generation.

    None where that is built with another recipe.

    The folder appears whole. It keeps the other's id, as an index does that is copied with its tree.

    Raises:
        IndexMissing, IndexMismatch, StorageError: the other index cannot be opened, or the new one not be made.
    """
    index_id = read_mark(other)
    source = data_folder(other, index_id)
    beside = folder.with_name(f"{folder.name}.new-{os.urandom(4).hex()}")
    with contextlib.closing(open_database(source, index_id)) as reader, explained(source):
        if tables.read_recipe(reader) != recipe:
            return None
        try:
            beside.mkdir(mode=0o700)
            (beside / ".gitignore").write_text("*\n")
            data = data_folder(beside, index_id)
            data.mkdir(mode=0o700)
            copy_database(reader, data)
            with contextlib.closing(open_database(data, index_id, writable=True)) as writer:
                _forget_files(writer)
                generation = tables.read_number(writer, "generation")
                for file in read_segment_files(writer):
                    # One that is gone or cannot be copied is laid out again by the first run.
                    with contextlib.suppress(OSError):
                        _share(source / file.name, data / file.name)
            write_mark(beside, index_id)
            os.rename(beside, folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    return generation


def _share(segment: Path, place: Path) -> None:
    """Have a segment file at another place too: nothing is ever written to one again, so that both may be the same."""
    try:
        os.link(segment, place)
    except OSError:  # another file system, or one without links
        shutil.copyfile(segment, place)
        os.chmod(place, 0o600)


def _forget_files(writer: sqlite3.Connection) -> None:
    """Take out everything that is about the other tree."""
    writer.execute("BEGIN IMMEDIATE")
    for table in ("files", "runs", "garbage"):
        writer.execute(f"DELETE FROM {table}")
    writer.execute("INSERT OR REPLACE INTO meta VALUES ('refreshed_ns', '0'), (?, '1')", (STARTED_ELSEWHERE,))
    writer.execute("COMMIT")
