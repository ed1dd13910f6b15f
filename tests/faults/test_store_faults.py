"""What a machine can do to an index: kill the writer, fill the disk, flip bytes. Nothing is lost, nothing lies."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

from support.contents import RECIPE, broken, expected, key_of, prepared, shown
from support.processes import environment
from support.store_writer import FILES, files_of, path_of, text_of, version_of
from treemill.errors import IndexLocked, StorageError, TreemillError
from treemill.records import PreparedFile, RunState
from treemill.storage import housekeeping, segment_files
from treemill.storage.ownership import data_folder, read_mark
from treemill.storage.sqlite import SqliteLookup, SqliteStore

KILLS = 8
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".treemill"


def data_of(folder: Path) -> Path:
    return data_folder(folder, read_mark(folder))


def many(count: int, *, version: int = 0) -> dict[str, str]:
    return {f"{number:03}.py": f"shared word{number % 5} version{version}\nline{number}\n" for number in range(count)}


def put(store: SqliteStore, texts: dict[str, str]) -> None:
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        assert not writer.put([prepared(path, text) for path, text in texts.items()])
        writer.end_run(RunState.COMPLETE)


def assert_shows(folder: Path, texts: dict[str, str]) -> None:
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        assert shown(snapshot) == {path: expected(text) for path, text in texts.items()}


# ── a killed writer ──


def versions_by_path(folder: Path) -> dict[str, int]:
    """Return which version of each file the index shows, after making sure that each is whole."""
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        files = shown(snapshot)
    numbers = {path_of(number): number for number in range(FILES)}
    for path, file in files.items():
        assert file == expected(file.text), f"the postings of {path} are not those of its text"
    return {path: version_of(numbers[path], file.text) for path, file in files.items()}


@posix
def test_a_writer_killed_at_any_moment_leaves_whole_files_and_everything_committed(folder):
    moments = random.Random(20)
    safe = -1
    for kill in range(KILLS):
        command = [sys.executable, "-m", "support.store_writer", str(folder), "5", str(safe + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            timer = threading.Timer(moments.uniform(0.05, 0.6), process.kill)
            timer.start()
            said = process.stdout.read().splitlines()
            timer.join()
        assert process.returncode == -signal.SIGKILL, said
        safe = max([safe, *(int(line.split()[1]) for line in said)])
        if not folder.exists():
            continue
        with SqliteStore(folder) as store:
            run = store.last_run()
            assert run is None or run.state is not RunState.RUNNING, f"after kill {kill}"
            if run is None:
                continue
        seen = versions_by_path(folder)
        # A commit can be durable before the line that tells of it is out; it is whole as well.
        newest = max([safe, *seen.values()])
        assert newest <= safe + 1
        wanted = {path_of(number): version for version in range(newest + 1) for number in files_of(version, 5)}
        assert seen == wanted
        safe = newest
    assert safe > 0


@posix
def test_after_a_kill_the_next_run_completes_the_index_and_clears_what_was_left(folder, monkeypatch):
    command = [sys.executable, "-m", "support.store_writer", str(folder), "6", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "committed 12\n":
                process.kill()
    stray = data_of(folder) / "0123456789abcdef.segment.new"
    stray.write_bytes(b"half a segment")
    monkeypatch.setattr(segment_files, "_GRACE_SECONDS", 0)
    texts = {path_of(number): text_of(number, 99) for number in range(FILES)}
    with SqliteStore(folder) as store:
        put(store, texts)
        assert store.last_run().state is RunState.COMPLETE
    assert_shows(folder, texts)
    assert not stray.exists()


@posix
def test_a_stopped_writer_is_named_and_readers_go_on(folder):
    command = [sys.executable, "-m", "support.store_writer", str(folder), "7", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "committed 2\n":
            pass
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with SqliteStore(folder) as store:
                with pytest.raises(IndexLocked) as refused:
                    store.writer()
                assert refused.value.pid == process.pid
                began = time.monotonic()
                assert versions_by_path(folder)
                with store.snapshot() as snapshot:
                    assert snapshot.coverage().writer_pid == process.pid
                assert time.monotonic() - began < 5
        finally:
            process.kill()


@posix
def test_readers_beside_a_writer_see_whole_commits_and_are_not_made_to_wait(folder):
    command = [sys.executable, "-m", "support.store_writer", str(folder), "8", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "committed 0\n":
            pass
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        slowest, generations = 0.0, []
        try:
            with SqliteStore(folder) as store:
                for _ in range(60):
                    began = time.monotonic()
                    with store.snapshot() as snapshot:
                        files = shown(snapshot)
                        generations.append(snapshot.generation)
                    slowest = max(slowest, time.monotonic() - began)
                    versions = {path: int(file.text.split()[-1]) for path, file in files.items()}
                    newest = max(versions.values())
                    wanted = {path_of(n): v for v in range(newest + 1) for n in files_of(v, 8)}
                    assert versions == wanted
        finally:
            process.kill()
            drain.join()
    assert generations == sorted(generations)
    assert generations[-1] > generations[0]
    assert slowest < 5


# ── damaged caches ──


@pytest.fixture
def indexed(folder: Path) -> dict[str, str]:
    """An index with a segment file, and what it holds."""
    texts = many(300)
    with SqliteStore(folder, create=True) as store:
        put(store, texts)
    assert list(data_of(folder).glob("*.segment"))
    return texts


def segment_of(folder: Path) -> Path:
    (segment,) = data_of(folder).glob("*.segment")
    return segment


def flip(path: Path, position: int) -> None:
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x40]))


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Return bytes of which one bit is another."""
    position = chance.randrange(len(data))
    return data[:position] + bytes([data[position] ^ (1 << chance.randrange(8))]) + data[position + 1 :]


@pytest.mark.parametrize("harm", ["flipped", "truncated", "emptied", "deleted", "overwritten"])
def test_a_damaged_segment_changes_no_answer_and_is_written_again(folder, indexed, harm):
    segment = segment_of(folder)
    size = segment.stat().st_size
    match harm:
        case "flipped":
            flip(segment, size * 2 // 3)
        case "truncated":
            os.truncate(segment, size // 2)
        case "emptied":
            os.truncate(segment, 0)
        case "deleted":
            segment.unlink()
        case "overwritten":
            segment.write_bytes(random.Random(1).randbytes(size))
    assert_shows(folder, indexed)
    with SqliteStore(folder) as store:
        put(store, {})
    (again,) = data_of(folder).glob("*.segment")
    assert again.stat().st_size == size
    assert_shows(folder, indexed)


def test_without_any_segment_the_answers_are_the_same(folder, indexed):
    for path in data_of(folder).glob("*.segment"):
        path.unlink()
    assert_shows(folder, indexed)


# ── a damaged store ──


def test_a_lookup_in_a_database_that_is_none_knows_nothing_and_raises_nothing(folder, indexed):
    (data_of(folder) / "index.db").write_bytes(b"this is no database " * 1_000)
    lookup = SqliteLookup(folder)
    assert not lookup.known(key_of(indexed["000.py"]))
    shutil.rmtree(folder)
    assert not lookup.known(key_of(indexed["000.py"]))


def test_a_flipped_byte_anywhere_in_the_database_is_refused_or_changes_no_answer(folder):
    texts = many(120)
    with SqliteStore(folder, create=True) as store:
        put(store, texts)
        manifest = list(store.recorded())
    for path in data_of(folder).glob("*.segment"):
        path.unlink()
    database = data_of(folder) / "index.db"
    assert not database.with_name("index.db-wal").exists()
    whole = database.read_bytes()
    wanted = {path: expected(text) for path, text in texts.items()}
    chance = random.Random(3)
    refused, steps = [], set()
    in_values = [
        whole.replace(path.encode(), flipped(path.encode(), chance)) for path in chance.sample(list(texts), 20)
    ]
    harmed = [*in_values, *(flipped(whole, chance) for _ in range(60))]
    for number, data in enumerate(harmed):
        database.write_bytes(data)
        try:
            with SqliteStore(folder) as store, store.snapshot() as snapshot:
                assert shown(snapshot) == wanted
                assert snapshot.coverage().searchable == len(texts)
                assert list(store.recorded()) == manifest
                assert store.last_run() is not None
        except TreemillError as error:
            refused.append(number)
            steps.add(error.suggestion)
    assert steps == {"Run: treemill index --rebuild"}
    assert refused[: len(in_values)] == list(range(len(in_values)))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("scans", "vectors", 0),
        ("scans", "postings", 1.5),
        ("bodies", "text", 7),
        ("bodies", "ends", "text"),
        ("contents", "lengths", 7),
        ("files", "content_id", "one"),
        ("files", "size", b"large"),
        ("segments", "name", b"name"),
        ("segments", "checksum", 7),
    ],
)
def test_a_value_that_a_flipped_bit_made_one_of_another_type_is_damage(folder, indexed, table, column, value):
    with contextlib.closing(sqlite3.connect(data_of(folder) / "index.db")) as connection:
        # Tables are strict; as the disk does, the type is changed behind SQLite's back.
        (schema,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        loose = schema.replace("STRICT, WITHOUT", "WITHOUT").replace(") STRICT", ")")
        for number, text in enumerate((loose, schema)):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, table))
            connection.execute(f"PRAGMA schema_version = {1_000 + number}")
            if text is loose:
                connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
            connection.commit()
    if table == "scans":
        for path in data_of(folder).glob("*.segment"):
            path.unlink()
    with pytest.raises(StorageError, match="treemill index --rebuild"):
        read_all(folder)


def read_all(folder):
    """Read what is recorded and what is answered from."""
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        return list(store.recorded()), shown(snapshot)


@pytest.mark.parametrize("harm", ["no database", "cut short", "emptied", "missing"])
def test_a_database_that_is_none_is_refused_with_the_next_step(folder, indexed, harm):
    database = data_of(folder) / "index.db"
    match harm:
        case "no database":
            database.write_bytes(b"this is no database " * 1_000)
        case "cut short":
            os.truncate(database, 5_000)
        case "emptied":
            os.truncate(database, 0)
        case "missing":
            database.unlink()
    with (
        pytest.raises(StorageError, match="treemill index --rebuild"),
        SqliteStore(folder) as store,
        store.snapshot() as snapshot,
    ):
        shown(snapshot)


def test_a_write_ahead_log_that_was_cut_loses_at_most_what_is_cut(folder, tmp_path):
    with SqliteStore(folder, create=True) as store:
        put(store, many(20))
        with store.writer() as writer:
            writer.begin_run(RECIPE)
            writer.put([prepared(path, text) for path, text in many(20, version=1).items()])
            writer.commit()
            # As a power failure would leave it: the log is there, and its end is not.
            copy = tmp_path / "copy" / ".treemill"
            shutil.copytree(folder, copy)
    log = data_of(copy) / "index.db-wal"
    os.truncate(log, 10_000)
    assert_shows(copy, many(20))


# ── files that cannot be written ──

BROKEN = {
    "a language that cannot be encoded": {"language": "\ud800"},
    "no text": {"text": None},
    "a number that is none": {"size": "many"},
    "a number too large": {"size": 2**70},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_value_that_the_database_refuses_fails_its_file_alone(folder, changes):
    with SqliteStore(folder, create=True) as store:
        with store.writer() as writer:
            writer.begin_run(RECIPE)
            bad = broken("bad.py", "one two\n", **changes)
            failures = writer.put([prepared("a.py", "alpha\n"), bad, prepared("b.py", "beta\n")])
            writer.end_run(RunState.COMPLETE)
        assert [(failure.path, failure.stage) for failure in failures] == [("bad.py", "write")]
        assert not store.lookup().known(key_of("one two\n"))
    assert_shows(folder, {"a.py": "alpha\n", "b.py": "beta\n"})


# ── a full disk ──

FILL = """
import random, resource, signal, sys, zlib
from pathlib import Path
from dataclasses import replace
from support.contents import RECIPE, prepared
from treemill.errors import StorageError
from treemill.storage.sqlite import SqliteStore

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
store = SqliteStore(folder, create=True)
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
noise = random.Random(1)
committed = 0
try:
    with store.writer() as writer:
        writer.begin_run(RECIPE)
        for number in range(10_000):
            file = prepared(f"{number}.py", f"file number {number}\\n")
            padded = replace(file.content, symbols=noise.randbytes(20_000))
            assert not writer.put([replace(file, content=padded)])
            if number % 5 == 4:
                writer.commit()
                committed = number + 1
except StorageError as error:
    print(committed, error)
    sys.exit(0)
sys.exit(1)
"""


def assert_full_disk_is_survived(folder: Path, *, limit: int) -> str:
    """Write until there is no room; make sure that everything committed is there and that it can go on."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(folder), str(limit)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    committed, message = done.stdout.split(" ", 1)
    assert int(committed) >= 5
    assert "What was committed is intact" in message
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        files = shown(snapshot)
    assert {path: file.text for path, file in files.items()} == {
        f"{number}.py": f"file number {number}\n" for number in range(int(committed))
    }
    return message


@posix
def test_a_limit_on_files_stops_the_writer_with_a_clear_error_and_loses_nothing(folder):
    message = assert_full_disk_is_survived(folder, limit=1_500_000)
    assert "cannot be read or written" in message or "disk is full" in message
    with SqliteStore(folder) as store:
        put(store, {"after.py": "there is room again\n"})
        with store.snapshot() as snapshot:
            assert "after.py" in shown(snapshot)


@posix
def test_a_full_disk_stops_the_writer_with_a_clear_error_and_loses_nothing(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "none", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        message = assert_full_disk_is_survived(small / ".treemill", limit=0)
        assert "the disk is full" in message
        with SqliteStore(small / ".treemill") as store:
            with contextlib.suppress(StorageError):
                put(store, {"more.py": "word\n" * 2_000})
            with store.snapshot() as snapshot:
                assert snapshot.coverage().searchable >= 5
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_a_segment_that_cannot_be_written_costs_only_time(folder, monkeypatch, caplog):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(housekeeping, "write_segment", refuse)
    with SqliteStore(folder, create=True) as store:
        put(store, many(300))
        assert store.last_run().state is RunState.COMPLETE
    assert "questions take longer" in caplog.text
    assert not list(data_of(folder).glob("*.segment"))
    assert_shows(folder, many(300))


# ── the database fails under a writer ──


class Failing:
    """A connection that fails on cue: the statement that starts with `word`, from the nth time on."""

    def __init__(self, connection: sqlite3.Connection, word: str, error: sqlite3.Error) -> None:
        self._connection = connection
        self._word = word
        self._error = error
        self.armed = False

    def execute(self, statement: str, *arguments: object) -> sqlite3.Cursor:
        if self.armed and statement.startswith(self._word):
            raise self._error
        return self._connection.execute(statement, *arguments)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_commit_that_fails_is_an_error_and_the_writer_is_back_at_the_one_before(folder):
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    with SqliteStore(folder, create=True) as store, store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared("a.py", "one\n")])
        generation = writer.commit()
        writer._connection = failing = Failing(writer._connection, "COMMIT", error)
        writer.put([prepared("a.py", "two\n"), prepared("b.py", "three\n")])
        failing.armed = True
        with pytest.raises(StorageError, match="disk is full"):
            writer.commit()
        failing.armed = False
        assert writer.commit() == generation
        files: list[PreparedFile] = [prepared("c.py", "three\n")]
        assert not writer.put(files)
        assert writer.commit() == generation + 1
    assert_shows(folder, {"a.py": "one\n", "c.py": "three\n"})


def test_texts_are_what_was_read_to_the_byte(folder):
    with SqliteStore(folder, create=True) as store:
        put(store, {"a.py": "caf\u00e9 \u2028 \U0001f600\n"})
        with store.snapshot() as snapshot:
            content = snapshot.content(int(snapshot.files().contents[0]))
    assert zlib.decompress(content.text).decode() == "caf\u00e9 \u2028 \U0001f600\n"
