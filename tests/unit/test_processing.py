"""The parts of the file processor, each alone: wrappers, vectors in threads, foreign chunkers, callbacks, dispatch."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from conftest import Tree
from support.chunkers import DirectedChunker, line_chunker
from support.providers import BlockingProvider, HashProvider, PoisonProvider, ScriptedProvider, Vectors, vector_of
from support.stores import wrong_vectors
from support.timing import soonest
from treemill.chunking.fixed_size import FixedSizeChunker
from treemill.chunking.governor import ChunkGovernor
from treemill.embedding import EmbeddingProvider
from treemill.embedding.wrappers import Cached, Counting, Limited, Retrying
from treemill.errors import EmbeddingError, UsageError
from treemill.events import Ended, Event, Finished, Heartbeat, Queued, Started, ignore
from treemill.indexing import index_tree
from treemill.processing.callbacks import QUEUED, Counts, Teller, listener_of, tell_all
from treemill.processing.custom import CustomCutter, cutter_for
from treemill.processing.dispatch import PULSE_SECONDS, Dispatcher
from treemill.processing.executors import executor_for
from treemill.processing.given import GivenFiles
from treemill.processing.identifier import FileIdentifier
from treemill.processing.pace import Pace
from treemill.processing.portions import FIRST_BATCH_BYTES, Portions
from treemill.processing.vectors import VectorCalculationManager
from treemill.reading import source_of
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore
from treemill.types import Chunking, DiscoveredFile, Failure, Skipped, SkipReason, Source
from treemill.work import Prepare

# Wrappers


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Asking(HashProvider):
    """Asks for a pause, as often as it is told."""

    def __init__(self, pauses: list[float | None]) -> None:
        super().__init__()
        self.pauses = pauses

    def answer(self, number: int, texts: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        if number < len(self.pauses):
            raise EmbeddingError("slower, please", retryable=True, retry_after=self.pauses[number])
        return super().answer(number, texts)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrap", [Retrying, Limited, Counting, Cached])
def test_a_wrapped_provider_is_a_provider_and_survives_pickling(
    wrap: Callable[[EmbeddingProvider], EmbeddingProvider],
) -> None:
    wrapped = wrap(HashProvider())
    for provider in (wrapped, pickle.loads(pickle.dumps(wrapped))):  # noqa: S301 - our own
        assert isinstance(provider, EmbeddingProvider)
        assert (provider.name, provider.dimension, provider.runs_in) == ("hash", 8, "thread")
        assert provider.embed(["a", "b"]).tolist() == [vector_of("a").tolist(), vector_of("b").tolist()]
        assert provider.embed_query("a").tolist() == vector_of("a").tolist()


def test_retrying_pauses_longer_each_time_and_gives_up_at_last() -> None:
    clock, provider = Clock(), ScriptedProvider("ttttt")
    with pytest.raises(EmbeddingError, match="busy"):
        Retrying(provider, attempts=4, first_pause=1.0, sleep=clock.sleep).embed(["a"])
    assert len(provider.batches) == 4
    assert [0.75 * 2**n <= pause <= 1.25 * 2**n for n, pause in enumerate(clock.slept)] == [True] * 3


def test_retrying_lets_errors_pass_that_time_does_not_heal() -> None:
    for script, error in (("e", EmbeddingError), ("x", RuntimeError)):
        provider = ScriptedProvider(script)
        with pytest.raises(error):
            Retrying(provider, sleep=Clock().sleep).embed(["a"])
        assert len(provider.batches) == 1


def test_retry_after_is_honoured_in_full_unless_it_is_longer_than_anyone_waits() -> None:
    clock = Clock()
    Retrying(Asking([7.0]), first_pause=0.1, sleep=clock.sleep).embed(["a"])
    assert clock.slept == [7.0]
    with pytest.raises(EmbeddingError):
        Retrying(Asking([3600.0]), sleep=clock.sleep).embed(["a"])
    assert clock.slept == [7.0]


def test_limited_keeps_the_pace_and_pauses_for_everybody() -> None:
    clock, provider = Clock(), Asking([None, None, None, 5.0])
    limited = Limited(provider, per_second=4, sleep=clock.sleep, clock=clock)
    for _ in range(4):
        with pytest.raises(EmbeddingError):
            limited.embed(["a"])
    assert clock.now == pytest.approx(100.75)
    limited.embed(["b"])
    assert clock.now == pytest.approx(105.75)
    with pytest.raises(ValueError, match="none at all"):
        Limited(provider, per_second=0)


def test_cached_asks_for_each_text_once_while_there_is_room() -> None:
    provider = HashProvider()
    cached = Cached(provider, limit=2 * 32)
    assert cached.embed(["a", "b", "a"]).tolist() == [vector_of(text).tolist() for text in "aba"]
    cached.embed(["b", "a"])
    assert provider.batches == [["a", "b"]]
    cached.embed(["c"])
    cached.embed(["b"])
    assert provider.batches == [["a", "b"], ["c"], ["b"]]
    assert cached.embed([]).shape == (0, 8)


def test_counting_counts_errors_too() -> None:
    counting = Counting(ScriptedProvider("re"))
    counting.embed(["a", "b"])
    with pytest.raises(EmbeddingError):
        counting.embed(["c"])
    assert (counting.requests, counting.texts, counting.errors) == (2, 3, 1)


# Vectors in threads


class _Held(HashProvider):
    """Answers its first request when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def answer(self, number: int, texts: Sequence[str]) -> Vectors:
        if number == 0:
            self.go_on.wait(20)
        return super().answer(number, texts)


def test_batches_hold_texts_of_several_tasks_in_order() -> None:
    provider = _Held()
    with VectorCalculationManager(provider, 1, batch_size=4) as manager:
        manager.submit_batch_task([f"first {number}" for number in range(4)], None)
        futures = [manager.submit_batch_task([f"{task} {number}" for number in range(3)], task) for task in range(4)]
        provider.go_on.set()
    assert [future.result().metadata for future in futures] == [0, 1, 2, 3]
    assert [len(batch) for batch in provider.batches] == [4, 4, 4, 4]
    for task in range(4):
        assert [text for text in provider.texts if text.startswith(f"{task} ")] == [f"{task} {n}" for n in range(3)]


def test_a_batch_holds_no_more_tokens_than_it_may() -> None:
    provider = HashProvider()
    with VectorCalculationManager(provider, 1, batch_tokens=10) as manager:
        manager.submit_batch_task(["x" * 20, "y" * 20, "z" * 5, "w" * 100, "v"], None)
    assert [len(batch) for batch in provider.batches] == [1, 2, 1, 1]


def test_a_partial_batch_does_not_wait_for_more() -> None:
    def seconds() -> float:
        with VectorCalculationManager(HashProvider(), 1, batch_size=1000) as manager:
            began = time.monotonic()
            manager.submit_chunk("alone", None).result(20)
            return time.monotonic() - began

    assert soonest(seconds, within=0.5) < 0.5


def test_requests_at_a_time_are_bounded_by_the_thread_count() -> None:
    provider = HashProvider(latency=0.02)
    with VectorCalculationManager(provider, 3, batch_size=1) as manager:
        for number in range(30):
            manager.submit_chunk(str(number), None)
    assert provider.most_at_a_time == 3


def test_a_text_under_way_or_answered_before_is_not_asked_for_again() -> None:
    provider = HashProvider(latency=0.05)
    with VectorCalculationManager(provider, 2) as manager:
        futures = [manager.submit_batch_task(["same", f"own {n}", "same"], n) for n in range(5)]
        assert all(np.array_equal(f.result(5).embeddings[0], vector_of("same")) for f in futures)
        manager.submit_chunk("same", None).result(5)
    assert sorted(provider.texts) == ["own 0", "own 1", "own 2", "own 3", "own 4", "same"]


def test_a_long_task_does_not_hold_up_a_short_one() -> None:
    ended: list[str] = []
    with VectorCalculationManager(HashProvider(latency=0.005), 1, batch_size=10) as manager:
        long = manager.submit_batch_task([f"long {n}" for n in range(500)], None)
        long.add_done_callback(lambda future: ended.append("long"))
        short = manager.submit_batch_task(["short"], None)
        short.add_done_callback(lambda future: ended.append("short"))
    assert ended == ["short", "long"]


def test_only_the_tasks_whose_texts_fail_fail() -> None:
    provider = PoisonProvider({"poison": "e", "short": "f", "nan": "n", "flat": "d", "junk": "g"})
    texts = [
        f"{word} {n}" for n, word in enumerate(["fine", "poison", "fine", "short", "nan", "flat", "junk", "fine"] * 4)
    ]
    with VectorCalculationManager(provider, 3, batch_size=16) as manager:
        futures = [manager.submit_chunk(text, text) for text in texts]
    for text, future in zip(texts, futures, strict=True):
        if text.startswith("fine"):
            assert np.array_equal(future.result().embedding, vector_of(text))
        else:
            assert isinstance(future.exception(), EmbeddingError)


def test_a_provider_that_is_down_is_not_asked_for_every_text_alone() -> None:
    class Down(HashProvider):
        def answer(self, number: int, texts: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            raise EmbeddingError("401")

    provider = Down()
    with VectorCalculationManager(provider, 4) as manager:
        futures = [manager.submit_batch_task([f"{task} {n}" for n in range(10)], None) for task in range(500)]
    assert all(isinstance(future.exception(), EmbeddingError) for future in futures)
    assert len(provider.batches) < 1500, "nearly one request a text"


def test_a_provider_that_comes_back_is_used_again() -> None:
    class Back(HashProvider):
        def answer(self, number: int, texts: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            if number < 150:
                raise EmbeddingError("503")
            return super().answer(number, texts)  # type: ignore[arg-type]

    with VectorCalculationManager(Back(), 1, batch_size=10) as manager:
        futures = [manager.submit_chunk(str(n), None) for n in range(1000)]
    good = [future.exception() is None for future in futures]
    assert good[-300:] == [True] * 300


def test_a_request_that_hangs_is_given_up_and_the_others_go_on() -> None:
    provider = HangingProvider()
    with VectorCalculationManager(provider, 1, batch_size=1, request_timeout_seconds=0.2) as manager:
        hanging = manager.submit_chunk("hang", None)
        others = [manager.submit_chunk(f"go on {n}", None) for n in range(3)]
    assert "did not answer within 0.2 s" in str(hanging.exception())
    assert all(np.array_equal(f.result().embedding, vector_of(f"go on {n}")) for n, f in enumerate(others))
    assert not provider.answered, "the others waited until the provider answered after all"
    provider.released.set()


class HangingProvider(HashProvider):
    """Never answers a request for the text "hang", until `released` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.answered = False

    def answer(self, number: int, texts: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        if "hang" in list(texts):  # type: ignore[call-overload]
            self.released.wait(60)
            self.answered = True
        return super().answer(number, texts)  # type: ignore[arg-type]


def test_cancelling_returns_at_once_and_makes_no_further_request() -> None:
    def seconds() -> float:
        provider = BlockingProvider(15)
        manager = VectorCalculationManager(provider, 1, batch_size=1)
        futures = [manager.submit_chunk(str(n), None) for n in range(3)]
        assert provider.asked.wait(20)
        began = time.monotonic()
        manager.cancel()
        took = time.monotonic() - began
        assert all(future.cancelled() for future in futures)
        with pytest.raises(CancelledError):
            futures[0].result(0)
        with pytest.raises(UsageError, match="closed"):
            manager.submit_chunk("late", None)
        provider.released.set()
        return took

    assert soonest(seconds, within=0.5) < 0.5


def test_a_task_submitted_while_somebody_waits_for_the_end_is_done_as_well() -> None:
    provider = BlockingProvider()
    manager = VectorCalculationManager(provider, 1)
    first = manager.submit_chunk("first", None)
    assert provider.asked.wait(20)
    closing = threading.Thread(target=manager.close)
    closing.start()
    second = manager.submit_chunk("second", None)
    provider.released.set()
    assert np.array_equal(second.result(20).embedding, vector_of("second"))
    assert first.done()
    closing.join(20)
    assert not closing.is_alive()


# Chunkers from outside


def cut(chunker: object, text: str, *, most: int = 1000) -> Chunking | Failure:
    source = source_of(text.encode())
    assert isinstance(source, Source)
    return cutter_for(chunker, most).cut(DiscoveredFile("a.txt", None, None, len(text), 0), source)


def pieces(chunking: Chunking | Failure, text: str) -> list[str]:
    assert isinstance(chunking, Chunking), chunking
    data = text.encode()
    return [data[start:end].decode() for start, end in pairwise((0, *chunking.ends))]


@pytest.mark.parametrize(
    ("chunker", "expected"),
    [
        (line_chunker, ["é one\n", "two\n", "three"]),
        (lambda text: [{"text": "one"}, {"content": "three"}], ["é one", "\ntwo\nthree"]),
        (lambda text: ["é one\ntwo", "two\nthree"], ["é one\ntwo", "\nthree"]),
        (lambda text: ["one", "", "one"], ["é one\ntwo\nthree"]),
        (lambda text: iter([text]), ["é one\ntwo\nthree"]),
    ],
    ids=["texts", "gaps", "overlaps", "empty and contained", "an iterator"],
)
def test_whatever_pieces_a_chunker_returns_the_chunks_tile_the_file(chunker: object, expected: list[str]) -> None:
    text = "é one\ntwo\nthree"
    assert pieces(cut(chunker, text), text) == expected


@pytest.mark.parametrize(
    ("chunker", "error"),
    [
        (lambda text: ["not in it"], "ChunkingError"),
        (lambda text: [], "ChunkingError"),
        (lambda text: text, "ChunkingError"),
        (lambda text: [object()], "ChunkingError"),
        (lambda text: 1 / 0, "ZeroDivisionError"),
        (lambda text: list(text), "ChunkLimitExceededError"),
    ],
)
def test_a_chunker_that_misbehaves_is_the_files_failure(chunker: object, error: str) -> None:
    failure = cut(chunker, "text " * 10, most=20)
    assert isinstance(failure, Failure)
    assert (failure.path, failure.stage, failure.error_type) == ("a.txt", "chunk", error)


def test_what_is_no_chunker_is_said_so_at_once() -> None:
    with pytest.raises(UsageError, match="is no chunker"):
        cutter_for(object(), 10)


def test_two_chunkers_with_other_settings_have_other_recipes() -> None:
    assert CustomCutter(DirectedChunker(), 1).recipe == "directed"
    assert CustomCutter(line_chunker, 1).recipe == "support.chunkers.line_chunker"
    assert "chunk_chars=1000" in CustomCutter(FixedSizeChunker(), 1).recipe


def test_what_cannot_go_into_a_process_works_in_threads() -> None:
    governor, settings = ChunkGovernor(), ChunkerSettings()
    for chunker, executor in ((line_chunker, "process"), (lambda text: [text], "thread"), (Lock(), "thread")):
        work = Prepare(governor, cutter=CustomCutter(chunker, 1))
        assert executor_for(settings, work) == executor


def test_what_cannot_go_to_workers_on_ray_is_said_so_at_once() -> None:
    on_ray = ChunkerSettings(concurrency=ConcurrencySettings(executor="ray"))
    work = Prepare(ChunkGovernor(), cutter=CustomCutter(Lock(), 1))
    for settings, asked in ((on_ray, None), (ChunkerSettings(), "ray")):
        with pytest.raises(UsageError, match=r"workers on Ray cannot do this work: it cannot be pickled.*use threads"):
            executor_for(settings, work, asked)
    assert executor_for(on_ray, Prepare(ChunkGovernor())) == "ray"


class Lock:
    """A chunker that cannot be pickled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def chunk_text(self, text: str) -> list[str]:
        return [text]


# Files as they are given


def test_names_are_below_the_root_and_paths_come_back_as_given(tree: Tree) -> None:
    root = tree({"a.py": "", "sub/b.py": ""})
    files = GivenFiles(root, ChunkerSettings())
    given = [root / "a.py", root / "sub" / "b.py"]
    names = [files.name(each) for each in files.strings(given)]
    assert names == ["a.py", "sub/b.py"]
    assert [files.as_given(name) for name in names] == given
    odd = GivenFiles(root, ChunkerSettings())
    strings = [f"{root}/a.py", f"{root}//sub/./b.py", "a.py"]
    assert [odd.name(each) for each in odd.strings(strings)] == ["a.py", "sub/b.py", "a.py"]
    assert odd.as_given("sub/b.py") == f"{root}//sub/./b.py"


def test_a_relative_root_understands_what_its_rglob_returns(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree({"src/a.py": "x = 1\n", "src/sub/b.py": ""}))
    files = GivenFiles(Path("src"), ChunkerSettings())
    given = sorted(Path("src").rglob("*.py"))
    names = [files.name(each) for each in files.strings(given)]
    assert names == ["a.py", "sub/b.py"]
    assert [files.as_given(name) for name in names] == given
    metadata = FileIdentifier("src").get_file_metadata(given[0])
    assert (metadata.path, metadata.size) == ("a.py", 6)
    assert FileIdentifier("src").get_file_metadata("a.py") == metadata
    assert GivenFiles(".", ChunkerSettings()).name("src/a.py") == "src/a.py"


def test_what_is_no_file_to_process_says_why(tree: Tree) -> None:
    root = tree({"a.py": "", "sub/b.py": ""})
    files = GivenFiles(root, ChunkerSettings())
    reasons = []
    for given in ("a.py", "a.py", "gone.py", "sub", "../x.py", str(root.parent / "y.py")):
        described = files.describe(given)
        reasons.append(described.reason if isinstance(described, Skipped) else None)
    assert reasons == [
        None,
        SkipReason.REPEATED,
        SkipReason.VANISHED,
        SkipReason.NOT_REGULAR,
        SkipReason.OUTSIDE_ROOT,
        SkipReason.OUTSIDE_ROOT,
    ]


# Callbacks and the dispatcher


def calls_of(callback_of: Callable[[list[tuple[object, ...]]], Callable[..., object]]) -> list[tuple[object, ...]]:
    seen: list[tuple[object, ...]] = []
    listener = listener_of(callback_of(seen), given=Path, interrupt=lambda: None)
    for event in (Queued(0, "a.py"), Started(0, "a.py"), Finished(0, "a.py", 2, 9, None)):
        listener(event)
    return seen


def test_callbacks_of_every_shape_get_what_they_take() -> None:
    path = Path("a.py")
    full = [(0, 0, path, QUEUED), (0, 1, path, "🔄 Processing"), (1, 1, path, "✅ Committed, 2 chunks")]
    assert calls_of(lambda seen: lambda c, t, p, info=None: seen.append((c, t, p, info))) == full
    assert calls_of(lambda seen: lambda c, t, p, error=None, info=None: seen.append((c, t, p, info))) == full
    assert calls_of(lambda seen: lambda c, t, p, *, info: seen.append((c, t, p, info))) == full
    assert calls_of(lambda seen: lambda c, t, p, text: seen.append((c, t, p, text))) == full
    assert calls_of(lambda seen: lambda *given: seen.append(given)) == full
    assert calls_of(lambda seen: lambda *given, **named: seen.append((*given, named["info"]))) == full
    assert calls_of(lambda seen: lambda c, t, p: seen.append((c, t, p))) == [each[:3] for each in full]
    assert calls_of(lambda seen: lambda c, t: seen.append((c, t))) == [each[:2] for each in full]


def test_a_heartbeat_names_the_slowest_file_and_the_rates() -> None:
    seen: list[tuple[object, ...]] = []
    listener = listener_of(lambda c, t, p, info: seen.append((p, info)), given=Path, interrupt=lambda: None)
    listener(Heartbeat(1, 0, 2, True, 3.0, 0.5, 20.0, ((0, "quick.py", 0.1), (1, "slow.py", 4.0)), 2))
    assert seen == [
        (Path("slow.py"), "3.0 files/s | 0.5 MB/s | 20 chunks/s | 2 active workers | 2 requests | slow.py for 4.0 s")
    ]


def test_interrupt_is_heard_whatever_the_shape() -> None:
    heard = threading.Event()
    listener_of(lambda c, t: "INTERRUPT", given=Path, interrupt=heard.set)(Queued(0, "a.py"))
    assert heard.is_set()


def test_a_callback_that_raises_does_not_keep_the_others_from_hearing_of_the_end() -> None:
    seen: list[tuple[int, int]] = []

    def failing(current: int, total: int) -> None:
        raise ValueError("first")

    tellers = [
        Teller(callback, given=Path, interrupt=lambda: None)
        for callback in (failing, lambda current, total: seen.append((current, total)))
    ]
    with pytest.raises(ValueError, match="first"):
        tell_all(tellers, Ended(0, 2, 0, 0, 0, 0), Counts(2, 2))
    assert seen == [(2, 2)]


@pytest.fixture
def told() -> list[Event]:
    return []


def test_the_dispatcher_tells_everything_in_order_from_one_thread(told: list[Event]) -> None:
    threads = set()

    def listener(event: Event) -> None:
        threads.add(threading.current_thread().name)
        told.append(event)

    events = [Queued(number, str(number)) for number in range(1000)]
    with Dispatcher(listener, lambda: Queued(0, "beat")) as dispatcher:
        for event in events:
            dispatcher.post(event)
    assert [event for event in told if event.path != "beat"] == events  # type: ignore[attr-defined]
    assert len(threads) == 1
    assert threads != {threading.current_thread().name}


def test_the_dispatcher_makes_one_heartbeat_a_pulse_busy_or_not(told: list[Event]) -> None:
    def beats() -> int:
        return sum(isinstance(event, Started) for event in told)

    began = time.monotonic()
    with Dispatcher(told.append, lambda: Started(0, "beat")) as dispatcher:
        while beats() < 2 and time.monotonic() - began < 20:
            time.sleep(0.02)
        while beats() < 4 and time.monotonic() - began < 20:
            dispatcher.post(Queued(0, "busy"))
            time.sleep(0.02)
    assert 4 <= beats() <= 1 + (time.monotonic() - began) / PULSE_SECONDS


def test_nothing_is_told_after_the_end(told: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treemill.processing.dispatch.PULSE_SECONDS", 0.0)
    with Dispatcher(told.append, lambda: Started(0, "beat")) as dispatcher:
        dispatcher.post(Ended(0, 0, 0, 0, 0, 0))
        time.sleep(0.1)
    assert isinstance(told[-1], Ended)


def test_a_listener_that_never_returns_is_left_behind() -> None:
    def seconds() -> float:
        taken, never = threading.Event(), threading.Event()

        def listener(event: Event) -> None:
            taken.set()
            never.wait()

        with Dispatcher(listener, lambda: Queued(0, "beat")) as dispatcher:
            for number in range(10):
                dispatcher.post(Queued(number, str(number)))
            assert taken.wait(20)
            began = time.monotonic()
        took = time.monotonic() - began
        assert dispatcher.dropped == 9
        never.set()
        return took

    assert soonest(seconds, within=1) < 1


def test_events_handed_over_as_one_are_made_when_they_are_told_and_stay_in_order(told: list[Event]) -> None:
    made: list[tuple[str, int]] = []

    def events() -> Iterator[Event]:
        for path in ("b", "c"):
            made.append((path, sum(isinstance(event, Started) for event in told)))
            yield Started(0, path)

    with Dispatcher(told.append, lambda: Queued(0, "beat")) as dispatcher:
        dispatcher.post(Started(0, "a"))
        dispatcher.post_all(events(), 2)
        dispatcher.post(Started(0, "d"))
    assert [event.path for event in told if isinstance(event, Started)] == ["a", "b", "c", "d"]
    assert made == [("b", 1), ("c", 2)]


def test_the_pulse_goes_on_within_events_handed_over_as_one(told: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treemill.processing.dispatch.PULSE_SECONDS", 0.0)
    with Dispatcher(told.append, lambda: Started(0, "beat")) as dispatcher:
        dispatcher.post_all((Queued(0, path) for path in "abc"), 3)
    first = told.index(Queued(0, "a"))
    assert told[first : first + 5] == [event for path in "abc" for event in (Queued(0, path), Started(0, "beat"))][:5]


def test_what_is_left_of_events_handed_over_as_one_is_counted_as_dropped() -> None:
    taken, never = threading.Event(), threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, Started):
            taken.set()
            never.wait()

    with Dispatcher(listener, lambda: Queued(0, "beat")) as dispatcher:
        dispatcher.post_all((each for each in (Queued(0, "a"), Started(0, "b"), Queued(0, "c"))), 3)
        dispatcher.post_all((Queued(0, str(number)) for number in range(5)), 5)
        assert taken.wait(20)
    assert dispatcher.dropped == 6
    never.set()


def test_a_listener_that_would_exit_is_called_on(told: list[Event]) -> None:
    def listener(event: Event) -> None:
        told.append(event)
        raise SystemExit

    with Dispatcher(listener, lambda: Queued(0, "beat")) as dispatcher:
        for path in "abc":
            dispatcher.post(Started(0, path))
    assert [event.path for event in told if isinstance(event, Started)] == ["a", "b", "c"]
    assert dispatcher.errors == len(told)


def test_without_a_listener_there_is_no_thread() -> None:
    before = threading.active_count()
    with Dispatcher(ignore, lambda: Queued(0, "beat")) as dispatcher:
        dispatcher.post(Queued(0, "a"))
        assert threading.active_count() == before


# When is committed, and how much is handed out


def test_the_first_files_are_committed_at_once_and_the_next_ones_wait_ever_longer() -> None:
    pace = Pace(60)
    assert pace.time_is_up()
    waited = []
    for _ in range(2):
        began = time.monotonic()
        pace.committed()
        while not pace.time_is_up():
            time.sleep(0.005)
        waited.append(time.monotonic() - began)
    assert waited[0] >= 0.1
    assert waited[1] >= 0.2
    eager = Pace(0)
    eager.committed()
    assert eager.time_is_up()


def test_where_questions_find_something_anyway_the_first_files_wait_for_a_moment() -> None:
    began = time.monotonic()
    pace, brief = Pace(60, at_once=False), Pace(0.01, at_once=False)
    assert not pace.time_is_up()
    while not brief.time_is_up():
        time.sleep(0.001)
    while not pace.time_is_up():
        time.sleep(0.005)
    assert 0.1 <= time.monotonic() - began < 30


def test_many_bytes_do_not_wait_for_their_time() -> None:
    pace = Pace(60)
    pace.put(31_000_000)
    assert not pace.too_much_waits()
    pace.put(2_000_000)
    assert pace.too_much_waits()
    pace.committed()
    assert not pace.too_much_waits()


def test_batches_are_as_large_as_pays_and_small_at_the_end() -> None:
    portions = Portions()
    for size in (9_400, 19_400):
        assert portions.weigh(DiscoveredFile("a.py", None, None, size, 0)) == size + 600
    assert portions.fair_share(2, 1000, 2) == 1000 * 15_000 // 8
    assert portions.fair_share(2, 3, 2) == portions.fair_share(2, 0, 2) == FIRST_BATCH_BYTES


# One engine


@pytest.mark.parametrize("runs_in", ["thread", "worker"])
def test_indexing_a_tree_embeds_with_the_same_engine(tree: Tree, runs_in: Literal["thread", "worker"]) -> None:
    root, store = tree({"a.py": "x = 1\n", "b/c.py": "y = 2\n"}), MemoryStore()
    settings = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
    report = index_tree(root, store, settings, provider=HashProvider(runs_in=runs_in))
    assert report.stats.files_processed == 2
    assert report.coverage.vectors == 2
    assert wrong_vectors(store) == []


def test_a_tree_that_cannot_be_embedded_is_reported_file_by_file(tree: Tree) -> None:
    root, store = tree({"a.py": "x = 1\n", "b.py": "poison = 2\n"}), MemoryStore()
    settings = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
    report = index_tree(root, store, settings, provider=PoisonProvider())
    assert [(failure.path, failure.stage) for failure in report.failures] == [("b.py", "embed")]
    assert not report.coverage.complete
