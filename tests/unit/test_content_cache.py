"""The user's content cache: what was made for one root is taken over by another, and never trusted unseen."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Tree
from support.contents import RECIPE, VECTORS, content_of, key_of
from support.stores import held
from treemill.configuration import load_settings
from treemill.freshness import IndexOptions
from treemill.indexing import index_tree
from treemill.reports import IndexReport
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.content_cache import CachedContents, ContentCache
from treemill.storage.packed import check_content, pack_content, unpack_content
from treemill.storage.sqlite import SqliteStore

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(cart):\n    return gateway.charge(cart.total())\n",
    "README.md": "# Shop\n\nThe cart holds items until they are paid.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def full(folder: Path, *texts: str, max_mb: float = 100) -> Path:
    with ContentCache(max_mb, folder) as cache:
        cache.keep(RECIPE, [content_of(text) for text in texts])
    return folder


def entries(folder: Path) -> int:
    connection = sqlite3.connect(folder / "contents.db")
    try:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
    finally:
        connection.close()


def changed(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "contents.db")
    with connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


def indexed(root: Path, cache: ContentCache, **options: bool) -> tuple[IndexReport, dict[str, list[str]]]:
    with SqliteStore(root / ".treemill", create=True) as store, cache:
        report = index_tree(root, store, INLINE, cache=cache, options=IndexOptions(**options))
        return report, held(store)


# ── what comes out is what went in ──


def test_a_content_comes_back_as_it_was_kept_without_its_text_and_says_where_from(folder):
    full(folder, "one two\nthree\n")
    content = CachedContents(folder, RECIPE).get(key_of("one two\nthree\n"))
    assert content == replace(content_of("one two\nthree\n"), text=b"")
    assert content.cached


def test_a_lookup_crosses_to_another_process_as_what_to_open(folder):
    full(folder, "one\n")
    again = pickle.loads(pickle.dumps(CachedContents(folder, RECIPE)))  # noqa: S301 what we pickled ourselves
    assert again.get(key_of("one\n")) is not None


def test_what_another_recipe_made_is_not_held(folder):
    full(folder, "one\n")
    assert CachedContents(folder, VECTORS).get(key_of("one\n")) is None


def test_nothing_is_held_where_there_is_no_cache(folder):
    assert CachedContents(folder, RECIPE).get(key_of("one\n")) is None
    assert ContentCache(100, folder).lookup(RECIPE) is None


@pytest.mark.parametrize("text", ["", "a\n", "caf\u00e9 \ud800\n" * 50])
def test_a_packed_content_unpacks_to_itself(text):
    content = content_of(text, dimension=4)
    again = unpack_content(pack_content(content))
    check_content(again, dimension=4)
    assert again == content


@pytest.mark.parametrize("cut", [0, 3, 20, -1])
def test_a_cut_content_is_none(cut):
    with pytest.raises(ValueError, match=r"no content|Expecting|Unterminated"):
        unpack_content(pack_content(content_of("one two\n"))[:cut])


# ── what somebody else put there is not taken ──


def test_an_entry_that_was_changed_is_not_taken(folder):
    full(folder, "one\n")
    changed(folder, "UPDATE entries SET data = CAST(replace(data, 'python', 'pythom') AS BLOB)")
    assert CachedContents(folder, RECIPE).get(key_of("one\n")) is None


def test_an_entry_that_was_moved_under_another_name_is_not_taken(folder):
    full(folder, "good\n", "evil\n")
    changed(folder, "UPDATE entries SET (mac, data) = (SELECT mac, data FROM entries WHERE id = 2) WHERE id = 1")
    lookup = CachedContents(folder, RECIPE)
    assert lookup.get(key_of("good\n")) is None


def test_what_was_made_with_another_users_key_is_not_taken(folder, tmp_path, monkeypatch):
    full(folder, "one\n")
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "somebody else"))
    assert CachedContents(folder, RECIPE).get(key_of("one\n")) is None


def test_a_cache_that_others_may_write_to_is_left_alone(folder):
    full(folder, "one\n")
    os.chmod(folder / "contents.db", 0o666)
    assert CachedContents(folder, RECIPE).get(key_of("one\n")) is None
    full(folder, "two\n")
    os.chmod(folder / "contents.db", 0o600)
    assert entries(folder) == 1


def test_the_cache_is_private(folder):
    full(folder, "one\n")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


# ── it is never more than a cache ──


HARM: dict[str, Callable[[Path], object]] = {
    "no database": lambda path: path.write_bytes(b"this is no database " * 1_000),
    "cut short": lambda path: os.truncate(path, 5_000),
    "emptied": lambda path: os.truncate(path, 0),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a FIFO": lambda path: (path.unlink(), os.mkfifo(path, 0o600)),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_damaged_cache_costs_only_time(tree, folder, harm):
    first, again = tree(FILES), tree(FILES)
    indexed(first, ContentCache(100, folder))
    harm(folder / "contents.db")
    report, texts = indexed(again, ContentCache(100, folder))
    assert report.stats.files_processed == 3
    assert texts == held_of(first)


def test_a_damaged_cache_is_thrown_away_and_made_anew(folder):
    full(folder, *(f"text {number}\n" * 50 for number in range(100)))
    (folder / "contents.db").write_bytes(b"this is no database " * 1_000)
    full(folder, "one\n")
    full(folder, "one\n")
    assert CachedContents(folder, RECIPE).get(key_of("one\n")) is not None


def test_a_cache_that_somebody_else_is_writing_to_is_not_waited_for(folder):
    full(folder, "one\n")
    other = sqlite3.connect(folder / "contents.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    full(folder, "two\n")
    other.execute("ROLLBACK")
    other.close()
    assert entries(folder) == 1


# ── how much it holds ──


def test_what_was_not_used_for_longest_goes_first(folder):
    texts = [f"text number {number} " + os.urandom(500).hex(" ", 4) + "\n" for number in range(40)]
    full(folder, *texts)
    changed(folder, "UPDATE entries SET used = used - 10 WHERE id != 7")
    used = CachedContents(folder, RECIPE).get(key_of(texts[2]))
    with ContentCache(100, folder) as cache:
        cache.keep(RECIPE, [used])
    full(folder, "new\n", max_mb=0.01)
    lookup = CachedContents(folder, RECIPE)
    held = [text for text in texts if lookup.get(key_of(text)) is not None]
    assert texts[2] in held
    assert texts[6] in held
    assert 2 < len(held) < 20
    assert lookup.get(key_of("new\n")) is not None


def test_a_size_of_nothing_leaves_the_cache_out(folder):
    full(folder, "one\n", max_mb=0)
    assert not folder.exists()


def test_what_a_tree_says_about_the_cache_is_not_obeyed(tree):
    root = tree({"treemill.toml": "[storage]\ncache_mb = 0\ncommit_seconds = 2.0\n"})
    storage = load_settings(root).storage
    assert (storage.cache_mb, storage.commit_seconds) == (1000, 2.0)


# ── roots share ──


def held_of(root: Path) -> dict[str, list[str]]:
    with SqliteStore(root / ".treemill") as store:
        return held(store)


def test_a_clone_is_indexed_without_a_parse_and_comes_to_the_same(tree: Tree, folder: Path) -> None:
    first, clone, alone = tree(FILES), tree(FILES), tree(FILES)
    parsed, texts = indexed(first, ContentCache(100, folder))
    report, same = indexed(clone, ContentCache(100, folder))
    cold, fresh = indexed(alone, ContentCache(0, folder))
    assert "chunk" in parsed.stats.stages
    assert "chunk" not in report.stats.stages
    assert report.stats.chunks_created == cold.stats.chunks_created
    assert texts == same == fresh


def test_what_is_on_disk_is_what_is_indexed(tree: Tree, folder: Path) -> None:
    first, clone = tree(FILES), tree({**FILES, "shop/pay.py": "def refund(): ...\n"})
    indexed(first, ContentCache(100, folder))
    _, texts = indexed(clone, ContentCache(100, folder))
    assert texts["shop/pay.py"] == ["def refund(): ...\n"]


def test_a_file_that_is_chunked_worse_because_time_ran_out_is_not_shared(folder):
    content = content_of("one\n")
    object.__setattr__(content, "fallback", "ChunkingTimeoutError")
    with ContentCache(100, folder) as cache:
        cache.keep(RECIPE, [content])
    assert entries(folder) == 0
