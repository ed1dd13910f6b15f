"""The adapters against the real frameworks: pieces that tile, facts about them, and answers as documents."""

from __future__ import annotations

import pytest

import treemill
from conftest import Tree

CODE = '''"""A shop."""

import json


class Cart:
    """What somebody wants to buy."""

    def add_item(self, item):
        self.items.append(item)


''' + "\n\n".join(f"def step_{number}():\n    return {number}\n" + "    # work\n" * 30 for number in range(20))


def test_langchain_pieces_tile_the_text_and_say_what_they_define() -> None:
    adapter = pytest.importorskip("treemill.adapters.langchain", reason="treemill[langchain] is not installed")
    splitter = adapter.TreemillTextSplitter("python")
    assert "".join(splitter.split_text(CODE)) == CODE
    documents = splitter.create_documents([CODE], [{"source": "shop.py"}])
    assert "".join(document.page_content for document in documents) == CODE
    assert documents[0].metadata["start_line"] == 1
    assert documents[0].metadata["source"] == "shop.py"
    assert documents[-1].metadata["symbol"].startswith("step_")


def test_langchain_takes_the_language_from_the_name_and_the_size_from_the_model() -> None:
    adapter = pytest.importorskip("treemill.adapters.langchain", reason="treemill[langchain] is not installed")
    from_core = pytest.importorskip("langchain_core.documents")
    document = from_core.Document(page_content=CODE, metadata={"source": "src/shop.py"})
    small = adapter.TreemillTextSplitter(max_tokens=128).transform_documents([document])
    large = adapter.TreemillTextSplitter().transform_documents([document])
    assert all(each.metadata["language"] == "python" for each in small)
    assert len(small) > len(large)
    assert max(len(each.page_content.encode()) for each in small) <= 128 * 3


def test_langchain_counts_with_a_tokenizer_or_in_characters() -> None:
    adapter = pytest.importorskip("treemill.adapters.langchain", reason="treemill[langchain] is not installed")
    pieces = adapter.TreemillTextSplitter("python", max_tokens=40, tokenizer=str.split).split_text(CODE)
    assert "".join(pieces) == CODE
    assert 30 < max(len(each.split()) for each in pieces) <= 40
    assert max(map(len, adapter.TreemillTextSplitter("python", max_characters=200).split_text(CODE))) <= 200


def test_langchain_retrieves_places_with_their_facts(tree: Tree) -> None:
    adapter = pytest.importorskip("treemill.adapters.langchain", reason="treemill[langchain] is not installed")
    root = tree({"shop.py": CODE, "notes.md": "# Notes\n\nAn item goes into the cart.\n"})
    treemill.index(root)
    retriever = adapter.TreemillRetriever(root=str(root), k=2, filters={"languages": ("python",)})
    (found, *_) = retriever.invoke("add item to the cart")
    assert found.metadata["file_path"] == "shop.py"
    assert "def add_item" in found.page_content


def test_llama_index_nodes_tile_the_text_and_say_what_they_define() -> None:
    adapter = pytest.importorskip("treemill.adapters.llama_index", reason="treemill[llama-index] is not installed")
    schema = pytest.importorskip("llama_index.core.schema")
    document = schema.Document(text=CODE, metadata={"file_path": "shop.py"})
    nodes = adapter.TreemillNodeParser().get_nodes_from_documents([document])
    assert "".join(node.text for node in nodes) == CODE
    assert nodes[0].metadata["language"] == "python"
    assert nodes[-1].metadata["symbol"].startswith("step_")
    assert nodes[0].ref_doc_id == document.doc_id


def test_llama_index_counts_with_a_tokenizer_or_in_characters() -> None:
    adapter = pytest.importorskip("treemill.adapters.llama_index", reason="treemill[llama-index] is not installed")
    document = pytest.importorskip("llama_index.core.schema").Document(text=CODE)
    parser = adapter.TreemillNodeParser(language="python", max_tokens=40, tokenizer=str.split)
    assert max(len(node.text.split()) for node in parser.get_nodes_from_documents([document])) <= 40
    assert "tokenizer" not in parser.to_dict()
    parser = adapter.TreemillNodeParser(language="python", max_characters=200)
    assert max(len(node.text) for node in parser.get_nodes_from_documents([document])) <= 200


def test_llama_index_retrieves_places_with_their_scores(tree: Tree) -> None:
    adapter = pytest.importorskip("treemill.adapters.llama_index", reason="treemill[llama-index] is not installed")
    root = tree({"shop.py": CODE})
    treemill.index(root)
    (found,) = adapter.TreemillRetriever(str(root), similarity_top_k=1).retrieve("add item to the cart")
    assert found.node.metadata["symbol"].endswith("add_item") or "def add_item" in found.node.text
    assert found.score > 0


def test_texts_are_cut_as_files_of_their_name_are() -> None:
    chunks = treemill.chunk_text(CODE, name="shop.py")
    assert "".join(chunk.content for chunk in chunks) == CODE
    assert chunks[0].language == "python"
    assert treemill.chunk_text("  \n\n", name="a.py") == []
    with pytest.raises(treemill.BinaryFileError):
        treemill.chunk_text(b"\0\1\2", name="a.py")
