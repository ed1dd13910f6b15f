"""The stream of chunks: laziness at both ends, closing, workers that die, and what chunks hold."""

from __future__ import annotations

import copy
import dataclasses
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

import pytest
from tests.support.fatal import fatal_stream

from treemill import (
    ChunkerSettings,
    ChunkGovernor,
    CodeChunk,
    DiscoveredFile,
    PerformanceSettings,
    chunk_files_parallel,
    chunk_files_parallel_dict,
    parallel,
)
from treemill.chunking import chunk
from treemill.cutting import CutFile, PackedCut
from treemill.reading import source_of
from treemill.types import Symbol

EXECUTORS = ("process", "thread", "inline")
GOVERNOR = ChunkGovernor()

# A second is what closing may take; a machine that runs other things at the same time needs some more.
A_SECOND = 2.5

# Half a minute of parsing, under limits that allow it.
SLOW = "def f(x):\n    return [x, (x, {x: x})]\n" * 150_000
PATIENT = ChunkGovernor(
    settings=ChunkerSettings(
        performance=PerformanceSettings(
            parse_timeout_seconds=60, max_memory_mb_per_operation=5000, max_chunks_per_file=100_000
        )
    )
)


def discovered(root: Path) -> list[DiscoveredFile]:
    found = (DiscoveredFile.from_path(path, root=root) for path in sorted(root.rglob("*")))
    return [file for file in found if file is not None]


# Processes that were there before the test: a database server that the whole session uses is one.
bystanders: set[int] = set()


@pytest.fixture(autouse=True)
def look_around():
    """Note which processes have nothing to do with the test."""
    bystanders.clear()
    bystanders.update(children())


def children() -> set[int]:
    """Return the processes that this one has started since the test began, and that still live."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended since
            found.update(map(int, (task / "children").read_text().split()))
    return {pid for pid in found - bystanders if alive(pid)}


# ── lazy at the near end ──


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_endless_input_is_read_only_a_little_ahead(tree, executor):
    (file,) = discovered(tree({"a.py": "x = 1\n"}))
    taken = count()

    def endless() -> Iterator[DiscoveredFile]:
        while True:
            next(taken)
            yield file

    with chunk_files_parallel(endless(), GOVERNOR, max_workers=2, executor_type=executor) as stream:
        assert len(list(islice(stream, 300))) == 300
    assert next(taken) < 300 + 4000


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("ordered", [False, True])
def test_results_come_while_the_input_waits_for_them(tree, executor, ordered):
    files = discovered(tree({f"{i}.py": "x = 1\n" for i in range(5)}))
    came = threading.Semaphore(0)

    def waiting() -> Iterator[DiscoveredFile]:
        for file in files:
            yield file
            assert came.acquire(timeout=30)

    seen = 0
    with chunk_files_parallel(waiting(), GOVERNOR, executor_type=executor, ordered=ordered) as stream:
        for _ in stream:
            seen += 1
            came.release()
    assert seen == len(files)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_error_of_the_input_reaches_the_reader_and_ends_the_workers(tree, executor):
    (file,) = discovered(tree({"a.py": "x = 1\n"}))

    def breaking() -> Iterator[DiscoveredFile]:
        yield file
        raise OSError("the drive is gone")

    with pytest.raises(OSError, match="the drive is gone"):
        list(chunk_files_parallel(breaking(), GOVERNOR, executor_type=executor))
    assert not children()


# ── bounded in between ──


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_no_more_bytes_are_under_way_than_the_window_holds(tree, monkeypatch, executor, ordered):
    root = tree({f"{i:02}.txt": "word " * 2000 for i in range(40)})
    monkeypatch.setattr(parallel, "_BATCH_BYTES", 5_000)
    monkeypatch.setattr(parallel, "_WINDOW_BYTES", 25_000)
    heaviest = 0

    class Watched(parallel._Run):
        def __setattr__(self, name: str, value: object) -> None:
            nonlocal heaviest
            super().__setattr__(name, value)
            if name == "_under_way":
                heaviest = max(heaviest, value)  # type: ignore[call-overload]

    monkeypatch.setattr(parallel, "_Run", Watched)
    with chunk_files_parallel(
        discovered(root), GOVERNOR, max_workers=2, executor_type=executor, ordered=ordered
    ) as stream:
        assert len(list(stream)) == 40
    assert 10_000 < heaviest <= 25_000


def test_a_file_heavier_than_the_window_goes_alone(tree, monkeypatch):
    root = tree({"big.txt": "word " * 20_000, "a.txt": "a", "b.txt": "b"})
    monkeypatch.setattr(parallel, "_WINDOW_BYTES", 2000)
    with chunk_files_parallel(discovered(root), GOVERNOR, executor_type="thread") as stream:
        assert {path.name for path, _ in stream} == {"big.txt", "a.txt", "b.txt"}


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.parametrize("ordered", [False, True])
def test_memory_does_not_grow_with_what_is_streamed(tree, ordered):
    files = discovered(tree({f"{i}.txt": f"word{i} " * 150_000 for i in range(5)}))
    before = resident_mb()
    most = 0.0
    with chunk_files_parallel(files * 40, GOVERNOR, max_workers=2, ordered=ordered) as stream:
        for _, chunks in stream:
            assert chunks[0].content
            most = max(most, resident_mb())
    assert stream.report.bytes > 150_000_000
    assert most - before < 50


# ── closing ──


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_closing_early_ends_the_workers_within_a_second_in_the_middle_of_a_parse(tree, executor):
    root = tree({"0.py": "x = 1\n", **{f"slow{i}.py": SLOW for i in range(3)}})
    stream = chunk_files_parallel(discovered(root), PATIENT, max_workers=2, executor_type=executor)
    path, _ = next(stream)
    assert path.name == "0.py"
    assert executor == "thread" or children()
    began = time.monotonic()
    stream.close()
    stream.close()
    assert time.monotonic() - began < A_SECOND
    assert not children()
    assert list(stream) == []
    assert not stream.report.complete


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_another_thread_may_close_a_stream_while_it_is_read(tree, executor):
    root = tree({f"slow{i}.py": SLOW for i in range(3)})
    stream = chunk_files_parallel(discovered(root), PATIENT, max_workers=2, executor_type=executor)
    threading.Timer(0.5, stream.close).start()
    assert list(stream) == []
    assert not stream.report.complete
    assert not children()


def test_leaving_the_loop_and_forgetting_the_stream_ends_the_workers(tree):
    files = discovered(tree({f"{i}.py": "x = 1\n" * 500 for i in range(50)}))
    for _ in chunk_files_parallel(files, GOVERNOR, max_workers=2):
        break
    assert not children()


def test_an_error_in_the_body_of_the_with_ends_the_workers(tree):
    files = discovered(tree({f"{i}.py": "x = 1\n" * 500 for i in range(50)}))

    def fail_in_the_middle() -> None:
        with chunk_files_parallel(files, GOVERNOR, max_workers=2) as stream:
            for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert not children()


def test_an_error_in_on_failure_ends_the_stream(tree):
    files = discovered(tree({"bad.py": b"\0", **{f"{i}.py": "x = 1\n" for i in range(5)}}))

    def refuse(failure: object) -> None:
        raise RuntimeError("not on my watch")

    with pytest.raises(RuntimeError, match="not on my watch"):
        list(chunk_files_parallel(files, GOVERNOR, max_workers=1, on_failure=refuse))
    assert not children()


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_interrupted_or_killed_leaves_no_worker(tree, end):
    root = tree({"0.py": "x = 1\n", **{f"slow{i}.py": SLOW for i in range(3)}})
    code = """
        import sys
        sys.path[:0] = [PATH]
        from tests.unit.test_parallel import PATIENT, children, discovered
        from pathlib import Path
        from treemill import chunk_files_parallel
        for path, chunks in chunk_files_parallel(discovered(Path(ROOT)), PATIENT, max_workers=2):
            print(*children(), flush=True)
    """
    text = textwrap.dedent(code).replace("PATH", repr(str(Path.cwd())), 1).replace("ROOT", repr(str(root)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert program.stdout is not None
    workers = [int(pid) for pid in program.stdout.readline().split()]
    assert workers
    time.sleep(0.3)
    began = time.monotonic()
    program.send_signal(end)
    _, said = program.communicate(timeout=30)
    assert time.monotonic() - began < A_SECOND
    assert program.returncode != 0
    assert ("KeyboardInterrupt" in said) == (end == signal.SIGINT)
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


# ── workers that die ──


@pytest.mark.parametrize("deed", ["segfault", "abort", "exit", "exit 3", "killed"])
def test_a_file_that_kills_its_worker_is_named_and_the_others_of_its_batch_are_not_lost(tree, deed):
    root = tree({"a.py": "x = 1\n", "bad.py": f"# {deed}\n", "c.py": "y = 2\n", "d.py": "z = 3\n"})
    with fatal_stream(discovered(root), GOVERNOR) as stream:
        assert sorted(path.name for path, _ in stream) == ["a.py", "c.py", "d.py"]
    (failure,) = stream.report.failures
    assert (failure.path, failure.stage, failure.error_type) == ("bad.py", "chunk", "WorkerCrashedError")
    assert "bad.py" in failure.message


def test_ordered_results_stay_in_order_around_a_file_that_kills_its_worker(tree):
    root = tree({**{f"{i:02}.py": "x = 1\n" for i in range(20)}, "07.py": "# segfault\n", "13.py": "# exit\n"})
    with fatal_stream(discovered(root), GOVERNOR, ordered=True) as stream:
        names = [path.name for path, _ in stream]
    assert names == [f"{i:02}.py" for i in range(20) if i not in (7, 13)]


def test_a_file_that_hangs_is_stopped_and_named(tree):
    root = tree({"a.py": "x = 1\n", "bad.py": "# hang\n", "c.py": "y = 2\n"})
    governor = ChunkGovernor(settings=ChunkerSettings(performance=PerformanceSettings(chunk_timeout_seconds=0.5)))
    with fatal_stream(discovered(root), governor) as stream:
        assert sorted(path.name for path, _ in stream) == ["a.py", "c.py"]
    assert [(each.path, each.error_type) for each in stream.report.failures] == [("bad.py", "ChunkingTimeoutError")]


def test_a_file_that_eats_memory_is_stopped_and_named(tree):
    root = tree({"a.py": "x = 1\n", "bad.py": "# hog\n", "c.py": "y = 2\n"})
    with fatal_stream(discovered(root), GOVERNOR) as stream:
        assert sorted(path.name for path, _ in stream) == ["a.py", "c.py"]
    assert [(each.path, each.error_type) for each in stream.report.failures] == [("bad.py", "MemoryLimitExceededError")]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(("deed", "error"), [("raise", "KeyError"), ("recurse", "RecursionError")])
def test_an_error_nobody_thought_of_reaches_the_caller_with_its_traceback(tree, executor, deed, error):
    root = tree({"a.py": "x = 1\n", "bad.py": f"# {deed}\n", "c.py": "y = 2\n"})
    with fatal_stream(discovered(root), GOVERNOR, executor=executor) as stream:
        assert sorted(path.name for path, _ in stream) == ["a.py", "c.py"]
    (failure,) = stream.report.failures
    assert (failure.path, failure.error_type) == ("bad.py", error)
    assert "tests/support/fatal.py" in failure.traceback


def test_bytes_that_killed_a_worker_are_not_tried_again_under_another_name(tree):
    root = tree({"bad.py": "# segfault\n", "copy.py": "# segfault\n", "same_size.py": "# innocent\n"})
    came = threading.Event()
    bad, *others = discovered(root)

    def one_after_the_other() -> Iterator[DiscoveredFile]:
        yield bad
        assert came.wait(30)
        yield from others

    told = []
    with fatal_stream(one_after_the_other(), GOVERNOR, on_failure=lambda f: (told.append(f), came.set())) as stream:
        assert [path.name for path, _ in stream] == ["same_size.py"]
    assert [failure.error_type for failure in told] == ["WorkerCrashedError"] * 2
    assert "not tried" not in told[0].message
    assert "copy.py was not tried: it holds the same bytes as bad.py" in told[1].message


def test_bytes_that_killed_the_parser_of_one_language_are_tried_as_another(tree):
    root = tree({"bad.py": "# segfault as python\n", "other.rb": "# segfault as python\n"})
    came = threading.Event()
    bad, other = discovered(root)

    def one_after_the_other() -> Iterator[DiscoveredFile]:
        yield bad
        assert came.wait(30)
        yield other

    with fatal_stream(one_after_the_other(), GOVERNOR, on_failure=lambda failure: came.set()) as stream:
        assert [path.name for path, _ in stream] == ["other.rb"]
    assert [each.path for each in stream.report.failures] == ["bad.py"]


def test_a_quarantined_file_is_tried_again_once_it_has_changed(tree):
    root = tree({"bad.py": "# segfault\n"})
    came = threading.Event()
    (bad,) = discovered(root)

    def twice() -> Iterator[DiscoveredFile]:
        yield bad
        assert came.wait(30)
        (root / "bad.py").write_text("# innocent\n")
        yield bad

    with fatal_stream(twice(), GOVERNOR, on_failure=lambda failure: came.set()) as stream:
        assert [path.name for path, _ in stream] == ["bad.py"]


# ── chunks that are built when looked at ──


def cut(text: str, limit: int = 64) -> tuple[DiscoveredFile, CutFile, ChunkGovernor]:
    governor = ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=limit))
    source = source_of(text.encode(), "python")
    assert source is not None
    return DiscoveredFile("a.py", None, "python", len(text), 0), CutFile(source, chunk(source, governor)), governor


TEXT = 'class A:\n    """Doc."""\n    def f(self):\n        return 1\n\n    def g(self):\n        return "ä"\n' * 3


def test_what_crosses_to_another_process_builds_the_same_chunks():
    file, cut_file, governor = cut(TEXT)
    packed = pickle.loads(pickle.dumps(cut_file))  # noqa: S301
    assert isinstance(packed, PackedCut)
    assert packed.size == cut_file.size
    assert packed.chunks(file, file.path, governor) == cut_file.chunks(file, file.path, governor)


def test_a_chunk_from_another_process_is_a_chunk_like_any_other():
    """Its attributes are set behind the back of the frozen class, by way of a dictionary."""
    file, cut_file, governor = cut(TEXT)
    first, second, *_ = pickle.loads(pickle.dumps(cut_file)).chunks(file, file.path, governor)  # noqa: S301
    match first:
        case CodeChunk(language="python", line_range=(1, _)):
            pass
        case _:
            pytest.fail("it does not match")
    assert all(type(symbol) is Symbol for symbol in first.symbols)
    assert copy.deepcopy(first) == dataclasses.replace(first) == pickle.loads(pickle.dumps(first)) == first  # noqa: S301
    assert vars(first).keys() == {field.name for field in dataclasses.fields(first)}
    assert len({first, second, copy.copy(first)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        second.content = "x"  # type: ignore[misc]


def test_a_chunk_does_not_keep_its_file():
    """Each holds its own text: one that is kept costs its size, not that of the file."""
    file, cut_file, governor = cut(TEXT * 100)
    kept = cut_file.chunks(file, file.path, governor)[0]
    held = [each for each in gc.get_referents(vars(kept)) if isinstance(each, str | bytes)]
    assert max(map(len, held)) <= GOVERNOR.max_chunk_bytes


def test_a_custom_delimiter_that_does_not_work_is_told_where_it_is_heard(tree, caplog):
    settings = ChunkerSettings(custom_delimiters={"brew": ("(heard", "^% ")})
    root = tree({"a.py": "x = 1\n"})
    for executor in ("process", "thread"):
        with caplog.at_level("WARNING"):
            chunk_files_parallel_dict(
                [DiscoveredFile.from_path("a.py", root=root)], ChunkGovernor(settings=settings), executor_type=executor
            )
    assert [each for each in caplog.messages if "'(heard' of brew is left out" in each] == caplog.messages
    assert len(caplog.messages) == 1
