"""What a writer clears away: contents that no file has, once enough files have changed for a search to be worth it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from support.contents import RECIPE, key_of, prepared
from treemill.errors import StorageError
from treemill.records import RunState
from treemill.storage.connection import open_database
from treemill.storage.examining import examine
from treemill.storage.garbage import GarbageLimits
from treemill.storage.housekeeping import Layouts
from treemill.storage.segment_files import read_segment_files
from treemill.storage.segments import spellings, write_segment
from treemill.storage.sqlite import SqliteStore
from treemill.storage.sqlite_writer import SqliteWriter

AT_ONCE = GarbageLimits(days=0, share=0, floor_bytes=0)


def put(store: SqliteStore, *texts: tuple[str, str]) -> None:
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert not writer.put([prepared(path, text) for path, text in texts])
        writer.end_run(RunState.COMPLETE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / ".treemill"


def test_in_a_small_tree_what_no_file_has_is_collected_by_the_run_that_left_it(folder: Path) -> None:
    with SqliteStore(folder, create=True, garbage=AT_ONCE) as store:
        put(store, ("a.py", "one\n"), ("b.py", "two\n"))
        put(store, ("a.py", "three\n"))
        assert not store.lookup().known(key_of("one\n"))


def test_in_a_large_tree_it_is_collected_when_a_hundredth_of_the_files_has_changed(folder: Path) -> None:
    with SqliteStore(folder, create=True, garbage=AT_ONCE) as store:
        put(store, *((f"{number}.py", f"word{number}\n") for number in range(400)))
        for number in range(3):
            put(store, (f"{number}.py", f"other{number}\n"))
            assert store.lookup().known(key_of("word0\n"))
        for number in range(3, 6):
            put(store, (f"{number}.py", f"other{number}\n"))
        assert not any(store.lookup().known(key_of(f"word{number}\n")) for number in range(4))
        assert store.lookup().known(key_of("word399\n"))


def test_a_content_that_came_back_before_it_was_collected_stays(folder: Path) -> None:
    with SqliteStore(folder, create=True, garbage=GarbageLimits(days=0, share=100)) as store:
        put(store, *((f"{number}.py", f"word{number}\n") for number in range(20)))
        put(store, ("0.py", "other\n"))
        put(store, ("0.py", "word0\n"), *((f"{number}.py", f"more{number}\n") for number in range(1, 20)))
        assert store.lookup().known(key_of("word0\n"))


def test_segments_know_the_words_of_their_contents_and_learn_them_again_where_a_file_is_lost(folder: Path) -> None:
    texts = [(f"{number}.py", f"word{number} common\n") for number in range(150)]
    with SqliteStore(folder, create=True) as store:
        put(store, *texts)
        assert words_of(store) == {b"common", *(b"word%d" % number for number in range(150))}
        for path in folder.rglob("*.segment"):
            path.unlink()
        put(store, *texts[:1])
        assert words_of(store) == {b"common", *(b"word%d" % number for number in range(150))}


def test_words_of_what_has_died_are_forgotten_with_it(folder: Path) -> None:
    with SqliteStore(folder, create=True, garbage=AT_ONCE) as store:
        put(store, *((f"{number}.py", f"word{number} common\n") for number in range(150)))
        put(store, *((f"{number}.py", f"other{number} common\n") for number in range(110)))
        living = {b"common", *(b"other%d" % number for number in range(110)), *(b"word%d" % n for n in range(110, 150))}
        assert words_of(store) == living


def test_a_small_segment_from_before_such_were_squeezed_stays_in_use_and_merges(folder: Path) -> None:
    texts = [(f"{number}.py", f"word{number} common\n") for number in range(150)]
    with SqliteStore(folder, create=True) as store:
        put(store, *texts)
        [squeezed] = folder.rglob("*.segment")
        before = kept_plainly(store, squeezed)
        put(store, *texts[:1])
        assert [*folder.rglob("*.segment")] == [before]
        assert words_of(store) == {b"common", *(b"word%d" % number for number in range(150))}
        put(store, *((f"more{number}.py", f"more{number} common\n") for number in range(150)))
        assert len(words_of(store)) == 301
        assert [finding for finding in examine(folder) if finding.subject == "segments"] == []


def kept_plainly(store: SqliteStore, file: Path) -> Path:
    """Bring the only segment of an index into the form that all had once; return its file."""
    data, index_id = file.parent, bytes.fromhex(file.parent.name)
    with contextlib.closing(open_database(data, index_id, writable=True)) as connection, store.snapshot() as snapshot:
        [found], [segment] = read_segment_files(connection), snapshot.segments()
        place = {"after": found.after, "last_id": found.last_id}
        plain = write_segment(data, segment, index_id=index_id, squeezed_chunks=0, **place)
        assert plain.size > found.size
        connection.execute(
            "UPDATE segments SET name = ?, bytes = ?, checksum = ?", (plain.name, plain.size, plain.checksum)
        )
    file.unlink()
    return data / plain.name


def words_of(store: SqliteStore) -> set[bytes]:
    """Return the words of the only segment, which has them of all its contents."""
    with store.snapshot() as snapshot:
        [segment] = snapshot.segments()
        assert segment.spelled.all()
        return set(spellings(segment).split())


def test_what_is_committed_waits_for_the_disk_but_not_that_a_run_began_or_ended(folder: Path) -> None:
    #  begin ─▶ commit ─▶ end ── the disk is waited for (FULL) by every commit of files
    said: list[str] = []
    with SqliteStore(folder, create=True) as store:
        put(store, ("a.py", "one\n"))
        with store.writer() as writer:
            writer._connection.set_trace_callback(said.append)
            writer.begin_run(RECIPE)
            assert not writer.put([prepared("b.py", "two\n")])
            writer.commit()
            writer.end_run(RunState.COMPLETE)
            writer._connection.set_trace_callback(None)
            assert writer._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        levels = [each.split()[-1] for each in said if each.startswith(("PRAGMA synchronous", "COMMIT"))]
        assert levels == ["NORMAL", "COMMIT", "FULL", "COMMIT", "NORMAL", "COMMIT", "FULL"]


def test_files_that_are_put_and_not_committed_wait_for_the_disk_with_the_end_of_the_run(folder: Path) -> None:
    said: list[str] = []
    with SqliteStore(folder, create=True) as store, store.writer() as writer:
        writer.begin_run(RECIPE)
        assert not writer.put([prepared("b.py", "two\n")])
        writer._connection.set_trace_callback(said.append)
        writer.end_run(RunState.COMPLETE)
        writer._connection.set_trace_callback(None)
    assert not [each for each in said if each.startswith("PRAGMA synchronous")]


def test_what_cannot_be_written_back_beside_is_tried_again_and_the_lease_is_given_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def failing(writer: SqliteWriter) -> None:
        tried.append("once")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(SqliteWriter, "_write_back", failing)
    with SqliteStore(folder, create=True) as store:
        put(store, ("a.py", "one\n"))
        put(store, ("b.py", "two\n"))
        assert tried == ["once", "once"]
        monkeypatch.setattr(Layouts, "tidy", lambda *given, **named: failing(given[0]))
        with pytest.raises(StorageError, match="disk I/O error"):
            put(store, ("c.py", "three\n"))
        assert store.locked() is None
        with store.snapshot() as snapshot:
            assert [os.fsdecode(path) for path in snapshot.files().paths] == ["a.py", "b.py", "c.py"]
