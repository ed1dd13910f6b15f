"""Whatever the files, the executor, the workers and the order: the same chunks, each file once, each tiled."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from treemill import (
    ChunkerSettings,
    ChunkGovernor,
    CodeChunk,
    DiscoveredFile,
    PerformanceSettings,
    chunk_files_parallel,
)
from treemill.chunking import recoding
from treemill.chunking.spans import is_blank
from treemill.reading import source_of

NAMES = ("a.py", "b.js", "c.go", "d.rs", "e.txt", "f.c", "g.json", "h", "i.md", "j.py")
PIECES = st.sampled_from(
    (
        *(b"def f(x):\n    return x\n", b"class A:\n", b"func main() {\n}\n", b"/* c */", b"# h\n\n", b"{", b"}", b";"),
        *(b"\n", b"\r\n", b"\r", b"  ", b"\0", b"\xff", b"\xef\xbb\xbf", b"x" * 70),
        *("größe = 'ä'\n".encode(), "日本\n".encode()),
    )
)
CONTENTS = st.lists(PIECES, max_size=40).map(b"".join)
TREES = st.dictionaries(st.sampled_from(NAMES), CONTENTS, max_size=len(NAMES))
LIMITS = st.integers(16, 120)


def governor(limit: int, **performance: float) -> ChunkGovernor:
    return ChunkGovernor(
        settings=ChunkerSettings(max_chunk_bytes=limit, performance=PerformanceSettings(**performance))
    )


def plant(folder: str, files: dict[str, bytes]) -> list[DiscoveredFile]:
    for name, content in files.items():
        Path(folder, name).write_bytes(content)
    found = [DiscoveredFile.from_path(name, root=folder) for name in files]
    return [file for file in found if file is not None]


def text_of(content: bytes) -> bytes:
    """Return the text of a file as UTF-8: two bytes can be a line break in UTF-16."""
    source = source_of(content)
    assert source is not None
    return recoding.utf8(source)


Outcome = tuple[dict[Path, list[CodeChunk]], Counter[tuple[str, str]]]


def outcome(files: list[DiscoveredFile], limits: ChunkGovernor, executor: str, workers: int = 1) -> Outcome:
    with chunk_files_parallel(files, limits, executor_type=executor, max_workers=workers) as stream:
        results = list(stream)
    assert len({path for path, _ in results}) == len(results)
    report = stream.report
    assert report.files == len(results)
    assert report.files + report.skipped + len(report.failures) == len(files)
    return dict(results), Counter((failure.path, failure.error_type) for failure in report.failures)


@settings(max_examples=60, deadline=None)
@given(TREES, LIMITS)
@example({"a.py": b"\n\x00"}, 16)
def test_each_file_is_tiled_by_its_chunks_or_has_failed(files, limit):
    with TemporaryDirectory() as folder:
        chunks, failures = outcome(plant(folder, files), governor(limit), "inline")
    assert {str(path) for path in chunks} | {path for path, _ in failures} == set(files)
    for path, found in chunks.items():
        content = files[str(path)]
        ends = [0, *(chunk.byte_range[1] for chunk in found)]
        assert [chunk.byte_range[0] for chunk in found] == ends[:-1]
        assert ends[-1] == len(content) or (found == [] and is_blank(text_of(content)))
        line = 1
        for chunk in found:
            assert chunk.line_range[0] == line or content[chunk.byte_range[0] - 1 :][:2] == b"\r\n"
            line = content[: chunk.byte_range[1]].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
            assert len(chunk.content.encode("utf-8", "surrogateescape")) <= limit


@settings(max_examples=25, deadline=None)
@given(TREES, LIMITS, st.sampled_from([1, 2, 5]), st.randoms(use_true_random=False))
def test_threads_give_the_same_chunks_in_whatever_number_and_order(files, limit, workers, dice):
    with TemporaryDirectory() as folder:
        found = plant(folder, files)
        alone = outcome(found, governor(limit), "inline")
        dice.shuffle(found)
        assert outcome(found, governor(limit), "thread", workers) == alone


def test_processes_give_the_same_chunks_in_whatever_number_and_order(tmp_path):
    dice = random.Random(7)
    pieces = [
        b"def f(x):\n    return x\n",
        b"class A:\n    b = 1\n",
        b"\r\n",
        "größe\n".encode(),
        b"x" * 90,
        b"\xff",
        b"{}",
    ]
    files = {f"{i:03}.{dice.choice(['py', 'js', 'c', 'txt', 'go'])}": b"" for i in range(300)}
    for name in files:
        files[name] = b"".join(dice.choices(pieces, k=dice.randrange(120))) + b"\0" * (dice.random() < 0.05)
    found = plant(str(tmp_path), files)
    alone = outcome(found, governor(64), "inline")
    assert len(alone[1]) > 3
    for workers in (1, 2):
        dice.shuffle(found)
        assert outcome(found, governor(64), "process", workers) == alone


@settings(max_examples=40, deadline=None)
@given(CONTENTS, LIMITS)
def test_as_many_chunks_as_there_are_pass_the_limit_and_one_fewer_does_not(content, limit):
    with TemporaryDirectory() as folder:
        files = plant(folder, {"a.py": content})
        chunks, failures = outcome(files, governor(limit), "inline")
        number = len(next(iter(chunks.values()), []))
        if failures or number < 2:
            return
        assert outcome(files, governor(limit, max_chunks_per_file=number), "inline") == (chunks, Counter())
        assert outcome(files, governor(limit, max_chunks_per_file=number - 1), "inline") == (
            {},
            Counter({("a.py", "ChunkLimitExceededError"): 1}),
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000))
def test_as_many_bytes_as_there_are_pass_the_limit_and_one_fewer_does_not(size):
    with TemporaryDirectory() as folder:
        files = plant(folder, {"a.py": b"#" * size})
        chunks, failures = outcome(files, governor(1800, max_file_size_mb=size / 1e6), "inline")
        assert (len(chunks), failures) == (1, Counter())
        chunks, failures = outcome(files, governor(1800, max_file_size_mb=(size - 1) / 1e6), "inline")
        assert (chunks, failures) == ({}, Counter({("a.py", "FileTooLargeError"): 1}))


@pytest.mark.parametrize("overlap", [0, 50, 200])
def test_overlap_is_the_same_for_all_executors_and_never_in_the_content(tmp_path, overlap):
    files = plant(str(tmp_path), {"a.py": b"def f(x):\n    return x\n\n" * 200})
    limits = ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=300, overlap_tokens=overlap))
    results = [outcome(files, limits, executor)[0] for executor in ("inline", "thread", "process")]
    assert results[0] == results[1] == results[2]
    (chunks,) = results[0].values()
    assert "".join(chunk.content for chunk in chunks) == (tmp_path / "a.py").read_text()
    assert all(bool(chunk.overlap_before) == bool(overlap) for chunk in chunks[1:])
