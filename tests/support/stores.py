"""Stores that fail on cue, and what a store holds in words that tests can compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from support.providers import vector_of
from treemill.embedding.quantise import to_int8
from treemill.errors import IndexLocked, StorageError
from treemill.processing.stage import texts_of
from treemill.records import PreparedFile
from treemill.storage import IndexStore
from treemill.storage.memory import MemoryStore, MemoryWriter
from treemill.types import Failure


class CueWriter(MemoryWriter):
    """Refuses the paths that it is told to, and is full when it is told to."""

    def __init__(self, store: CueStore) -> None:
        super().__init__(store)
        self.store = store

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        self.store.puts += 1
        if self.store.puts == self.store.full_at_put:
            self.rollback()
            raise StorageError("the disk is full")
        refused = [file for file in files if file.path in self.store.refuses]
        taken = [file for file in files if file.path not in self.store.refuses]
        failures = [Failure(file.path, "write", "IntegrityError", "refused") for file in refused]
        return [*failures, *super().put(taken)]

    def commit(self) -> int:
        self.store.commits += 1
        if self.store.commits == self.store.full_at_commit:
            self.rollback()
            raise StorageError("the disk is full")
        return super().commit()


class CueStore(MemoryStore):
    """A store in memory whose n-th put or commit (the first of a run is its beginning) finds the disk full."""

    def __init__(self, *, full_at_put: int = 0, full_at_commit: int = 0, refuses: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.full_at_put, self.full_at_commit, self.refuses = full_at_put, full_at_commit, refuses
        self.puts = self.commits = 0

    def writer(self, *, wait_seconds: float = 0.0) -> MemoryWriter:
        if not self._lease.acquire(timeout=max(wait_seconds, 0.0)):
            raise IndexLocked("this process is writing this index already")
        return CueWriter(self)


def held(store: IndexStore) -> dict[str, list[str]]:
    """Return the texts of each file's chunks, as the last commit has them; {} for an empty store."""
    if not store.generation() or store.recipe() is None:
        return {}
    with store.snapshot() as snapshot:
        table = snapshot.files()
        return {
            path: texts_of(snapshot.content(int(content)))
            for path, content in zip(table.paths, table.contents, strict=True)
        }


def wrong_vectors(store: IndexStore) -> list[str]:
    """Return the paths whose vectors are not those that `support.providers.vector_of` gives for their chunks."""
    with store.snapshot() as snapshot:
        rows = {}
        for segment in snapshot.segments():
            for number, content in enumerate(segment.contents.tolist()):
                first, last = segment.first_chunk[number], segment.first_chunk[number + 1]
                rows[content] = segment.vectors[first:last]
        table = snapshot.files()
        wrong = []
        for path, content in zip(table.paths, table.contents.tolist(), strict=True):
            texts = texts_of(snapshot.content(content))
            right = [to_int8(vector_of(text)[None])[0] for text in texts]
            if texts and not np.array_equal(rows.get(content, []), right):
                wrong.append(path)
    return wrong
