"""Trees of which the platform tells nothing, or not enough: `treemill watch` looks for itself, and forgets nothing.

test ─ writes ─▶ served folder ─ server ─▶ network drive ◀─ looks ─ treemill watch ─▶ index in the user's cache
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Tree
from support.namespaces import REFUSED
from support.processes import TESTS, environment
from treemill.errors import IndexMissing, StorageError
from treemill.indexing import index_tree
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.location import cache_folder
from treemill.storage.memory import MemoryStore
from treemill.storage.sqlite import SqliteStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs name spaces of Linux")

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

FILES = {"shop/cart.py": "def add_item(): ...\n", "shop/pay.py": "def charge(): ...\n", "web/app.js": "render();\n"}

PATIENCE = 60

SUPPORT = TESTS / "support"
TREEMILL = (sys.executable, "-m", "treemill")


def on_drive(served: Path, point: Path, *words: str) -> list[str]:
    """Return the command that runs Treemill where a served folder is a network drive."""
    return [sys.executable, str(SUPPORT / "network_drive.py"), str(served), str(point), *TREEMILL, *words]


def with_few_watches(count: int, *words: str) -> list[str]:
    """Return the command that runs Treemill where the platform listens to so few folders."""
    return [sys.executable, str(SUPPORT / "namespaces.py"), str(count), *TREEMILL, *words]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; skip the test where the machine refuses what it needs."""
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), stdin=subprocess.PIPE)
    if ended.returncode == REFUSED:
        pytest.skip(ended.stderr.strip())
    return ended


class Watch:
    """A running `treemill watch --json`: what it has told so far, and a line to whoever serves its drive."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def hear(self, name: str) -> dict[str, Any]:
        """Return the next event of a name."""
        until = time.monotonic() + PATIENCE
        while True:
            line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            if not line:
                if self.process.wait() == REFUSED:
                    pytest.skip("the machine lets nobody have name spaces or drives of its own")
                raise AssertionError(f"it ended without {name!r}")
            event: dict[str, Any] = json.loads(line)
            self.seen.append(event)
            if event["event"] == name:
                return event

    def say(self, word: str) -> None:
        """Tell whoever serves the drive to drop it or to have it back."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")


@contextlib.contextmanager
def watching(command: list[str]) -> Iterator[Watch]:
    """Run a watch until the block ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment(), **pipes) as process:  # type: ignore[call-overload]
        try:
            yield Watch(process)
        finally:
            process.kill()


def recorded(folder: Path) -> dict[str, bytes]:
    """Return the paths and contents that an index has; nothing while there is none."""
    with contextlib.suppress(IndexMissing, StorageError), SqliteStore(folder) as store:
        return {record.path: record.key for record in store.recorded()}
    return {}


def fresh(root: Path) -> dict[str, bytes]:
    """Return the paths and contents that an index of a tree has when it is made from nothing."""
    with MemoryStore() as store:
        index_tree(root, store, INLINE)
        return {record.path: record.key for record in store.recorded()}


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold within a time that no machine needs."""
    until = time.monotonic() + PATIENCE
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.02)
    return held


def index_in_cache() -> Path:
    """Return the folder of the one index in this user's cache."""
    (folder,) = (cache_folder() / "indexes").iterdir()
    return folder


@pytest.fixture
def point(tmp_path: Path) -> Path:
    """Return a folder to mount a drive on."""
    folder = tmp_path / "drive"
    folder.mkdir()
    return folder


def test_what_others_change_on_a_network_drive_is_found_by_looking(tree: Tree, point: Path) -> None:
    served = tree(FILES)
    with watching(on_drive(served, point, "watch", "--json", "--executor", "inline", str(point))) as watch:
        began = watch.hear("watching")
        assert "network file system (fuse.sshfs)" in began["polling"]
        assert (began["files"], began["interval"] > 0) == (3, True)
        index = index_in_cache()
        same = functools.partial(lambda: recorded(index) == fresh(served))
        (served / "shop/pay.py").write_text("def refund(): ...\n")
        assert eventually(same)
        (served / "deep/down").mkdir(parents=True)
        (served / "deep/down/new.py").write_text("def brand_new(): ...\n")
        (served / "web/app.js").unlink()
        assert eventually(same)
        (served / "deep").rename(served / "moved")
        (served / "shop/cart.py").rename(served / "shop/basket.py")
        assert eventually(same)
        assert sorted(recorded(index)) == ["moved/down/new.py", "shop/basket.py", "shop/pay.py"]
    assert sorted(path.name for path in served.iterdir()) == ["moved", "shop", "web"]


def test_a_network_drive_that_drops_loses_nothing_and_is_taken_up_again(tree: Tree, point: Path) -> None:
    served = tree(FILES)
    with watching(on_drive(served, point, "watch", "--json", "--executor", "inline", str(point))) as watch:
        watch.hear("watching")
        index, before = index_in_cache(), fresh(served)
        watch.say("drop")
        watch.hear("troubled")
        assert recorded(index) == before
        (served / "shop/pay.py").write_text("def refund(): ...\n")
        (served / "shop/new.py").write_text("def brand_new(): ...\n")
        watch.say("back")
        watch.hear("watching")
        assert eventually(lambda: recorded(index) == fresh(served))


def test_commands_on_a_network_drive_share_one_index_outside_of_it(tree: Tree, point: Path) -> None:
    served = tree(FILES)
    indexed = run(on_drive(served, point, "index", "--executor", "inline", str(point)))
    assert indexed.returncode == 0, indexed.stderr
    (served / "shop/pay.py").write_text("def refund(): ...\n")
    found = run(on_drive(served, point, "search", "refund", "-l", "--executor", "inline", str(point)))
    assert found.stdout.split() == ["shop/pay.py"], found.stderr
    assert recorded(index_in_cache()) == fresh(served)


def test_where_the_platform_listens_to_too_few_folders_looking_is_all_there_is(tree: Tree) -> None:
    root = tree({f"part{number}/file.py": f"def part_{number}(): ...\n" for number in range(8)})
    with watching(with_few_watches(4, "watch", "--json", "--executor", "inline", str(root))) as watch:
        began = watch.hear("watching")
        assert "the platform does not tell of changes" in began["polling"]
        (root / "part7/file.py").write_text("def changed(): ...\n")
        (root / "part0/file.py").unlink()
        assert eventually(lambda: recorded(root / ".treemill") == fresh(root))
        watch.process.send_signal(signal.SIGINT)
        assert watch.process.wait(PATIENCE) == 0


def test_folders_beyond_what_the_platform_listens_to_are_followed_by_looking(tree: Tree) -> None:
    root = tree({"first.py": "def first(): ...\n"})
    with watching(with_few_watches(6, "watch", "--json", "--executor", "inline", str(root))) as watch:
        assert not watch.hear("watching")["polling"]
        for number in range(12):
            (root / f"part{number}").mkdir()
            (root / f"part{number}/file.py").write_text(f"def part_{number}(): ...\n")
        assert "the platform does not tell of changes" in watch.hear("watching")["polling"]
        (root / "part11/file.py").write_text("def changed(): ...\n")
        assert eventually(lambda: recorded(root / ".treemill") == fresh(root))


def test_looking_is_what_is_asked_for(tree: Tree) -> None:
    root = tree(FILES)
    command = [*TREEMILL, "watch", "--poll", "--json", "--executor", "inline", str(root)]
    with watching(command) as watch:
        assert watch.hear("watching")["polling"] == "asked for"
        (root / "shop").rename(root / "store")
        (root / "store/pay.py").write_text("def refund(): ...\n")
        assert eventually(lambda: recorded(root / ".treemill") == fresh(root))
        os.kill(watch.process.pid, signal.SIGTERM)
        assert watch.process.wait(PATIENCE) == 0
