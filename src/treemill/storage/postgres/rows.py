"""Values to rows and back: the embedded store's rows and sums, under a repository's number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treemill.records import Content, RecordedFile, RunRecord
from treemill.storage import rows as shared
from treemill.storage.layout import Part
from treemill.storage.part_rows import part_from
from treemill.storage.postgres.address import Connection, query
from treemill.storage.rows import path_bytes
from treemill.storage.text_rows import text_from

CONTENT_COLUMNS = (
    "repository, id, key, language, encoding, size, chunk_count, vector_count, source, fallback, lengths, sum"
)
CONTENT_TYPES = "int4 int8 bytea text text int8 int4 int4 text text bytea int8".split()
BULK_COLUMNS = "repository, id, ends, lines, symbols, text, body_sum, postings, vectors, scan_sum"
BULK_TYPES = "int4 int8 bytea bytea bytea bytea int8 bytea bytea int8".split()
FILE_COLUMNS = "repository, path, content_id, size, stamp, changed_ns, seen_ns, status, reason, detail, sum"
FILE_TYPES = "int4 bytea int8 int8 int8 int8 int8 int2 text text int8".split()

_HEAD = "c.key, c.language, c.encoding, c.size, c.chunk_count, c.vector_count, c.source, c.fallback, c.lengths"
_SELECT_CONTENT = f"""
    SELECT {_HEAD}, c.sum, b.ends, b.lines, b.symbols, b.text, b.body_sum
    FROM treemill.contents c LEFT JOIN treemill.bulk b USING (repository, id) WHERE c.repository = %s AND c.id = %s"""
_SELECT_CONTENTS = f"""
    SELECT c.id, {_HEAD}, c.sum, b.ends, b.lines, b.symbols, b.text, b.body_sum
    FROM treemill.contents c LEFT JOIN treemill.bulk b USING (repository, id)
    WHERE c.repository = %s AND c.id = ANY(%s)"""
_SELECT_TEXTS = """
    SELECT c.id, c.encoding, b.ends, b.lines, b.symbols, b.text, b.body_sum
    FROM treemill.contents c LEFT JOIN treemill.bulk b USING (repository, id)
    WHERE c.repository = %s AND c.id = ANY(%s)"""
_SELECT_WHOLES = f"""
    SELECT c.id, {_HEAD}, c.sum, b.ends, b.lines, b.symbols, b.text, b.body_sum, b.postings, b.vectors, b.scan_sum
    FROM treemill.contents c LEFT JOIN treemill.bulk b USING (repository, id)
    WHERE c.repository = %s AND c.id = ANY(%s)"""
_SELECT_FILE = """
    SELECT f.path, f.content_id, f.size, f.stamp, f.changed_ns, f.seen_ns, f.status, f.reason, f.detail, f.sum, c.key
    FROM treemill.files f LEFT JOIN treemill.contents c ON c.repository = f.repository AND c.id = f.content_id
    WHERE f.repository = %s"""
_SELECT_TABLE = """
    SELECT f.path, f.content_id, f.sum, c.id, c.language
    FROM treemill.files f LEFT JOIN treemill.contents c ON c.repository = f.repository AND c.id = f.content_id
    WHERE f.repository = %s AND f.content_id IS NOT NULL ORDER BY f.path"""
_SELECT_PARTS = f"""
    SELECT c.id, {_HEAD}, c.sum, b.postings, b.vectors, b.scan_sum
    FROM treemill.contents c LEFT JOIN treemill.bulk b USING (repository, id)
    WHERE c.repository = %s AND c.id > %s AND c.id <= %s ORDER BY c.id"""
_SELECT_SPELLED = _SELECT_PARTS.replace(
    "b.scan_sum\n", "b.scan_sum, b.ends, b.lines, b.symbols, b.text, b.body_sum\n", 1
)

_FETCHED = 500


def content_rows(repository: int, contents: Sequence[tuple[int, Content]]) -> tuple[shared.Rows, shared.Rows]:
    """Return the rows for `contents` and `bulk` of contents with their ids."""
    heads, bodies, scans = shared.content_rows(contents)
    bulk = [(repository, *body, *scan[1:]) for body, scan in zip(bodies, scans, strict=True)]
    return [(repository, *head) for head in heads], bulk


def storable(record: RecordedFile) -> RecordedFile:
    """Return a record whose texts the server takes: it has neither half characters nor zeros."""
    return record._replace(reason=_text(record.reason), detail=_text(record.detail))


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def read_content(connection: Connection, repository: int, content_id: int) -> Content | None:
    """Return a content without its postings and vectors, or None if there is none under that id.

    Raises:
        DamagedRow: it is not what was written.
    """
    row = query(connection, _SELECT_CONTENT, (repository, content_id)).fetchone()
    return None if row is None else shared.content_from(content_id, row)


def read_contents(connection: Connection, repository: int, content_ids: Sequence[int]) -> dict[int, Content]:
    """Return those contents that are there, without their postings and vectors, by id.

    Raises:
        DamagedRow: one is not what was written.
    """
    rows = query(connection, _SELECT_CONTENTS, (repository, list(content_ids))).fetchall()
    return {row[0]: shared.content_from(row[0], row[1:]) for row in rows}


def read_texts(connection: Connection, repository: int, content_ids: Sequence[int]) -> dict[int, tuple[str, bytes]]:
    """Return the encodings and texts of those contents that are there, by id.

    Raises:
        DamagedRow: one is not what was written.
    """
    rows = query(connection, _SELECT_TEXTS, (repository, list(content_ids))).fetchall()
    return {row[0]: text_from(row, lambda number: read_content(connection, repository, number)) for row in rows}


def read_wholes(connection: Connection, repository: int, content_ids: Sequence[int]) -> dict[int, Content]:
    """Return those contents that are there, with their postings and vectors, by id.

    Raises:
        DamagedRow: one is not what was written.
    """
    rows = query(connection, _SELECT_WHOLES, (repository, list(content_ids))).fetchall()
    return {row[0]: shared.whole_from(row[0], row[1:]) for row in rows}


def read_parts(
    connection: Connection, repository: int, after: int, last: int, *, dimension: int, spelled: bool = False
) -> Iterator[Part]:
    """Return what a segment takes from each content above `after` and up to `last`, in order.

    Their spellings, for which the texts are read, are worked out on request.

    Raises:
        DamagedRow: one is not what was written.
    """
    cursor = query(connection, _SELECT_SPELLED if spelled else _SELECT_PARTS, (repository, after, last))
    while rows := cursor.fetchmany(_FETCHED):
        for content_id, *row in rows:
            yield part_from(content_id, row, dimension=dimension)


def read_table(connection: Connection, repository: int) -> tuple[list[bytes], list[int], list[str | None]]:
    """Return the paths of all indexed files in the order of their bytes, the contents and the languages.

    Raises:
        DamagedRow: one is not what was written.
    """
    return shared.table_from(query(connection, _SELECT_TABLE, (repository,)).fetchall())


def read_files(connection: Connection, repository: int, within: Sequence[str] | None = None) -> list[RecordedFile]:
    """Return everything recorded (with `within`: at or below those paths), in the order of the paths' bytes."""
    if within is None or "" in within:
        rows = query(connection, f"{_SELECT_FILE} ORDER BY f.path", (repository,)).fetchall()
        return [shared.recorded_from(row) for row in rows]
    found = {}
    for path in map(path_bytes, within):
        # A slash is followed by a zero, so what lies below a folder is between its name with the one and the other.
        places = (repository, path, path + b"/", path + b"0")
        for row in query(connection, f"{_SELECT_FILE} AND (f.path = %s OR f.path > %s AND f.path < %s)", places):
            found[row[0]] = row
    return [shared.recorded_from(found[path]) for path in sorted(found)]


def read_file(connection: Connection, repository: int, path: str) -> RecordedFile | None:
    """Return what is recorded of a path, or None."""
    try:
        raw = path_bytes(path)
    except UnicodeEncodeError:
        return None
    row = query(connection, f"{_SELECT_FILE} AND f.path = %s", (repository, raw)).fetchone()
    return None if row is None else shared.recorded_from(row)


def read_run(connection: Connection, repository: int) -> RunRecord | None:
    """Return the newest run as it was recorded, or None."""
    row = query(
        connection,
        "SELECT started_ns, ended_ns, state, pid, known FROM treemill.runs WHERE repository = %s"
        " ORDER BY id DESC LIMIT 1",
        (repository,),
    ).fetchone()
    return None if row is None else shared.run_from(row)


def doubt_files(connection: Connection, repository: int) -> None:
    """Have no record prove any more that a file is unchanged. Inside a transaction."""
    found = query(
        connection,
        "SELECT path, content_id, size, stamp, changed_ns, seen_ns, status, reason, detail, sum FROM treemill.files"
        " WHERE repository = %s",
        (repository,),
    ).fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE treemill.files SET seen_ns = %s, sum = %s WHERE path = %b AND repository = %s",
            [(*row, repository) for row in shared.doubted(found)],
        )
