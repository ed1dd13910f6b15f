"""A copy, clone or worktree of an indexed tree starts from that index, and ends equal to one that was made alone."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from conftest import Tree
from treemill.discovery import discover_together
from treemill.indexing import index_tree
from treemill.library import index
from treemill.places import Place, place_of
from treemill.records import Query, RunState
from treemill.reports import IndexReport
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings, StorageSettings
from treemill.siblings import cache_folder, indexes_alike
from treemill.starting import begin_index
from treemill.storage.memory import MemoryStore
from treemill.storage.sqlite import SqliteStore

SETTINGS = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
WITHOUT_CACHE = Settings(chunker=SETTINGS.chunker, storage=StorageSettings(cache_mb=0))

FILES = {
    "README.md": "# A project\n",
    "setup.py": "def setup(): ...\n",
    "src/one.py": "def one(): ...\n",
    "src/two.py": "def two(): ...\n",
}


def indexed(root: Path, settings: Settings = SETTINGS) -> IndexReport:
    return index(root, settings=settings)


def store_of(root: Path) -> SqliteStore:
    return SqliteStore(root / ".treemill")


def held(root: Path) -> tuple[int, set[str]]:
    """Return how many contents an index holds, and the paths in it."""
    with store_of(root) as store:
        (database,) = root.glob(".treemill/*/index.db")
        connection = sqlite3.connect(database)
        count: int = connection.execute("SELECT count(*) FROM contents").fetchone()[0]
        connection.close()
        return count, {record.path for record in store.recorded()}


def test_a_copy_of_an_indexed_tree_starts_from_its_index_and_equals_a_fresh_one(tree: Tree) -> None:
    first, second = tree(FILES), tree({**FILES, "src/two.py": "def changed(): ...\n", "src/three.py": "three = 3\n"})
    indexed(first)
    shutil.rmtree(cache_folder() / "contents")  # what follows comes from the index, not from the content cache
    place = place_of(second)
    begin_index(place, SETTINGS)
    assert held(second) == (4, set())
    report = indexed(second)
    assert (report.stats.files_processed, report.stats.chunks_created) == (5, 2)
    fresh = MemoryStore()
    index_tree(second, fresh, SETTINGS)
    with store_of(second) as store, Index(store) as ours, Index(fresh) as theirs:
        assert {each.path: each.key for each in store.recorded()} == {each.path: each.key for each in fresh.recorded()}
        for word in ("one", "two", "changed", "three"):
            found = [[hit.path for hit in each.ask(Query(word)).hits] for each in (ours, theirs)]
            assert found[0] == found[1]


def test_segments_are_shared_with_the_other_index_and_outlive_it(tree: Tree) -> None:
    many = {f"src/m{number}.py": f"def f{number}(): ...\n" for number in range(101)}
    first, second = tree({**FILES, **many}), tree({**FILES, **many})
    indexed(first)
    indexed(second)
    (one,), (other,) = (list(root.glob(".treemill/*/*.segment")) for root in (first, second))
    assert one.stat().st_ino == other.stat().st_ino
    shutil.rmtree(first / ".treemill")
    with store_of(second) as store, Index(store) as ours:
        assert [hit.path for hit in ours.ask(Query("f7")).hits][:1] == ["src/m7.py"]


def test_what_the_other_tree_alone_held_is_gone_when_the_first_run_has_ended(tree: Tree) -> None:
    first, second = tree({**FILES, "src/secret.py": "password = 'x'\n"}), tree(FILES)
    indexed(first)
    indexed(second)
    assert held(second) == (4, set(FILES))


def test_until_then_nothing_is_said_of_the_new_tree(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    begin_index(place_of(second), SETTINGS)
    with store_of(second) as store:
        assert store.last_run() is None
        with store.snapshot() as snapshot:
            assert (snapshot.coverage().searchable, snapshot.coverage().complete) == (0, False)
    indexed(second)
    with store_of(second) as store:
        run = store.last_run()
        assert run is not None
        assert run.state is RunState.COMPLETE


def test_what_the_walk_beside_found_is_what_the_run_begins_with(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    walks: list[object] = []
    monkeypatch.setattr(
        "treemill.freshness.discover_together",
        lambda *given, **named: walks.append(0) or discover_together(*given, **named),
    )
    assert indexed(second).stats.files_processed == len(FILES)
    assert len(walks) == 1


def test_where_the_other_index_cannot_be_had_the_walk_beside_serves_the_one_that_begins_empty(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    other = Settings(chunker=ChunkerSettings(max_chunk_bytes=900, concurrency=SETTINGS.chunker.concurrency))
    survey = begin_index(place_of(second), other)
    assert survey is not None
    assert (survey.generation, sorted(file.name for some in survey.files for file in some)) == (0, sorted(FILES))
    assert indexed(second, other).stats.files_processed == len(FILES)


def test_the_other_index_is_left_as_it_was(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    before = held(first)
    indexed(second)
    assert held(first) == before


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"README.md": "# Something else\n", "src/one.py": "def one(): ...\n"}, id="another project"),
        pytest.param({"src/one.py": "def one(): ...\n"}, id="a folder of the same name"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_tree_that_is_not_like_it_begins_empty(tree: Tree, files: dict[str, str]) -> None:
    indexed(tree(FILES))
    other = tree(files)
    assert indexes_alike(other) == []
    begin_index(place_of(other), SETTINGS)
    assert not (other / ".treemill").exists()


@pytest.mark.parametrize("above", ["packages/", "code/python/"])
def test_where_all_lies_in_one_folder_what_lies_in_it_tells(tree: Tree, above: str) -> None:
    below = {f"{above}{path}": text for path, text in FILES.items()}
    first, second = tree(below), tree(below)
    indexed(first)
    assert indexes_alike(second) == [first / ".treemill"]
    assert indexes_alike(tree({f"{above}other.py": "", f"{above}src/one.py": ""})) == []


def test_without_the_cache_nothing_is_shared(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first, WITHOUT_CACHE)
    assert indexes_alike(second) == []
    indexed(first)
    begin_index(place_of(second), WITHOUT_CACHE)
    assert not (second / ".treemill").exists()


def test_an_index_that_this_user_did_not_make_is_not_started_from(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    (first / ".treemill" / "owner").write_text("0" * 32 + "\n" + "0" * 64 + "\n")
    begin_index(place_of(second), SETTINGS)
    assert not (second / ".treemill").exists()


def test_an_index_of_another_recipe_is_not_started_from(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    other = Settings(chunker=ChunkerSettings(max_chunk_bytes=900, concurrency=SETTINGS.chunker.concurrency))
    begin_index(place_of(second), other)
    assert not (second / ".treemill").exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"/nowhere": 7}', '{"/nowhere": ["/nowhere/.treemill", "a"]}'])
def test_notes_that_are_damaged_are_no_notes(tree: Tree, text: str) -> None:
    cache_folder().mkdir(parents=True, exist_ok=True)
    (cache_folder() / "roots.json").write_text(text)
    root = tree(FILES)
    assert indexes_alike(root) == []
    indexed(root)
    assert indexes_alike(tree(FILES)) == [root / ".treemill"]


def test_a_copy_that_cannot_be_made_leaves_nothing_behind(tree: Tree) -> None:
    first, second = tree(FILES), tree(FILES)
    indexed(first)
    (database,) = first.glob(".treemill/*/index.db")
    database.write_bytes(b"no database" * 100)
    begin_index(Place(second, ""), SETTINGS)
    assert sorted(path.name for path in second.iterdir()) == ["README.md", "setup.py", "src"]
