"""LangChain: a text splitter that cuts code at its definitions, and a retriever over an index.

Needs the extra `treemill[langchain]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_text_splitters import TextSplitter
from pydantic import Field

from treemill import library
from treemill.adapters.cutting import cut, facts_of, facts_of_hit, governor_for
from treemill.chunking.governor import Tokenizer


class TreemillTextSplitter(TextSplitter):
    """Cuts source text at the borders of functions and classes; joined, the pieces of a text are that text.

    `language` names the language ("python"); without it the file name in a document's metadata decides ("source",
    "file_path", …). `max_tokens` is what the embedding model reads, counted by `tokenizer` (a function that returns the
    tokens of a text, or their number), else as 3 bytes each; `max_characters` is a limit in characters. Without either,
    pieces have at most 1,800 bytes.
    """

    def __init__(
        self,
        language: str | None = None,
        *,
        max_tokens: int | None = None,
        tokenizer: Tokenizer | None = None,
        max_characters: int | None = None,
    ) -> None:
        super().__init__(chunk_overlap=0, strip_whitespace=False)
        self._language = language
        self._governor = governor_for(max_tokens, tokenizer, max_characters)

    def split_text(self, text: str) -> list[str]:
        """Return the pieces of a text, in order."""
        return [chunk.content for chunk in cut(text, {}, self._language, self._governor)]

    def create_documents(self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None) -> list[Document]:
        """Return a document for each piece, its lines, symbol and kind in the metadata."""
        given: Iterable[dict[Any, Any]] = metadatas or [{}] * len(texts)
        return [
            Document(page_content=chunk.content, metadata={**metadata, **facts_of(chunk)})
            for text, metadata in zip(texts, given, strict=True)
            for chunk in cut(text, metadata, self._language, self._governor)
        ]


class TreemillRetriever(BaseRetriever):
    """Answers questions from the index of a folder, which must have been made (`treemill.index(root)`).

    `k` is how many places are returned, `filters` are further fields of `treemill.Query`, such as
    `{"languages": ("python",)}`.
    """

    root: str
    k: int = 4
    filters: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        """Return the best places as documents.

        Raises:
            IndexMissing, StorageError, UsageError: as `treemill.search`.
        """
        hits = library.search(self.root, query, limit=self.k, **self.filters)
        return [Document(page_content=hit.content, metadata=facts_of_hit(hit)) for hit in hits]
