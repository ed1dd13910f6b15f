"""Watching a tree: whatever happens in it is in the index soon after, and a full look finds nothing to do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import treemill
from conftest import Tree
from support.processes import environment
from treemill.errors import IndexMissing, StorageError
from treemill.events import Event, Noticed, StandingBy, Troubled, Updated, Watching
from treemill.file_events import LOST, FileEvents
from treemill.freshness import look
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.location import locate
from treemill.storage.sqlite import SqliteStore

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

FILES = {"shop/cart.py": "def add_item(): ...\n", "shop/pay.py": "def charge(): ...\n", "web/app.js": "render();\n"}

PATIENCE = 60


def eventually(holds: Callable[[], object]) -> bool:
    """Whether something comes to hold within a time that no machine needs."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(IndexMissing, StorageError):
            if holds():
                return True
        time.sleep(0.02)
    return False


class Watched:
    """A root that is being watched in a thread, and what the listener was told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seen: list[Event] = []

    def paths(self) -> list[str]:
        with SqliteStore(locate(self.root)) as store, store.snapshot() as snapshot:
            return list(snapshot.files().paths)

    def answers(self, word: str) -> list[str]:
        return sorted(hit.path for hit in treemill.search(self.root, word))

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.seen if isinstance(event, kind)]

    def is_up_to_date(self) -> bool:
        with SqliteStore(locate(self.root)) as store:
            return not look(self.root, store, INLINE).found_work


@contextlib.contextmanager
def watched(root: Path, *, settings: Settings | None = INLINE, polling: bool = False) -> Iterator[Watched]:
    """Watch a root until the block ends, which ends the watch within a moment and without an error."""
    it, cancel, errors = Watched(root), threading.Event(), []

    def run() -> None:
        try:
            treemill.watch(root, settings=settings, on_event=it.seen.append, cancel=cancel, polling=polling)
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert eventually(lambda: it.told(Watching) or errors)
        yield it
    finally:
        cancel.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert errors == []


def test_edits_new_files_renames_and_deletions_are_in_the_index_soon_after(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        assert it.answers("charge") == ["shop/pay.py"]
        (it.root / "shop/pay.py").write_text("def refund(): ...\n")
        assert eventually(lambda: it.answers("refund") == ["shop/pay.py"])
        (it.root / "deep/down/here").mkdir(parents=True)
        (it.root / "deep/down/here/new.py").write_text("def brand_new(): ...\n")
        assert eventually(lambda: it.answers("brand_new") == ["deep/down/here/new.py"])
        (it.root / "deep/down").rename(it.root / "shop/moved")
        assert eventually(lambda: it.answers("brand_new") == ["shop/moved/here/new.py"])
        (it.root / "shop/moved/here/new.py").write_text("def brand_newer(): ...\n")
        assert eventually(lambda: it.answers("brand_newer") == ["shop/moved/here/new.py"])
        (it.root / "web/app.js").unlink()
        shutil.rmtree(it.root / "shop/moved")
        assert eventually(lambda: it.paths() == ["shop/cart.py", "shop/pay.py"])
        assert eventually(it.is_up_to_date)


def test_an_edit_makes_nobody_walk_the_tree(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        it.seen.clear()
        (it.root / "shop/pay.py").write_text("def refund(): ...\n")
        assert eventually(lambda: it.told(Updated))
        (noticed,) = it.told(Noticed)[:1]
        assert isinstance(noticed, Noticed)
        assert noticed.places == 1


def test_a_switch_of_branches_is_followed_to_the_last_file(tree: Tree) -> None:
    root = tree({f"old{i % 40}/sub/f{i}.py": f"OLD = {i}\n" for i in range(400)})
    with watched(root) as it:
        for i in range(40):
            shutil.rmtree(root / f"old{i}")
        for i in range(600):
            path = root / f"new{i % 60}/sub/f{i}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"NEW = {i}\n")
        wanted = sorted(f"new{i % 60}/sub/f{i}.py" for i in range(600))
        assert eventually(lambda: it.paths() == wanted)
        for i in range(60):
            (root / f"new{i}/sub/f{i}.py").write_text(f"AGAIN = {i}\n")
        assert eventually(it.is_up_to_date)
        assert it.answers("AGAIN")


def test_a_folder_that_is_replaced_by_another_one_is_still_heard_of(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        shutil.rmtree(it.root / "shop")
        (it.root / "shop").mkdir()
        (it.root / "shop/cart.py").write_text("def first(): ...\n")
        assert eventually(lambda: it.answers("first") == ["shop/cart.py"])
        (it.root / "shop/cart.py").write_text("def second(): ...\n")
        assert eventually(lambda: it.answers("second") == ["shop/cart.py"])


def test_rules_that_change_leave_out_and_bring_back(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        (it.root / ".gitignore").write_text("web/\n")
        assert eventually(lambda: it.paths() == ["shop/cart.py", "shop/pay.py"])
        (it.root / ".gitignore").unlink()
        assert eventually(lambda: it.paths() == sorted(FILES))
        (it.root / "web/app.js").write_text("render_again();\n")
        assert eventually(lambda: it.answers("render_again") == ["web/app.js"])


def test_settings_of_the_tree_that_change_are_read_again_and_bad_ones_are_told(tree: Tree) -> None:
    with watched(tree({**FILES, ".hidden.py": "x = 1\n"}), settings=None) as it:
        (it.root / "treemill.toml").write_text("[discovery]\nhidden = true\n")
        assert eventually(lambda: ".hidden.py" in it.paths())
        (it.root / "treemill.toml").write_text("[discovery]\nhidden = 'perhaps'\n")
        assert eventually(lambda: it.told(Troubled))
        (it.root / "treemill.toml").unlink()
        assert eventually(lambda: it.paths() == sorted(FILES))


def test_a_root_that_is_deleted_is_waited_for_and_taken_up_again(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        shutil.rmtree(it.root)
        assert eventually(lambda: it.told(Troubled))
        it.root.mkdir()
        (it.root / "back.py").write_text("def back(): ...\n")
        assert eventually(lambda: it.answers("back") == ["back.py"])
        (it.root / "back.py").write_text("def and_forth(): ...\n")
        assert eventually(lambda: it.answers("and_forth") == ["back.py"])


def test_an_index_that_is_deleted_is_made_again(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        shutil.rmtree(it.root / ".treemill")
        assert eventually(lambda: it.paths() == sorted(FILES))
        (it.root / "web/app.js").write_text("render_again();\n")
        assert eventually(lambda: it.answers("render_again") == ["web/app.js"])


def test_without_file_events_looking_does(tree: Tree) -> None:
    with watched(tree(FILES), polling=True) as it:
        (watching,) = it.told(Watching)
        assert isinstance(watching, Watching)
        assert watching.polling
        (it.root / "shop/pay.py").write_text("def refund(): ...\n")
        assert eventually(lambda: it.answers("refund") == ["shop/pay.py"])


def test_a_file_that_was_read_too_soon_to_be_trusted_is_settled_when_the_tree_rests(tree: Tree) -> None:
    with watched(tree(FILES)) as it:
        (it.root / "shop/pay.py").write_text("def refund(): ...\n")
        assert eventually(it.is_up_to_date)


# ── the command ──


def command(root: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "treemill", "watch", str(root), "--json", "--executor", "inline"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment())


def hear(process: subprocess.Popen[str], kind: type[Event]) -> dict[str, object]:
    """Return the next event of a kind that a process tells of."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, object] = json.loads(line)
        if event["event"] == kind.__name__.lower():
            return event
    raise AssertionError(f"it ended without a {kind.__name__}")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_second_watch_stands_by_takes_over_and_ends_well_with_ctrl_c(tree: Tree) -> None:
    root = tree(FILES)
    with command(root) as first:
        hear(first, Watching)
        with command(root) as second:
            try:
                assert hear(second, StandingBy)["pid"] == first.pid
                first.kill()
                hear(second, Watching)
                (root / "shop/pay.py").write_text("def refund(): ...\n")
                assert eventually(lambda: [hit.path for hit in treemill.search(root, "refund")] == ["shop/pay.py"])
                second.send_signal(signal.SIGINT)
                assert second.stdout is not None
                second.stdout.read()
                assert second.wait(PATIENCE) == 0
            finally:
                first.kill()
                second.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a queue of events of a known length")
def test_an_edit_that_the_full_queue_of_events_left_out_is_found_all_the_same(tree: Tree) -> None:
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if room > 100_000:
        pytest.skip(f"a queue of {room:,} events takes too long to fill")
    root = tree(FILES)
    with command(root) as watching:
        try:
            hear(watching, Watching)
            watching.send_signal(signal.SIGSTOP)
            for _ in range(room):
                (root / "shop/churn").touch()
                (root / "shop/churn").unlink()
            (root / "web/app.js").write_text("overflown();\n")
            watching.send_signal(signal.SIGCONT)
            assert eventually(lambda: [hit.path for hit in treemill.search(root, "overflown")] == ["web/app.js"])
            watching.send_signal(signal.SIGINT)
            assert watching.stdout is not None
            told = [json.loads(line) for line in watching.stdout.read().splitlines()]
        finally:
            watching.kill()
    # No event told of it: it was found by looking at everything.
    places = [event["places"] for event in told if event["event"] == "noticed"]
    assert places
    assert set(places) == {0}


# ── what the platform tells ──


@pytest.mark.parametrize("by_folder", [True, False], ids=["folder by folder", "the whole tree"])
def test_changes_come_as_paths_below_the_root(tree: Tree, by_folder: bool) -> None:
    root = tree(FILES)
    with FileEvents(root, by_folder=by_folder) as events:
        events.listen({"", "shop/", "web/", "gone/"})
        heard: set[str] = set()
        (root / "shop/pay.py").write_text("pass\n")
        (root / "top.py").write_text("pass\n")
        assert eventually(lambda: heard.update(events.next(0.1) or ()) or {"shop/pay.py", "top.py"} <= heard)
        assert not events.deaf


@pytest.mark.parametrize("pause", [0, 0.03, 0.2])
def test_what_changed_before_more_folders_are_listened_to_is_still_told(tree: Tree, pause: float) -> None:
    root = tree(FILES)
    with FileEvents(root) as events:
        events.listen({"", "shop/"})
        heard: set[str] = set()
        for number in range(3):
            name = f"shop/new{number}.py"
            (root / name).write_text("pass\n")
            time.sleep(pause)
            events.listen({"", "shop/", "web/"})
            assert eventually(lambda name=name: heard.update(events.next(0.1) or ()) or name in heard)


@pytest.mark.skipif(sys.platform != "linux", reason="only there names can be any bytes")
def test_a_name_that_the_library_cannot_tell_is_reported_as_something_lost(tree: Tree) -> None:
    root = tree(FILES)
    with FileEvents(root) as events:
        events.listen({"", "shop/"})
        Path(os.fsdecode(os.fsencode(root) + b"/shop/\xff.py")).write_text("pass\n")
        heard: set[str] = set()
        assert eventually(lambda: heard.update(events.next(0.1) or ()) or heard >= LOST)
        (root / "shop/pay.py").write_text("pass\n")
        assert eventually(lambda: heard.update(events.next(0.1) or ()) or "shop/pay.py" in heard)
