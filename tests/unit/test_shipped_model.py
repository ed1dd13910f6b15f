"""The table in the package: whole, small, read alike by what wrote it and by what runs it, and better than chance."""

from __future__ import annotations

import sys
from collections import Counter
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from treemill.embedding.quantise import to_int8
from treemill.embedding.static import MODEL_PATH, StaticEncoder
from treemill.ranking.occurrences import TextToIndex
from treemill.ranking.word_pass import WordPass
from treemill.ranking.words import terms_of

ROOT = Path(__file__).parents[2]

CODE = {
    "retry with a delay between attempts": ("resend", "def resend(call): sleep(backoff(attempt)); return call()"),
    "where is the password checked": ("verify", "bool verify(User u, String secret) { return hash(secret) == u.key; }"),
    "parse command line arguments": ("flags", "func flags(argv []string) (opts Options) { return opts.read(argv) }"),
    "remove expired entries from the cache": ("evict", "fn evict(&mut self) { self.map.retain(|v| v.ttl > now()); }"),
}


@pytest.fixture(scope="module")
def table() -> ModuleType:
    """Return what `training/` reads and writes tables with."""
    spec = util.spec_from_file_location("training_table", ROOT / "training" / "table.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules["training_table"] = module
    spec.loader.exec_module(module)
    return module


def vectors() -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    files = [TextToIndex(code.encode(), [len(code.encode())], [(0, name)]) for name, code in CODE.values()]
    return StaticEncoder().encode(WordPass().read(files)[1])


def test_the_table_is_whole_and_below_eight_megabytes() -> None:
    assert StaticEncoder().model.is_whole()
    assert MODEL_PATH.stat().st_size <= 8_000_000


def test_what_wrote_the_table_and_what_runs_it_read_it_alike(table: ModuleType) -> None:
    shipped = table.read_table(MODEL_PATH)
    assert shipped.to_bytes() == MODEL_PATH.read_bytes()
    for (name, code), row in zip(CODE.values(), vectors(), strict=True):
        text = "".join(letter if letter.isalnum() else " " for letter in code)
        counted = Counter(term for token in text.split() for term in terms_of(token) if not term.startswith("="))
        counted += Counter([term for term in terms_of(name) if not term.startswith("=")] * shipped.name_count)
        assert row.tolist() == to_int8(shipped.vector(counted)[None].astype(np.float32))[0].tolist()


def test_a_question_is_nearest_to_the_code_that_answers_it() -> None:
    code = vectors().astype(np.float32)
    code /= np.linalg.norm(code, axis=1, keepdims=True)
    asked = [StaticEncoder().embed_query(question) for question in CODE]
    assert [int((code @ question).argmax()) for question in asked] == list(range(len(CODE)))
