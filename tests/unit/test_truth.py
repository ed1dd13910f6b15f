"""What counts as a change: size and stamps are the fast path, the digest is the judge."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from conftest import Tree
from treemill.indexing import index_tree
from treemill.plan import FINE_TRUST_NS
from treemill.records import Query
from treemill.reports import IndexReport
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

OLD = (1_700_000_000_000_000_000, 1_700_000_000_000_000_000)

posix = pytest.mark.skipif(os.name != "posix", reason="needs a time of change that nobody can set")


class Indexed:
    """A tree and its index: `run` brings it up to date, `answers` says which files hold a word."""

    def __init__(self, root: Path, *, trusted: bool = True) -> None:
        self.root = root
        self.store = MemoryStore()
        if trusted:
            for path in root.rglob("*"):
                os.utime(path, ns=OLD)
            time.sleep(1.1 * FINE_TRUST_NS / 1e9)
        self.run()

    def run(self) -> IndexReport:
        return index_tree(self.root, self.store, INLINE)

    def paths(self) -> list[str]:
        with self.store.snapshot() as snapshot:
            return list(snapshot.files().paths)

    def answers(self, word: str) -> list[str]:
        with Index(self.store) as index:
            return sorted(hit.path for hit in index.ask(Query(word)).hits)


@posix
def test_an_edit_of_the_same_size_whose_time_was_put_back_is_seen(tree: Tree) -> None:
    indexed = Indexed(tree({"a.py": "def apples(): ...\n", "b.py": "x = 1\n"}))
    (indexed.root / "a.py").write_text("def grapes(): ...\n")
    os.utime(indexed.root / "a.py", ns=OLD)
    report = indexed.run()
    assert (report.stats.files_processed, report.unchanged) == (1, 1)
    assert (indexed.answers("grapes"), indexed.answers("apples")) == (["a.py"], [])


@posix
def test_a_file_that_an_editor_replaces_by_one_of_the_same_size_and_time_is_seen(tree: Tree) -> None:
    indexed = Indexed(tree({"a.py": "def apples(): ...\n"}))
    beside = indexed.root / "a.py~"
    beside.write_text("def grapes(): ...\n")
    os.utime(beside, ns=OLD)
    beside.replace(indexed.root / "a.py")
    indexed.run()
    assert (indexed.answers("grapes"), indexed.paths()) == (["a.py"], ["a.py"])


def test_an_edit_right_after_the_run_that_leaves_size_and_stamp_alone_is_seen(tree: Tree) -> None:
    indexed = Indexed(tree({"a.py": "def apples(): ...\n"}), trusted=False)
    before = (indexed.root / "a.py").stat()
    (indexed.root / "a.py").write_text("def grapes(): ...\n")
    os.utime(indexed.root / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    indexed.run()
    assert indexed.answers("grapes") == ["a.py"]


def test_a_checkout_that_touches_everything_costs_no_parse_and_is_trusted_afterwards(tree: Tree) -> None:
    indexed = Indexed(tree({"a.py": "def apples(): ...\n", "src/b.js": "function pears() {}\n"}))
    for path in indexed.root.rglob("*.*"):
        path.write_bytes(path.read_bytes())
    time.sleep(2.2)
    report = indexed.run()
    assert report.stats.files_processed == 2
    assert "chunk" not in report.stats.stages
    assert indexed.run().unchanged == 2


@pytest.mark.parametrize("stamp", [(0, 0), (10**18, 4 * 10**18)], ids=["the epoch", "the year 2096"])
def test_whatever_the_clock_said_an_edit_is_seen(tree: Tree, stamp: tuple[int, int]) -> None:
    indexed = Indexed(tree({"a.py": "def apples(): ...\n"}))
    os.utime(indexed.root / "a.py", ns=stamp)
    indexed.run()
    (indexed.root / "a.py").write_text("def grapes(): ...\n")
    os.utime(indexed.root / "a.py", ns=stamp)
    indexed.run()
    assert (indexed.answers("grapes"), indexed.answers("apples")) == (["a.py"], [])


def test_a_rename_that_changes_only_the_case_is_one(tree: Tree) -> None:
    indexed = Indexed(tree({"Readme.md": "# apples\n"}))
    (indexed.root / "Readme.md").rename(indexed.root / "README.md")
    report = indexed.run()
    assert (indexed.paths(), report.removed) == (["README.md"], 1)
    assert "chunk" not in report.stats.stages


def test_a_folder_that_becomes_a_file_and_a_folder_again(tree: Tree) -> None:
    indexed = Indexed(tree({"tool/main.py": "def apples(): ...\n", "tool/more/deep.py": "x = 1\n"}))
    shutil.rmtree(indexed.root / "tool")
    (indexed.root / "tool").write_text("#!/usr/bin/env python\ndef pears(): ...\n")
    report = indexed.run()
    assert (indexed.paths(), report.removed) == (["tool"], 2)
    assert indexed.answers("pears") == ["tool"]
    (indexed.root / "tool").unlink()
    (indexed.root / "tool").mkdir()
    (indexed.root / "tool/main.py").write_text("def apples(): ...\n")
    report = indexed.run()
    assert (indexed.paths(), report.removed) == (["tool/main.py"], 1)


@posix
def test_a_change_of_permissions_alone_reads_the_file_again_and_changes_nothing(tree: Tree) -> None:
    indexed = Indexed(tree({"a.py": "def apples(): ...\n"}))
    (indexed.root / "a.py").chmod(0o600)
    report = indexed.run()
    assert "chunk" not in report.stats.stages
    assert indexed.answers("apples") == ["a.py"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions that bind this user")
def test_what_cannot_be_read_for_a_while_is_not_forgotten(tree: Tree) -> None:
    indexed = Indexed(tree({"open.py": "def apples(): ...\n", "shut/a.py": "def pears(): ...\n"}))
    (indexed.root / "shut").chmod(0)
    (indexed.root / "open.py").chmod(0)
    try:
        report = indexed.run()
        assert report.removed == 0
        assert [(skip.path, str(skip.reason)) for skip in report.skipped] == [("open.py", "unreadable")]
        assert indexed.answers("pears") == ["shut/a.py"]
    finally:
        (indexed.root / "shut").chmod(0o700)
        (indexed.root / "open.py").chmod(0o600)
    indexed.run()
    assert indexed.answers("apples") == ["open.py"]
