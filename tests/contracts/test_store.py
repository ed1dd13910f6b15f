"""What every store owes: one suite, run over each.

To enrol a store, write a class that opens it afresh (`StoreMaker`) and name it in `STORES`.
"""

from __future__ import annotations

import os
import pickle
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from support.contents import RECIPE, VECTORS, broken, expected, key_of, prepared, shown
from support.postgres_server import PostgresServer
from treemill.errors import IndexLocked, IndexMismatch, IndexMissing
from treemill.indexing import index_tree
from treemill.records import PreparedFile, Recipe, RecordedFile, RunState, Status
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage import IndexStore, KeyLookup
from treemill.storage.memory import MemoryStore
from treemill.storage.sqlite import SqliteStore


class StoreMaker(Protocol):
    """Opens one index as often as it is asked."""

    def __init__(self, folder: Path) -> None: ...

    def open(self) -> IndexStore: ...


class SqliteMaker:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".treemill"

    def open(self) -> IndexStore:
        return SqliteStore(self._folder, create=True)


class MemoryMaker:
    def __init__(self, folder: Path) -> None:
        self._store = MemoryStore()

    def open(self) -> IndexStore:
        return self._store


class PostgresMaker:
    """A repository of its own in a database that the repositories of all these tests share."""

    def __init__(self, folder: Path) -> None:
        self._name = str(folder)
        self.url = ""

    def open(self) -> IndexStore:
        store: IndexStore = import_module("treemill.storage.postgres.store").PostgresStore(
            self.url, self._name, create=True
        )
        return store


STORES: dict[str, type[StoreMaker]] = {"sqlite": SqliteMaker, "memory": MemoryMaker, "postgres": PostgresMaker}


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> str:
    """Make a database on the session's server; return its URL."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture(params=STORES)
def maker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreMaker:
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state"))
    made = STORES[request.param](tmp_path)
    if isinstance(made, PostgresMaker):
        made.url = request.getfixturevalue("database")
    return made


@pytest.fixture
def store(maker: StoreMaker) -> Iterator[IndexStore]:
    with maker.open() as store:
        yield store


def put(store: IndexStore, *files: PreparedFile, recipe: Recipe = RECIPE, state: RunState = RunState.COMPLETE) -> None:
    """Index these files in a run of their own."""
    with store.writer() as writer:
        writer.begin_run(recipe)
        writer.set_known(len(files))
        assert not writer.put(files)
        writer.end_run(state)


def skipped(path: str, reason: str = "binary", status: Status = Status.SKIPPED) -> RecordedFile:
    return RecordedFile(path, 5, 6, b"", 7, status, reason, "a detail")


def test_what_is_recorded_can_be_asked_for_in_parts(store):
    names = ["a", "a!b", "a-b/c", "a/b", "a/b/c", "a0", "b/a", "é/ü"]
    put(store, *(prepared(name, name) for name in names))
    for within in ([], [""], ["a"], ["a/b"], ["a/b", "a"], ["b", "é", "none"], ["a/b/c", "a!b"]):
        below = [name for name in names if any(not top or f"{name}/".startswith(f"{top}/") for top in within)]
        assert [each.path for each in store.recorded(within)] == sorted(below, key=os.fsencode)


# ── an empty store ──


def test_an_empty_store_holds_nothing_and_says_so(store):
    assert store.recipe() is None
    assert store.last_run() is None
    assert store.generation() == 0
    assert list(store.recorded()) == []
    assert not store.lookup().known(key_of("a"))


def test_there_is_no_snapshot_of_an_empty_store_and_the_error_names_the_command(store):
    with pytest.raises(IndexMissing, match="treemill index"):
        store.snapshot()


def test_an_index_of_no_files_answers_with_nothing(store):
    put(store)
    with store.snapshot() as snapshot:
        assert list(snapshot.files().paths) == []
        assert list(snapshot.segments()) == []
        assert snapshot.coverage().complete


# ── files ──


def test_committed_files_come_back_whole(store):
    texts = {"a.py": "def alpha\n  beta beta\n", "sub/b.py": "gamma\n", "c.txt": "delta alpha\n\nend"}
    put(store, *(prepared(path, text) for path, text in texts.items()))
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {path: expected(text) for path, text in texts.items()}


def test_everything_of_a_content_but_postings_and_vectors_comes_back_by_its_id(store):
    file = prepared("a.py", "one two\nthree\n")
    put(store, file)
    with store.snapshot() as snapshot:
        content = snapshot.content(int(snapshot.files().contents[0]))
    assert (content.postings, content.vectors) == (b"", b"")
    assert content.key == file.key
    assert [getattr(content, name) for name in ("ends", "lines", "lengths", "symbols", "text", "size")] == [
        getattr(file.content, name) for name in ("ends", "lines", "lengths", "symbols", "text", "size")
    ]


def test_whole_contents_come_in_the_order_in_which_they_are_asked_for(store):
    files = [prepared(f"{number:03}.py", f"word{number} again{number}\n") for number in range(70)]
    put(store, *files)
    with store.snapshot() as snapshot:
        ids = snapshot.files().contents.tolist()[::-1]
        assert list(snapshot.wholes(ids)) == [file.content for file in reversed(files)]
        assert snapshot.contents(ids) == [snapshot.content(content_id) for content_id in ids]
        with pytest.raises(KeyError):
            snapshot.contents([ids[0], 10_000])
        with pytest.raises(KeyError):
            list(snapshot.wholes([*ids, 10_000]))


def test_an_unknown_content_is_a_key_error(store):
    put(store, prepared("a.py", "one"))
    with store.snapshot() as snapshot:
        [known] = snapshot.files().contents.tolist()
        with pytest.raises(KeyError):
            snapshot.content(10_000)
        with pytest.raises(KeyError):
            snapshot.texts([known, 10_000])


def test_texts_come_in_the_order_in_which_they_are_asked_for(store):
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"))
    with store.snapshot() as snapshot:
        first, second = snapshot.files().contents.tolist()
        found = [(encoding, zlib.decompress(text)) for encoding, text in snapshot.texts([second, first, second])]
    assert found == [("utf-8", b"two\n"), ("utf-8", b"one\n"), ("utf-8", b"two\n")]


def test_a_pattern_finds_its_files_by_the_words_in_segments(store, tree):
    files = {f"{number:03}.py": f"def get_user{number}_name(): ...\n" for number in range(300)}
    inline = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
    index_tree(tree(files), store, inline)
    with store.snapshot() as snapshot:
        assert all(segment.spelled.all() for segment in snapshot.segments())
    with Index(store) as index:
        found = [hit.path for hit in index.search(r"user29\d_na", mode="regex", limit=50)]
    assert found == [f"29{number}.py" for number in range(10)]


def test_a_file_without_chunks_is_indexed_and_has_none(store):
    put(store, prepared("empty.py", ""), prepared("a.py", "one\n"))
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("one\n"), "empty.py": expected("")}


def test_a_replaced_file_is_seen_in_its_new_version_only(store):
    put(store, prepared("a.py", "old words\n"), prepared("b.py", "stays\n"))
    put(store, prepared("a.py", "new\n"))
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("new\n"), "b.py": expected("stays\n")}


def test_of_two_versions_in_one_batch_the_later_one_counts(store):
    put(store, prepared("a.py", "first\n"), prepared("a.py", "second\n"))
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("second\n")}


def test_equal_files_share_one_content_and_are_both_found(store):
    put(store, prepared("a.py", "same\n"), prepared("b.py", "same\n"))
    put(store, prepared("c.py", "same\n"))
    with store.snapshot() as snapshot:
        assert list(snapshot.files().paths) == ["a.py", "b.py", "c.py"]
        assert len(set(snapshot.files().contents.tolist())) == 1
        assert snapshot.coverage().chunks == 3


def test_a_moved_file_is_put_without_its_content(store):
    put(store, prepared("a.py", "moves\n"))
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert not writer.put([prepared("b.py", "moves\n", known=True)])
        assert writer.remove(["a.py"]) == 1
        writer.end_run(RunState.COMPLETE)
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"b.py": expected("moves\n")}


def test_names_that_are_not_utf_8_survive(store):
    name = os.fsdecode(b"caf\xe9/\xff.py")
    put(store, prepared(name, "one\n"))
    with store.snapshot() as snapshot:
        assert list(snapshot.files().paths) == [name]
        assert snapshot.file(name) is not None
    assert [record.path for record in store.recorded()] == [name]


def test_files_are_in_the_order_of_their_bytes(store):
    names = ["a.py", "a/b.py", "B.py", "ä.py", "\U0001f600.py", "\ue000.py", os.fsdecode(b"\xf1.py"), "z"]
    put(store, *(prepared(name, f"{number}\n") for number, name in enumerate(names)))
    with store.snapshot() as snapshot:
        assert list(snapshot.files().paths) == sorted(names, key=os.fsencode)
    assert [record.path for record in store.recorded()] == sorted(names, key=os.fsencode)


def test_each_file_has_the_language_of_its_content(store):
    put(store, prepared("a.py", "one\n"), prepared("b", "two\n", language=None), prepared("c", "one\n", language="go"))
    with store.snapshot() as snapshot:
        assert list(snapshot.files().languages) == ["python", None, "go"]


def test_vectors_come_back_a_row_a_chunk(store):
    put(
        store,
        prepared("a.py", "one\ntwo three\n", dimension=4),
        prepared("b.py", "four\n", dimension=4),
        recipe=VECTORS,
    )
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {
            "a.py": expected("one\ntwo three\n", dimension=4),
            "b.py": expected("four\n", dimension=4),
        }
        assert snapshot.coverage().vectors == 3


def test_a_content_without_vectors_has_zeros_where_others_have_some(store):
    put(store, prepared("a.py", "one\n", dimension=4), prepared("b.py", "two\n"), recipe=VECTORS)
    with store.snapshot() as snapshot:
        assert shown(snapshot)["b.py"].vectors == [[0, 0, 0, 0]]
        assert snapshot.coverage().vectors == 1


# ── a file that cannot be written ──

BROKEN = {
    "postings cut short": {"postings": b"\x02\0\0\0\x01"},
    "postings of a chunk that is not there": {"chunk_count": 1, "lengths": b"\1\0"},
    "lengths of another file": {"lengths": b"\0\0"},
    "vectors where the recipe has none": {"vectors": b"\0" * 8},
    "another key": {"key": b"\0" * 16},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_written_fails_alone_and_leaves_no_trace(store, changes):
    bad = broken("bad.py", "one two\ntwo three\n", **changes)
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        failures = writer.put([prepared("a.py", "alpha\n"), bad, prepared("b.py", "beta\n")])
        writer.end_run(RunState.COMPLETE)
    assert [(failure.path, failure.stage) for failure in failures] == [("bad.py", "write")]
    assert failures[0].message
    assert failures[0].error_type
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("alpha\n"), "b.py": expected("beta\n")}
    assert not store.lookup().known(key_of("one two\ntwo three\n"))


def test_a_file_whose_content_was_left_out_though_not_held_fails_alone(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        failures = writer.put([prepared("a.py", "alpha\n", known=True), prepared("b.py", "beta\n")])
        writer.end_run(RunState.COMPLETE)
    assert [failure.path for failure in failures] == ["a.py"]
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"b.py": expected("beta\n")}


def test_a_file_that_fails_keeps_the_version_it_had(store):
    put(store, prepared("a.py", "good\n"))
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert writer.put([broken("a.py", "bad\n", lengths=b"")])
        writer.end_run(RunState.COMPLETE)
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("good\n")}


# ── what is recorded ──


def test_what_is_skipped_or_failed_is_recorded_with_its_reason_and_is_no_longer_indexed(store):
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"), prepared("c.py", "three\n"))
    failed = skipped("b.py", "ParseError", Status.FAILED)
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.mark([skipped("a.py"), failed, skipped("new.bin")])
        writer.end_run(RunState.COMPLETE)
    with store.snapshot() as snapshot:
        assert list(snapshot.files().paths) == ["c.py"]
        assert snapshot.file("a.py") == skipped("a.py")
        assert snapshot.file("b.py") == failed
        assert snapshot.file("no.py") is None
    assert [(record.path, record.status) for record in store.recorded()] == [
        ("a.py", Status.SKIPPED),
        ("b.py", Status.FAILED),
        ("c.py", Status.INDEXED),
        ("new.bin", Status.SKIPPED),
    ]


def test_an_indexed_file_is_recorded_as_it_was_read_and_seen_no_later_than_that(store):
    file = prepared("a.py", "one\n")
    before = 1_000
    put(store, file)
    (record,) = store.recorded()
    assert (record.path, record.size, record.stamp, record.key) == ("a.py", file.size, file.stamp, file.key)
    assert record.status is Status.INDEXED
    run = store.last_run()
    assert run is not None
    assert before < record.seen_ns <= run.started_ns


def test_a_path_that_is_marked_can_be_indexed_again(store):
    put(store)
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.mark([skipped("a.py")])
        writer.put([prepared("a.py", "now it can be read\n")])
        writer.end_run(RunState.COMPLETE)
    (record,) = store.recorded()
    assert (record.status, record.reason, record.detail) == (Status.INDEXED, "", "")


def test_removing_paths_counts_those_that_were_recorded(store):
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"))
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert writer.remove(["a.py", "never.py"]) == 1
        assert writer.remove([]) == 0
        writer.end_run(RunState.COMPLETE)
    assert [record.path for record in store.recorded()] == ["b.py"]


# ── commits ──


def test_what_is_not_committed_is_seen_by_nobody(maker, store):
    put(store, prepared("a.py", "one\n"))
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared("a.py", "changed\n"), prepared("b.py", "two\n")])
        with maker.open() as other, other.snapshot() as snapshot:
            assert shown(snapshot) == {"a.py": expected("one\n")}
            assert not other.lookup().known(key_of("two\n"))
        writer.commit()
        with maker.open() as other, other.snapshot() as snapshot:
            assert shown(snapshot) == {"a.py": expected("changed\n"), "b.py": expected("two\n")}


def test_leaving_the_writer_rolls_back_to_the_last_commit(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared("a.py", "one\n")])
        writer.commit()
        writer.put([prepared("b.py", "two\n")])
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("one\n")}


def test_a_writer_goes_on_after_a_rollback(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared("a.py", "one\n"), prepared("b.py", "two\n")])
        writer.rollback()
        writer.put([prepared("b.py", "two\n")])
        writer.rollback()
        writer.put([prepared("b.py", "two\n"), prepared("c.py", "three\n")])
        writer.end_run(RunState.COMPLETE)
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"b.py": expected("two\n"), "c.py": expected("three\n")}


def test_the_generation_grows_with_every_commit_and_only_then(store):
    generations = [store.generation()]
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        generations.append(store.generation())
        for number in range(3):
            writer.put([prepared("a.py", f"{number}\n")])
            generations.append(writer.commit())
            assert store.generation() == generations[-1]
        assert writer.commit() == generations[-1]
        writer.put([prepared("a.py", "gone\n")])
        writer.rollback()
        assert store.generation() == generations[-1]
    assert generations == sorted(set(generations))
    with store.snapshot() as snapshot:
        assert snapshot.generation == store.generation()


def test_end_run_commits_what_is_left(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared("a.py", "one\n")])
        writer.end_run(RunState.INTERRUPTED)
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("one\n")}


def test_records_without_their_keys_are_the_same_otherwise(store):
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"))
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.mark([RecordedFile("c.bin", 3, 4, b"", 5, Status.SKIPPED, "binary", "it holds NUL bytes", 6)])
        writer.end_run(RunState.COMPLETE)
    whole = list(store.recorded())
    without = list(store.recorded(keys=False))
    assert [record._replace(key=b"") for record in without] == [record._replace(key=b"") for record in whole]
    assert all(some.key in (b"", one.key) for some, one in zip(without, whole, strict=True))


def test_what_is_removed_may_stand_in_a_row_or_among_others(store):
    #  old/000 … old/699 ── all gone    new/000 … ── every other one    and some that were never there
    old, new = ([f"{folder}/{number:03}.py" for number in range(700)] for folder in ("old", "new"))
    put(store, *(prepared(path, f"word{path[4:7]}\n") for path in [*old, *new, "old/0"]))
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert writer.remove([*old[::-1], *new[::2], "old/000.p", "old/350.pyx", old[3]]) == 700 + 350
        writer.end_run(RunState.COMPLETE)
    assert [record.path for record in store.recorded()] == [*new[1::2], "old/0"]


def test_a_writer_answers_for_many_keys_at_once(store):
    put(store, *(prepared(f"{number}.py", f"word{number}\n") for number in range(700)))
    held, strange = [key_of(f"word{number}\n") for number in range(700)], [key_of("another\n"), b""]
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert writer.known_of([*held, *strange]) == set(held)
        writer.put([prepared("another.py", "another\n")])
        assert writer.known_of([*held[:1], *strange]) == {held[0], strange[0]}
        assert writer.known_of([]) == set()
        writer.rollback()
        assert writer.known_of(strange) == set()


# ── moments ──


def test_a_snapshot_sees_one_moment_whatever_is_written_and_collected_meanwhile(store):
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"))
    with store.snapshot() as snapshot:
        for number in range(3):
            put(store, prepared("a.py", f"version {number}\n"), prepared(f"{number}.py", "more\n"))
        with store.writer() as writer:
            writer.begin_run(RECIPE)
            writer.remove(["b.py"])
            writer.end_run(RunState.COMPLETE)
        assert shown(snapshot) == {"a.py": expected("one\n"), "b.py": expected("two\n")}
        assert snapshot.coverage().searchable == 2
        assert snapshot.file("0.py") is None
        assert snapshot.generation < store.generation()


def test_tables_and_segments_outlive_their_snapshot(store):
    put(store, prepared("a.py", "one two\n"))
    with store.snapshot() as snapshot:
        table, segments = snapshot.files(), snapshot.segments()
    assert list(table.paths) == ["a.py"]
    assert [len(segment.terms) for segment in segments] == [2]


def test_many_threads_use_one_snapshot(store):
    put(store, *(prepared(f"{number}.py", f"word{number} shared\n") for number in range(50)))
    wrong: list[object] = []

    def read() -> None:
        for number in range(50):
            record = snapshot.file(f"{number}.py")
            content = snapshot.content(int(snapshot.files().contents[number]))
            if record is None or len(snapshot.segments()) != 1 or content.chunk_count != 1:
                wrong.append(number)

    with store.snapshot() as snapshot:
        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_an_id_is_never_given_to_another_content(store):
    seen: dict[int, bytes] = {}
    for number in range(6):
        put(store, prepared("a.py", f"version {number}\n"))
        with store.writer() as writer:
            writer.begin_run(RECIPE)
            writer.put([prepared("b.py", f"rolled back {number}\n")])
        with store.snapshot() as snapshot:
            content_id = int(snapshot.files().contents[0])
            assert seen.setdefault(content_id, snapshot.content(content_id).key) == snapshot.content(content_id).key
    assert len(seen) == 6


# ── runs, coverage, recipe ──


def test_the_first_run_gives_the_store_its_recipe(store):
    put(store, recipe=VECTORS)
    assert store.recipe() == VECTORS
    with store.snapshot() as snapshot:
        assert snapshot.recipe == VECTORS


def test_a_run_with_another_recipe_is_refused_and_the_command_named(store):
    put(store, prepared("a.py", "one\n"))
    with store.writer() as writer, pytest.raises(IndexMismatch, match="treemill index --rebuild"):
        writer.begin_run(VECTORS)
    assert store.recipe() == RECIPE
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("one\n")}


def test_a_later_version_of_the_chunker_takes_the_store_over_and_every_file_is_to_be_cut_again(store):
    before, after = (replace(RECIPE, chunker=f"treemill-chunker-{version} 1800b") for version in (9, 10))
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"), recipe=before)
    (seen, _) = (each.seen_ns for each in store.recorded())
    assert seen > 0
    with store.writer() as writer:
        writer.begin_run(after)
        writer.end_run(RunState.INTERRUPTED)
    assert store.recipe() == after
    assert [(each.path, each.seen_ns) for each in store.recorded()] == [("a.py", 0), ("b.py", 0)]
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("one\n"), "b.py": expected("two\n")}
    put(store, prepared("a.py", "one\n"), recipe=after)
    assert [each.seen_ns > 0 for each in store.recorded()] == [True, False]
    for other in (before, replace(after, chunker="treemill-chunker-11 900b"), replace(after, words="words-0")):
        with store.writer() as writer, pytest.raises(IndexMismatch, match="treemill index --rebuild"):
            writer.begin_run(other)


def test_the_newest_run_tells_how_it_stands(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        run = store.last_run()
        assert run is not None
        assert (run.state, run.pid, run.ended_ns) == (RunState.RUNNING, os.getpid(), 0)
        writer.set_known(7)
        writer.end_run(RunState.COMPLETE)
    run = store.last_run()
    assert run is not None
    assert (run.state, run.known) == (RunState.COMPLETE, 7)
    assert run.ended_ns >= run.started_ns


def test_a_run_that_never_ended_is_interrupted_once_its_writer_is_gone(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
    run = store.last_run()
    assert run is not None
    assert run.state is RunState.INTERRUPTED
    with store.snapshot() as snapshot:
        assert not snapshot.coverage().complete


def test_coverage_counts_what_can_be_searched_and_names_the_writer(store):
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.set_known(5)
        writer.put([prepared("a.py", "one\ntwo\n"), prepared("b.py", "three\n")])
        writer.mark([skipped("c.bin"), skipped("d.py", "ParseError", Status.FAILED)])
        writer.commit()
        with store.snapshot() as snapshot:
            coverage = snapshot.coverage()
        assert (coverage.searchable, coverage.known, coverage.chunks) == (2, 5, 3)
        assert (coverage.skipped, coverage.failed, coverage.complete) == (1, 1, False)
        assert coverage.writer_pid == os.getpid()
        assert coverage.refreshed_ns > 0
        writer.remove(["d.py"])
        writer.end_run(RunState.COMPLETE)
    with store.snapshot() as snapshot:
        assert snapshot.coverage().complete
        assert snapshot.coverage().writer_pid is None


# ── the lease ──


def test_a_second_writer_is_refused_and_told_who_writes(maker, store):
    with store.writer(), maker.open() as other, pytest.raises(IndexLocked) as refused:
        other.writer()
    assert refused.value.pid == os.getpid()
    with store.writer():
        pass


def test_a_second_writer_waits_as_long_as_it_is_told(maker, store):
    writer = store.writer()
    timer = threading.Timer(0.2, writer.close)
    timer.start()
    with maker.open() as other, other.writer(wait_seconds=10):
        pass
    timer.join()


def test_closing_a_writer_twice_is_fine_and_does_not_free_the_lease_of_the_next(store):
    first = store.writer()
    first.close()
    with store.writer():
        first.close()
        with pytest.raises(IndexLocked):
            store.writer()


# ── lookups ──


def test_a_lookup_knows_what_is_committed_also_when_it_has_been_pickled(store):
    put(store, prepared("a.py", "one\n"))
    in_a_worker = pickle.loads(pickle.dumps(store.lookup()))  # noqa: S301
    for lookup in (store.lookup(), in_a_worker):
        assert isinstance(lookup, KeyLookup)
        assert lookup.known(key_of("one\n"))
        assert not lookup.known(key_of("two\n"))


def test_what_a_lookup_knows_can_be_put_without_content_until_the_run_ends(store):
    put(store, prepared("a.py", "one\n"))
    lookup = store.lookup()
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.remove(["a.py"])
        writer.commit()
        assert lookup.known(key_of("one\n"))
        assert not writer.put([prepared("b.py", "one\n", known=True)])
        writer.end_run(RunState.COMPLETE)
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"b.py": expected("one\n")}


# ── many files, many runs ──


def test_after_many_runs_every_file_is_scanned_exactly_once(store):
    texts = {f"{number:03}.py": f"shared word{number % 7}\nunique{number}\n" for number in range(150)}
    paths = list(texts)
    for start in range(0, 150, 30):
        put(store, *(prepared(path, texts[path]) for path in paths[start : start + 30]))
        changed = paths[start // 2]
        texts[changed] = f"rewritten in run {start}\n"
        put(store, prepared(changed, texts[changed]))
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {path: expected(text) for path, text in texts.items()}
        used = np.unique(snapshot.files().contents)
        scanned = np.concatenate([segment.contents for segment in snapshot.segments()])
        assert np.isin(used, scanned).all()


def test_a_store_opened_again_is_the_same(maker, store):
    put(store, prepared("a.py", "one\n"), prepared("b.py", "two\n"))
    before = list(store.recorded())
    store.close()
    with maker.open() as again:
        assert list(again.recorded()) == before
        assert again.recipe() == RECIPE
        with again.snapshot() as snapshot:
            assert shown(snapshot) == {"a.py": expected("one\n"), "b.py": expected("two\n")}
    store.close()
