"""What the doors' text says about an answer besides its places."""

from __future__ import annotations

from pathlib import Path

from conftest import Tree
from support.tables import write_table
from treemill.embedding.static import StaticEncoder
from treemill.hosting import Host
from treemill.indexing import index_tree
from treemill.mcp.desk import Desk
from treemill.places import place_of
from treemill.settings import Settings
from treemill.storage.sqlite import SqliteStore
from treemill.web.app import Site
from treemill.web.board import Board

FILES = {"shop/cart.py": "def add_item(cart, item):\n    cart.append(item)\n"}
OTHER_MODEL = "answered by words alone: the index was built with model static-1:"


def built_with_another_model(root: Path, folder: Path) -> Path:
    """Index a tree with a model that is not the one in the package."""
    with SqliteStore(place_of(root).folder, create=True) as store:
        index_tree(root, store, Settings(), provider=StaticEncoder(write_table(folder / "other.model", ["cart"])))
    return root


def test_agents_are_told_why_an_answer_is_by_words_alone(tree: Tree, tmp_path: Path) -> None:
    root = built_with_another_model(tree(FILES), tmp_path)
    with Desk([str(root)]) as desk:
        text = desk.search({"query": "how is an item put into the cart"})
    assert OTHER_MODEL in text.splitlines()[0]
    assert "## shop/cart.py:1-2" in text


def test_the_page_is_told_why_an_answer_is_by_words_alone(tree: Tree, tmp_path: Path) -> None:
    root = built_with_another_model(tree(FILES), tmp_path)
    with Host(place_of(root)) as host:
        found = Site(host, Board()).search({"q": "how is an item put into the cart"})
    assert [note[: len(OTHER_MODEL)] for note in found["notes"]] == [OTHER_MODEL]
    assert found["results"]
