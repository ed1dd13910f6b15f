"""Is an index what was written? Every row, every byte of every segment, read and compared.

    examine(folder) ─▶ Finding, Finding, …        repair(folder, findings)

Nothing is changed by looking. A finding says in one sentence what is wrong, and which repair makes it right; what is
wrong with one content or one path costs a repair just that, and the next run brings it back from the tree.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from treemill.errors import IndexMissing, TreemillError
from treemill.storage import Segment
from treemill.storage import rows as tables
from treemill.storage.connection import DamagedRow, explained, open_database
from treemill.storage.layout import lay_out, merge
from treemill.storage.ownership import data_folder, read_mark
from treemill.storage.packed import check_content, text_of
from treemill.storage.part_rows import read_parts
from treemill.storage.segment_files import SegmentFile, read_segment_files, stray_segments
from treemill.storage.segments import SegmentRefused, open_segment, spellings
from treemill.storage.sums import file_sum
from treemill.values import dataclass

_MOST_PAGES_NAMED = 5


class Repair(StrEnum):
    """What makes a finding right."""

    NONE = "none"
    FORGET = "forget"
    """Forget the rows of one content or path; the next run reads those files again."""
    LAY_OUT = "lay out"
    """Remove a cache; it is laid out again from the rows."""
    RESTRICT = "restrict"
    """Take permissions away from others."""
    REBUILD = "rebuild"
    """Put an empty index in the place of this one; the next run fills it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. `subject` is a part of Treemill, `what` one sentence for people.

    `harmless` findings change no answer. `content` and `path` (bytes as the file system has them) say what to forget,
    `file` which file is meant.
    """

    subject: str
    what: str
    repair: Repair = Repair.NONE
    harmless: bool = False
    content: int | None = None
    path: bytes | None = None
    file: Path | None = None


def examine(folder: Path) -> Iterator[Finding]:
    """Look at everything in an index folder; yield what is wrong, worst first where one thing hides others.

    Raises:
        IndexMissing: there is no such folder.
    """
    try:
        index_id = read_mark(folder)
    except IndexMissing:
        raise
    except TreemillError as error:
        yield Finding("ownership", error.message, Repair.REBUILD)
        return
    data = data_folder(folder, index_id)
    yield from _permissions(folder, data)
    try:
        connection = open_database(data, index_id)
    except TreemillError as error:
        yield Finding("store", error.message, Repair.REBUILD)
        return
    with closing(connection):
        try:
            connection.execute("BEGIN")
            with explained(data):
                broken = list(_integrity(connection))
                yield from broken or _tables(connection)
                if not broken:
                    yield from _segments(connection, data, index_id)
        except (TreemillError, sqlite3.Error) as error:
            text = error.message if isinstance(error, TreemillError) else str(error)
            yield Finding("store", text, Repair.REBUILD)


def _permissions(folder: Path, data: Path) -> Iterator[Finding]:
    """Nobody else may read what is in an index: it holds the text of the tree."""
    if os.name != "posix":
        return
    for path in (data, *data.iterdir()):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077:
            what = f"{path.relative_to(folder)} can be read by others (mode {mode:o})"
            yield Finding("permissions", what, Repair.RESTRICT, harmless=True, file=path)


def _integrity(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Ask SQLite about its pages and indexes."""
    said = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST_PAGES_NAMED})")]
    if said != ["ok"]:
        yield Finding("store", f"the database is damaged: {'; '.join(said)}", Repair.REBUILD)


def _tables(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        recipe = tables.read_recipe(connection)
        tables.read_run(connection)
        tables.read_number(connection, "generation")
    except DamagedRow as error:
        yield Finding("store", f"{error} is damaged", Repair.REBUILD)
        return
    yield from _contents(connection, 0 if recipe is None else recipe.dimension)
    yield from _files(connection)


def _contents(connection: sqlite3.Connection, dimension: int) -> Iterator[Finding]:
    ids = [row[0] for row in connection.execute("SELECT id FROM contents ORDER BY id")]
    for content_id in ids:
        try:
            content = tables.read_content(connection, content_id)
            parts = list(read_parts(connection, content_id - 1, content_id, dimension=dimension))
            if content is None or not parts:
                raise DamagedRow("it is gone")
            scan = connection.execute("SELECT postings, vectors FROM scans WHERE id = ?", (content_id,)).fetchone()
            check_content(replace(content, postings=scan[0], vectors=scan[1]), dimension=dimension)
            text_of(content)
        except (DamagedRow, ValueError, sqlite3.DatabaseError) as error:
            named = _path_of(connection, content_id)
            yield Finding("contents", f"what is kept of {named} is damaged: {error}", Repair.FORGET, content=content_id)
    if dimension:
        sql = "SELECT count(*) FROM contents WHERE chunk_count > 0 AND vector_count = 0"
        if without := connection.execute(sql).fetchone()[0]:
            yield Finding("vectors", f"{without:,} contents have no vectors yet", harmless=True)
    for table in ("bodies", "scans"):
        for (content_id,) in connection.execute(f"SELECT id FROM {table} WHERE id NOT IN (SELECT id FROM contents)"):
            what = f"a row of {table} belongs to no content"
            yield Finding("contents", what, Repair.FORGET, harmless=True, content=content_id)


def _path_of(connection: sqlite3.Connection, content_id: int) -> str:
    row = connection.execute("SELECT path FROM files WHERE content_id = ? LIMIT 1", (content_id,)).fetchone()
    return "a file that is gone" if row is None else tables.path_text(row[0])


def _files(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Check the manifest: each row is as it was written, names a place below the root, and a content that is there."""
    found = connection.execute(
        "SELECT f.path, f.content_id, f.size, f.stamp, f.changed_ns, f.seen_ns, f.status, f.reason, f.detail, f.sum,"
        " c.id FROM files f LEFT JOIN contents c ON c.id = f.content_id ORDER BY f.path"
    )
    for *head, total, held in found:
        path, content_id, status = head[0], head[1], head[6]
        if file_sum(tuple(head)) != total or (content_id is None) is not (status != 0):
            problem = "the entry of {} is damaged"
        elif content_id is not None and held is None:
            problem = "what {} held is not there"
        elif not is_below(tables.path_text(path)):
            problem = "{} leads out of the root"
        else:
            continue
        yield Finding("manifest", problem.format(tables.path_text(path)), Repair.FORGET, path=path)


def is_below(path: str) -> bool:
    """Whether a POSIX path names a place below the folder that it is relative to, whatever is there."""
    parts = path.split("/")
    return "\0" not in path and not {"", ".", ".."}.intersection(parts)


def _segments(connection: sqlite3.Connection, data: Path, index_id: bytes) -> Iterator[Finding]:
    """Compare what queries scan with the rows that it was laid out from."""
    recipe = tables.read_recipe(connection)
    dimension = 0 if recipe is None else recipe.dimension
    files = read_segment_files(connection)
    for file in files:
        try:
            segment = open_segment(data, file, index_id=index_id)
        except SegmentRefused as refused:
            yield Finding("segments", str(refused), Repair.LAY_OUT, harmless=True, file=data / file.name)
            continue
        try:
            same = _says_the_same(connection, segment, file, dimension)
        except DamagedRow:
            continue  # it is named among the contents
        if not same:
            what = f"{file.name} says something else than the rows"
            yield Finding("segments", what, Repair.LAY_OUT, file=data / file.name)
    for path in stray_segments(data, files):
        what = f"{path.name} belongs to nothing"
        yield Finding("segments", what, Repair.LAY_OUT, harmless=True, file=path)


def _says_the_same(connection: sqlite3.Connection, segment: Segment, file: SegmentFile, dimension: int) -> bool:
    parts = list(read_parts(connection, file.after, file.last_id, dimension=dimension, spelled=True))
    wanted = lay_out(parts, dimension=dimension)
    live = np.array([int(part.contents[0]) for part in parts], np.int64)
    found = merge([segment], live=live)
    exact = [name for name in Segment._fields if name not in ("spellings", "spelled")]
    return _spells_enough(found, wanted) and all(
        np.array_equal(getattr(wanted, name), getattr(found, name)) for name in exact
    )


def _spells_enough(found: Segment, wanted: Segment) -> bool:
    """Tell whether a segment has the words of all contents whose spellings it says to have; others do no harm."""
    if (found.spelled > wanted.spelled).any():
        return False
    return not found.spelled.any() or set(spellings(wanted).split()) <= set(spellings(found).split())
