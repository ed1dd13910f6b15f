"""What the table of files says of a whole tree: read in bulk, and the same as row by row, or refused as that is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.contents import RECIPE, prepared
from treemill.records import PreparedFile, RecordedFile, RunState, Status
from treemill.storage import recorded, statements
from treemill.storage.connection import DamagedRow
from treemill.storage.ownership import data_folder
from treemill.storage.recorded import Foresight, read_recorded
from treemill.storage.rows import file_row, recorded_from_all
from treemill.storage.sqlite import SqliteStore

# Without the types that the index's own table insists on, which a flipped bit does not heed.
COLUMNS = "path, content_id, size, stamp, changed_ns, seen_ns, status, reason, detail, sum"
TABLE = f"CREATE TABLE files ({COLUMNS.replace('path', 'path BLOB PRIMARY KEY')}) WITHOUT ROWID"

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text("ab '\"\\,é\n\udc80\x00", max_size=5)
ROWS = st.lists(
    st.tuples(
        st.text("aé/,'\"\\\n\t\udcff", min_size=1, max_size=9),
        NUMBERS | st.integers(0, 9),
        *[NUMBERS] * 4,
        st.sampled_from([Status.INDEXED, Status.INDEXED, Status.SKIPPED, Status.FAILED]),
        st.sampled_from(["", "binary"]) | TEXTS,
        st.sampled_from(["", "it holds NUL bytes"]) | TEXTS,
    ),
    max_size=20,
    unique_by=lambda row: row[0],
)
ODD = st.none() | NUMBERS | st.floats(allow_nan=False) | st.text("a1,", max_size=3) | st.binary(max_size=3)


@contextmanager
def table(rows: list[tuple[Any, ...]]) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        for row in rows:
            connection.execute(f"INSERT INTO files VALUES ({', '.join('?' * 10)})", row)
        yield connection


def rows_of(drawn: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    made = []
    for path, content, size, stamp, changed, seen, status, reason, detail in drawn:
        numbers = {"size": size, "stamp": stamp, "changed_ns": changed, "seen_ns": seen}
        held = content if status is Status.INDEXED else None
        said = ("", "") if status is Status.INDEXED else (encodable(reason), encodable(detail))
        made.append(file_row(path, held, **numbers, status=status, reason=said[0], detail=said[1]))
    return made


def encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def one_by_one(connection: sqlite3.Connection) -> list[RecordedFile] | type[Exception]:
    rows = connection.execute(f"SELECT {COLUMNS}, content_id FROM files ORDER BY path").fetchall()
    try:
        return recorded_from_all(rows)
    except (DamagedRow, UnicodeDecodeError):
        return DamagedRow


def in_bulk(connection: sqlite3.Connection) -> list[RecordedFile] | type[Exception]:
    try:
        return list(read_recorded(connection))
    except (DamagedRow, UnicodeDecodeError):
        return DamagedRow


@pytest.mark.parametrize("together", [1, 3, 2_000])
@given(drawn=ROWS)
def test_all_rows_are_read_as_they_are_row_by_row(together: int, drawn: list[tuple[Any, ...]]) -> None:
    #  rows ─▶ columns, joined by SQLite ─▶ records ── as row ─▶ record
    with table(rows_of(drawn)) as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "_ROWS", together)
        expected = one_by_one(connection)
        assert in_bulk(connection) == expected
        assert expected is not DamagedRow
        patch.setattr(recorded, "_NATIVE", None)
        assert in_bulk(connection) == expected


def test_plain_rows_are_read_by_the_compiled_half(monkeypatch: pytest.MonkeyPatch) -> None:
    if recorded._NATIVE is None:
        pytest.skip("this installation has no compiled halves")
    plain = [(f"a/{n}.py", n, n, -n, 2**60 + n, 0, list(Status)[n % 3], "it's", "x, y") for n in range(1, 3_000)]
    rows = [row for row in rows_of(plain) if row[7] == ""]
    with table(rows) as connection:
        expected = one_by_one(connection)
        monkeypatch.setattr(recorded, "recorded_from_all", lambda rows: [])
        assert in_bulk(connection) == expected


@given(drawn=ROWS.filter(bool), place=st.integers(0, 19), column=st.sampled_from(COLUMNS.split(", ")), value=ODD)
@example(drawn=[("a", 1, 2, 3, 4, 5, Status.INDEXED, "", "")], place=0, column="size", value="2")
@example(drawn=[("a", 1, 2, 3, 4, 5, Status.INDEXED, "", "")], place=0, column="size", value="02")
@example(drawn=[("a", 1, 2, 3, 4, 5, Status.INDEXED, "", "")], place=0, column="content_id", value=None)
@example(drawn=[("a", 1, 2, 3, 4, 5, Status.SKIPPED, "", "")], place=0, column="content_id", value=1)
@example(drawn=[("a", 1, 2, 3, 4, 5, Status.INDEXED, "", "")], place=0, column="status", value=3)
@example(drawn=[("a", 1, 2, 3, 4, 5, Status.INDEXED, "", "")], place=0, column="path", value=b"b\0c")
def test_a_row_that_is_not_what_was_written_is_never_taken_for_one(
    drawn: list[tuple[Any, ...]], place: int, column: str, value: Any
) -> None:
    rows = rows_of(drawn)
    path = rows[place % len(rows)][0]
    with table(rows) as connection:
        before = one_by_one(connection)
        try:
            connection.execute(f"UPDATE files SET {column} = ? WHERE path = ?", (value, path))
        except sqlite3.IntegrityError:
            return  # another row has that path
        after = one_by_one(connection)
        got = in_bulk(connection)
        # A number that became the text of that number reads the same, and of an indexed file nothing more is said.
        harmless = isinstance(value, str) or column in ("reason", "detail")
        assert got == after or (got == before and harmless and after is DamagedRow)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state"))
    with SqliteStore(tmp_path / ".treemill", create=True) as store:
        put(store, "a.py", "b/c.py")
        yield store


def put(store: SqliteStore, *paths: str) -> None:
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert not writer.put([prepared(path, f"text of {path}\n") for path in paths])
        writer.end_run(RunState.COMPLETE)


def test_what_is_read_ahead_is_what_is_recorded(store: SqliteStore) -> None:
    expected = [record._replace(key=b"") for record in store.recorded()]
    assert [record.path for record in expected] == ["a.py", "b/c.py"]
    store.foresee()
    assert list(store.recorded(keys=False)) == expected
    assert list(store.recorded(keys=False)) == expected
    store.foresee()
    assert [record.path for record in store.recorded(["b"], keys=False)] == ["b/c.py"]
    store.foresee()
    assert all(record.key for record in store.recorded())


def test_what_is_committed_meanwhile_is_read_again(store: SqliteStore) -> None:
    #  foresee ─▶ commit ─▶ recorded ── of the new commit
    store.foresee()
    foresight = store._foresight
    assert foresight is not None
    assert foresight.records(store.generation()) is not None
    put(store, "d.py")
    assert foresight.records(store.generation()) is None
    assert [record.path for record in store.recorded(keys=False)] == ["a.py", "b/c.py", "d.py"]


def test_what_cannot_be_read_ahead_is_asked_for_again(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Foresight(tmp_path / "nowhere", b"x" * 16).records(1) is None
    data = data_folder(store.folder, store._reader.index_id())
    monkeypatch.setattr(recorded, "_MOST_FORESEEN", 0)
    assert Foresight(data, store._reader.index_id()).records(store.generation()) is None
    monkeypatch.setattr(recorded, "_MOST_FORESEEN", 50)
    with closing(sqlite3.connect(data / "index.db")) as connection, connection:
        connection.execute("UPDATE files SET size = size + 1")
    assert Foresight(data, store._reader.index_id()).records(store.generation()) is None


# Rows that go in together


def file_of(number: int, path: str | None = None) -> PreparedFile:
    return PreparedFile(path or f"p/{number:04}.py", number, 2**40 + number, b"%016d" % number, None, 2**50 - number)


@pytest.mark.parametrize("count", [0, 1, 2, 8, 9, 64, 65, 256, 257, 700])
def test_many_rows_go_in_with_few_statements_each_once(count: int) -> None:
    files = [file_of(number) for number in range(count)]
    contents = {file.key: number + 1 for number, file in enumerate(files)}
    with table([file_row("p/0001.py", 9, size=0, stamp=0, changed_ns=0, seen_ns=0)]) as connection:
        said: list[str] = []
        connection.set_trace_callback(said.append)
        statements.replace_alike(connection, files, contents, statements.Alike(77))
        connection.set_trace_callback(None)
        assert len([each for each in said if each.startswith("INSERT")]) == -(-count // 256)
        expected = [
            file_row(
                each.path, contents[each.key], size=each.size, stamp=each.stamp, changed_ns=each.changed_ns, seen_ns=77
            )
            for each in files
        ]
        kept = [] if count > 1 else [file_row("p/0001.py", 9, size=0, stamp=0, changed_ns=0, seen_ns=0)]
        found = connection.execute("SELECT * FROM files ORDER BY path").fetchall()
        assert found == sorted(expected + kept)


@given(st.lists(st.tuples(st.sampled_from(Status), TEXTS, TEXTS), max_size=12))
def test_files_of_which_something_is_said_go_in_with_it(drawn: list[tuple[Status, str, str]]) -> None:
    records = [
        RecordedFile(f"{place}.py", place, 1, b"", 5 + place % 2, status, encodable(reason), encodable(detail), 3)
        for place, (status, reason, detail) in enumerate(drawn)
        if status is not Status.INDEXED
    ]
    with table([]) as connection:
        statements.replace_files(connection, records)
        found = recorded_from_all(
            connection.execute(f"SELECT {COLUMNS}, content_id FROM files ORDER BY path").fetchall()
        )
    assert found == sorted(records, key=lambda record: os.fsencode(record.path))


def test_ids_are_those_of_their_keys_also_where_all_are_read() -> None:
    keys = [bytes([number % 3, 0, 255, number // 256, number % 256]) + b"\0" * 11 for number in range(600)]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE contents (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE)")
        connection.executemany("INSERT INTO contents (key) VALUES (?)", [(key,) for key in keys])
        expected = dict(connection.execute("SELECT key, id FROM contents"))
        held = statements.HeldIds(connection)
        assert held.of({keys[7], b"x" * 16}) == {keys[7]: expected[keys[7]]}
        assert held.of(set(keys)) == expected
        assert held.of({b"x" * 16}) == {}
        assert statements.HeldIds(connection).of(set(keys)).keys() >= set(keys)
        connection.execute("UPDATE contents SET key = x'00' WHERE id = 3")
        with pytest.raises(DamagedRow):
            statements.HeldIds(connection).of(set(keys))
