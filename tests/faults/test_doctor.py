"""The doctor names what is wrong with an index, and a repair and a run later everything is as in a fresh one."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Tree
from support.contents import shown
from treemill.cli import run
from treemill.diagnosing import diagnose, mend
from treemill.disk_space import shortage
from treemill.indexing import index_tree
from treemill.places import Place
from treemill.plan import FINE_TRUST_NS
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage import rows as tables
from treemill.storage.content_cache import ContentCache
from treemill.storage.examining import Finding, Repair
from treemill.storage.ownership import data_folder, read_mark
from treemill.storage.sqlite import SqliteStore

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
FILES = {f"pkg/m{n:03}.py": f"def name{n}(word{n}):\n    return shared + {n}\n" for n in range(150)}


@pytest.fixture
def root(tree: Tree) -> Path:
    """An indexed tree, large enough for a segment file, whose times are to be trusted."""
    root = tree(FILES)
    time.sleep(FINE_TRUST_NS / 1e9)
    index(root)
    assert list(data_of(root).glob("*.segment"))
    return root


def index(root: Path) -> None:
    with SqliteStore(root / ".treemill", create=True) as store:
        index_tree(root, store, INLINE)


def data_of(root: Path) -> Path:
    return data_folder(root / ".treemill", read_mark(root / ".treemill"))


def findings(root: Path) -> list[Finding]:
    """Return what is found, but for files so young that their times prove nothing yet."""
    return [each for each in diagnose(Place(root, "")) if "changed and 0 are gone" not in each.what]


def changed(root: Path, statement: str) -> None:
    with closing(sqlite3.connect(data_of(root) / "index.db")) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def assert_fresh(root: Path, tree: Tree) -> None:
    """Make sure that an index says what one says that was made from nothing."""
    fresh = tree({path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.py")})
    index(fresh)
    with SqliteStore(root / ".treemill") as store, store.snapshot() as snapshot:
        found = shown(snapshot)
    with SqliteStore(fresh / ".treemill") as store, store.snapshot() as snapshot:
        assert found == shown(snapshot)


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Return bytes of which one bit is another."""
    position = chance.randrange(len(data))
    return data[:position] + bytes([data[position] ^ (1 << chance.randrange(8))]) + data[position + 1 :]


def test_about_a_sound_index_there_is_nothing_to_say(root):
    assert findings(root) == []


ROWS = {
    "a text": "UPDATE bodies SET text = zeroblob(length(text)) WHERE id = 7",
    "postings": "UPDATE scans SET postings = zeroblob(length(postings)) WHERE id = 7",
    "a language": "UPDATE contents SET language = 'pythom' WHERE id = 7",
    "a body that is gone": "DELETE FROM bodies WHERE id = 7",
    "a path": "UPDATE files SET path = CAST('pkg/../../x' AS BLOB) WHERE content_id = 7",
    "a size": "UPDATE files SET size = size + 1 WHERE content_id = 7",
    "a time": "UPDATE files SET stamp = stamp + 1 WHERE content_id = 7",
    "a status": "UPDATE files SET status = 1 WHERE content_id = 7",
    "which content": "UPDATE files SET content_id = 8 WHERE content_id = 7",
    "a content that is gone": "DELETE FROM contents WHERE id = 7",
    "a row of nothing": "INSERT INTO scans SELECT 9999, postings, vectors, sum FROM scans WHERE id = 7",
}


@pytest.mark.parametrize("harm", ROWS.values(), ids=ROWS)
def test_a_changed_row_is_named_and_costs_a_repair_that_content_alone(root, tree, harm):
    changed(root, harm)
    found = findings(root)
    assert found
    assert {each.repair for each in found} <= {Repair.FORGET, Repair.NONE, Repair.LAY_OUT}
    mend(Place(root, ""), found)
    with SqliteStore(root / ".treemill") as store:
        assert len(list(store.recorded())) >= len(FILES) - 2
    index(root)
    assert findings(root) == []
    assert_fresh(root, tree)


SEGMENTS: dict[str, Callable[[Path], object]] = {
    "flipped": lambda path: flip(path, path.stat().st_size * 2 // 3),
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "gone": lambda path: path.unlink(),
    "another": lambda path: path.write_bytes(random.Random(1).randbytes(path.stat().st_size)),
    "a link": lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")),
}


@pytest.mark.parametrize("harm", SEGMENTS.values(), ids=SEGMENTS)
def test_a_damaged_segment_is_named_and_laid_out_again(root, tree, harm):
    (segment,) = data_of(root).glob("*.segment")
    data = data_of(root)
    harm(segment)
    found = findings(root)
    assert found
    mend(Place(root, ""), found)
    (data / "x").unlink(missing_ok=True)
    if not (root / ".treemill").is_symlink():
        index(root)
    assert findings(root) == []
    assert_fresh(root, tree)


WHOLE: dict[str, Callable[[Path], object]] = {
    "no database": lambda data: (data / "index.db").write_bytes(b"this is no database " * 1_000),
    "a page of noise": lambda data: (data / "index.db").write_bytes(
        (image := (data / "index.db").read_bytes())[:8192] + bytes(4096) + image[12288:]
    ),
    "a mark that is not mine": lambda data: (data.parent / "owner").write_text("00" * 16 + "\n" + "11" * 32 + "\n"),
    "another format": lambda data: edited(data, "PRAGMA user_version = 1"),
    "an unreadable recipe": lambda data: edited(data, "UPDATE meta SET value = '{' WHERE key = 'recipe'"),
}


def edited(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "index.db")) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("harm", WHOLE.values(), ids=WHOLE)
def test_where_the_database_is_damaged_the_index_is_replaced(root, tree, harm):
    harm(data_of(root))
    found = findings(root)
    assert Repair.REBUILD in {each.repair for each in found}
    mend(Place(root, ""), found)
    index(root)
    assert findings(root) == []
    assert_fresh(root, tree)


def values(root: Path) -> list[list[tuple[object, ...]]]:
    """Return every value that an index keeps, table by table."""
    with closing(sqlite3.connect(data_of(root) / "index.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        return [connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names]


def test_a_flipped_byte_is_named_or_lies_where_no_value_is(root):
    database = data_of(root) / "index.db"
    assert not database.with_name("index.db-wal").exists()
    whole, wanted = database.read_bytes(), values(root)
    chance = random.Random(5)
    with closing(sqlite3.connect(database)) as connection:
        texts = [row[0] for row in connection.execute("SELECT text FROM bodies")]
    # Where pages were split, copies are left that nothing refers to: a value is harmed wherever it stands.
    in_values = [whole.replace(text, flipped(text, chance)) for text in chance.sample(texts, 10)]
    named = []
    for number, data in enumerate([*in_values, *(flipped(whole, chance) for _ in range(20))]):
        database.write_bytes(data)
        if findings(root):
            named.append(number)
        else:
            assert values(root) == wanted
    assert named[: len(in_values)] == list(range(len(in_values)))


def test_bytes_that_changed_under_the_same_size_and_time_are_named(root, tree):
    path = root / "pkg/m007.py"
    with SqliteStore(root / ".treemill") as store, store.snapshot() as snapshot:
        record = snapshot.file("pkg/m007.py")
    path.write_bytes(path.read_bytes().replace(b"shared", b"shader"))
    os.utime(path, ns=(record.stamp, record.stamp))
    with closing(sqlite3.connect(data_of(root) / "index.db")) as connection, connection:
        # As if the file system had not noted the change.
        content, seen = connection.execute(
            "SELECT content_id, seen_ns FROM files WHERE path = CAST('pkg/m007.py' AS BLOB)"
        ).fetchone()
        times = {"size": record.size, "stamp": record.stamp, "changed_ns": path.stat().st_ctime_ns}
        seen += 10_000_000_000
        row = tables.file_row("pkg/m007.py", content, **times, seen_ns=seen)
        connection.execute(f"INSERT OR REPLACE INTO files VALUES ({', '.join('?' * len(row))})", row)
    (found,) = findings(root)
    assert found.what.startswith("pkg/m007.py holds something else")
    mend(Place(root, ""), [found])
    index(root)
    assert findings(root) == []
    assert_fresh(root, tree)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_what_others_can_read_is_named_and_made_private(root):
    os.chmod(data_of(root) / "index.db", 0o644)
    (found,) = findings(root)
    assert (found.subject, found.harmless) == ("permissions", True)
    mend(Place(root, ""), [found])
    assert findings(root) == []


def test_a_damaged_cache_is_named_and_removed(root):
    (root / "more.py").write_text("def more(): ...\n")
    with ContentCache(100) as cache, SqliteStore(root / ".treemill") as store:
        index_tree(root, store, INLINE, cache=cache)
    with closing(sqlite3.connect(cache.folder / "contents.db")) as connection, connection:
        connection.execute("UPDATE entries SET mac = zeroblob(16)")
    (found,) = findings(root)
    assert found.subject == "cache"
    mend(Place(root, ""), [found])
    assert findings(root) == []
    assert not (cache.folder / "contents.db").exists()


def test_failed_files_and_changes_since_are_mentioned(root, tree):
    (root / "pkg/m001.py").write_text("new\n")
    (root / "pkg/m002.py").unlink()
    (found,) = findings(root)
    assert found.harmless
    assert found.what.startswith("1 files changed and 1 are gone")


def test_a_bad_setting_is_named_with_its_place(root):
    (root / "treemill.toml").write_text("[chunker]\nmax_chunk_bytes = 1\n")
    assert any("treemill.toml line 2" in each.what for each in findings(root) if each.subject == "settings")


def test_a_provider_that_does_not_answer_is_named(root):
    (found,) = diagnose(Place(root, ""), check_provider=lambda settings: "it does not answer")
    assert (found.subject, found.what) == ("provider", "it does not answer")


@pytest.mark.skipif(sys.platform == "win32", reason="mounts a file system")
def test_a_tree_that_does_not_fit_the_disk_is_told_of_before_a_run(tmp_path, capsys):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        (small / "a.py").write_text("one = 1\n")
        assert "too full for the index" in (shortage(Place(small, ""), INLINE, empty=True) or "")
        assert run(["index", str(small), "--executor", "inline"]) == 0
        assert "MB are needed" in capsys.readouterr().err
        assert any(each.subject == "disk" for each in findings(small))
    finally:
        subprocess.run(["umount", str(small)], check=False)


# ── the commands ──


def test_doctor_says_all_is_well_and_exits_with_0(root, capsys):
    assert run(["doctor", str(root)]) == 0
    speed, said = capsys.readouterr().out.splitlines()
    assert said == "all is well"
    assert "compiled halves: " in speed


def test_doctor_says_so_where_the_compiled_halves_are_left_out(root, capsys, monkeypatch):
    monkeypatch.setenv("TREEMILL_NATIVE", "off")
    assert run(["doctor", str(root)]) == 0
    assert "compiled halves: none" in capsys.readouterr().out
    assert run(["doctor", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compiled"] == []


def test_doctor_names_what_is_wrong_repairs_it_and_says_what_is_next(root, capsys):
    changed(root, ROWS["a text"])
    assert run(["doctor", str(root)]) == 6
    assert "pkg/m006.py" in capsys.readouterr().out
    assert run(["doctor", str(root), "--repair"]) == 0
    assert "treemill index" in capsys.readouterr().out
    index(root)
    assert run(["doctor", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_clear_asks_and_without_somebody_to_ask_removes_nothing(root, capsys, monkeypatch):
    with open(os.devnull) as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert run(["clear", str(root)]) == 2
    assert (root / ".treemill/owner").exists()
    assert "Add -y" in capsys.readouterr().err


def test_clear_removes_the_index_and_nothing_else(root, capsys):
    (root / ".treemill/notes.txt").write_text("mine")
    assert run(["clear", "-y", str(root)]) == 0
    assert "notes.txt" in capsys.readouterr().err
    assert [path.name for path in (root / ".treemill").iterdir()] == ["notes.txt"]
    assert len(list(root.rglob("*.py"))) == len(FILES)
    assert run(["clear", "-y", str(root)]) == 6


def test_clear_removes_the_whole_folder_of_an_index(root):
    assert run(["clear", "-y", str(root)]) == 0
    assert not (root / ".treemill").exists()
    assert run(["clear", "-y", str(root)]) == 3


def test_clear_leaves_what_another_treemill_made(root):
    (root / ".treemill/owner").write_text("00" * 16 + "\n" + "11" * 32 + "\n")
    assert run(["clear", "-y", str(root)]) == 6
    assert (root / ".treemill/owner").exists()
