"""Files that lie, move, block or hold nothing good: each costs at most its own line in the report."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from treemill import reading
from treemill.discovery import discover
from treemill.reading import ReadFile, read_file
from treemill.small_files import SMALL_FILE_BYTES, read_small_file
from treemill.types import DiscoveredFile, Skipped, SkipReason

SECONDS = 10


def found(root: Path, name: str = "x.py") -> DiscoveredFile:
    """Describe a file as discovery did before it became what it is now."""
    return DiscoveredFile(name, str(root), "python", 1, 1)


def reason(root: Path, name: str = "x.py", **options) -> SkipReason | None:
    got = read_file(found(root, name), **options)
    return got.reason if isinstance(got, Skipped) else None


# ── what is no regular file ──


def test_a_folder_named_like_a_file_is_not_regular(tree):
    assert reason(tree({"x.py/a": ""})) is SkipReason.NOT_REGULAR


def test_a_fifo_swapped_in_is_not_waited_for(tree):
    root = tree({})
    os.mkfifo(root / "x.py")
    started = time.monotonic()
    assert reason(root) is SkipReason.NOT_REGULAR
    assert time.monotonic() - started < SECONDS


def test_a_fifo_with_a_writer_is_not_read_either(tree):
    root = tree({})
    os.mkfifo(root / "x.py")
    writer = os.open(root / "x.py", os.O_RDWR)
    os.write(writer, b"import os\n")
    assert reason(root) is SkipReason.NOT_REGULAR
    os.close(writer)


def test_a_socket_is_not_regular(tree, monkeypatch):
    root = tree({})
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("x.py")
        assert reason(root) is SkipReason.NOT_REGULAR


def test_a_device_is_not_regular():
    got = read_file(DiscoveredFile("zero", "/dev", None, 1, 1))
    assert got == Skipped("zero", SkipReason.NOT_REGULAR, "a character device")


def test_a_loop_of_links_is_not_regular(tree):
    root = tree({})
    (root / "x.py").symlink_to("y.py")
    (root / "y.py").symlink_to("x.py")
    assert reason(root) is SkipReason.NOT_REGULAR
    assert DiscoveredFile.from_path("x.py", root=root) is None


def test_a_link_that_leads_nowhere_is_not_regular(tree):
    root = tree({})
    (root / "x.py").symlink_to("gone")
    assert reason(root) is SkipReason.NOT_REGULAR


# ── what leads out of the root ──


def test_a_link_swapped_in_for_a_file_does_not_lead_out(tree):
    secret, root = tree({"secret.py": "password"}), tree({})
    (root / "x.py").symlink_to(secret / "secret.py")
    assert reason(root) is SkipReason.OUTSIDE_ROOT


def test_a_link_swapped_in_for_a_folder_on_the_way_does_not_lead_out(tree):
    secret, root = tree({"x.py": "password"}), tree({})
    (root / "sub").symlink_to(secret)
    assert reason(root, "sub/x.py") is SkipReason.OUTSIDE_ROOT


def test_a_name_with_dots_does_not_lead_out(tree):
    root = tree({"root/a.py": "", "x.py": "password"})
    assert reason(root / "root", "../x.py") is SkipReason.OUTSIDE_ROOT


def test_a_folder_whose_name_begins_like_the_root_is_outside(tree):
    root = tree({"root/a.py": "", "rootless/x.py": "password"})
    assert reason(root / "root", "../rootless/x.py") is SkipReason.OUTSIDE_ROOT


def test_a_root_that_is_itself_a_link_is_no_way_out(tree):
    root = tree({"real/x.py": "1"})
    (root / "link").symlink_to("real")
    assert isinstance(read_file(found(root / "link")), ReadFile)


def test_links_do_not_lead_out_where_the_kernel_does_not_tell_paths(tree, monkeypatch):
    monkeypatch.setattr(reading.sys, "platform", "elsewhere")
    secret, root = tree({"x.py": "password"}), tree({"a.py": "1"})
    (root / "sub").symlink_to(secret)
    assert reason(root, "sub/x.py") is SkipReason.OUTSIDE_ROOT
    assert isinstance(read_file(found(root, "a.py")), ReadFile)


# ── what changes meanwhile ──


def test_a_file_deleted_after_discovery_has_vanished(tree):
    root = tree({"x.py": "1", "sub/y.py": "2"})
    files = list(discover(root))
    (root / "x.py").unlink()
    (root / "sub" / "y.py").unlink()
    (root / "sub").rmdir()
    assert [read_file(file) for file in files] == [
        Skipped("sub/y.py", SkipReason.VANISHED, "deleted while indexing"),
        Skipped("x.py", SkipReason.VANISHED, "deleted while indexing"),
    ]


def test_a_folder_on_the_way_that_became_a_file_means_vanished(tree):
    assert reason(tree({"sub": "now a file"}), "sub/x.py") is SkipReason.VANISHED


def test_a_file_that_grew_over_the_cap_since_discovery_is_too_large(tree):
    root = tree({"x.py": "1"})
    (file,) = discover(root)
    (root / "x.py").write_bytes(b"x" * 1001)
    assert read_file(file, max_bytes=1000) == Skipped("x.py", SkipReason.TOO_LARGE, "1,001 bytes, the cap is 1,000")


@pytest.fixture
def disturbed(monkeypatch):
    """Return a function that runs an action in the middle of each of the next readings: after open, before read."""
    real = os.read

    def disturb(action, times):
        left = [times]

        def read(descriptor, count):
            if left[0]:
                left[0] -= 1
                action()
            return real(descriptor, count)

        monkeypatch.setattr(reading.os, "read", read)

    return disturb


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more\n")


def _truncate(path: Path) -> None:
    os.truncate(path, 2)


def _rewrite_same_size(path: Path) -> None:
    path.write_bytes(path.read_bytes().upper())
    os.utime(path, ns=(1, time.time_ns()))


@pytest.mark.parametrize("change", [_append, _truncate, _rewrite_same_size])
def test_a_file_that_changes_once_while_read_is_read_again(tree, disturbed, change):
    root = tree({"x.py": "first\n"})
    disturbed(lambda: change(root / "x.py"), times=1)
    got = read_file(found(root))
    assert isinstance(got, ReadFile)
    now = (root / "x.py").stat()
    assert got.source.data == (root / "x.py").read_bytes()
    assert (got.size, got.stamp) == (now.st_size, now.st_mtime_ns)


def test_a_file_that_never_holds_still_is_skipped_as_changing(tree, disturbed):
    root = tree({"x.py": "first\n"})
    disturbed(lambda: _append(root / "x.py"), times=1000)
    assert read_file(found(root)) == Skipped("x.py", SkipReason.CHANGING, "it changed during each of 4 readings")


def test_a_file_replaced_while_read_is_one_version_or_the_other(tree, disturbed):
    root = tree({"x.py": "old\n", "new": "the new one\n"})
    disturbed(lambda: os.replace(root / "new", root / "x.py"), times=1)
    got = read_file(found(root))
    assert isinstance(got, ReadFile)
    assert got.source.data in (b"old\n", b"the new one\n")


def test_what_is_read_beside_a_busy_writer_is_always_one_whole_version(tree):
    root = tree({"x.py": b"a" * 200_000})
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            (root / "next").write_bytes(bytes([97 + number % 26]) * (100_000 + number % 100_000))
            os.replace(root / "next", root / "x.py")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            got = read_file(found(root))
            assert isinstance(got, ReadFile)
            assert len(set(got.source.data)) == 1
            assert got.size == len(got.source.data)
    finally:
        stop.set()
        writer.join()


def test_a_read_that_comes_in_pieces_is_put_together(tree, monkeypatch):
    root = tree({"x.py": b"0123456789" * 10})
    real = os.read
    monkeypatch.setattr(reading.os, "read", lambda descriptor, count: real(descriptor, min(count, 7)))
    got = read_file(found(root))
    assert isinstance(got, ReadFile)
    assert got.source.data == b"0123456789" * 10


def test_a_disk_that_fails_in_the_middle_makes_the_file_unreadable(tree, monkeypatch):
    root = tree({"x.py": "1"})

    def fail(descriptor, count):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(reading.os, "read", fail)
    assert read_file(found(root)) == Skipped("x.py", SkipReason.UNREADABLE, "Input/output error")


# ── names, permissions, leaks ──


@pytest.mark.parametrize(
    "name", [b"caf\xe9.py", b"new\nline.py", b"\x1b[31m.py", b" .py", "é🙂.py".encode(), b"-rf.py"]
)
def test_odd_names_are_read(tree, name):
    root = tree({})
    with open(os.path.join(os.fsencode(root), name), "wb") as file:
        file.write(b"1")
    (one,) = discover(root)
    got = read_file(one)
    assert isinstance(got, ReadFile)
    assert os.fsencode(one.name) == name


@pytest.mark.parametrize("name", ["nul\0byte.py", "x" * 300 + ".py", "d/" * 3000 + "x.py"])
def test_names_that_cannot_be_are_skipped(tree, name):
    assert reason(tree({}), name) in (SkipReason.UNREADABLE, SkipReason.VANISHED)


def test_a_file_without_permission_is_unreadable(tree, tmp_path):
    root = tree({"x.py": "1"})
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (root / "x.py").chmod(0)
    script = """
        import os, sys
        from treemill.reading import read_file
        from treemill.types import DiscoveredFile
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        print(read_file(DiscoveredFile("x.py", sys.argv[1], None, 1, 1)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(root)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "UNREADABLE" in done.stdout
    assert "Permission denied" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_no_reading_leaks_a_descriptor(tree):
    root = tree({"a.py": "1", "big.py": b"x" * 100, "bin.py": b"\0", "folder/a": ""})
    os.mkfifo(root / "fifo.py")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a.py", "big.py", "bin.py", "folder", "fifo.py", "gone.py"):
        read_file(found(root, name), max_bytes=50)
    assert len(os.listdir("/proc/self/fd")) == before


# ── files that steer ──


@pytest.mark.parametrize("name", [".gitignore", ".treemillignore"])
@pytest.mark.parametrize("kind", ["fifo", "endless", "folder", "link", "huge"])
def test_an_ignore_file_that_is_none_counts_as_absent_and_never_blocks(tree, name, kind):
    root = tree({"sub/a.py": "", "rules": "*.py\n"})
    place = root / "sub" / name
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "endless":
        place.symlink_to("/dev/zero")
    elif kind == "link":
        place.symlink_to(root / "rules")
    elif kind == "folder":
        place.mkdir()
    else:
        place.write_bytes(b"*.py\n" * 1_000_000)
    started = time.monotonic()
    assert [file.name for file in discover(root) if isinstance(file, DiscoveredFile)] == ["rules", "sub/a.py"]
    assert time.monotonic() - started < SECONDS


def test_patterns_made_to_run_for_ever_take_no_time(tree):
    evil = "*a" * 60 + "b\n" + "**/" * 60 + "b\n" + "[a-z]*" * 40 + "9\n" + "a?" * 200 + "\n"
    root = tree({".gitignore": evil, "a" * 200: "", "/".join("a" * 40): ""})
    started = time.monotonic()
    assert len(list(discover(root))) == 2
    assert time.monotonic() - started < SECONDS


def test_what_steers_is_read_only_when_small_and_regular(tree):
    root = tree({"a": "text", "big": b"x" * (SMALL_FILE_BYTES + 1)})
    (root / "link").symlink_to("a")
    assert read_small_file(str(root / "a")) == b"text"
    assert read_small_file(str(root / "link")) is None
    assert read_small_file(str(root / "link"), follow=True) == b"text"
    assert read_small_file(str(root / "big")) is None
    assert read_small_file(str(root / "gone")) is None
    assert read_small_file(str(root / "a\0b")) is None
