"""Where an index lies, and whose it has to be to be opened."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from support.contents import RECIPE, expected, prepared, shown
from support.processes import program
from treemill.errors import IndexLocked, IndexMismatch, IndexMissing, StorageError
from treemill.records import RunState
from treemill.storage import location
from treemill.storage.folders import rebuild
from treemill.storage.location import deepest_mount, find_root, locate, parse_bsd_mounts, parse_linux_mounts
from treemill.storage.ownership import data_folder, read_mark, user_key
from treemill.storage.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(location, "cache_folder", lambda: tmp_path / "cache" / "treemill")


def index(root: Path, text: str = "alpha\n") -> Path:
    """Make an index of one file at a root; return its folder."""
    folder = locate(root)
    with SqliteStore(folder, create=True) as store, store.writer() as writer:
        writer.begin_run(RECIPE)
        writer.put([prepared("a.py", text)])
        writer.end_run(RunState.COMPLETE)
    return folder


def assert_answers(folder: Path, text: str = "alpha\n") -> None:
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected(text)}


def data_of(folder: Path) -> Path:
    return data_folder(folder, read_mark(folder))


# ── where ──


def test_the_root_is_the_nearest_folder_above_that_holds_an_index(tree):
    root = tree({"a/b/c.py": "x"})
    index(root)
    assert find_root(root) == find_root(root / "a") == find_root(root / "a" / "b" / "c.py") == root
    index(root / "a")
    assert find_root(root / "a" / "b") == root / "a"
    assert find_root(root) == root


def test_without_an_index_the_root_is_the_path_itself(tree):
    root = tree({"a/b.py": "x"})
    assert find_root(root / "a") == root / "a"
    assert find_root(root / "a" / "b.py") == root / "a"


def test_a_folder_that_only_looks_like_an_index_makes_no_root(tree):
    root = tree({"a/b/c.py": "x", "a/.treemill/owner": "00\n00\n"})
    index(root)
    assert find_root(root / "a" / "b") == root


def test_the_root_of_a_link_is_where_it_leads(tree, tmp_path):
    root = tree({"a/b.py": "x"})
    index(root)
    (tmp_path / "link").symlink_to(root / "a")
    assert find_root(tmp_path / "link") == root


def test_the_index_lies_in_the_root_and_ignores_itself(tree):
    root = tree({"a.py": "alpha\n"})
    folder = index(root)
    assert folder == root / ".treemill"
    assert (folder / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in root.iterdir() if path.name != "a.py"] == [".treemill"]


def test_nothing_in_an_index_can_be_read_by_others(tree):
    data = data_of(index(tree({"a.py": "alpha\n"})))
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()} == {0o600}


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p", "vfat"])
def test_on_a_file_system_that_is_unfit_the_index_lies_in_the_users_cache(tree, tmp_path, monkeypatch, kind):
    root = tree({"a/b.py": "x"})
    monkeypatch.setattr(location, "file_system_of", lambda _: kind)
    folder = index(root)
    assert folder.is_relative_to(tmp_path / "cache")
    assert locate(root) == folder
    assert locate(root / "a") != folder
    assert not (root / ".treemill").exists()
    assert find_root(root / "a") == root
    assert_answers(folder)


def test_where_the_root_cannot_be_written_the_index_lies_in_the_users_cache(tree, tmp_path, monkeypatch):
    root = tree({"a.py": "x"})
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert locate(root).is_relative_to(tmp_path / "cache")


def test_an_index_that_is_there_is_found_wherever_one_would_be_made_now(tree, monkeypatch):
    root = tree({"a.py": "x"})
    folder = index(root)
    monkeypatch.setattr(location, "file_system_of", lambda _: "nfs")
    assert locate(root) == folder


LINUX_MOUNTS = r"""/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /home nfs4 rw 0 0
/dev/sdb /home/me/disk ext4 rw 0 0
me@host: /mnt/with\040blank fuse.sshfs rw 0 0
tmpfs /mnt/twice tmpfs rw 0 0
//server/share /mnt/twice cifs rw 0 0
"""

BSD_MOUNTS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//me@server/share on /Volumes/share (smbfs, nodev, nosuid, mounted by me)
server:/export on /Volumes/a b (nfs)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/srv/tree", "ext4"),
        ("/home/me/tree", "nfs4"),
        ("/homework", "ext4"),
        ("/home/me/disk/tree", "ext4"),
        ("/mnt/with blank/tree", "fuse.sshfs"),
        ("/mnt/twice", "cifs"),
    ],
)
def test_the_deepest_mount_decides_on_linux(folder, kind):
    assert deepest_mount(parse_linux_mounts(LINUX_MOUNTS.splitlines()), folder) == kind


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/Users/me", "apfs"), ("/Volumes/share/tree", "smbfs"), ("/Volumes/a b/tree", "nfs"), ("/Volumes/a", "apfs")],
)
def test_the_deepest_mount_decides_on_macos(folder, kind):
    assert deepest_mount(parse_bsd_mounts(BSD_MOUNTS.splitlines()), folder) == kind


def test_the_file_system_of_this_machine_is_known(tmp_path):
    assert location.file_system_of(tmp_path)


# ── an index goes with its tree ──


def test_an_index_moves_with_its_tree(tree, tmp_path):
    root = tree({"a.py": "alpha\n"})
    index(root)
    moved = tmp_path / "elsewhere"
    root.rename(moved)
    assert find_root(moved) == moved
    assert_answers(locate(moved))
    index(moved, "changed\n")
    assert_answers(locate(moved), "changed\n")


def test_a_copied_tree_has_an_index_of_its_own(tree, tmp_path):
    root = tree({"a.py": "alpha\n"})
    index(root)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    index(copy, "changed\n")
    assert_answers(locate(root))
    assert_answers(locate(copy), "changed\n")


# ── whose ──


def refusal(folder: Path) -> str:
    with pytest.raises(StorageError, match="treemill index --rebuild") as refused:
        SqliteStore(folder)
    with pytest.raises(StorageError):
        SqliteStore(folder, create=True)
    return str(refused.value)


def test_an_index_of_another_user_is_not_opened(tree, tmp_path, monkeypatch):
    folder = index(tree({"a.py": "alpha\n"}))
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state of somebody else"))
    assert "not made with your key" in refusal(folder)
    assert find_root(folder.parent) == folder.parent


@pytest.mark.parametrize("mark", [None, b"", b"\xff\xfe", b"zz\nzz\n", b"00\n", b"0" * 32 + b"\n" + b"0" * 64 + b"\n"])
def test_a_folder_without_a_mark_of_this_user_is_not_opened(tree, mark):
    folder = index(tree({"a.py": "alpha\n"}))
    (folder / "owner").unlink()
    if mark is not None:
        (folder / "owner").write_bytes(mark)
    assert "mark" in refusal(folder)


def test_the_mark_of_one_index_does_not_open_another(tree):
    one, other = index(tree({"a.py": "alpha\n"})), index(tree({"a.py": "alpha\n"}))
    shutil.copy(one / "owner", other / "owner")
    assert "not there" in refusal(other)


def test_the_database_of_one_index_does_not_pass_for_anothers(tree):
    one, other = index(tree({"a.py": "alpha\n"})), index(tree({"a.py": "doctored\n"}))
    shutil.copy(data_of(other) / "index.db", data_of(one) / "index.db")
    assert "belongs to another index" in refusal(one)


def test_segments_that_were_slipped_in_are_not_scanned(tree):
    one, other = (
        index(tree({"a.py": "x"}), "one two\n" * 1_100),
        index(tree({"a.py": "x"}), "two one\n" * 1_100),
    )
    (genuine,), (doctored,) = data_of(one).glob("*.segment"), data_of(other).glob("*.segment")
    assert genuine.stat().st_size == doctored.stat().st_size
    shutil.copy(doctored, genuine)
    assert_answers(one, "one two\n" * 1_100)


def test_a_link_is_not_followed(tree, tmp_path):
    elsewhere = index(tree({"a.py": "alpha\n"}))
    root = tree({"a.py": "alpha\n"})
    (root / ".treemill").symlink_to(elsewhere)
    assert "not a plain folder" in refusal(root / ".treemill")


@pytest.mark.parametrize("name", ["index.db", "writer.lock", "0123456789abcdef.segment"])
def test_links_inside_an_index_are_not_followed(tree, tmp_path, name):
    folder = index(tree({"a.py": "alpha\n"}))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (data_of(folder) / name).unlink(missing_ok=True)
    (data_of(folder) / name).symlink_to(victim)
    assert "not a plain file" in refusal(folder)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("which", ["folder", "mark", "data", "database"])
def test_what_others_could_have_written_is_not_opened(tree, which):
    folder = index(tree({"a.py": "alpha\n"}))
    data = data_of(folder)
    target = {"folder": folder, "mark": folder / "owner", "data": data, "database": data / "index.db"}[which]
    target.chmod(target.stat().st_mode | 0o020)
    assert "others may write" in refusal(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_an_index_that_belongs_to_somebody_else_is_not_opened(tree):
    folder = index(tree({"a.py": "alpha\n"}))
    os.chown(folder, 12345, 12345)
    assert "belongs to user 12345" in refusal(folder)


def test_a_file_where_the_index_should_be_is_not_opened(tree):
    root = tree({".treemill": "a file"})
    assert "not a plain folder" in refusal(root / ".treemill")


# ── the key ──


def test_the_key_is_private_and_stays(tmp_path):
    key = user_key()
    assert len(key) == 32
    assert user_key() == key
    path = tmp_path / "state" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def test_a_key_that_others_could_have_written_is_not_used(tmp_path):
    user_key()
    (tmp_path / "state" / "key").chmod(0o666)
    with pytest.raises(StorageError, match="others may write"):
        user_key()


def test_a_damaged_key_says_what_to_do(tmp_path):
    user_key()
    (tmp_path / "state" / "key").write_bytes(b"short")
    with pytest.raises(StorageError, match="Delete it"):
        user_key()


def test_where_the_key_cannot_be_kept_the_variable_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match="TREEMILL_STATE_DIR"):
        user_key()


MAKE_KEY = """
import sys
from treemill.storage.ownership import user_key
print("ready", flush=True)
sys.stdin.read()
print(user_key().hex(), flush=True)
"""


def test_processes_that_make_the_key_at_once_agree_on_one():
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(program(MAKE_KEY)) for _ in range(4)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        keys = {process.stdout.read() for process in processes if process.stdout is not None}
    assert keys == {user_key().hex() + "\n"}


# ── making and replacing ──


def test_there_is_no_index_until_one_is_made(tree):
    root = tree({"a.py": "x"})
    with pytest.raises(IndexMissing, match="treemill index"):
        SqliteStore(locate(root))
    assert not locate(root).exists()


def test_an_index_of_another_format_names_the_command(tree):
    folder = index(tree({"a.py": "alpha\n"}))
    with contextlib.closing(sqlite3.connect(data_of(folder) / "index.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(IndexMismatch, match=r"format 99.*treemill index --rebuild"):
        SqliteStore(folder)


def test_a_rebuild_replaces_an_index_that_is_open(tree):
    folder = index(tree({"a.py": "alpha\n"}))
    with SqliteStore(folder) as store, store.snapshot() as snapshot:
        rebuild(folder)
        assert shown(snapshot) == {"a.py": expected("alpha\n")}
        assert store.recipe() is None
        assert store.generation() == 0
        index(folder.parent, "beta\n")
        with store.snapshot() as fresh:
            assert shown(fresh) == {"a.py": expected("beta\n")}
    assert [path.name for path in folder.parent.iterdir() if path.name != "a.py"] == [".treemill"]


def test_a_rebuild_replaces_what_is_foreign_and_touches_nothing_it_links_to(tree, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("precious")
    root = tree({"a.py": "alpha\n", ".treemill/owner": "00"})
    (root / ".treemill" / "inside").symlink_to(victim)
    rebuild(locate(root))
    index(root)
    assert_answers(locate(root))
    shutil.rmtree(locate(root))
    (root / ".treemill").symlink_to(victim)
    rebuild(locate(root))
    index(root)
    assert_answers(locate(root))
    assert (victim / "file").read_text() == "precious"


def test_a_rebuild_of_nothing_makes_an_empty_index(tree):
    root = tree({"a.py": "alpha\n"})
    rebuild(locate(root))
    assert SqliteStore(locate(root)).recipe() is None


def test_an_index_that_is_being_written_is_not_replaced(tree):
    folder = index(tree({"a.py": "alpha\n"}))
    with SqliteStore(folder) as store, store.writer(), pytest.raises(IndexLocked):
        rebuild(folder)
    assert_answers(folder)


MAKE_INDEX = """
import sys
from pathlib import Path
from treemill.storage.sqlite import SqliteStore
print("ready", flush=True)
sys.stdin.read()
print(len(SqliteStore(Path(sys.argv[1]), create=True).folder.name), flush=True)
"""


def test_processes_that_make_an_index_at_once_agree_on_one(tree):
    root = tree({"a.py": "alpha\n"})
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(program(MAKE_INDEX, locate(root))) for _ in range(4)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.stdout.read() for process in processes if process.stdout is not None] == ["9\n"] * 4
    assert sorted(path.name for path in root.iterdir()) == [".treemill", "a.py"]


def test_what_a_killed_process_left_beside_an_index_is_removed_in_time(tree):
    old, fresh = (".treemill.new-01234567", ".treemill.old-89abcdef"), ".treemill.new-fresh123"
    root = tree({"a.py": "x", **{f"{name}/file": "" for name in (*old, fresh)}})
    for name in old:
        (root / name).chmod(0o700)
        os.utime(root / name, (0, 0))
    index(root)
    assert sorted(path.name for path in root.iterdir()) == [".treemill", fresh, "a.py"]
