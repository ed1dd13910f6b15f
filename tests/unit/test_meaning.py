"""Meaning in answers: candidates are compared with the question, and where words find nothing, the nearest answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import Tree
from support.tables import random_words, write_table
from treemill.embedding.static import StaticEncoder
from treemill.indexing import index_tree
from treemill.ranking.question import analyse
from treemill.searching.candidates import find_candidates
from treemill.searching.meaning import Meant
from treemill.searching.moment import Moment
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(cart):\n    return gateway.charge(cart.total())\n",
    "empty.py": "",
}


@pytest.fixture
def asked(tree: Tree, tmp_path: Path) -> tuple[Moment, StaticEncoder]:
    """Return a moment of an index with vectors, and what made them."""
    encoder = StaticEncoder(write_table(tmp_path / "static.model", random_words(100)))
    store = MemoryStore()
    inline = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
    index_tree(tree(FILES), store, inline, provider=encoder)
    return Moment(store.snapshot()), encoder


def test_the_cosines_of_candidates_are_those_of_all_chunks(asked: tuple[Moment, StaticEncoder]) -> None:
    moment, encoder = asked
    question = analyse("charge the cart")
    vector = encoder.embed_query(question.text)
    found = find_candidates(moment, question, None, Meant(vector, encoder))
    assert found is not None
    assert found.evidence.meaning.tolist() == pytest.approx(moment.likeness(vector)[found.chunks].tolist(), abs=1e-6)
    # Each of these files is one chunk: all that it holds is what the chunk holds.
    assert found.evidence.file_meaning.tolist() == pytest.approx(found.evidence.meaning.tolist(), abs=1e-6)


def test_the_path_that_is_the_question_is_nearest(asked: tuple[Moment, StaticEncoder]) -> None:
    moment, encoder = asked
    question = analyse("shop pay")
    meant = Meant(encoder.embed_query(question.text), encoder)
    for _ in range(2):
        found = find_candidates(moment, question, None, meant)
        assert found is not None
        paths = [moment.files.paths[file] for file in found.files.tolist()]
        assert paths[int(np.argmax(found.evidence.path_meaning))] == "shop/pay.py"


def test_where_no_word_is_found_the_nearest_in_meaning_answer(asked: tuple[Moment, StaticEncoder]) -> None:
    moment, encoder = asked
    question = analyse("zeppelin")
    assert find_candidates(moment, question, None, None) is None
    found = find_candidates(moment, question, None, Meant(encoder.embed_query("cart"), encoder))
    assert found is not None
    assert "empty.py" not in [moment.files.paths[file] for file in found.files.tolist()]
