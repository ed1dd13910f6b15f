"""Invariant: the same files give the same index, whatever the executor, the worker count or the order."""

from __future__ import annotations

import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import treemill
from conftest import Tree
from support.ray_cluster import needs_ray, quiet_ray
from support.tables import random_words, write_table
from treemill.chunking.packing import unpack_symbols
from treemill.embedding.static import StaticEncoder
from treemill.indexing import index_tree
from treemill.records import Content, Query
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.sqlite import SqliteStore

QUESTIONS = (
    "open store",
    "SqliteStore",
    "how is a failed file reported",
    "def",
    "path",
    "retry",
    "Writer.commit",
    "größe",
)

OWN_SOURCE = Path(treemill.__file__).parent


def opened(content: Content) -> dict[str, object]:
    """Return a content with what is deflated in it inflated: how it was deflated is nobody's business."""
    return {
        **asdict(content),
        "text": zlib.decompress(content.text),
        "symbols": unpack_symbols(content.symbols),
    }


def answers(root: Path, folder: Path, executor: str, workers: int, provider: StaticEncoder) -> list[Any]:
    """Index a tree from nothing and return everything that the index holds and answers."""
    concurrency = ConcurrencySettings(executor=executor, max_parallel_files=workers)
    with SqliteStore(folder, create=True) as store:
        report = index_tree(root, store, Settings(chunker=ChunkerSettings(concurrency=concurrency)), provider=provider)
        assert [*report.failures, *report.skipped] == []
        with store.snapshot() as snapshot:
            files = snapshot.files()
            contents = [
                (path, language, opened(snapshot.content(number)))
                for path, number, language in zip(files.paths, files.contents.tolist(), files.languages, strict=True)
            ]
            known = sorted(
                (term, int(segment.offsets[place + 1] - segment.offsets[place]))
                for segment in snapshot.segments()
                for place, term in enumerate(segment.terms.tolist())
            )
            vectors = {
                path: segment.vectors[segment.first_chunk[place] : segment.first_chunk[place + 1]].tolist()
                for segment in snapshot.segments()
                for path, number in zip(files.paths, files.contents.tolist(), strict=True)
                for place in np.flatnonzero(segment.contents == number).tolist()
            }
        index = Index(store, provider)
        hits = [asdict(hit) for question in QUESTIONS for hit in index.ask(Query(question, limit=50)).hits]
        index.close()
    return [contents, known, vectors, hits]


ON_RAY = pytest.param("ray", 2, marks=[needs_ray, *quiet_ray])


@pytest.mark.parametrize(
    ("executor", "workers"), [("process", 1), ("process", 2), ("process", 4), ("thread", 3), ON_RAY]
)
def test_the_same_files_give_the_same_index(
    executor: str, workers: int, tree: Tree, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if executor == "ray":
        request.getfixturevalue("ray_address")
    provider = StaticEncoder(write_table(tmp_path / "static.model", random_words(100)))
    own = {path.relative_to(OWN_SOURCE).as_posix(): path.read_bytes() for path in OWN_SOURCE.rglob("*.py")}
    root = tree({**own, "größe.txt": "Größe\n".encode("latin-1"), "empty.py": "", "copy/errors.py": own["errors.py"]})
    there, here = (
        answers(root, tmp_path / name, kind, count, provider)
        for name, kind, count in (("a", executor, workers), ("b", "inline", 1))
    )
    assert [pair for pair in zip(there[0], here[0], strict=True) if pair[0] != pair[1]] == []
    assert there[1:] == here[1:]
