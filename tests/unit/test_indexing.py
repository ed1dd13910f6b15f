"""Indexing a tree, end to end in one process: what is found, what changes, what is left out."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conftest import Tree
from support.tables import write_table
from treemill import freshness
from treemill.chunking.governor import CHUNKER_VERSION, ChunkGovernor
from treemill.discovery import discover
from treemill.embedding.static import StaticEncoder
from treemill.errors import IndexMismatch, UsageError
from treemill.events import Cancelled, Committed, Ended, Event, Finished, Heartbeat, Passed, Planned, Queued, Worked
from treemill.freshness import IndexOptions
from treemill.indexing import index_tree
from treemill.plan import FINE_TRUST_NS
from treemill.ranking import words
from treemill.records import Query, Recipe, RunState, Status
from treemill.reports import IndexReport
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, PerformanceSettings, Settings, StorageSettings
from treemill.storage.memory import MemoryStore
from treemill.storage.rows import recipe_text
from treemill.storage.segment_files import SMALL_TAIL_CONTENTS
from treemill.storage.sqlite import SqliteStore
from treemill.types import Chunking, DiscoveredFile, Failure, Skipped, SkipReason, Source, Unreadable

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(cart):\n    return gateway.charge(cart.total())\n",
    "web/app.js": "export function renderCart(cart) {\n  return cart.items.length;\n}\n",
    "logo.bin": b"\x89\0\0\0",
    "empty.py": "",
}


def paths(store: MemoryStore) -> list[str]:
    with store.snapshot() as snapshot:
        return list(snapshot.files().paths)


def run(root: Path, store: MemoryStore, **options: object) -> IndexReport:
    return index_tree(root, store, INLINE, **options)  # type: ignore[arg-type]


def make_old(root: Path) -> None:
    """Give files stamps that are trusted: younger ones are read again."""
    for path in root.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    # Nobody can set the time of the last change.
    time.sleep(1.1 * FINE_TRUST_NS / 1e9)


def test_a_tree_is_indexed_and_every_file_is_accounted_for(tree: Tree) -> None:
    store = MemoryStore()
    report = run(tree(FILES), store)
    assert paths(store) == ["empty.py", "shop/cart.py", "shop/pay.py", "web/app.js"]
    stats = report.stats
    assert (stats.submitted_files, stats.files_processed, stats.skipped_files, stats.failed_files) == (5, 4, 1, 0)
    assert [(skip.path, skip.reason) for skip in report.skipped] == [("logo.bin", SkipReason.BINARY)]
    assert report.coverage.complete
    assert str(report.coverage) == "4 of 4 files"
    assert {name: row.files for name, row in stats.languages.items()} == {"python": 3, "javascript": 1}


def test_indexing_twice_is_indexing_once(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    make_old(root)
    run(root, store)
    generation = store.generation()
    report = run(root, store)
    assert (report.stats.submitted_files, report.unchanged) == (0, 5)
    assert store.generation() == generation


def test_only_what_changed_is_read_again(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    make_old(root)
    run(root, store)
    (root / "shop/pay.py").write_text("def refund_card(cart): ...\n")
    (root / "web/app.js").unlink()
    (root / "new.py").write_text("NEW = 1\n")
    report = run(root, store)
    assert (report.stats.files_processed, report.removed, report.unchanged) == (2, 1, 3)
    assert paths(store) == ["empty.py", "new.py", "shop/cart.py", "shop/pay.py"]
    with Index(store) as index:
        assert [hit.path for hit in index.search("refund")] == ["shop/pay.py"]
        assert index.search("charge") == []


def test_a_file_that_moved_is_neither_parsed_nor_stored_again(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    run(root, store)
    (root / "shop/cart.py").rename(root / "basket.py")
    report = run(root, store)
    assert "look up" in report.stats.stages
    assert "chunk" not in report.stats.stages
    with Index(store) as index:
        assert index.search("add_item")[0].path == "basket.py"


def test_a_file_that_moved_is_in_the_index_at_any_moment(tree: Tree, tmp_path: Path) -> None:
    #  old/f.py ─▶ new/f.py ── each commit has it here or there, the last one there alone
    root = tree({f"old/f{number:03}.py": f"def f{number}(): ...\n" for number in range(60)})
    settings = replace(INLINE, storage=StorageSettings(commit_seconds=0.01))
    with SqliteStore(tmp_path / "index", create=True) as store:
        index_tree(root, store, settings)
        (root / "old").rename(root / "new")
        seen: list[set[str]] = []

        def listen(event: Event) -> None:
            if isinstance(event, Committed):
                with store.snapshot() as snapshot:
                    seen.append({os.fsdecode(path) for path in snapshot.files().paths})

        report = index_tree(root, store, settings, listener=listen)
        assert report.removed == 60
    assert seen
    for paths in seen:
        assert {path.rpartition("/")[2] for path in paths} == {f"f{number:03}.py" for number in range(60)}
    assert seen[-1] == {f"new/f{number:03}.py" for number in range(60)}


def test_a_walk_that_has_begun_is_looked_at_as_any_other(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    make_old(root)
    with freshness.begin_walk(root, store, INLINE) as walk:
        report = run(root, store, walk=walk)
    assert report.coverage.complete
    assert paths(store) == [name for name in sorted(FILES) if name != "logo.bin"]
    with freshness.begin_walk(root, store, INLINE) as walk:
        assert run(root, store, walk=walk).unchanged == len(FILES)
    with pytest.raises(UsageError), freshness.begin_walk(root / "nowhere", store, INLINE):
        pass


def test_what_another_run_committed_behind_a_walk_is_not_taken_for_gone(tree: Tree) -> None:
    #  walk ─▶ a file comes, and another run commits it ─▶ look with that walk ── it is overtaken, and looks again
    root, store = tree(FILES), MemoryStore()
    with freshness.begin_walk(root, store, INLINE) as walk:
        begun = freshness.Walk(list(walk.found), walk.generation)
    (root / "late.py").write_text("def late(): ...\n")
    run(root, store)
    assert run(root, store, walk=begun).removed == 0
    assert "late.py" in paths(store)


def test_a_file_deleted_while_indexing_costs_one_line_in_the_report(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, store = tree({"a.py": "def a(): ...", "b.py": "def b(): ..."}), MemoryStore()

    def delete(*_: object, **__: object) -> Iterator[list[DiscoveredFile | Skipped | Unreadable]]:
        for found in discover(root):
            (root / "a.py").unlink(missing_ok=True)
            yield [found]

    monkeypatch.setattr(freshness, "discover_together", delete)
    report = run(root, store)
    assert [(skip.path, skip.reason) for skip in report.skipped] == [("a.py", SkipReason.VANISHED)]
    assert paths(store) == ["b.py"]


def test_a_skipped_file_is_recorded_and_not_read_again_until_it_changes(tree: Tree) -> None:
    root, store = tree({"logo.bin": b"\x89\0\0\0"}), MemoryStore()
    make_old(root)
    run(root, store)
    with store.snapshot() as snapshot:
        record = snapshot.file("logo.bin")
    assert record is not None
    assert (record.status, record.reason) == (Status.SKIPPED, "binary")
    assert run(root, store).stats.submitted_files == 0
    assert run(root, store, options=IndexOptions(retry=True)).stats.submitted_files == 1
    (root / "logo.bin").write_bytes(b"now text")
    assert run(root, store).stats.files_processed == 1


@dataclass(frozen=True)
class FailingDisk:
    """Cuts as Treemill does, on a disk that reports an error for the files named."""

    failing: tuple[str, ...]
    recipe = "one chunk a file"

    def cut(self, file: DiscoveredFile, source: Source) -> Chunking | Failure:
        if file.name in self.failing:
            raise OSError(errno.EIO, "Input/output error")
        return Chunking((len(source.data),), (), "fixed") if source.data else Chunking((), (), "fixed")


def test_a_file_that_the_disk_failed_is_tried_again_by_the_next_run_though_it_is_as_it_was(tree: Tree) -> None:
    root, store = tree({"a.py": "one\n", "b.py": "two\n", "c.py": "three\n"}), MemoryStore()
    make_old(root)
    assert [each.path for each in run(root, store, cutter=FailingDisk(("b.py",))).failures] == ["b.py"]
    assert run(root, store, cutter=FailingDisk(())).stats.submitted_files == 1
    assert paths(store) == ["a.py", "b.py", "c.py"]
    assert run(root, store, cutter=FailingDisk(())).stats.submitted_files == 0


def test_a_file_that_fails_is_named_and_the_others_go_on(tree: Tree) -> None:
    settings = Settings(
        chunker=ChunkerSettings(
            max_chunk_bytes=16,
            concurrency=ConcurrencySettings(executor="inline"),
            performance=PerformanceSettings(max_chunks_per_file=3),
        )
    )
    root, store = tree({"long.py": "x = 1\n" * 100, "short.py": "x = 1\n"}), MemoryStore()
    report = index_tree(root, store, settings)
    assert [(each.path, each.error_type) for each in report.failures] == [("long.py", "ChunkLimitExceededError")]
    assert paths(store) == ["short.py"]
    assert not report.coverage.complete
    assert str(report.coverage) == "1 of 2 files"


def test_another_recipe_is_an_error_that_names_the_command(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    run(root, store)
    other = Settings(chunker=ChunkerSettings(max_chunk_bytes=500, concurrency=INLINE.chunker.concurrency))
    with pytest.raises(IndexMismatch, match="treemill index --rebuild"):
        index_tree(root, store, other)


def test_an_index_can_be_of_chunks_counted_in_tokens_and_is_of_that_unit_alone(tree: Tree) -> None:
    root, store = tree({"a.py": "def parse_header(line): return line.split()\n" * 20}), MemoryStore()
    counted = Settings(chunker=ChunkerSettings(max_chunk_tokens=48, concurrency=INLINE.chunker.concurrency))
    make_old(root)
    report = index_tree(root, store, counted)
    assert report.stats.chunks_created == 4
    assert index_tree(root, store, counted).stats.submitted_files == 0
    with pytest.raises(IndexMismatch, match="treemill index --rebuild"):
        index_tree(root, store, INLINE)


def test_an_index_that_an_earlier_version_cut_is_cut_again_by_the_next_runs(tree: Tree, tmp_path: Path) -> None:
    """
    a.py  b.py, as cut by version 1 of the chunker; the first run of version 2 is cancelled before it has begun
    """
    root = tree({name: "".join(f"def f{i}():\n    return {i}\n\n" for i in range(60)) for name in ("a.py", "b.py")})
    make_old(root)
    folder = tmp_path / "index"
    small = ChunkerSettings(max_chunk_bytes=200, concurrency=INLINE.chunker.concurrency)
    with SqliteStore(folder, create=True) as store:
        many = index_tree(root, store, Settings(chunker=small)).coverage.chunks
        built = store.recipe()
    assert built is not None
    (file,) = folder.rglob("index.db")
    with closing(sqlite3.connect(file)) as database, database:
        earlier = replace(built, chunker=ChunkGovernor().recipe.replace(CHUNKER_VERSION, "treemill-chunker-1"))
        database.execute("UPDATE meta SET value = ? WHERE key = 'recipe'", (recipe_text(earlier),))
    cancel = threading.Event()
    cancel.set()
    with SqliteStore(folder) as store:
        assert store.recipe() == earlier
        assert index_tree(root, store, INLINE, cancel=cancel).stats.files_processed == 0
        with Index(store, root) as index:
            assert index.ask(Query("f7")).hits
        report = index_tree(root, store, INLINE)
        assert report.stats.files_processed == 2
        assert report.coverage.chunks < many
        assert store.recipe() == report.recipe != earlier
        assert index_tree(root, store, INLINE).stats.submitted_files == 0


def test_a_run_says_that_all_files_are_cut_again(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    with store.writer() as writer:
        writer.begin_run(Recipe(ChunkGovernor().recipe.replace(CHUNKER_VERSION, "treemill-chunker-1"), words.RECIPE))
        writer.end_run(RunState.COMPLETE)
    assert any("all files are cut again" in warning for warning in run(root, store).warnings)
    assert not run(root, store).warnings


def test_events_tell_what_happens_to_each_file_in_order(tree: Tree) -> None:
    seen: list[Event] = []
    run(tree(FILES), MemoryStore(), listener=seen.append)
    assert [e.path for e in seen if isinstance(e, Queued)] == sorted(FILES)
    assert sorted(e.path for e in seen if isinstance(e, Finished)) == sorted(set(FILES) - {"logo.bin"})
    (planned,) = [e for e in seen if isinstance(e, Planned)]
    assert (planned.stale, planned.unchanged) == (5, 0)
    assert isinstance(seen[-1], Ended)
    for path in FILES:
        kinds = [type(e).__name__ for e in seen if getattr(e, "path", None) == path]
        assert kinds in (["Queued", "Started", "Finished"], ["Queued", "Started", "Passed"])


def test_a_listener_that_wants_no_files_is_told_everything_else(tree: Tree) -> None:
    class Summary(list[Event]):
        wants_files = False
        __call__ = list.append

    told = Summary()
    run(tree(FILES), MemoryStore(), listener=told)
    assert {type(event) for event in told} - {Heartbeat} == {Planned, Passed, Worked, Committed, Ended}


def test_a_cancelled_run_keeps_what_it_committed_and_the_next_one_goes_on(tree: Tree) -> None:
    root, store = tree({f"m{i:02}.py": f"def f{i}(): ...\n" + "f(1)\n" * 5000 for i in range(60)}), MemoryStore()
    make_old(root)
    cancel = threading.Event()
    seen: list[Event] = []

    def cancel_at_the_first_commit(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Finished):
            cancel.set()

    eager = Settings(chunker=INLINE.chunker, storage=StorageSettings(commit_seconds=0.01))
    report = index_tree(root, store, eager, listener=cancel_at_the_first_commit, cancel=cancel)
    stats = report.stats
    assert stats.cancelled
    assert 0 < stats.files_processed < 60
    assert stats.files_processed + stats.cancelled_files == stats.submitted_files == 60
    assert len(paths(store)) == stats.files_processed
    assert len([e for e in seen if isinstance(e, Cancelled)]) == stats.cancelled_files
    run_record = store.last_run()
    assert run_record is not None
    assert run_record.state is RunState.INTERRUPTED
    again = index_tree(root, store, INLINE)
    assert again.stats.files_processed == stats.cancelled_files
    assert again.coverage.complete


def test_the_first_files_are_committed_before_the_others_are_read(tree: Tree) -> None:
    root = tree({f"m{i:02}.py": f"def f{i}(): ...\n" + "f(1)\n" * 5000 for i in range(20)})
    told: list[Event] = []
    patient = Settings(chunker=INLINE.chunker, storage=StorageSettings(commit_seconds=60))
    index_tree(root, MemoryStore(), patient, listener=told.append)
    order = [type(event) for event in told if isinstance(event, Worked | Committed)]
    assert order[:2] == [Worked, Committed]
    assert order.count(Worked) > order.count(Committed) >= 2


def test_an_index_with_a_model_has_a_vector_for_every_chunk(tree: Tree, tmp_path: Path) -> None:
    store = MemoryStore()
    provider = StaticEncoder(write_table(tmp_path / "static.model", ["cart", "item"]))
    report = run(tree(FILES), store, provider=provider)
    assert (report.recipe.model, report.recipe.dimension) == (f"static-1:{provider.version}", 16)
    assert report.coverage.vectors == report.coverage.chunks == 3
    assert report.stats.stages["embed"] > 0


def test_an_index_is_neither_built_on_nor_asked_with_another_model(tree: Tree, tmp_path: Path) -> None:
    root, store = tree(FILES), MemoryStore()
    first, second = (StaticEncoder(write_table(tmp_path / f"{seed}.model", ["cart"], seed=seed)) for seed in (1, 2))
    run(root, store, provider=first)
    with pytest.raises(IndexMismatch, match="treemill index --rebuild"):
        run(root, store, provider=second, options=IndexOptions(everything=True))
    answer = Index(store, second).ask(Query("cart"))
    assert answer.hits
    assert f"by words alone: the index was built with model static-1:{first.version} (16)" in answer.notes[0]
    assert "Run: treemill index --rebuild" in answer.notes[0]
    assert Index(store, first).search("cart")
    assert Index(store).search("cart")


def test_a_run_with_nothing_else_to_do_lays_out_what_is_missing(tree: Tree, tmp_path: Path) -> None:
    root = tree({f"f{number:03}.py": f"def function_{number}(): ...\n" for number in range(SMALL_TAIL_CONTENTS + 1)})
    make_old(root)
    with SqliteStore(tmp_path / "index", create=True) as store:
        index_tree(root, store, INLINE)
        (segment,) = (tmp_path / "index").rglob("*.segment")
        assert store.is_laid_out()
        segment.unlink()
        assert not store.is_laid_out()
        assert index_tree(root, store, INLINE).stats.submitted_files == 0
        assert store.is_laid_out()
        assert len(list((tmp_path / "index").rglob("*.segment"))) == 1
