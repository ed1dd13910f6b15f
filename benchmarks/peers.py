"""What answers are measured against: other ways to search, behind one door, on the same trees in the same run.

    index(root)    search(query, k) → [(path relative to the root, first line, last line)], best first

`Windows` is the plain baseline: BM25 over windows of 50 lines, identifiers split, the path's words added. `Semble` is
semble (optional: pip install semble) with its BM25 and all of its ranking signals, without an embedding model: none is
downloaded. `Treemill` is this package through the door that users take. Each of them is also an adapter for programs
that score a tool by `index` and `search`.
"""

from __future__ import annotations

import heapq
import math
import os
import re
import tempfile
from collections import Counter, defaultdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from treemill.embedding import EmbeddingProvider
from treemill.embedding.registry import provider_for
from treemill.indexing import index_tree
from treemill.ranking.identifiers import split_identifier
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

Result = tuple[str, int, int]

_INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))


class Searcher(Protocol):
    """Something that can be asked about a tree."""

    def index(self, root: Path) -> None:
        """Take a tree in, in the place of the one before."""

    def search(self, query: str, k: int) -> list[Result]:
        """Return the best k places."""


class Treemill:
    """This package as it comes, with its own model, in memory."""

    def __init__(self) -> None:
        self._provider: EmbeddingProvider | None = provider_for(_INLINE)
        self.store = MemoryStore()
        self.handle = Index(self.store, self._provider)

    def index(self, root: Path) -> None:
        """Index a tree in this process."""
        self.store = MemoryStore()
        index_tree(Path(root), self.store, _INLINE, provider=self._provider)
        self.handle = Index(self.store, self._provider)

    def search(self, query: str, k: int) -> list[Result]:
        """Return the best k places."""
        return [(hit.path, hit.start_line, hit.end_line) for hit in self.handle.search(query, limit=k)]


class Words(Treemill):
    """This package without a model: answers by words alone."""

    def __init__(self) -> None:
        super().__init__()
        self._provider = None


class Windows:
    """BM25 (k1 = 1.2, b = .75) over windows of 50 lines; the best window of each file stands for it.

    It is given the files that Treemill indexes, so that only ranking differs.
    """

    LINES = 50

    def __init__(self) -> None:
        self._places: list[Result] = []
        self._lengths: list[int] = []
        self._postings: dict[str, list[tuple[int, int]]] = {}

    def index(self, root: Path) -> None:
        """Cut the tree's files into windows and count their words."""
        store = MemoryStore()
        index_tree(Path(root), store, _INLINE)
        self._places, self._lengths = [], []
        postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for path in store.snapshot().files().paths:
            lines = (Path(root) / path).read_text("utf-8", "replace").split("\n")
            name = _words(path)
            for first in range(0, len(lines), self.LINES):
                words = Counter(name + _words("\n".join(lines[first : first + self.LINES])))
                for word, count in words.items():
                    postings[word].append((len(self._places), count))
                self._places.append((path, first + 1, min(first + self.LINES, len(lines))))
                self._lengths.append(words.total())
        self._postings = dict(postings)

    def search(self, query: str, k: int) -> list[Result]:
        """Return the best window of the best k files."""
        mean = sum(self._lengths) / max(1, len(self._lengths))
        scores: defaultdict[int, float] = defaultdict(float)
        for word in _words(query):
            found = self._postings.get(word, [])
            rarity = math.log(1 + (len(self._places) - len(found) + 0.5) / (len(found) + 0.5))
            for window, count in found:
                norm = 1.2 * (0.25 + 0.75 * self._lengths[window] / mean)
                scores[window] += rarity * count * 2.2 / (count + norm)
        best: dict[str, int] = {}
        for window, _ in heapq.nlargest(k * 20, scores.items(), key=lambda each: (each[1], -each[0])):
            best.setdefault(self._places[window][0], window)
        return [self._places[window] for window in list(best.values())[:k]]


def _words(text: str) -> list[str]:
    return [part for token in re.findall(r"\w+", text) for part in split_identifier(token)]


class Semble:
    """Semble's BM25 and ranking signals, its semantic half weighed with nothing."""

    @staticmethod
    def installed() -> bool:
        """Whether it can be imported here."""
        return find_spec("semble") is not None

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        os.environ["SEMBLE_CACHE_LOCATION"] = os.path.join(self._folder.name, "cache")
        self._model = os.path.join(self._folder.name, "model")
        tokenizers, models = import_module("tokenizers"), import_module("tokenizers.models")
        tokenizer = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        import_module("model2vec").StaticModel(np.ones((1, 2), np.float32), tokenizer).save_pretrained(self._model)
        self._index: Any = None

    def index(self, root: Path) -> None:
        """Index a tree as its documentation says, with a model of one vector."""
        self._index = import_module("semble").SembleIndex.from_path(root, model_path=self._model)

    def search(self, query: str, k: int) -> list[Result]:
        """Return the best k chunks in its order, by BM25 and signals alone."""
        found = self._index.search(query, top_k=k, alpha=0.0)
        return [(each.chunk.file_path, each.chunk.start_line, each.chunk.end_line) for each in found]
