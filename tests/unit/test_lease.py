"""The writer lease: held by one, told to all, gone with its holder."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from support.processes import program
from treemill.errors import IndexLocked, StorageError
from treemill.storage.lease import LOCK_NAME, Lease, holder

HOLD = """
import sys
from pathlib import Path
from treemill.storage.lease import Lease
lease = Lease.acquire(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""

HOLD_AND_FORK = """
import os, sys, time
from pathlib import Path
from treemill.storage.lease import Lease
lease = Lease.acquire(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print("ready", child, flush=True)
sys.stdin.read()
"""

HOLD_AND_SPAWN = """
import subprocess, sys
from pathlib import Path
from treemill.storage.lease import Lease
lease = Lease.acquire(Path(sys.argv[1]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
print("ready", child.pid, flush=True)
sys.stdin.read()
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and fork")


def test_nobody_holds_a_lease_at_first(tmp_path):
    assert holder(tmp_path) is None


def test_who_holds_it_is_told_without_waiting(tmp_path):
    with Lease.acquire(tmp_path):
        began = time.monotonic()
        assert holder(tmp_path) == os.getpid()
        assert time.monotonic() - began < 0.5
    assert holder(tmp_path) is None


def test_a_second_one_is_refused_with_the_pid_the_time_and_the_next_step(tmp_path):
    with Lease.acquire(tmp_path), pytest.raises(IndexLocked) as refused:
        Lease.acquire(tmp_path)
    assert refused.value.pid == os.getpid()
    assert f"process {os.getpid()} is writing this index since " in str(refused.value)
    assert "treemill index --wait" in str(refused.value)


def test_a_released_lease_can_be_taken_again(tmp_path):
    for _ in range(3):
        with Lease.acquire(tmp_path):
            pass
    lease = Lease.acquire(tmp_path)
    lease.release()
    lease.release()
    with Lease.acquire(tmp_path):
        lease.release()
        assert holder(tmp_path) == os.getpid()


def test_another_process_is_named(tmp_path):
    with program(HOLD, tmp_path) as process:
        assert holder(tmp_path) == process.pid
        with pytest.raises(IndexLocked) as refused:
            Lease.acquire(tmp_path)
        assert refused.value.pid == process.pid


def test_waiting_ends_when_the_holder_ends(tmp_path):
    with program(HOLD, tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with Lease.acquire(tmp_path, wait_seconds=20):
            assert holder(tmp_path) == os.getpid()


def test_waiting_ends_when_it_is_told_to(tmp_path):
    with Lease.acquire(tmp_path):
        began = time.monotonic()
        with pytest.raises(IndexLocked):
            Lease.acquire(tmp_path, wait_seconds=0.3)
        assert 0.25 < time.monotonic() - began < 5


@posix
def test_a_killed_holder_leaves_no_lease(tmp_path):
    with program(HOLD, tmp_path) as process:
        process.kill()
        process.wait()
        assert holder(tmp_path) is None
        with Lease.acquire(tmp_path):
            pass


@posix
def test_a_stopped_holder_keeps_its_lease(tmp_path):
    with program(HOLD, tmp_path) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(IndexLocked) as refused:
            Lease.acquire(tmp_path, wait_seconds=0.2)
        assert refused.value.pid == process.pid


@posix
@pytest.mark.parametrize("code", [HOLD_AND_FORK, HOLD_AND_SPAWN], ids=["forked", "started"])
def test_a_child_does_not_keep_the_lease_of_its_dead_parent(tmp_path, code):
    with program(code, tmp_path, ready="") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline().split()[1])
        try:
            assert holder(tmp_path) == process.pid
            process.kill()
            process.wait()
            os.kill(child, 0)
            with Lease.acquire(tmp_path, wait_seconds=1):
                assert holder(tmp_path) == os.getpid()
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("said", [b"", b"nobody knows", b"-5 -7", b"1 2 3", b"\xff\xfe", b"9" * 80])
def test_what_a_damaged_lock_file_says_is_not_believed(tmp_path, said):
    with Lease.acquire(tmp_path):
        (tmp_path / LOCK_NAME).write_bytes(said)
        assert holder(tmp_path) == 0
        with pytest.raises(IndexLocked) as refused:
            Lease.acquire(tmp_path)
        assert refused.value.pid is None
    (tmp_path / LOCK_NAME).write_bytes(said)
    assert holder(tmp_path) is None


@posix
def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    index = tmp_path / "index"
    index.mkdir()
    (index / LOCK_NAME).symlink_to(victim)
    with pytest.raises(StorageError, match="lock file"):
        Lease.acquire(index)
    assert victim.read_text() == "precious"
