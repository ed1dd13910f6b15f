"""A rebuild beside the old index: that answers until the new one is whole, and is what stays if it never is."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conftest import Tree
from support.contents import RECIPE, expected, prepared, shown
from treemill.errors import EmbeddingError, IndexLocked
from treemill.rebuilding import rebuilt
from treemill.records import Coverage, RunState
from treemill.reports import IndexReport, ProcessingStats
from treemill.storage import IndexStore
from treemill.storage.location import locate
from treemill.storage.sqlite import SqliteStore
from treemill.types import Failure


def filled(
    store: IndexStore, files: dict[str, str], failures: tuple[Failure, ...] = (), *, cancelled: bool = False
) -> IndexReport:
    """Put files into a store, and return a report of the run."""
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared(path, text) for path, text in files.items()])
        writer.end_run(RunState.COMPLETE)
    stats = ProcessingStats(submitted_files=len(files) + len(failures), cancelled=cancelled)
    return IndexReport("", stats, Coverage(len(files), len(files), complete=True), RECIPE, failures=failures)


@pytest.fixture
def folder(tree: Tree) -> Path:
    """The folder of an index that holds a.py, "old"."""
    place = locate(tree({"a.py": "old\n"}))
    with SqliteStore(place, create=True) as store:
        filled(store, {"a.py": "old\n"})
    return place


def held(folder: Path) -> dict[str, object]:
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        return dict(shown(snapshot))


OLD, NEW = {"a.py": expected("old\n")}, {"a.py": expected("new\n"), "b.py": expected("b\n")}
NEW_FILES = {"a.py": "new\n", "b.py": "b\n"}


def folders_in(folder: Path) -> int:
    return sum(path.is_dir() for path in folder.iterdir())


def test_the_old_index_answers_until_the_new_one_is_whole(folder: Path) -> None:
    seen = []

    def build(store: IndexStore) -> IndexReport:
        report = filled(store, NEW_FILES)
        seen.append(held(folder))
        return report

    rebuilt(folder, build)
    assert seen == [OLD]
    assert held(folder) == NEW
    assert folders_in(folder) == 1


def test_who_has_the_index_open_goes_on_with_the_new_one_and_keeps_the_moment_it_reads(folder: Path) -> None:
    with SqliteStore(folder) as store, store.snapshot() as before:
        generation = store.generation()
        rebuilt(folder, lambda beside: filled(beside, NEW_FILES))
        assert shown(before) == OLD
        assert store.generation() > generation
        with store.snapshot() as after:
            assert shown(after) == NEW
        with store.writer() as writer:
            assert writer.remove(["b.py"]) == 1


def test_nobody_else_writes_while_an_index_is_rebuilt_and_is_told_who_does(folder: Path) -> None:
    def build(store: IndexStore) -> IndexReport:
        with SqliteStore(folder) as other, pytest.raises(IndexLocked) as caught:
            other.writer()
        assert caught.value.pid == os.getpid()
        with pytest.raises(IndexLocked):
            rebuilt(folder, lambda _: pytest.fail("two rebuilds at a time"))
        return filled(store, NEW_FILES)

    rebuilt(folder, build)
    assert held(folder) == NEW


def test_a_rebuild_that_is_cancelled_or_fails_leaves_the_old_index(folder: Path) -> None:
    report = rebuilt(folder, lambda store: filled(store, NEW_FILES, cancelled=True))
    assert "the old index stays" in report.warnings[0]

    def breaks(store: IndexStore) -> IndexReport:
        filled(store, NEW_FILES)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        rebuilt(folder, breaks)
    assert held(folder) == OLD
    assert folders_in(folder) == 1


def test_an_index_that_lacks_vectors_since_the_service_went_away_replaces_nothing(folder: Path) -> None:
    lost = Failure("c.py", "embed", "EmbeddingError", "the server is gone")
    with pytest.raises(EmbeddingError, match=r"1 of 3 files .* old index stays; c.py: the server is gone.*--rebuild"):
        rebuilt(folder, lambda store: filled(store, NEW_FILES, (lost,)))
    assert held(folder) == OLD


def test_a_file_that_no_model_takes_does_not_hold_up_a_rebuild(folder: Path) -> None:
    files = {f"{number}.py": "x\n" for number in range(120)}
    rebuilt(folder, lambda store: filled(store, files, (Failure("c.py", "embed", "EmbeddingError", "too odd"),)))
    assert len(held(folder)) == 120


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from test_rebuilding import NEW_FILES, filled
import treemill.storage.replacing as replacing
with replacing.Replacement(Path(sys.argv[1])) as replacement:
    filled(replacement.store, NEW_FILES)
    if sys.argv[3] == "moved":
        new = replacing.read_mark(replacement._beside)
        replacement.store.close()
        os.rename(replacement._beside / new.hex(), Path(sys.argv[1]) / new.hex())
    print("built", flush=True)
    signal.pause()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("when", ["built", "moved"])
def test_a_rebuild_that_is_killed_leaves_the_old_index_and_the_next_writer_removes_the_rest(
    folder: Path, when: str
) -> None:
    here = Path(__file__)
    command = [sys.executable, "-c", KILLED, str(folder), str(here.parent), when]
    environment = {**os.environ, "PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here.parents[2]}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert said == "built\n"
    assert folders_in(folder) > 1
    assert held(folder) == OLD
    with SqliteStore(folder) as store, store.writer():
        pass
    assert folders_in(folder) == 1
    rebuilt(folder, lambda store: filled(store, NEW_FILES))
    assert held(folder) == NEW


def test_readers_never_see_anything_but_the_old_index_or_the_new_one(folder: Path) -> None:
    """Three threads open snapshots, as fast as they can, while the index is replaced five times."""
    ended = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        try:
            with SqliteStore(folder) as store:
                while not ended.is_set():
                    with store.snapshot() as snapshot:
                        seen = set(snapshot.files().paths)
                    if seen not in ({"a.py"}, {"a.py", "b.py"}):
                        wrong.append(seen)
        except Exception as error:  # noqa: BLE001 - whatever a reader meets is what this test is about
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        rebuilt(folder, lambda store: filled(store, NEW_FILES))
    ended.set()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_an_index_of_another_format_is_rebuilt_beside(folder: Path) -> None:
    (database,) = folder.glob("*/index.db")
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    rebuilt(folder, lambda store: filled(store, NEW_FILES))
    assert held(folder) == NEW
