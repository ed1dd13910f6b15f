"""What the document on parallel chunking asks for, one test a criterion.

The first five bear the names they have there.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from treemill import (
    ChunkerSettings,
    ChunkGovernor,
    ChunkStream,
    CodeChunk,
    ConcurrencySettings,
    DiscoveredFile,
    Failure,
    PerformanceSettings,
    UsageError,
    chunk_files_parallel,
    chunk_files_parallel_dict,
)

EXECUTORS = ("process", "thread", "inline")

SOURCES = {
    "cart.py": 'class Cart:\n    """What to buy."""\n\n    def add(self, item):\n        self.items += [item]\n',
    "main.go": "package main\n\nfunc main() {\n\tprintln(1)\n}\n",
    "lib.rs": "pub fn twice(x: i32) -> i32 {\n    2 * x\n}\n",
    "app.js": "export function start(port) {\n  return listen(port);\n}\n",
    "notes.txt": "Nothing in particular.\n",
}
SYMBOLS = {
    "cart.py": ("class", "Cart"),
    "main.go": ("function", "main"),
    "lib.rs": ("function", "twice"),
    "app.js": ("function", "start"),
    "notes.txt": (None, None),
}


@pytest.fixture
def files(tree) -> list[DiscoveredFile]:
    return discovered(tree(SOURCES))


def discovered(root: Path) -> list[DiscoveredFile]:
    found = (DiscoveredFile.from_path(path, root=root) for path in sorted(root.rglob("*")))
    return [file for file in found if file is not None]


def check_metadata(path: Path, chunks: list[CodeChunk]) -> None:
    """Assert what holds for the chunks of every file here: one, whole, and valid throughout."""
    (chunk,) = chunks
    content = SOURCES[path.name]
    assert isinstance(chunks, list)
    assert isinstance(chunk, CodeChunk)
    assert chunk.content == content
    assert chunk.path == path
    assert chunk.line_range == (1, content.count("\n"))
    assert chunk.byte_range == (0, len(content.encode()))
    assert len(chunk.content_hash) == len(chunk.id) == 32
    assert chunk.source == ("delimiter" if path.suffix == ".txt" else "semantic")
    assert (chunk.kind, chunk.symbol) == SYMBOLS[path.name]


# ── the five ──


def test_e2e_multiple_files_parallel_thread(files):
    results = list(chunk_files_parallel(files, ChunkGovernor(), max_workers=2, executor_type="thread"))
    assert sorted(path.name for path, _ in results) == sorted(SOURCES)
    for path, chunks in results:
        check_metadata(path, chunks)


def test_e2e_multiple_files_parallel_process(files):
    results = list(chunk_files_parallel(files, ChunkGovernor(), max_workers=2, executor_type="process"))
    assert sorted(path.name for path, _ in results) == sorted(SOURCES)
    for path, chunks in results:
        check_metadata(path, chunks)


def test_e2e_parallel_empty_file_list():
    before = threading.active_count()
    with chunk_files_parallel([], ChunkGovernor()) as stream:
        assert list(stream) == []
        assert threading.active_count() <= before + 1  # no worker has a thread
        assert (stream.report.files, stream.report.complete) == (0, True)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_e2e_parallel_error_handling(tree, executor):
    root = tree({"good.py": "x = 1\n", "binary.py": b"\0\1\2", "big.py": "y = 2\n" * 1000, "gone.py": "z = 3\n"})
    files = discovered(root)
    (root / "gone.py").unlink()
    failures: list[Failure] = []
    governor = ChunkGovernor(settings=ChunkerSettings(performance=PerformanceSettings(max_file_size_mb=0.005)))
    with chunk_files_parallel(files, governor, executor_type=executor, on_failure=failures.append) as stream:
        assert [path.name for path, _ in stream] == ["good.py"]
    assert {(each.path, each.error_type) for each in failures} == {
        ("binary.py", "BinaryFileError"),
        ("big.py", "FileTooLargeError"),
    }
    assert stream.report.failures == failures
    assert [(each.path, str(each.reason)) for each in stream.report.skips] == [("gone.py", "vanished")]


def test_e2e_parallel_dict_convenience(files):
    reports = []
    chunks = chunk_files_parallel_dict(files, ChunkGovernor(), executor_type="thread", on_report=reports.append)
    assert list(chunks) == [file.path for file in files]
    for path, found in chunks.items():
        check_metadata(path, found)
    assert [report.files for report in reports] == [len(files)]


# ── executors ──


def test_all_executors_give_the_same_chunks(files):
    governor = ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=32))
    results = [chunk_files_parallel_dict(files, governor, executor_type=each) for each in EXECUTORS]
    assert results[0] == results[1] == results[2]
    assert sum(map(len, results[0].values())) > len(files)


def test_an_unknown_executor_is_an_error_that_lists_the_valid_ones(files):
    with pytest.raises(UsageError, match="process, thread, inline"):
        chunk_files_parallel(files, ChunkGovernor(), executor_type="fibers")


def test_workers_and_executor_come_from_the_argument_before_the_settings_before_the_defaults(files):
    settings = ChunkerSettings(concurrency=ConcurrencySettings(max_parallel_files=7, executor="thread"))

    def used(governor: ChunkGovernor, **arguments) -> tuple[str, int]:
        report = chunk_files_parallel(files, governor, **arguments).report
        return report.executor, report.workers

    assert used(ChunkGovernor()) == ("process", min(4, os.cpu_count() or 1))
    assert used(ChunkGovernor(settings=settings)) == ("thread", 7)
    assert used(ChunkGovernor(settings=settings), max_workers=3, executor_type="inline") == ("inline", 1)
    assert used(ChunkGovernor(settings=settings), max_workers=5) == ("thread", 5)


def test_process_workers_are_capped_at_the_number_of_processors_and_threads_are_not():
    many = 10 * (os.cpu_count() or 1)
    assert chunk_files_parallel([], ChunkGovernor(), max_workers=many).report.workers == os.cpu_count()
    threads = chunk_files_parallel([], ChunkGovernor(), max_workers=many, executor_type="thread")
    assert threads.report.workers == many


def test_no_workers_are_an_error():
    with pytest.raises(UsageError, match="at least 1"):
        chunk_files_parallel([], ChunkGovernor(), max_workers=0)


# ── the iterator ──


def test_the_result_is_an_iterator_of_paths_and_lists(files):
    stream = chunk_files_parallel(files, ChunkGovernor(), executor_type="inline")
    assert isinstance(stream, ChunkStream)
    assert iter(stream) is stream
    path, chunks = next(stream)
    assert isinstance(path, Path)
    assert isinstance(chunks, list)
    stream.close()
    assert list(stream) == []
    assert not stream.report.complete


def test_ordered_results_come_in_the_order_of_the_input(tree):
    root = tree({f"f{i:02}.py": "x = 1\n" * (1 + 700 * (i % 3)) for i in range(40)})
    files = discovered(root)
    with chunk_files_parallel(files, ChunkGovernor(), max_workers=3, executor_type="thread", ordered=True) as stream:
        assert [path for path, _ in stream] == [file.path for file in files]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_nones_among_the_files_are_counted_as_skipped(files, executor):
    with chunk_files_parallel([None, *files, None], ChunkGovernor(), executor_type=executor) as stream:
        assert len(list(stream)) == len(files)
    assert (stream.report.skipped, stream.report.skips) == (2, [])


def test_a_path_is_relative_to_the_root_or_as_given(tree):
    root = tree({"sub/a.py": "x = 1\n"})
    relative = DiscoveredFile.from_path("sub/a.py", root=root)
    absolute = DiscoveredFile.from_path(root / "sub" / "a.py")
    paths = [path for path, _ in chunk_files_parallel([relative, absolute], ChunkGovernor(), executor_type="inline")]
    assert paths == [Path("sub/a.py"), root / "sub" / "a.py"]


# ── failures ──


@pytest.mark.parametrize("executor", EXECUTORS)
def test_failures_are_told_in_the_thread_of_the_reader(tree, executor):
    root = tree({"bad.py": b"\0", "good.py": "x = 1\n"})
    threads = []
    governor = ChunkGovernor()
    told: Callable[[Failure], None] = lambda failure: threads.append(threading.current_thread())  # noqa: E731
    assert len(list(chunk_files_parallel(discovered(root), governor, executor_type=executor, on_failure=told))) == 1
    assert threads == [threading.current_thread()]


def test_each_failure_is_logged_once_and_the_statistics_once(tree, caplog):
    root = tree({"bad.py": b"\0", "worse.py": b"\0\0", "good.py": "x = 1\n"})
    with caplog.at_level(logging.DEBUG, "treemill.parallel"):
        list(chunk_files_parallel(discovered(root), ChunkGovernor(), executor_type="inline"))
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert sorted(warnings) == ["bad.py is not chunked: BinaryFileError", "worse.py is not chunked: BinaryFileError"]
    (told,) = [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]
    assert told.startswith("chunked 1 file")
    assert "2 BinaryFileError" in told


def test_the_traceback_of_a_failure_in_a_worker_reaches_the_caller(tree, caplog):
    root = tree({"long.py": "x = 1\n" * 1000})
    settings = ChunkerSettings(max_chunk_bytes=16, performance=PerformanceSettings(max_chunks_per_file=10))
    governor = ChunkGovernor(settings=settings)
    with (
        caplog.at_level(logging.DEBUG, "treemill.parallel"),
        chunk_files_parallel(discovered(root), governor, executor_type="process") as stream,
    ):
        assert list(stream) == []
    (failure,) = stream.report.failures
    assert (failure.path, failure.stage, failure.error_type) == ("long.py", "chunk", "ChunkLimitExceededError")
    assert "long.py" in failure.message
    assert "in chunk" in failure.traceback
    assert any(failure.traceback in each.getMessage() for each in caplog.records if each.levelno == logging.DEBUG)


# ── statistics ──


def test_the_report_counts_files_chunks_bytes_failures_seconds_and_workers(tree):
    root = tree({"a.py": "x = 1\n" * 1000, "b.py": "", "bad.py": b"\0"})
    with chunk_files_parallel(discovered(root), ChunkGovernor(), max_workers=2, executor_type="thread") as stream:
        count = sum(len(chunks) for _, chunks in stream)
    report = stream.report
    assert (report.files, report.chunks, report.bytes) == (2, count, 6000)
    assert report.failures_by_type == {"BinaryFileError": 1}
    assert set(report.stages) == {"read", "chunk"}
    assert all(seconds >= 0 for seconds in report.stages.values())
    assert report.seconds > 0
    assert (report.executor, report.workers) == ("thread", 2)


# ── settings: each does what it says ──


def only_failure(root: Path, **limits: float) -> str | None:
    settings = ChunkerSettings(max_chunk_bytes=100, performance=PerformanceSettings(**limits))
    with chunk_files_parallel(discovered(root), ChunkGovernor(settings=settings), executor_type="process") as stream:
        list(stream)
    return stream.report.failures[0].error_type if stream.report.failures else None


def test_a_file_exactly_at_the_size_limit_passes_and_one_byte_over_fails(tree):
    at, over = tree({"a.py": "#" * 1000}), tree({"a.py": "#" * 1001})
    assert only_failure(at, max_file_size_mb=0.001) is None
    assert only_failure(over, max_file_size_mb=0.001) == "FileTooLargeError"


def test_exactly_as_many_chunks_as_allowed_pass_and_one_more_fails(tree):
    root = tree({"a.txt": "#" * 1000})
    assert only_failure(root, max_chunks_per_file=10) is None
    assert only_failure(root, max_chunks_per_file=9) == "ChunkLimitExceededError"


def nested(levels: int) -> str:
    return "x = " + "[" * levels + "]" * levels + "\n"


def test_exactly_at_the_depth_limit_the_tree_is_used_and_one_level_over_the_next_chunker_is(tree):
    root = tree({"a.py": nested(60)})

    def used(depth: int) -> tuple[str, str | None]:
        settings = ChunkerSettings(max_chunk_bytes=32, performance=PerformanceSettings(max_ast_depth=depth))
        ((_, chunks),) = chunk_files_parallel(
            discovered(root), ChunkGovernor(settings=settings), executor_type="inline"
        )
        return chunks[0].source, chunks[0].fallback

    depth = next(depth for depth in range(1, 200) if used(depth) == ("semantic", None))
    assert 60 < depth < 70
    assert used(depth - 1) == ("delimiter", "ASTDepthExceededError")


def test_a_parse_over_its_time_makes_the_file_fall_to_the_next_chunker(tree):
    root = tree({"a.py": "def f(x):\n    return [x, (x, {x: x})]\n" * 30_000})
    settings = ChunkerSettings(performance=PerformanceSettings(parse_timeout_seconds=0.001))
    ((_, chunks),) = chunk_files_parallel(discovered(root), ChunkGovernor(settings=settings), executor_type="process")
    assert {(chunk.source, chunk.fallback) for chunk in chunks} == {("delimiter", "ChunkingTimeoutError")}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_file_over_its_time_fails(tree, executor):
    root = tree({"a.py": "def f(x):\n    return [x, (x, {x: x})]\n" * 30_000, "b.py": "x = 1\n"})
    settings = ChunkerSettings(performance=PerformanceSettings(chunk_timeout_seconds=0.1))
    with chunk_files_parallel(discovered(root), ChunkGovernor(settings=settings), executor_type=executor) as stream:
        assert [path.name for path, _ in stream] == ["b.py"]
    assert [(each.path, each.error_type) for each in stream.report.failures] == [("a.py", "ChunkingTimeoutError")]
    assert "0.1" in stream.report.failures[0].message


def test_a_tree_over_the_memory_limit_makes_the_file_fall_to_the_next_chunker(tree):
    root = tree({"a.py": "x = 1\n" * 10_000})
    settings = ChunkerSettings(performance=PerformanceSettings(max_memory_mb_per_operation=2))
    ((_, chunks),) = chunk_files_parallel(discovered(root), ChunkGovernor(settings=settings), executor_type="inline")
    assert {(chunk.source, chunk.fallback) for chunk in chunks} == {("delimiter", "MemoryLimitExceededError")}


# ── wherever it runs ──


def run_script(folder: Path, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text), "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, *flags, str(script)], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_it_works_under_any_start_method_from_a_script_without_a_main_guard(tree, method):
    root = tree({"tree/a.py": "x = 1\n", "tree/b.py": "y = 2\n"})
    done = run_script(
        root,
        f"""
        import multiprocessing, pathlib
        multiprocessing.set_start_method({method!r})
        from treemill import ChunkGovernor, DiscoveredFile, chunk_files_parallel
        files = [DiscoveredFile.from_path(p) for p in pathlib.Path({str(root / "tree")!r}).iterdir()]
        print(sorted(path.name for path, _ in chunk_files_parallel(files, ChunkGovernor(), max_workers=2)))
        assert multiprocessing.get_start_method() == {method!r}
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['a.py', 'b.py']\n"


def test_it_works_in_a_thread_and_under_asyncio(tree):
    root = tree({"tree/a.py": "x = 1\n"})
    done = run_script(
        root,
        f"""
        import asyncio
        from treemill import ChunkGovernor, DiscoveredFile, chunk_files_parallel_dict
        file = DiscoveredFile.from_path({str(root / "tree" / "a.py")!r})
        chunks = asyncio.run(asyncio.to_thread(chunk_files_parallel_dict, [file], ChunkGovernor(), max_workers=1))
        print([len(found) for found in chunks.values()])
        """,
    )
    assert (done.returncode, done.stdout) == (0, "[1]\n"), done.stderr


def test_it_works_from_standard_input_as_in_a_notebook(tree):
    root = tree({"a.py": "x = 1\n"})
    code = (
        "from treemill import ChunkGovernor, DiscoveredFile, chunk_files_parallel_dict\n"
        f"file = DiscoveredFile.from_path({str(root / 'a.py')!r})\n"
        "print(len(chunk_files_parallel_dict([file], ChunkGovernor())))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-"], input=code, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
