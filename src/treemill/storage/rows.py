"""How values lie in the tables: contents, files, runs and the recipe, to rows and back.

A row's `sum` is over its other columns (`treemill.storage.sums`), so that a byte that the disk has changed is found
when it is read.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from treemill.records import Content, Recipe, RecordedFile, RunRecord, RunState, Status
from treemill.storage.connection import DamagedRow
from treemill.storage.sums import (
    are_entries_whole,
    bulk_sums,
    file_sum,
    file_sums,
    head_sums,
    sum_of_head,
    sum_of_read,
)

# So many rows are read at a time.
_ROWS = 500

STATUS_CODES = {Status.INDEXED: 0, Status.SKIPPED: 1, Status.FAILED: 2}
_STATUSES = {code: status for status, code in STATUS_CODES.items()}

INSERT_CONTENT = "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_BODY = "INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)"
INSERT_SCAN = "INSERT INTO scans VALUES (?, ?, ?, ?)"

_RECORD = "path, content_id, size, stamp, changed_ns, seen_ns, status, reason, detail, sum"
SELECT_RECORDS = f"SELECT {_RECORD} FROM files"
UPDATE_SEEN = "UPDATE files SET seen_ns = ?, sum = ? WHERE path = ?"

CONTENT_HEAD = "c.key, c.language, c.encoding, c.size, c.chunk_count, c.vector_count, c.source, c.fallback, c.lengths"
_SELECT_CONTENT = f"""
    SELECT {CONTENT_HEAD}, c.sum, b.ends, b.lines, b.symbols, b.text, b.sum
    FROM contents c LEFT JOIN bodies b USING (id) WHERE c.id = ?"""
_SELECT_FILE = """
    SELECT f.path, f.content_id, f.size, f.stamp, f.changed_ns, f.seen_ns, f.status, f.reason, f.detail, f.sum, c.key
    FROM files f LEFT JOIN contents c ON c.id = f.content_id"""
_SELECT_TABLE = """
    SELECT f.path, f.content_id, f.sum, c.id, c.language
    FROM files f LEFT JOIN contents c ON c.id = f.content_id WHERE f.content_id IS NOT NULL ORDER BY f.path"""
_PATH_CODEC = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


def path_bytes(path: str) -> bytes:
    """Return a path as the file system has it."""
    return path.encode(*_PATH_CODEC)


def paths_bytes(paths: Sequence[str]) -> list[bytes]:
    """Return paths as the file system has them.

    Raises:
        UnicodeEncodeError: no file system has one of them.
    """
    encoded = "\0".join(paths).encode(*_PATH_CODEC).split(b"\0") if paths else []
    return encoded if len(encoded) == len(paths) else list(map(path_bytes, paths))


def path_text(path: bytes) -> str:
    """Return the text of a path, as `os.fsdecode` does."""
    return path.decode(*_PATH_CODEC)


def path_texts(paths: Sequence[bytes]) -> list[str]:
    """Return the texts of paths, which have no NUL in them."""
    return b"\0".join(paths).decode(*_PATH_CODEC).split("\0") if paths else []


Rows = list[tuple[Any, ...]]


def content_rows(contents: Sequence[tuple[int, Content]]) -> tuple[Rows, Rows, Rows]:
    """Return the rows for `contents`, `bodies` and `scans` of contents with their ids.

    Raises:
        TypeError: a bulk column of one is no bytes.
    """
    heads = [
        (
            content_id,
            content.key,
            content.language,
            content.encoding,
            content.size,
            content.chunk_count,
            content.chunk_count if content.vectors else 0,
            content.source,
            content.fallback,
            content.lengths,
        )
        for content_id, content in contents
    ]
    bodies = [(content_id, each.ends, each.lines, each.symbols, each.text) for content_id, each in contents]
    scans = [(content_id, each.postings, each.vectors) for content_id, each in contents]
    return _with(head_sums(heads), heads), _with(bulk_sums(bodies), bodies), _with(bulk_sums(scans), scans)


def _with(sums: Iterable[int], rows: Rows) -> Rows:
    return [(*row, total) for row, total in zip(rows, sums, strict=True)]


def read_content(connection: sqlite3.Connection, content_id: int) -> Content | None:
    """Return a content without its postings and vectors, or None if there is none under that id.

    Raises:
        DamagedRow: it is not what was written.
    """
    row = connection.execute(_SELECT_CONTENT, (content_id,)).fetchone()
    return None if row is None else content_from(content_id, row)


def content_from(content_id: int, row: Sequence[Any]) -> Content:
    """Return the content behind a row of head, sum, body and sum.

    Raises:
        DamagedRow: it is not what was written.
    """
    row = tuple(row)
    head, head_sum, body, body_sum = row[:9], row[9], row[10:14], row[14]
    if body_sum is None or sum_of_head(content_id, head) != head_sum or sum_of_read(content_id, *body) != body_sum:
        raise DamagedRow(f"content {content_id}")
    key, language, encoding, size, chunk_count, _, source, fallback, lengths = head
    ends, lines, symbols, text = body
    return Content(
        key, language, encoding, size, chunk_count, source, fallback, text, ends, lines, lengths, symbols, b""
    )


def whole_from(content_id: int, row: Sequence[Any]) -> Content:
    """Return the content behind a row of head, sum, body, sum, postings, vectors and sum.

    Raises:
        DamagedRow: it is not what was written.
    """
    postings, vectors, scan_sum = row[15:18]
    if scan_sum is None or sum_of_read(content_id, postings, vectors) != scan_sum:
        raise DamagedRow(f"content {content_id}")
    return replace(content_from(content_id, row[:15]), postings=postings, vectors=vectors)


def read_scan(connection: sqlite3.Connection, content_id: int) -> tuple[bytes, bytes]:
    """Return the packed postings and the vectors of a content.

    Raises:
        DamagedRow: they are not what was written, or are not there.
    """
    row = connection.execute("SELECT postings, vectors, sum FROM scans WHERE id = ?", (content_id,)).fetchone()
    if row is None or sum_of_read(content_id, *row[:2]) != row[2]:
        raise DamagedRow(f"content {content_id}")
    return row[0], row[1]


def file_row(
    path: str,
    content_id: int | None,
    *,
    size: int,
    stamp: int,
    changed_ns: int,
    seen_ns: int,
    status: Status = Status.INDEXED,
    reason: str = "",
    detail: str = "",
) -> tuple[Any, ...]:
    """Return the row for `files`.

    Raises:
        UnicodeEncodeError: no file system has such a path.
    """
    raw = path_bytes(path)
    row = raw, content_id, size, stamp, changed_ns, seen_ns, STATUS_CODES[status], reason, detail
    return *row, file_sum(row)


def doubted(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, int, bytes]]:
    """Yield (seen_ns, sum, path) with which rows of `files`, their sum last, prove nothing of the files any more.

    One that is not what was written is left as it is.
    """
    for *row, total in rows:
        if file_sum(tuple(row)) == total:
            yield 0, file_sum((*row[:5], 0, *row[6:])), row[0]


def read_table(connection: sqlite3.Connection) -> tuple[list[bytes], list[int], list[str | None]]:
    """Return the paths of all indexed files in the order of their bytes, the contents and the languages.

    Raises:
        DamagedRow: one is not what was written.
    """
    return table_from(connection.execute(_SELECT_TABLE).fetchall())


def table_from(found: Sequence[Sequence[Any]]) -> tuple[list[bytes], list[int], list[str | None]]:
    """Return what `read_table` does, from rows of path, content, sum, the content's own id and language.

    Raises:
        DamagedRow: one is not what was written.
    """
    if not found:
        return [], [], []
    paths, contents, sums, ids, languages = map(list, zip(*found, strict=True))
    try:
        whole = contents == ids and are_entries_whole(paths, contents, sums)
    except (TypeError, OverflowError):  # a flipped bit makes other types of columns
        whole = False
    if not whole:
        raise DamagedRow("the table of files")
    return paths, contents, languages


def read_files(connection: sqlite3.Connection, within: Sequence[str] | None = None) -> Iterator[RecordedFile]:
    """Return everything recorded (with `within`: at or below those paths), in the order of the paths' bytes."""
    if within is None or "" in within:
        found_rows = connection.execute(f"{_SELECT_FILE} ORDER BY f.path")
        while rows := found_rows.fetchmany(_ROWS):
            yield from recorded_from_all(rows)
        return
    found = {}
    for path in map(path_bytes, within):
        # A slash is followed by a zero, so what lies below a folder is between its name with the one and the other.
        places = (path, path + b"/", path + b"0")
        for row in connection.execute(f"{_SELECT_FILE} WHERE f.path = ? OR f.path > ? AND f.path < ?", places):
            found[row[0]] = row
    for path in sorted(found):
        yield recorded_from(found[path])


def read_file(connection: sqlite3.Connection, path: str) -> RecordedFile | None:
    """Return what is recorded of a path, or None."""
    try:
        row = connection.execute(f"{_SELECT_FILE} WHERE f.path = ?", (path_bytes(path),)).fetchone()
    except UnicodeEncodeError:
        return None
    return None if row is None else recorded_from(row)


def recorded_from(row: Sequence[Any]) -> RecordedFile:
    """Return the record behind a row of `files` and its content's key.

    Raises:
        DamagedRow: it is not what was written.
    """
    return recorded_from_all([tuple(row)])[0]


def recorded_from_all(rows: Sequence[tuple[Any, ...]]) -> list[RecordedFile]:
    """Return what `recorded_from` does, for many rows.

    Raises:
        DamagedRow: one is not what was written.
    """
    try:
        whole = file_sums(rows) == [row[9] for row in rows] and all(
            row[6] in _STATUSES and (row[10] is None) is (row[6] != 0) for row in rows
        )
    except TypeError:  # a flipped bit makes other types of columns
        whole = False
    if not whole:
        raise DamagedRow("the table of files")
    keys = [row[10] if type(row[10]) is bytes else b"" for row in rows]
    return [
        RecordedFile(path, size, stamp, key, seen_ns, _STATUSES[status], reason, detail, changed_ns)
        for path, key, (_, _, size, stamp, changed_ns, seen_ns, status, reason, detail, _, _) in zip(
            path_texts([row[0] for row in rows]), keys, rows, strict=True
        )
    ]


def read_run(connection: sqlite3.Connection) -> RunRecord | None:
    """Return the newest run as it was recorded, or None."""
    row = connection.execute(
        "SELECT started_ns, ended_ns, state, pid, known FROM runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else run_from(row)


def run_from(row: Sequence[Any]) -> RunRecord:
    """Return the run behind a row of its times, state, process and count.

    Raises:
        DamagedRow: it is none.
    """
    started_ns, ended_ns, state, pid, known = row
    try:
        return RunRecord(started_ns, ended_ns, RunState(state), pid, known)
    except ValueError as error:
        raise DamagedRow("the table of runs") from error


def read_recipe(connection: sqlite3.Connection) -> Recipe | None:
    """Return the recipe, or None while there is none."""
    text = read_meta(connection, "recipe")
    return None if text is None else recipe_from(text)


def recipe_from(text: str) -> Recipe:
    """Return the recipe behind `recipe_text`.

    Raises:
        DamagedRow: it is none.
    """
    try:
        return Recipe(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise DamagedRow("the recipe") from error


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as it is kept in `meta`."""
    return json.dumps(asdict(recipe), sort_keys=True)


def read_number(connection: sqlite3.Connection, key: str) -> int:
    """Return a number of `meta`.

    Raises:
        DamagedRow: it is none, or is not there.
    """
    try:
        return int(read_meta(connection, key) or "")
    except ValueError as error:
        raise DamagedRow(f"the {key}") from error


def read_count(connection: sqlite3.Connection, key: str) -> int | None:
    """Return a number of `meta` that nothing depends on, or None if it is none or not there."""
    text = read_meta(connection, key)
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def read_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """Return a value of `meta`, or None."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]
