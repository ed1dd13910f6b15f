"""LlamaIndex: a node parser that cuts code at its definitions, and a retriever over an index.

Needs the extra `treemill[llama-index]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.node_parser import NodeParser
from llama_index.core.node_parser.node_utils import build_nodes_from_splits
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle, TextNode
from pydantic import Field

from treemill import library
from treemill.adapters.cutting import cut, facts_of, facts_of_hit, governor_for


class TreemillNodeParser(NodeParser):
    """Cuts source text at the borders of functions and classes; joined, the nodes of a document are its text.

    `language` names the language ("python"); without it the file name in a document's metadata decides ("file_path",
    "source", …). `max_tokens` is what the embedding model reads, counted by `tokenizer` (a function that returns the
    tokens of a text, or their number), else as 3 bytes each; `max_characters` is a limit in characters. Without either,
    nodes have at most 1,800 bytes.
    """

    language: str | None = Field(default=None, description="The language of all documents")
    max_tokens: int | None = Field(default=None, description="What the embedding model reads, in tokens")
    tokenizer: Callable[[str], Any] | None = Field(default=None, exclude=True, description="What counts tokens")
    max_characters: int | None = Field(default=None, description="The most characters of a node")

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which the parser is serialised."""
        return "TreemillNodeParser"

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        """Return the nodes of documents, in order, with lines, symbol and kind in the metadata."""
        governor = governor_for(self.max_tokens, self.tokenizer, self.max_characters)
        parsed: list[BaseNode] = []
        for node in nodes:
            chunks = cut(node.get_content(MetadataMode.NONE), node.metadata, self.language, governor)
            made = build_nodes_from_splits([chunk.content for chunk in chunks], node, id_func=self.id_func)
            for one, chunk in zip(made, chunks, strict=True):
                one.metadata.update(facts_of(chunk))
            parsed += made
        return parsed


class TreemillRetriever(BaseRetriever):
    """Answers questions from the index of a folder, which must have been made (`treemill.index(root)`).

    `similarity_top_k` is how many places are returned, `filters` are further fields of `treemill.Query`.
    """

    def __init__(self, root: str, *, similarity_top_k: int = 4, **filters: Any) -> None:
        super().__init__()
        self._treemill_root = root
        self._limit = similarity_top_k
        self._filters = filters

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return the best places as nodes.

        Raises:
            IndexMissing, StorageError, UsageError: as `treemill.search`.
        """
        hits = library.search(self._treemill_root, query_bundle.query_str, limit=self._limit, **self._filters)
        return [
            NodeWithScore(node=TextNode(text=hit.content, metadata=facts_of_hit(hit)), score=hit.score) for hit in hits
        ]
