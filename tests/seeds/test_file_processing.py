"""Seed 004, criterion by criterion: files processed in parallel, each whole or not at all.

The sections are the seed's: its scenarios first, then what it asks of unit, integration, regression and end-to-end
tests. Its performance tests are `benchmarks/processing.py`.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, as_completed
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import Tree
from support.chunkers import DirectedChunker, PickyChunker, line_chunker
from support.providers import BlockingProvider, HashProvider, PoisonProvider, ScriptedProvider, vector_of
from support.stores import CueStore, held, wrong_vectors
from support.timing import soonest
from treemill import (
    FileChunkingManager,
    FileIdentifier,
    FileProcessingResult,
    FixedSizeChunker,
    HighThroughputProcessor,
    MemoryStore,
    ProcessingStats,
    SkipReason,
    SqliteStore,
    VectorCalculationManager,
)
from treemill.errors import IndexLocked, StorageError, UsageError
from treemill.events import Ended, Event, Finished, Heartbeat, Queued, Started
from treemill.processing.callbacks import QUEUED
from treemill.settings import ChunkerSettings, ConcurrencySettings, PerformanceSettings, Settings, StorageSettings

Calls = list[tuple[int, int, object, str]]

FILES = {
    "cart.py": "class Cart:\n    def add(self, item):\n        self.items.append(item)\n",
    "pay.py": "def charge(cart):\n    return gateway.charge(cart.total())\n",
    "web/app.js": "export function render(cart) {\n  return cart.items.length;\n}\n",
    "notes.txt": "Nothing but words.\n",
    "empty.py": "",
}


def settings(executor: str = "thread", workers: int = 2, **performance: float) -> Settings:
    return Settings(
        chunker=ChunkerSettings(
            concurrency=ConcurrencySettings(executor=executor, max_parallel_files=workers),
            performance=PerformanceSettings(**performance),  # type: ignore[arg-type]
        ),
        storage=StorageSettings(commit_seconds=0.1),
    )


def paths(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def many(count: int, text: str = "def f{0}():\n    return {0}\n") -> dict[str, str]:
    return {f"f{number:04}.py": text.format(number) for number in range(count)}


def recorder() -> tuple[Calls, Callable[..., None]]:
    calls: Calls = []

    def callback(current: int, total: int, path: object, info: str = "") -> None:
        calls.append((current, total, path, info))

    return calls, callback


def balanced(stats: ProcessingStats) -> bool:
    ended = stats.files_processed + stats.failed_files + stats.skipped_files + stats.cancelled_files
    return ended == stats.submitted_files


# Scenario: complete sequential loop replacement


def test_no_file_waits_for_the_others_to_be_chunked(tree: Tree) -> None:
    """The first file is committed while later ones are not yet begun: there is no phase that all must pass first."""
    root = tree({**many(3), "z_slow.py": "hang\n"})
    store, seen = MemoryStore(), threading.Event()
    processor = HighThroughputProcessor(
        HashProvider(), store, root=root, chunker=DirectedChunker(), settings=settings("process")
    )

    def listener(event: Event) -> None:
        if isinstance(event, Finished) and len(held(store)) == 3:
            seen.set()
            processor.request_cancellation()

    stats = processor.process_files_high_throughput(paths(root), 2, on_event=listener)
    assert seen.is_set()
    assert (stats.files_processed, stats.cancelled_files) == (3, 1)


def test_a_generator_of_files_is_read_while_files_are_already_committed(tree: Tree) -> None:
    root, store = tree(many(4)), MemoryStore()
    committed = threading.Event()

    def files() -> Iterator[Path]:
        *first, last = paths(root)
        yield from first
        assert committed.wait(10), "nothing was committed before the last file was known"
        yield last

    def listener(event: Event) -> None:
        if isinstance(event, Finished):
            committed.set()

    processor = HighThroughputProcessor(None, store, root=root, settings=settings())
    assert processor.process_files_high_throughput(files(), 1, on_event=listener).files_processed == 4


def test_files_are_chunked_in_several_workers_at_a_time(tree: Tree) -> None:
    root = tree(many(4, "slow {0}\n"))
    together = threading.Barrier(2, timeout=20)
    started = threading.Semaphore(0)

    def chunker(text: str) -> list[str]:
        together.wait()
        return [text]

    def one_by_one() -> Iterator[Path]:
        for path in paths(root):
            yield path
            assert started.acquire(timeout=20), "a file waits for the next one"

    def listener(event: Event) -> None:
        if isinstance(event, Started):
            started.release()

    processor = HighThroughputProcessor(None, MemoryStore(), root=root, chunker=chunker, settings=settings("thread"))
    assert processor.process_files_high_throughput(one_by_one(), 1, on_event=listener).files_processed == 4


# Scenario: maintain method interface compatibility


def test_the_signature_is_the_one_that_callers_know() -> None:
    signature = inspect.signature(HighThroughputProcessor.process_files_high_throughput)
    first = list(signature.parameters.values())[1:5]
    assert [each.name for each in first] == ["files", "vector_thread_count", "batch_size", "progress_callback"]
    assert [each.default for each in first] == [inspect.Parameter.empty, inspect.Parameter.empty, 50, None]


def test_the_statistics_are_returned_with_the_fields_that_callers_read(tree: Tree) -> None:
    root = tree(FILES)
    before = time.time()
    stats = HighThroughputProcessor(
        HashProvider(), MemoryStore(), root=root, settings=settings()
    ).process_files_high_throughput(paths(root), 8, 50, None)
    assert isinstance(stats, ProcessingStats)
    assert (stats.files_processed, stats.failed_files, stats.chunks_created) == (5, 0, 4)
    assert stats.total_size == sum(len(text) for text in FILES.values())
    assert before <= stats.start_time <= stats.end_time <= time.time()
    assert stats.files_per_second > 0
    assert stats.cancelled is False


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_come_back_in_callbacks_as_they_were_given(tree: Tree, kind: type) -> None:
    root = tree(FILES)
    files = [kind(path) for path in paths(root)]
    calls, callback = recorder()
    HighThroughputProcessor(None, MemoryStore(), root=root, settings=settings()).process_files_high_throughput(
        files, 1, progress_callback=callback
    )
    assert [path for _, _, path, info in calls if info == QUEUED] == files
    assert {path for _, _, path, info in calls if info.startswith("✅ Committed")} == set(files)


def test_relative_paths_count_from_the_root_and_come_back_relative(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    calls, callback = recorder()
    HighThroughputProcessor(None, store, root=root, settings=settings()).process_files_high_throughput(
        ["cart.py", "./web//app.js"], 1, progress_callback=callback
    )
    assert sorted(held(store)) == ["cart.py", "web/app.js"]
    assert [path for _, _, path, info in calls if info == QUEUED] == ["cart.py", "./web//app.js"]


# Scenario: immediate feedback during submission


def test_each_file_is_told_as_queued_at_once_in_order_of_submission(tree: Tree) -> None:
    root = tree(many(300))
    calls, callback = recorder()
    processor = HighThroughputProcessor(HashProvider(), MemoryStore(), root=root, settings=settings())
    processor.process_files_high_throughput(paths(root), 4, progress_callback=callback)
    queued = [call for call in calls if call[3] == "📥 Queued for processing"]
    assert queued == [(0, 0, path, "📥 Queued for processing") for path in paths(root)]
    assert calls[0] == queued[0]


def test_submission_does_not_wait_for_processing(tree: Tree) -> None:
    root = tree(many(50))

    def seconds() -> float:
        provider = BlockingProvider()
        with VectorCalculationManager(provider, 2) as vectors, FileChunkingManager(vectors, line_chunker, 2) as manager:
            began = time.monotonic()
            futures = [manager.submit_file_for_processing(path, None, None) for path in paths(root)]
            took = time.monotonic() - began
            assert not any(future.done() for future in futures)
            provider.released.set()
            assert all(future.result(30).success for future in futures)
        return took

    assert soonest(seconds, within=0.5) < 0.5


def test_there_is_a_sign_of_life_every_second_while_one_file_takes_long(tree: Tree) -> None:
    root = tree({"slow.py": "hang\n"})

    def longest_silence() -> float:
        times, named = [time.monotonic()], []
        processor = HighThroughputProcessor(
            None, MemoryStore(), root=root, chunker=DirectedChunker(), settings=settings("process")
        )

        def listener(event: Event) -> None:
            times.append(time.monotonic())
            if isinstance(event, Heartbeat):
                named.extend(path for _, path, _ in event.in_hand)
            if len(named) == 3:
                processor.request_cancellation()

        processor.process_files_high_throughput(paths(root), 1, on_event=listener)
        assert set(named) == {"slow.py"}
        return max(after - before for before, after in pairwise(times))

    assert soonest(longest_silence, within=1.0) < 1.0


def test_each_file_is_told_as_queued_then_started_then_finished(tree: Tree) -> None:
    root = tree(FILES)
    events: dict[str, list[str]] = {}

    def listener(event: Event) -> None:
        if isinstance(event, Queued | Started | Finished):
            events.setdefault(event.path, []).append(type(event).__name__)

    HighThroughputProcessor(None, MemoryStore(), root=root, settings=settings()).process_files_high_throughput(
        paths(root), 1, on_event=listener
    )
    assert events == {name: ["Queued", "Started", "Finished"] for name in FILES}


# Scenario: file-level result collection


def test_results_are_collected_by_file_with_as_completed(tree: Tree) -> None:
    root, identifier = tree(many(20)), None
    identifier = FileIdentifier(root)
    store = MemoryStore()
    with (
        VectorCalculationManager(HashProvider(), 4) as vectors,
        FileChunkingManager(vectors, FixedSizeChunker(), 2, store=store, settings=settings()) as manager,
    ):
        futures = [
            manager.submit_file_for_processing(path, identifier.get_file_metadata(path), None) for path in paths(root)
        ]
        results = [future.result(timeout=600) for future in as_completed(futures)]
    assert all(isinstance(result, FileProcessingResult) and result.success for result in results)
    assert sum(result.chunks_processed for result in results) == 20
    assert {result.file_path for result in results} == set(paths(root))
    assert sorted(held(store)) == sorted(many(20))
    assert wrong_vectors(store) == []


def test_without_a_store_the_result_carries_the_vectors(tree: Tree) -> None:
    root = tree({"a.txt": "one\ntwo\nthree\n"})
    with VectorCalculationManager(HashProvider(), 1) as vectors, FileChunkingManager(vectors, line_chunker, 1) as files:
        result = files.submit_file_for_processing(root / "a.txt", None, None).result(30)
    assert result.chunks_processed == 3
    assert result.vectors == b"".join(vector_of(line).tobytes() for line in ("one\n", "two\n", "three\n"))


def test_a_failed_file_is_a_result_and_no_exception(tree: Tree) -> None:
    root = tree({"good.py": "x = 1\n", "bad.py": "x = 2\n"})
    with FileChunkingManager(None, PickyChunker(), 1) as files:
        good, bad, gone, folder = (
            files.submit_file_for_processing(root / name, None, None) for name in ("good.py", "bad.py", "gone.py", "")
        )
        assert good.result(30).success
        assert (bad.result(30).success, bad.result().error) == (False, "LookupError: will not cut bad.py")
        assert (gone.result(30).skipped, gone.result().error) == (True, None)
        assert folder.result(30).reason.startswith(SkipReason.NOT_REGULAR)


def test_the_processor_holds_no_future_for_a_file(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    plain = Future.__init__

    def counted(self: Future[object]) -> None:
        nonlocal made
        made += 1
        plain(self)

    monkeypatch.setattr(Future, "__init__", counted)
    root = tree(many(50))
    processor = HighThroughputProcessor(HashProvider(), MemoryStore(), root=root, settings=settings())
    assert processor.process_files_high_throughput(paths(root), 4).files_processed == 50
    assert made == 0


# Scenario: error handling and cancellation integration


def test_a_hanging_parse_and_a_provider_that_blocks_do_not_delay_cancellation(tree: Tree) -> None:
    root = tree({"a.py": "a = 1\n", "z.py": "hang\n"})

    def seconds_to_return() -> float:
        provider, store, asked_at = BlockingProvider(15), MemoryStore(), []
        processor = HighThroughputProcessor(
            provider, store, root=root, chunker=DirectedChunker(), settings=settings("process")
        )

        def cancel() -> None:
            assert provider.asked.wait(20)
            asked_at.append(time.monotonic())
            processor.request_cancellation()

        threading.Thread(target=cancel).start()
        stats = processor.process_files_high_throughput(paths(root), 2)
        seconds = time.monotonic() - asked_at[0]
        provider.released.set()
        assert processor.cancelled
        assert stats.cancelled
        assert (stats.submitted_files, stats.cancelled_files, stats.files_processed) == (2, 2, 0)
        assert held(store) == {}
        return seconds

    assert soonest(seconds_to_return, within=1.0) < 1.0


def test_what_was_committed_before_a_cancellation_is_counted_and_stays(tree: Tree) -> None:
    root, store = tree({**many(5), "z.py": "hang\n"}), MemoryStore()
    processor = HighThroughputProcessor(
        HashProvider(), store, root=root, chunker=DirectedChunker(), settings=settings("process")
    )

    def callback(current: int, total: int, path: Path, info: str) -> str | None:
        return "INTERRUPT" if current == 5 else None

    stats = processor.process_files_high_throughput(paths(root), 2, progress_callback=callback)
    assert stats.cancelled
    assert (stats.files_processed, stats.cancelled_files) == (5, 1)
    assert sorted(held(store)) == sorted(many(5))


def test_the_processor_works_again_after_a_cancellation(tree: Tree) -> None:
    root, store = tree(many(40, "slow {0}\n")), MemoryStore()
    processor = HighThroughputProcessor(None, store, root=root, chunker=DirectedChunker(), settings=settings())
    first = processor.process_files_high_throughput(
        paths(root), 1, progress_callback=lambda current, total: "INTERRUPT"
    )
    assert first.cancelled
    assert balanced(first)
    assert first.submitted_files == 40
    assert first.cancelled_files > 0
    second = processor.process_files_high_throughput(paths(root)[:5], 1)
    assert (second.files_processed, second.cancelled, processor.cancelled) == (5, False, False)


@pytest.mark.parametrize(
    "callback",
    [
        lambda current, total: 1 / 0,
        lambda current, total, path: 1 / 0,
        lambda current, total, path, info=None: 1 / 0,
        lambda current, total, path, text: 1 / 0,
        lambda *arguments: 1 / 0,
        lambda **arguments: 1 / 0,
    ],
    ids=["two", "three", "four", "four by position", "any", "none fits"],
)
def test_a_callback_that_raises_costs_one_line_in_the_log(
    tree: Tree, caplog: pytest.LogCaptureFixture, callback: Callable[..., object]
) -> None:
    root = tree(FILES)
    with caplog.at_level(logging.WARNING, "treemill"):
        stats = HighThroughputProcessor(
            None, MemoryStore(), root=root, settings=settings()
        ).process_files_high_throughput(paths(root), 1, progress_callback=callback)
    assert stats.files_processed == 5
    assert len([record for record in caplog.records if "listener failed" in record.message]) == 1


def test_a_callback_that_blocks_holds_up_nobody_and_what_it_missed_is_counted(tree: Tree) -> None:
    root = tree(many(20))

    def duration() -> float:
        stats = HighThroughputProcessor(
            None, MemoryStore(), root=root, settings=settings("inline")
        ).process_files_high_throughput(paths(root), 1, progress_callback=lambda current, total: time.sleep(1))
        assert stats.files_processed == 20
        assert stats.dropped_events > 0
        return stats.duration

    assert soonest(duration, within=1.0) < 1.0


def test_a_callback_may_call_back_into_the_processor(tree: Tree) -> None:
    root, errors = tree(many(10)), []
    processor = HighThroughputProcessor(None, MemoryStore(), root=root, settings=settings())

    def callback(current: int, total: int, path: Path) -> None:
        try:
            processor.process_files_high_throughput([path], 1)
        except UsageError as error:
            errors.append(str(error))
        assert processor.stats.submitted_files <= 10

    assert processor.process_files_high_throughput(paths(root), 1, progress_callback=callback).files_processed == 10
    assert "at work already" in errors[0]


def test_a_listener_that_wants_no_files_is_told_of_none_beside_a_callback_that_does(tree: Tree) -> None:
    class Summary(list[Event]):
        wants_files = False
        __call__ = list.append

    root, summary = tree(many(10)), Summary()
    calls, callback = recorder()
    HighThroughputProcessor(None, MemoryStore(), root=root, settings=settings("inline")).process_files_high_throughput(
        paths(root), 1, progress_callback=callback, on_event=summary
    )
    assert [info for *_, info in calls].count(QUEUED) == 10
    assert not [event for event in summary if isinstance(event, Queued | Started | Finished)]
    assert isinstance(summary[-1], Ended)


def test_a_method_given_with_each_file_is_told_once_how_it_ended(tree: Tree) -> None:
    class Progress:
        def __init__(self) -> None:
            self.told: list[str] = []

        def on_progress(self, current: int, total: int, path: object, info: str) -> None:
            self.told.append(info)

    root, progress = tree(many(5)), Progress()
    with FileChunkingManager(None, None, 1, settings=settings("inline")) as manager:
        for path in paths(root):
            manager.submit_file_for_processing(path, None, progress.on_progress)
    assert progress.told.count(QUEUED) == 5
    assert len([info for info in progress.told if "5 processed in" in info]) == 1


def test_one_bad_file_fails_alone_and_says_why(tree: Tree) -> None:
    root, store = tree({**many(30), "bad.py": "poison = 1\n"}), MemoryStore()
    processor = HighThroughputProcessor(PoisonProvider(), store, root=root, settings=settings())
    stats = processor.process_files_high_throughput(paths(root), 4)
    assert (stats.files_processed, stats.failed_files) == (30, 1)
    failure = stats.failures[0]
    assert (failure.path, failure.stage, failure.error_type) == ("bad.py", "embed", "EmbeddingError")
    assert sorted(held(store)) == sorted(many(30))


def test_a_file_that_cannot_be_written_fails_alone(tree: Tree) -> None:
    root, store = tree(many(10)), CueStore(refuses=frozenset({"f0003.py"}))
    stats = HighThroughputProcessor(None, store, root=root, settings=settings()).process_files_high_throughput(
        paths(root), 1
    )
    assert (stats.files_processed, stats.failed_files) == (9, 1)
    assert [(failure.path, failure.stage) for failure in stats.failures] == [("f0003.py", "write")]
    assert sorted(held(store)) == sorted(name for name in many(10) if name != "f0003.py")


def test_a_full_disk_ends_the_run_with_an_error_and_keeps_what_was_committed(tree: Tree) -> None:
    root, store = tree(many(10, "slow {0}\n")), CueStore(full_at_put=3)
    processor = HighThroughputProcessor(None, store, root=root, chunker=DirectedChunker(), settings=settings())

    def slowly() -> Iterator[Path]:
        for path in paths(root):
            yield path
            time.sleep(0.06)

    with pytest.raises(StorageError, match="disk is full"):
        processor.process_files_high_throughput(slowly(), 1)
    stats = processor.stats
    assert balanced(stats)
    assert stats.files_processed == len(held(store)) > 0
    assert stats.cancelled_files > 0


def test_a_vanished_file_is_skipped_and_a_second_mention_as_well(tree: Tree) -> None:
    root = tree(FILES)
    stats = HighThroughputProcessor(None, MemoryStore(), root=root, settings=settings()).process_files_high_throughput(
        ["gone.py", "cart.py", root / "cart.py", root, "../elsewhere.py"], 1
    )
    assert (stats.submitted_files, stats.files_processed, stats.failed_files, stats.skipped_files) == (5, 1, 0, 4)
    assert [skip.reason for skip in stats.skipped] == [
        SkipReason.VANISHED,
        SkipReason.REPEATED,
        SkipReason.NOT_REGULAR,
        SkipReason.OUTSIDE_ROOT,
    ]


def test_a_file_over_the_limit_or_not_text_fails(tree: Tree) -> None:
    root = tree({"big.txt": "x" * 2000, "fits.txt": "x" * 1000, "image.txt": b"\x89\0\0"})
    stats = HighThroughputProcessor(
        None, MemoryStore(), root=root, settings=settings(max_file_size_mb=0.001)
    ).process_files_high_throughput(paths(root), 1)
    assert {failure.path: failure.error_type for failure in stats.failures} == {
        "big.txt": "FileTooLargeError",
        "image.txt": "BinaryFileError",
    }
    assert stats.files_processed == 1


# Unit


def test_file_metadata_is_known_without_reading_and_git_is_asked_once(tree: Tree) -> None:
    root = tree({"src/a.py": "x = 1\n", ".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "a" * 40 + "\n"})
    identifier = FileIdentifier(root)
    metadata = identifier.get_file_metadata(root / "src/a.py")
    assert (metadata.path, metadata.size, metadata.branch, metadata.commit) == ("src/a.py", 6, "main", "a" * 40)
    assert metadata.mtime_ns == (root / "src/a.py").stat().st_mtime_ns
    assert metadata.project_id == root.name.lower()
    (root / ".git/HEAD").write_text("ref: refs/heads/other\n")
    assert identifier.get_file_metadata("src/a.py").branch == "main"
    with pytest.raises(ValueError):
        identifier.get_file_metadata(root.parent / "elsewhere.py")


def test_the_vector_manager_embeds_a_chunk_and_a_batch_with_their_metadata() -> None:
    with VectorCalculationManager(HashProvider(), 2) as manager:
        one = manager.submit_chunk("alpha", {"file": "a.py"})
        two = manager.submit_batch_task(["beta", "gamma"], {"file": "b.py"})
        assert one.result(10).embedding.tolist() == vector_of("alpha").tolist()
        assert two.result(10).embeddings.tolist() == [vector_of("beta").tolist(), vector_of("gamma").tolist()]
        assert (one.result().metadata, two.result().metadata) == ({"file": "a.py"}, {"file": "b.py"})


def test_the_statistics_print_as_a_table_and_as_json(tree: Tree) -> None:
    root = tree({**FILES, "image.py": b"\0"})
    stats = HighThroughputProcessor(
        HashProvider(), MemoryStore(), root=root, settings=settings()
    ).process_files_high_throughput(paths(root), 1)
    table, values = str(stats), stats.as_dict()
    assert "failed  image.py: BinaryFileError" in table
    assert "python" in table
    assert (values["files_processed"], values["failures"][0]["path"]) == (5, "image.py")
    assert {"read", "chunk", "embed", "write", "wait"} <= set(values["stages"])
    assert values["slowest"][0][1] >= values["slowest"][-1][1]


# Integration


@pytest.mark.parametrize("executor", ["process", "thread", "inline"])
@pytest.mark.parametrize("runs_in", ["thread", "worker"])
def test_the_whole_workflow_commits_rows_and_vectors(tree: Tree, executor: str, runs_in: str, tmp_path: Path) -> None:
    root = tree({**many(40), **FILES})
    provider = HashProvider(runs_in=runs_in)  # type: ignore[arg-type]
    with SqliteStore(tmp_path / "index", create=True) as store:
        stats = HighThroughputProcessor(
            provider, store, root=root, settings=settings(executor)
        ).process_files_high_throughput(paths(root), 4, batch_size=7)
        assert stats.files_processed == 45
        assert {name: "".join(texts) for name, texts in held(store).items()} == {**many(40), **FILES}
        assert wrong_vectors(store) == []
        with store.snapshot() as snapshot:
            assert snapshot.coverage().complete


def test_a_chunker_that_cannot_be_pickled_works_in_threads_with_a_clear_message(
    tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    root, lock = tree(FILES), threading.Lock()

    def chunker(text: str) -> list[str]:
        with lock:
            return [text]

    with caplog.at_level(logging.WARNING, "treemill"):
        stats = HighThroughputProcessor(
            None, MemoryStore(), root=root, chunker=chunker, settings=settings("process")
        ).process_files_high_throughput(paths(root), 1)
    assert stats.files_processed == 5
    assert "working in threads instead of processes" in caplog.text
    assert "pickled" in caplog.text


def test_a_chunker_that_can_be_imported_works_in_processes(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    root, store = tree({"a.txt": "one\ntwo\n", "bad.txt": "x\n"}), MemoryStore()
    with caplog.at_level(logging.WARNING, "treemill"):
        stats = HighThroughputProcessor(
            HashProvider(), store, root=root, chunker=line_chunker, settings=settings("process")
        ).process_files_high_throughput(paths(root), 1)
    assert held(store)["a.txt"] == ["one\n", "two\n"]
    assert (stats.files_processed, caplog.text) == (2, "")


def test_a_chunkers_overlapping_windows_still_tile_the_file(tree: Tree) -> None:
    text = "".join(f"line {number} é\n" for number in range(500))
    root, store = tree({"a.txt": text}), MemoryStore()
    HighThroughputProcessor(
        HashProvider(), store, root=root, chunker=FixedSizeChunker(), settings=settings()
    ).process_files_high_throughput(paths(root), 1)
    windows = FixedSizeChunker().chunk_text(text)
    chunks = held(store)["a.txt"]
    assert "".join(chunks) == text
    assert len(chunks) == len(windows)
    assert all(window.text.endswith(chunk) for window, chunk in zip(windows, chunks, strict=True))


def test_progress_reports_add_up_at_every_moment(tree: Tree) -> None:
    root = tree({**many(60), "image.py": b"\0"})
    calls, callback = recorder()
    HighThroughputProcessor(
        HashProvider(), MemoryStore(), root=root, settings=settings()
    ).process_files_high_throughput([*paths(root), root / "gone.py"], 4, progress_callback=callback)
    later = [(current, total) for current, total, _, info in calls if info != QUEUED]
    assert later == sorted(later)
    assert all(current <= total for current, total in later)
    assert later[-1] == (62, 62)
    assert calls[-1][3].startswith("⚠️ 60 processed, 1 failed, 1 skipped")


def test_content_seen_before_is_not_embedded_again(tree: Tree) -> None:
    same = "def same():\n    return 1\n"
    root, store, provider = tree({"a.py": same, "b.py": same, "c.py": same}), MemoryStore(), HashProvider()
    processor = HighThroughputProcessor(provider, store, root=root, settings=settings())
    processor.process_files_high_throughput(paths(root), 4)
    assert provider.texts == [same]
    (root / "d.py").write_text(same)
    processor.process_files_high_throughput([root / "d.py"], 4)
    assert provider.texts == [same]
    assert sorted(held(store)) == ["a.py", "b.py", "c.py", "d.py"]


def test_a_second_writer_is_told_that_the_store_is_taken(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    processor = HighThroughputProcessor(None, store, root=root, settings=settings())
    with store.writer(), pytest.raises(IndexLocked):
        processor.process_files_high_throughput(paths(root), 1)
    assert balanced(processor.stats)
    assert processor.process_files_high_throughput(paths(root), 1).files_processed == 5


# Regression


def test_existing_callers_with_two_and_three_argument_callbacks_keep_working(tree: Tree) -> None:
    root = tree(FILES)
    twos: list[tuple[int, int]] = []
    threes: list[tuple[int, int, Path]] = []
    for callback in (
        lambda current, total: twos.append((current, total)),
        lambda current, total, path: threes.append((current, total, path)),
    ):
        HighThroughputProcessor(None, MemoryStore(), root=root, settings=settings()).process_files_high_throughput(
            paths(root), 8, 50, callback
        )
    assert (twos[0], twos[-1]) == ((0, 0), (5, 5))
    assert threes[0] == (0, 0, paths(root)[0])


def test_the_result_is_the_same_whatever_the_workers_threads_and_batches(tree: Tree) -> None:
    root = tree({**many(30), **FILES})
    seen = []
    for executor, workers, threads, batch in (("inline", 1, 1, 1), ("thread", 4, 8, 3), ("process", 2, 2, 50)):
        store = MemoryStore()
        HighThroughputProcessor(
            HashProvider(), store, root=root, settings=settings(executor, workers)
        ).process_files_high_throughput(paths(root), threads, batch)
        assert wrong_vectors(store) == []
        seen.append(held(store))
    assert seen[0] == seen[1] == seen[2]


def test_processing_nothing_is_a_run_without_files() -> None:
    stats = HighThroughputProcessor(HashProvider(), MemoryStore()).process_files_high_throughput([], 8)
    assert (stats.submitted_files, stats.files_processed, stats.cancelled) == (0, 0, False)


def test_a_provider_that_recovers_costs_nothing_but_time(tree: Tree) -> None:
    root, store = tree(many(10)), MemoryStore()
    stats = HighThroughputProcessor(
        ScriptedProvider("tt"), store, root=root, settings=settings()
    ).process_files_high_throughput(paths(root), 1)
    assert stats.files_processed == 10
    assert wrong_vectors(store) == []


@pytest.mark.parametrize("letter", list("exfmdg"))
def test_an_answer_of_the_wrong_kind_is_asked_for_again_in_halves(letter: str) -> None:
    """The batch fails as a whole, its halves do not: nobody is to blame, so nobody fails."""
    provider, texts = ScriptedProvider(letter), [f"text {number}" for number in range(8)]
    with VectorCalculationManager(provider, 1) as manager:
        vectors = manager.submit_batch_task(texts, None).result(10).embeddings
    assert vectors.tolist() == [vector_of(text).tolist() for text in texts]
    assert [len(batch) for batch in provider.batches] == [8, 4, 4]


def test_files_are_whole_or_absent_when_one_of_their_chunks_cannot_be_embedded(tree: Tree) -> None:
    root, store = tree({"good.txt": "a\nb\nc\n", "bad.txt": "d\npoison\ne\n", "nan.txt": "f\ng\nnan\n"}), MemoryStore()
    provider = PoisonProvider({"poison": "f", "nan": "n"})
    stats = HighThroughputProcessor(
        provider, store, root=root, chunker=line_chunker, settings=settings()
    ).process_files_high_throughput(paths(root), 2, batch_size=4)
    assert held(store) == {"good.txt": ["a\n", "b\n", "c\n"]}
    assert {failure.path for failure in stats.failures} == {"bad.txt", "nan.txt"}


# End to end


def test_a_repository_goes_from_submission_to_answers(tree: Tree, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src" / "treemill" / "processing"
    with SqliteStore(tmp_path / "index", create=True) as store:
        files = sorted(source.rglob("*.py"))
        stats = HighThroughputProcessor(
            HashProvider(latency=0.002), store, root=source, settings=settings("process")
        ).process_files_high_throughput(files, 4)
        assert stats.files_processed == len(files)
        assert {name: "".join(texts) for name, texts in held(store).items()} == {
            path.relative_to(source).as_posix(): path.read_text() for path in files
        }
        assert wrong_vectors(store) == []


def test_a_large_file_does_not_hold_up_the_small_ones(tree: Tree) -> None:
    """The small ones are searchable while the large one, queued first, is still being cut."""
    root, store = tree({"a_large.py": "hang\n" + "x = 1\n" * 100_000, **many(30)}), MemoryStore()
    processor = HighThroughputProcessor(
        HashProvider(), store, root=root, chunker=DirectedChunker(), settings=settings("process")
    )
    waiting = {}

    def listener(event: Event) -> None:
        if isinstance(event, Heartbeat) and event.in_hand and len(held(store)) == 30:
            waiting.update({path: seconds for _, path, seconds in event.in_hand})
            processor.request_cancellation()

    stats = processor.process_files_high_throughput(paths(root), 2, on_event=listener)
    assert "a_large.py" in waiting
    assert (stats.files_processed, stats.cancelled_files) == (30, 1)


def test_a_run_with_every_kind_of_trouble_accounts_for_every_file(tree: Tree) -> None:
    root = tree(
        {
            **many(20),
            "crash.txt": "die\n",
            "raise.txt": "raise\n",
            "lie.txt": "lie\n",
            "poison.txt": "poison\n",
            "image.txt": b"\0",
        }
    )
    store = CueStore(refuses=frozenset({"f0001.py"}))
    processor = HighThroughputProcessor(
        PoisonProvider(), store, root=root, chunker=DirectedChunker(), settings=settings("process")
    )
    stats = processor.process_files_high_throughput([*paths(root), "gone.txt"], 4)
    assert {failure.path: failure.error_type for failure in stats.failures} == {
        "crash.txt": "WorkerCrashedError",
        "raise.txt": "ValueError",
        "lie.txt": "ChunkingError",
        "poison.txt": "EmbeddingError",
        "image.txt": "BinaryFileError",
        "f0001.py": "IntegrityError",
    }
    assert (stats.submitted_files, stats.files_processed, stats.skipped_files) == (26, 19, 1)
    assert balanced(stats)
    assert sorted(held(store)) == sorted(name for name in many(20) if name != "f0001.py")


def test_the_file_manager_cancels_what_is_open_when_its_block_fails(tree: Tree) -> None:
    root = tree(many(5))

    def seconds_to_leave() -> float:
        provider, began = BlockingProvider(), 0.0
        futures: list[Future[FileProcessingResult]] = []
        with (  # noqa: PT012 - the block is what fails
            pytest.raises(KeyboardInterrupt),
            VectorCalculationManager(provider, 1) as vectors,
            FileChunkingManager(vectors, line_chunker, 1, store=MemoryStore(), settings=settings()) as manager,
        ):
            futures += [manager.submit_file_for_processing(path, None, None) for path in paths(root)]
            assert provider.asked.wait(20)
            began = time.monotonic()
            raise KeyboardInterrupt
        seconds = time.monotonic() - began
        provider.released.set()
        assert [(future.result(0).success, future.result(0).cancelled) for future in futures] == [(False, True)] * 5
        return seconds

    assert soonest(seconds_to_leave, within=1.0) < 1.0


def test_a_path_submitted_again_while_it_is_under_way_is_processed_again(tree: Tree) -> None:
    root, store = tree({"a.py": "a = 1\n"}), MemoryStore()
    calls, callback = recorder()
    with FileChunkingManager(None, None, 1, store=store, settings=settings()) as manager:
        futures = [manager.submit_file_for_processing(root / "a.py", None, callback) for _ in range(3)]
        assert all(future.result(30).success for future in futures)
    assert [info for _, _, _, info in calls].count(QUEUED) == 3


def test_a_future_cancelled_before_its_turn_takes_its_file_back(tree: Tree) -> None:
    root, provider, store = tree(many(4)), BlockingProvider(), MemoryStore()
    with (
        VectorCalculationManager(provider, 1) as vectors,
        FileChunkingManager(vectors, None, 1, store=store, settings=settings()) as manager,
    ):
        first = manager.submit_file_for_processing(root / "f0000.py", None, None)
        again = manager.submit_file_for_processing(root / "f0000.py", None, None)
        assert again.cancel()
        provider.released.set()
        assert first.result(30).success
    assert list(held(store)) == [str(root / "f0000.py")]
