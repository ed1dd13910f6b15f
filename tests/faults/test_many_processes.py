"""Several `treemill` processes on one tree: they share the work, say who is at it, and hold up nobody who reads."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Tree
from support.processes import environment
from treemill import open as open_index
from treemill.records import Query
from treemill.storage.lease import holder
from treemill.storage.location import locate
from treemill.storage.ownership import data_folder, read_mark

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

# Enough that a run of one worker commits several times, and can be stopped in between.
MANY = {
    f"m{i:03}/f.py": "".join(f"def carry_{i}_{j}(load):\n    return load.step({j}) + ready\n\n" for j in range(400))
    for i in range(250)
}

PATIENCE = 60


def treemill(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "treemill", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(TERM="dumb")
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@contextlib.contextmanager
def half_done(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a `treemill index` that has committed some of a tree, and is stopped."""
    process = treemill("index", root, "--workers", 1, "--progress", "json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    try:
        for line in process.stderr:
            if json.loads(line)["event"] == "committed":
                break
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        # What it still says is taken off its hands, so that it never waits for a reader.
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()
        yield process
    finally:
        process.kill()
        process.wait()
        reader.join(PATIENCE)
        process.stderr.close()


def lease_of(root: Path) -> int | None:
    folder = locate(root)
    return holder(data_folder(folder, read_mark(folder)))


def test_a_stopped_writer_is_named_with_how_far_it_is_and_holds_up_nobody_who_reads(tree: Tree) -> None:
    root = tree(MANY)
    with half_done(root) as writer:
        if lease_of(root) != writer.pid:
            pytest.skip("this machine was done before it could be stopped")
        code, _, err = ended(treemill("index", root))
        assert code == 5
        assert f"process {writer.pid} is writing this index since" in err
        assert "is stopped" in err
        assert "of 250 files are searchable so far" in err
        assert f"kill -CONT {writer.pid}" in err

        code, out, err = ended(treemill("search", "carry_0_1", root, "-l"))
        assert code == 0
        assert "m000/f.py" in out.splitlines()
        assert f"process {writer.pid}" in err

        waiting = treemill("index", root, "--wait")
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        assert line.startswith(f"waiting: process {writer.pid} is writing this index")
        assert "is stopped" in line
        writer.send_signal(signal.SIGCONT)
        code, _, err = ended(waiting)
        assert code == 0
        assert "searchable: 250 of 250 files" in err
        assert writer.wait(PATIENCE) == 0
    newest = json.loads(ended(treemill("status", root, "--json"))[1])["run"]
    assert newest["pid"] == writer.pid, "whoever waited found nothing to do"


def test_a_killed_writer_is_succeeded_at_once_and_what_it_committed_is_kept(tree: Tree) -> None:
    root = tree(MANY)
    with half_done(root) as writer:
        writer.kill()
        writer.wait()
        assert lease_of(root) is None
        report = json.loads(ended(treemill("index", root, "--json"))[1])
    assert report["coverage"]["complete"]
    assert report["coverage"]["searchable"] == 250
    assert report["stats"]["files_processed"] < 250


def test_two_writers_and_thirty_readers_get_whole_answers_and_nobody_reads_in_vain(tree: Tree) -> None:
    """A file says its version on every line: a torn answer would mix two."""
    root = tree({f"f{i:02}.py": version(i, 0) for i in range(30)})
    assert ended(treemill("index", root))[0] == 0
    over = threading.Event()
    reads, wrong = [0] * 30, []

    def read(number: int) -> None:
        with open_index(root) as index:
            while not over.is_set():
                query = Query(f"anchor_{number}", limit=3, context=100)
                hits = [hit for hit in index.ask(query).hits if hit.path == f"f{number:02}.py"]
                versions = {line.rpartition("v")[2] for hit in hits for line in hit.content.splitlines() if line}
                if len(versions) != 1:
                    wrong.append((number, versions))
                reads[number] += 1

    readers = [threading.Thread(target=read, args=(number,)) for number in range(30)]
    for reader in readers:
        reader.start()
    began, edition = time.monotonic(), 0
    while sum(reads) < 1_000 and time.monotonic() - began < PATIENCE:
        edition += 1
        for i in range(0, 30, 2):
            (root / f"f{i:02}.py").write_text(version(i, edition))
        codes = {ended(process)[0] for process in [treemill("index", root), treemill("index", root, "--wait")]}
        assert codes <= {0, 5}
    over.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert wrong == []
    assert min(reads) > 0
    assert sum(reads) >= 1_000


def version(number: int, edition: int) -> str:
    return "".join(f"anchor_{number} = {line}  # v{edition}\n" for line in range(12))
