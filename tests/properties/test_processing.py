"""Whatever goes wrong, and whenever: every file is accounted for; what counts as processed is there, whole."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.chunkers import DirectedChunker
from support.providers import HashProvider, PoisonProvider, ScriptedProvider, Vectors
from support.stores import CueStore, held, wrong_vectors
from treemill.errors import EmbeddingError, StorageError
from treemill.events import Event, Queued
from treemill.processing.lanes import Lanes, Task
from treemill.processing.managers import FileChunkingManager
from treemill.processing.processor import HighThroughputProcessor
from treemill.processing.vectors import VectorCalculationManager
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings, StorageSettings

# Two files of each kind; what a kind means is said by the chunker and the provider. "gone" is not written.
TEXTS = {
    "plain": "x = {0}\ny = {0}\n",
    "same": "all alike\n",
    "raise": "raise {0}\n",
    "lie": "lie {0}\n",
    "few": "a\nfew {0}\n",
    "poison": "poison {0}\nb\n",
    "nan": "c\nnan {0}\n",
    "binary": "text \0 and more {0}\n",
    "empty": "",
    "refused": "refused {0}\n",
}
KINDS = (*TEXTS, "gone")
NAMES = [f"{kind}{number}.txt" for kind in KINDS for number in range(2)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    for name in NAMES:
        kind, number = name[:-5], name[-5]
        if kind in TEXTS:
            (folder / name).write_text(TEXTS[kind].format(number))
    return folder


class FaultyProvider(PoisonProvider):
    """Fails by script for the first requests, by the texts for all of them, and from one on to the last."""

    def __init__(self, script: str, down_from: int | None = None) -> None:
        super().__init__({"poison": "e", "nan": "n", "few": "f"})
        self.script = script
        self.down_from = down_from

    def answer(self, number: int, texts: Sequence[str]) -> Vectors:
        if self.down_from is not None and number >= self.down_from:
            raise EmbeddingError("the provider is down")
        if number < len(self.script) and self.script[number] != "r":
            return ScriptedProvider(self.script).answer(number, texts)
        return super().answer(number, texts)


@dataclass
class Moment:
    """A listener and a callback that cancel at the n-th event, or raise at all of them."""

    processor: HighThroughputProcessor
    cancel_at: int | None
    interrupt_at: int | None
    raises: bool
    events: list[Event] = field(default_factory=list)
    calls: int = 0

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) - 1 == self.cancel_at:
            self.processor.request_cancellation()
        if self.raises:
            raise RuntimeError("a listener that fails")

    def callback(self, current: int, total: int, path: object, info: str) -> str | None:
        self.calls += 1
        if self.calls - 1 == self.interrupt_at:
            return "INTERRUPT"
        if self.raises:
            raise RuntimeError("a callback that fails")
        return None


def settings_for(executor: str) -> Settings:
    concurrency = ConcurrencySettings(executor=executor, max_parallel_files=2)
    return Settings(chunker=ChunkerSettings(concurrency=concurrency), storage=StorageSettings(commit_seconds=0.01))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(NAMES), max_size=30),
    executor=st.sampled_from(["inline", "thread"]),
    script=st.text("rrrexfmdng", max_size=6),
    down_from=st.one_of(st.none(), st.integers(0, 20)),
    threads=st.integers(1, 4),
    batch_size=st.integers(1, 12),
    full_at_put=st.one_of(st.just(0), st.integers(1, 4)),
    full_at_commit=st.one_of(st.just(0), st.integers(2, 5)),
    cancel_at=st.one_of(st.none(), st.integers(0, 90)),
    interrupt_at=st.one_of(st.none(), st.integers(0, 90)),
    raises=st.booleans(),
)
def test_every_file_ends_once_and_the_processed_are_those_that_are_committed(
    root: Path,
    names: list[str],
    executor: str,
    script: str,
    down_from: int | None,
    threads: int,
    batch_size: int,
    full_at_put: int,
    full_at_commit: int,
    cancel_at: int | None,
    interrupt_at: int | None,
    raises: bool,
) -> None:
    store = CueStore(
        full_at_put=full_at_put, full_at_commit=full_at_commit, refuses=frozenset({"refused0.txt", "refused1.txt"})
    )
    provider = FaultyProvider(script, down_from)
    processor = HighThroughputProcessor(
        provider, store, root=root, chunker=DirectedChunker(), settings=settings_for(executor)
    )
    moment = Moment(processor, cancel_at, interrupt_at, raises)
    try:
        processor.process_files_high_throughput(names, threads, batch_size, moment.callback, on_event=moment.on_event)
    except StorageError:
        assert full_at_put or full_at_commit
    check(processor, store, root, len(names))
    queued = [event.path for event in moment.events if isinstance(event, Queued)]
    assert queued == names[: len(queued)]

    # Afterwards the processor works as if nothing had been.
    store.full_at_put = store.full_at_commit = 0
    provider.script, provider.down_from = "", None
    stats = processor.process_files_high_throughput(["plain0.txt", "same0.txt"], threads)
    assert (stats.files_processed, stats.cancelled) == (2, False)
    assert {"plain0.txt", "same0.txt"} <= set(held(store))


def check(processor: HighThroughputProcessor, store: CueStore, root: Path, submitted: int) -> None:
    stats = processor.stats
    ended = stats.files_processed + stats.failed_files + stats.skipped_files + stats.cancelled_files
    assert ended == stats.submitted_files == submitted
    files = held(store)
    assert stats.files_processed == len(files)
    assert {name: "".join(texts) for name, texts in files.items()} == {
        name: (root / name).read_text() for name in files
    }
    assert not files or wrong_vectors(store) == []
    assert len(stats.failures) == stats.failed_files
    assert not {failure.path for failure in stats.failures} & set(files)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deaths=st.lists(st.integers(0, 9), unique=True, max_size=3), cancel_at=st.one_of(st.none(), st.integers(0, 40)))
@example(deaths=[0, 1, 2], cancel_at=None)
def test_a_worker_that_dies_costs_the_file_it_held(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], cancel_at: int | None
) -> None:
    root, store = tmp_path_factory.mktemp("deaths"), CueStore()
    names = [f"f{number}.txt" for number in range(10)]
    for number, name in enumerate(names):
        (root / name).write_text(f"die {number}\n" if number in deaths else f"live {number}\n")
    processor = HighThroughputProcessor(
        HashProvider(), store, root=root, chunker=DirectedChunker(), settings=settings_for("process")
    )
    moment = Moment(processor, cancel_at, None, raises=False)
    stats = processor.process_files_high_throughput(names, 2, on_event=moment.on_event)
    check(processor, store, root, len(names))
    if not stats.cancelled:
        assert {failure.path for failure in stats.failures} == {f"f{number}.txt" for number in deaths}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(NAMES), max_size=12), script=st.text("rrexfng", max_size=4), stored=st.booleans())
def test_every_future_of_the_file_manager_is_resolved(root: Path, names: list[str], script: str, stored: bool) -> None:
    store = CueStore() if stored else None
    with (
        VectorCalculationManager(FaultyProvider(script), 2, batch_size=5) as vectors,
        FileChunkingManager(vectors, DirectedChunker(), 2, store=store, settings=settings_for("thread")) as manager,
    ):
        futures = [manager.submit_file_for_processing(root / name, None, None) for name in names]
    results = [future.result(0) for future in futures]
    assert [result.file_path for result in results] == [root / name for name in names]
    assert all(result.success + result.skipped + (result.error is not None) == 1 for result in results)
    if store is not None:
        assert set(held(store)) == {str(result.file_path) for result in results if result.success}


@given(
    tasks=st.lists(st.lists(st.text("abc", max_size=3), max_size=12), max_size=6),
    batch_size=st.integers(1, 5),
    characters=st.integers(1, 8),
    failing=st.sets(st.text("abc", max_size=3), max_size=2),
)
def test_lanes_hand_out_each_text_once_and_end_each_task_once(
    tasks: list[list[str]], batch_size: int, characters: int, failing: set[str]
) -> None:
    lanes, ended = Lanes(batch_size, characters), []
    made = [Task([b""] * len(texts), len(texts), ended.append) for texts in tasks]
    for task, texts in zip(made, tasks, strict=True):
        lanes.add(task, [text.encode() for text in texts], texts, lambda keys: {})
    seen: list[str] = []
    while (batch := lanes.take()).wanted:
        texts = [wanted.text for wanted in batch.wanted]
        assert len(texts) <= batch_size
        assert len(texts) == 1 or sum(map(len, texts)) <= characters
        seen += texts
        good = [(wanted, b"=" + wanted.key) for wanted in batch.wanted if wanted.text not in failing]
        bad = [wanted for wanted in batch.wanted if wanted.text in failing]
        for task in itertools.chain(lanes.give(good), lanes.fail(bad, ValueError("no"))):
            task.done(task)
    assert lanes.waiting == 0
    assert len(seen) == len(set(seen))
    for task, texts in zip(made, tasks, strict=True):
        assert ended.count(task) == (len(texts) > 0)
        assert (task.error is not None) == bool(failing.intersection(texts))
        if task.error is None:
            assert task.rows == [b"=" + text.encode() for text in texts]
