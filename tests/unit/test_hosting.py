"""A hosted tree: indexed behind, answered from the last commit, closed without leaving anything."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from conftest import Tree
from treemill.errors import StorageError, UsageError
from treemill.events import Ended, Event
from treemill.hosting import Host
from treemill.places import place_of
from treemill.records import Query
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.sqlite import SqliteStore

LONG = 60.0

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))


def host(root: Path, **more: object) -> Host:
    """Host a folder, its files cut in this process."""
    return Host(place_of(root), settings=INLINE, **more)  # type: ignore[arg-type]


def test_a_tree_without_an_index_is_indexed_by_the_first_question(tree: Tree) -> None:
    root = tree({"cart.py": "def add_item(cart, item):\n    cart.append(item)\n"})
    with host(root) as hosted:
        answer = hosted.ask(Query("add_item"), patience=LONG)
    assert [hit.path for hit in answer.hits] == ["cart.py"]
    assert answer.coverage.complete


def test_a_file_that_changed_is_found_by_the_next_question_that_waits_for_it(tree: Tree) -> None:
    root = tree({"cart.py": "def add_item(): ...\n"})
    with host(root) as hosted:
        hosted.ask(Query("add_item"), patience=LONG)
        (root / "order.py").write_text("def place_order(): ...\n")
        assert hosted.wait(hosted.refresh(), LONG)
        answer = hosted.ask(Query("place_order"))
    assert [hit.path for hit in answer.hits] == ["order.py"]


def test_a_host_does_nothing_until_it_is_asked(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n"})
    with host(root):
        pass
    assert not (root / ".treemill").exists()


def test_a_question_that_will_not_wait_is_answered_with_a_reason(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n"})
    with SqliteStore(place_of(root).folder, create=True) as store, store.writer(), host(root) as hosted:
        answer = hosted.ask(Query("x"), patience=0.0)
    assert not answer.hits
    assert answer.reason
    assert not answer.coverage.complete


def test_another_process_that_indexes_is_named_and_waited_for_by_nobody(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n"})
    with SqliteStore(place_of(root).folder, create=True) as store, store.writer(), host(root) as hosted:
        assert hosted.wait(hosted.refresh(), LONG)
        status = hosted.status()
    assert status.writer is not None
    assert status.trouble == ""


def test_what_stops_indexing_is_told_with_every_empty_answer(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n", ".treemill/owner": "somebody else's"})
    with host(root) as hosted:
        assert hosted.wait(hosted.refresh(), LONG)
        assert "--rebuild" in hosted.status().trouble
        with pytest.raises(StorageError):
            hosted.ask(Query("x"))


def test_a_place_is_read_whole_from_the_index(tree: Tree) -> None:
    root = tree({"a.py": "import os\n\n\ndef first():\n    return 1\n\n\ndef second():\n    return os.sep\n"})
    with host(root) as hosted:
        hit = hosted.ask(Query("a.py:9", mode="place"), patience=LONG).hits[0]
        assert "return os.sep" in hit.content
        assert (hit.path, hit.line) == ("a.py", 9)
        with pytest.raises(UsageError, match="no line 99"):
            hosted.ask(Query("a.py:99", mode="place"))


def test_a_host_below_an_indexed_root_answers_for_what_lies_below_it(tree: Tree) -> None:
    root = tree({"a.py": "def shared(): ...\n", "sub/b.py": "def shared(): ...\n"})
    with host(root) as hosted:
        hosted.ask(Query("shared"), patience=LONG)
    with host(root / "sub") as below:
        assert [hit.path for hit in below.ask(Query("shared"), patience=LONG).hits] == ["sub/b.py"]


def test_many_threads_ask_one_host_while_it_indexes(tree: Tree) -> None:
    root = tree({f"m{number}.py": f"def function_{number}(): ...\n" for number in range(40)})
    found: list[int] = []
    with host(root) as hosted:
        threads = [
            threading.Thread(
                target=lambda n=n: found.append(len(hosted.ask(Query(f"function_{n}"), patience=LONG).hits))
            )
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
    assert len(found) == 16
    assert all(found)


def test_events_of_a_run_reach_the_listener(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n"})
    seen: list[Event] = []
    with host(root, on_event=seen.append) as hosted:
        assert hosted.wait(hosted.refresh(), LONG)
    assert isinstance(seen[-1], Ended)


def test_closing_ends_a_run_and_every_thread(tree: Tree) -> None:
    root = tree({f"m{number}.py": f"x = {number}\n" for number in range(200)})
    hosted = host(root)
    hosted.refresh()
    hosted.close()
    hosted.close()
    assert not any(thread.name == "treemill-host" for thread in threading.enumerate())
    assert hosted.wait(10**9, LONG), "a closed host keeps nobody waiting"
