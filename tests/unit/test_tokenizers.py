"""Tokenizers that the caller brings: where they go, what they cost, and what happens when they fail."""

from __future__ import annotations

import logging
import re
from itertools import pairwise
from operator import methodcaller

import pytest

from treemill import UsageError, chunk_files_parallel, chunk_text
from treemill.chunking.governor import ChunkGovernor, Tokenizer
from treemill.settings import ChunkerSettings
from treemill.types import DiscoveredFile, Failure

WORDS = re.compile(r"\w+|[^\w\s]").findall
CODE = "".join(f"def step_{number}(value):\n    return value + {number}\n\n" for number in range(40))


def counting(tokenizer: Tokenizer, most: int = 50) -> ChunkGovernor:
    return ChunkGovernor(settings=ChunkerSettings(max_chunk_tokens=most), tokenizer=tokenizer)


def files_in(root, *names):
    return [DiscoveredFile.from_path(name, root=root) for name in names]


@pytest.mark.parametrize("executor", ["process", "thread", "inline"])
def test_a_tokenizer_goes_into_the_workers(tree, executor):
    root = tree({"a.py": CODE, "b.pl": CODE, "c": CODE})
    with chunk_files_parallel(files_in(root, "a.py", "b.pl", "c"), counting(WORDS), executor_type=executor) as stream:
        found = {str(path): [len(WORDS(chunk.content)) for chunk in chunks] for path, chunks in stream}
    assert set(found) == {"a.py", "b.pl", "c"}
    assert all(30 < max(sizes) <= 50 for sizes in found.values())
    assert stream.report.executor == executor


def test_one_that_cannot_go_into_processes_works_in_threads_unless_processes_are_asked_for(tree, caplog):
    root = tree({"a.py": CODE})
    governor = counting(lambda text: len(text.split()))
    with caplog.at_level(logging.WARNING), chunk_files_parallel(files_in(root, "a.py"), governor) as stream:
        assert [path.name for path, _ in stream] == ["a.py"]
    assert stream.report.executor == "thread"
    assert "threads instead of processes" in caplog.text
    with pytest.raises(UsageError, match="processes cannot do this work: it cannot be pickled"):
        chunk_files_parallel(files_in(root, "a.py"), governor, executor_type="process")


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_a_text_that_a_tokenizer_fails_at_costs_its_file_and_no_other(tree, executor):
    failed: list[Failure] = []
    root = tree({"a.py": "needle = 1\n", "b.py": "nothing = 1\n", "c.py": "x = needle\n"})
    with chunk_files_parallel(
        files_in(root, "a.py", "b.py", "c.py"),
        counting(methodcaller("index", "needle")),
        executor_type=executor,
        on_failure=failed.append,
    ) as stream:
        assert sorted(str(path) for path, _ in stream) == ["a.py", "c.py"]
    assert [(each.path, each.error_type) for each in failed] == [("b.py", "ValueError")]
    assert "in _count" in failed[0].traceback


def test_overlap_is_counted_in_the_same_tokens_as_the_chunks():
    settings = ChunkerSettings(max_chunk_tokens=100, overlap_tokens=60)
    for tokenizer in (WORDS, None, list):
        chunks = chunk_text(CODE, name="a.py", governor=ChunkGovernor(settings=settings, tokenizer=tokenizer))
        sizes = [len((tokenizer or WORDS)(chunk.overlap_before)) for chunk in chunks]
        assert sizes[0] == 0
        assert all(size > 0 for size in sizes[1:])
        assert tokenizer is None or max(sizes) <= 60
        assert all(a.content.endswith(b.overlap_before) for a, b in pairwise(chunks))
        assert "".join(chunk.content for chunk in chunks) == CODE


def test_what_is_neither_tokens_nor_a_number_is_an_error():
    with pytest.raises(TypeError, match="the tokenizer returned float; it should return tokens, or how many"):
        chunk_text(CODE, governor=counting(lambda text: len(text) / 4))  # type: ignore[arg-type, return-value]


def test_a_tokenizer_is_asked_for_a_few_times_the_text_in_all():
    asked = 0

    def counted(text: str) -> int:
        nonlocal asked
        asked += len(text)
        return len(WORDS(text))

    chunk_text(CODE * 20, name="a.py", governor=counting(counted, 500))
    assert asked < 10 * len(CODE) * 20


def test_text_in_which_a_tokenizer_sees_nothing_is_cut_all_the_same():
    chunks = chunk_text("-" * 100_000 + "x", governor=counting(re.compile(r"\w+").findall, 16))
    assert max(len(chunk.content) for chunk in chunks) == 16 * 32
