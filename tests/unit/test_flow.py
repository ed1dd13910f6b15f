"""Crews of workers: what becomes of batches, whatever becomes of workers."""

from __future__ import annotations

import importlib
import itertools
import os
import pickle
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from support.ray_cluster import needs_ray, quiet_ray
from support.timing import soonest
from treemill.errors import WorkersError
from treemill.flow import (
    Ahead,
    Aside,
    Cause,
    Crew,
    Done,
    Idle,
    InlineCrew,
    Later,
    Limits,
    Lost,
    ProcessCrew,
    ThreadCrew,
    weigh_batches,
    wire,
)
from treemill.flow.compact_queue import CompactQueue
from treemill.flow.host import Host
from treemill.flow.remote import RemoteCrew
from treemill.types import DiscoveredFile

CREWS = {"process": ProcessCrew, "thread": ThreadCrew, "inline": InlineCrew}

ON_RAY = pytest.param("ray", marks=[needs_ray, *quiet_ray])
EVERY_KIND = [*CREWS, ON_RAY]
KILLABLE = ["process", ON_RAY]


@dataclass(frozen=True)
class Deeds:
    """Work that does what each item says: "double 3", "raise", "exit", "segfault", "sleep 2", "hog 300 5"."""

    def start(self) -> Callable[[Sequence[str], Callable[[int], None]], list[object]]:
        return do_deeds


def do_deeds(items: Sequence[str], mark: Callable[[int], None]) -> list[object]:
    results: list[object] = []
    for index, item in enumerate(items):
        mark(index)
        match item.split():
            case ["double", number]:
                results.append(2 * int(number))
            case ["raise"]:
                raise ValueError("asked to")
            case ["exit"]:
                os._exit(3)
            case ["segfault"]:
                os.kill(os.getpid(), signal.SIGSEGV)
            case ["sleep", seconds]:
                time.sleep(float(seconds))
                results.append(seconds)
            case ["hog", megabytes, seconds]:
                held = b"x" * (int(megabytes) << 20)
                time.sleep(float(seconds))
                results.append(len(held))
            case ["pid"]:
                results.append(os.getpid())
            case ["print"]:
                print("noise on standard output")
                results.append("printed")
    return results


@dataclass(frozen=True)
class Stopping:
    """Work that stops its process, as a debugger does: as it starts, or, once, with a batch before it."""

    marker: str = ""

    def start(self) -> Callable[[Sequence[str], Callable[[int], None]], list[object]]:
        if not self.marker:
            os.kill(os.getpid(), signal.SIGSTOP)
        return self.stop_once

    def stop_once(self, items: Sequence[str], mark: Callable[[int], None]) -> list[object]:
        if not os.path.exists(self.marker):
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return do_deeds(items, mark)


@dataclass(frozen=True)
class Updated:
    """Work in a process whose Treemill is a newer one than that of the program."""

    def start(self) -> Callable[[Sequence[str], Callable[[int], None]], list[object]]:
        wire.GREETING = ("treemill", "99.0")
        return do_deeds


@dataclass(frozen=True)
class Unstartable:
    def start(self) -> Callable[[Sequence[str], Callable[[int], None]], list[object]]:
        raise RuntimeError("no such grammar")


def run(crew: Crew[str, list[object]], batches: Sequence[Sequence[str]], *, ordered: bool = False) -> list[object]:
    with crew:
        return [o for o in crew.map(batches, ordered=ordered) if not isinstance(o, Idle)]


def values(outcomes: Sequence[object]) -> list[object]:
    return [v for o in outcomes if isinstance(o, Done) for v in o.value]


def losses(outcomes: Sequence[object]) -> list[Lost[str]]:
    return [o for o in outcomes if isinstance(o, Lost)]


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Open a crew of a kind; the cluster for those on Ray is started with the first of them."""

    def open_crew(kind: str, count: int, work: object, limits: Limits | None = None) -> Any:
        limits = limits or Limits()
        if kind != "ray":
            return CREWS[kind](count, work, limits)
        hosts = importlib.import_module("treemill.cluster.hosts")
        return RemoteCrew(count, work, limits, hosts.RayHosts(request.getfixturevalue("ray_address"), count))

    return open_crew


@pytest.fixture(params=EVERY_KIND)
def crew(request: pytest.FixtureRequest, opened: Callable[..., Any]) -> Callable[..., Crew[str, list[object]]]:
    def make(count: int = 2, limits: Limits | None = None) -> Crew[str, list[object]]:
        crew: Crew[str, list[object]] = opened(request.param, count, Deeds(), limits)
        return crew

    return make


def test_every_crew_does_the_same_work(crew: Callable[..., Crew[str, list[object]]]) -> None:
    batches = [[f"double {10 * b + i}" for i in range(5)] for b in range(20)]
    assert sorted(map(str, values(run(crew(), batches)))) == sorted(
        str(2 * n) for b in range(20) for n in range(10 * b, 10 * b + 5)
    )


def test_outcomes_can_be_had_in_the_order_of_the_input(crew: Callable[..., Crew[str, list[object]]]) -> None:
    batches = [["sleep 0.2"], ["double 1"], ["double 2", "raise", "double 3"], *([f"double {n}"] for n in range(4, 30))]
    outcomes = run(crew(), batches, ordered=True)
    assert values(outcomes) == ["0.2", 2, 4, 6, *range(8, 60, 2)]
    assert [lost.item for lost in losses(outcomes)] == ["raise"]


def test_an_item_that_raises_is_lost_alone_with_its_error(crew: Callable[..., Crew[str, list[object]]]) -> None:
    outcomes = run(crew(), [["double 1", "raise", "double 2"], ["double 3"]])
    assert sorted(map(str, values(outcomes))) == ["2", "4", "6"]
    (lost,) = losses(outcomes)
    assert (lost.item, lost.cause, lost.error_type, lost.message) == ("raise", Cause.RAISED, "ValueError", "asked to")
    assert "do_deeds" in lost.traceback


@pytest.mark.parametrize("deed", ["exit", "segfault"])
@pytest.mark.parametrize("kind", KILLABLE)
def test_an_item_that_kills_its_worker_is_lost_alone(kind: str, deed: str, opened: Callable[..., Any]) -> None:
    outcomes = run(opened(kind, 2, Deeds()), [["double 1", deed, "double 2"], ["double 3"], ["double 4"]])
    assert sorted(map(str, values(outcomes))) == ["2", "4", "6", "8"]
    (lost,) = losses(outcomes)
    assert (lost.item, lost.cause, lost.error_type) == (deed, Cause.CRASHED, "WorkerCrashedError")
    assert ("exit code 3" if deed == "exit" else "SIGSEGV") in lost.message


@pytest.mark.parametrize("kind", [*KILLABLE, "thread"])
def test_an_item_that_overruns_its_time_is_lost_and_the_worker_replaced(kind: str, opened: Callable[..., Any]) -> None:
    outcomes = run(opened(kind, 2, Deeds(), Limits(seconds=0.5)), [["double 1", "sleep 30", "double 2"], ["double 3"]])
    assert sorted(map(str, values(outcomes))) == ["2", "4", "6"]
    (lost,) = losses(outcomes)
    assert (lost.item, lost.cause) == ("sleep 30", Cause.OVERRAN_TIME)
    assert 0.5 < lost.amount < 30


@pytest.mark.parametrize("kind", KILLABLE)
def test_an_item_that_overruns_its_memory_is_lost(kind: str, opened: Callable[..., Any]) -> None:
    limits = Limits(seconds=20, memory_bytes=100 << 20)
    outcomes = run(opened(kind, 1, Deeds(), limits), [["double 1", "hog 300 15"], ["hog 10 0.3"]])
    (lost,) = losses(outcomes)
    assert (lost.item, lost.cause) == ("hog 300 15", Cause.OVERRAN_MEMORY)
    assert lost.amount > 100 << 20
    assert sorted(map(str, values(outcomes))) == [str(10 << 20), "2"]


@pytest.mark.parametrize("kind", [*KILLABLE, "thread"])
def test_an_item_that_takes_long_does_not_hold_up_the_others_of_its_batch(
    kind: str, opened: Callable[..., Any]
) -> None:
    """It is done alone, after all, and nobody is lost."""
    ended: list[object] = []
    with opened(kind, 1, Deeds(), Limits(seconds=30)) as crew:
        crew.patience /= 4
        nap = "4.0" if kind == "ray" else "2.0"  # crews on other machines keep to their own patience
        for outcome in crew.map([["double 1", f"sleep {nap}", "double 2"], ["double 3"]]):
            assert not isinstance(outcome, Lost)
            if isinstance(outcome, Done):
                ended += outcome.value
    assert ended[-1] == nap
    assert sorted(map(str, ended)) == sorted(["2", nap, "4", "6"])


def test_no_batch_waits_behind_an_item_that_is_alone() -> None:
    with ProcessCrew(2, Deeds(), Limits()) as crew:
        outcomes = crew.map([["sleep 60"], *([f"double {n}", f"double {n}"] for n in range(20))])
        done = [outcome.value for outcome in itertools.islice((o for o in outcomes if isinstance(o, Done)), 20)]
    assert sorted(done) == [[2 * n, 2 * n] for n in range(20)]


def test_limits_hold_while_other_workers_keep_the_caller_busy() -> None:
    def batches() -> Iterator[list[str]]:
        yield ["sleep 60"]
        for _ in range(400):
            yield ["sleep 0.01", "double 1"]

    done = 0
    with ProcessCrew(2, Deeds(), Limits(seconds=0.5)) as crew:
        for outcome in crew.map(batches()):
            if isinstance(outcome, Lost):
                break
            done += isinstance(outcome, Done)
    assert outcome.item == "sleep 60"
    assert done < 400, "the limit held only when there was nothing else to do"


@pytest.mark.parametrize("kind", KILLABLE)
def test_a_worker_killed_from_outside_loses_nothing(kind: str, opened: Callable[..., Any]) -> None:
    """Three are killed, the next one when all that the one before may have had in hand is done."""
    crew = opened(kind, 2, Deeds())
    under_way: set[object] = set()
    at_risk: set[object] = set()
    results: list[object] = []
    killed = 0

    def batches() -> Iterator[list[str]]:
        for number in range(40):
            items = [f"sleep 0.{100 + number}", f"double {number}"]
            under_way.update((items[0].split()[1], 2 * number))
            yield items

    with crew:
        for outcome in crew.map(batches()):
            assert not isinstance(outcome, Lost)
            if isinstance(outcome, Done):
                results += outcome.value
                under_way.difference_update(outcome.value)
                at_risk.difference_update(outcome.value)
                busy, pids = crew.in_hand(), crew.pids()
                if killed < 3 and not at_risk and busy and len(pids) == 2:
                    at_risk |= under_way
                    os.kill(pids[busy[0][0]], signal.SIGKILL)
                    killed += 1
    assert killed == 3
    assert sorted(r for r in results if isinstance(r, int)) == [2 * n for n in range(40)]


def test_closing_early_ends_the_workers_within_a_second() -> None:
    def seconds_to_close() -> float:
        crew = ProcessCrew(2, Deeds(), Limits())
        with crew:
            outcomes = crew.map([["pid"], ["sleep 60"], ["sleep 60"], ["sleep 60"]])
            with closing(outcomes):
                first = next(o for o in outcomes if isinstance(o, Done))
                pids = crew.pids()
                started = time.monotonic()
        seconds = time.monotonic() - started
        assert first.value[0] in pids
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        return seconds

    assert soonest(seconds_to_close, within=1) < 1


def test_the_input_is_pulled_only_as_fast_as_outcomes_are_taken(crew: Callable[..., Crew[str, list[object]]]) -> None:
    pulled = 0

    def batches() -> Iterator[list[str]]:
        nonlocal pulled
        for n in range(1000):
            pulled += 1
            yield [f"double {n}"]

    with crew(2) as workers, closing(workers.map(batches())) as outcomes:
        done, most = 0, 12 if isinstance(workers, RemoteCrew) else 4
        for outcome in outcomes:
            done += isinstance(outcome, Done)
            assert pulled <= done + most
            if done == 20:
                break


def counted(pulled: list[int]) -> Iterator[int]:
    for n in range(1000):
        pulled.append(n)
        yield n


def test_batches_that_stand_ready_are_done_while_the_caller_is_busy() -> None:
    pulled: list[int] = []
    batches = ([f"double {n}"] for n in counted(pulled))

    with ThreadCrew(1, Deeds(), Limits()) as workers, closing(workers.map(batches, waiting=3)) as outcomes:
        next(outcomes), next(outcomes)
        until = time.monotonic() + 30
        while workers.messages.qsize() < 4 and time.monotonic() < until:
            time.sleep(0.01)
        assert (len(pulled), workers.messages.qsize()) == (6, 4)


def test_an_outcome_is_told_before_batches_are_made_that_only_stand_ready() -> None:
    made: list[int] = []

    def batches() -> Iterator[list[str]]:
        for number in range(200):
            made.append(number)
            time.sleep(0.02)
            yield ["double 1"]

    with ThreadCrew(1, Deeds(), Limits()) as workers, closing(workers.map(batches(), waiting=199)) as outcomes:
        assert next(each for each in outcomes if isinstance(each, Done)).value == [2]
        assert len(made) < 150


def test_no_batch_stands_ready_where_the_caller_does_the_work() -> None:
    pulled: list[int] = []
    batches = ([f"double {n}"] for n in counted(pulled))

    with InlineCrew(1, Deeds(), Limits()) as crew, closing(crew.map(batches, waiting=3)) as outcomes:
        next(outcomes)
        assert len(pulled) == 2


def test_what_ended_travels_together_while_the_workers_of_a_host_have_others_to_go_on_with() -> None:
    """One worker has eight batches: what became of the first ones is told when those that are left get few."""

    def answers() -> float:
        host = Host(1, pickle.dumps(Deeds()), Limits())
        host.hand(pickle.dumps([(number, (f"double {number}",), False) for number in range(8)]))
        told: list[list[int]] = []
        while sum(map(len, told)) < 8:
            values = [reply.done[0] for reply in host.collect().replies if reply.done]
            told.append([pickle.loads(value)[0] for value in values])  # noqa: S301 - from our own worker
        host.close()
        assert sorted(itertools.chain(*told)) == [2 * number for number in range(8)]
        return sum(map(bool, told))

    assert soonest(answers, within=4) < 4


def test_what_is_done_aside_is_had_by_whoever_asks_for_it() -> None:
    may_end = threading.Event()
    aside = Aside(lambda: may_end.wait(30))
    may_end.set()
    assert aside()


def test_what_is_raised_aside_is_raised_where_it_is_asked_for() -> None:
    aside = Aside(lambda: do_deeds(["raise"], lambda index: None))
    with pytest.raises(ValueError, match="asked to"):
        aside()


def test_what_a_worker_prints_does_not_disturb_the_pipe() -> None:
    assert values(run(ProcessCrew(1, Deeds(), Limits()), [["print", "double 4"]])) == ["printed", 8]


@pytest.mark.parametrize("kind", KILLABLE)
def test_a_quiet_crew_says_which_item_each_worker_holds(kind: str, opened: Callable[..., Any]) -> None:
    with opened(kind, 1, Deeds()) as workers:
        outcomes = workers.map([["double 1", "sleep 60"]])
        quiet = (o for o in outcomes if isinstance(o, Idle) and o.in_hand)
        worker, item, seconds = next(held for o in quiet for held in o.in_hand if held[1] == "sleep 60")
        assert (worker, item) == (0, "sleep 60")
        assert 0 < seconds < 60
        assert workers.in_hand()[0][:2] == (0, "sleep 60")


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_work_that_cannot_start_ends_the_run_with_the_reason(kind: str, opened: Callable[..., Any]) -> None:
    with pytest.raises((WorkersError, RuntimeError), match="no such grammar"):
        run(opened(kind, 2, Unstartable()), [["double 1"]])


def test_workers_of_another_version_end_the_run_with_the_reason() -> None:
    with pytest.raises(WorkersError, match=r"99\.0"):
        run(ProcessCrew(1, Updated(), Limits()), [["double 1"]])


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_no_worker_is_waited_for_for_ever(tmp_path: Path) -> None:
    """One that stops with a batch is replaced, and the batch is done again."""

    class SoonStarted(ProcessCrew[str, list[object]]):
        start_seconds = 0.2

    class SoonHeard(ProcessCrew[str, list[object]]):
        silent_seconds = 2.0

    with pytest.raises(WorkersError, match="do not answer"):
        run(SoonStarted(1, Stopping(), Limits()), [["double 1"]])
    outcomes = run(SoonHeard(1, Stopping(str(tmp_path / "stopped")), Limits()), [["double 1", "double 2"]])
    assert values(outcomes) == [2, 4]


@pytest.mark.parametrize("kind", KILLABLE)
def test_no_batches_start_no_worker(kind: str, opened: Callable[..., Any]) -> None:
    crew = opened(kind, 2, Deeds())
    assert run(crew, []) == []
    assert crew.pids() == ()


@pytest.mark.parametrize("together", [1, 3, 7, 20])
def test_batches_are_weighed_and_the_first_ones_are_small(together: int) -> None:
    #  20 × 40, some at a time ─▶ 50, 100, 200, 200 … at most
    def some(items: Sequence[int]) -> list[Sequence[int]]:
        return [items[place : place + together] for place in range(0, len(items), together)]

    batches = list(weigh_batches(some([40] * 20), lambda item: item, 200, first=50))
    assert [len(b) for b in batches] == [1, 2, 5, 5, 5, 2]
    assert [len(b) for b in weigh_batches(some([1] * 10), lambda item: item, 200, most=4)] == [4, 4, 2]
    assert list(weigh_batches(some([500, 1]), lambda item: item, 200)) == [(500,), (1,)]
    assert list(weigh_batches(some([1, 500, 500, 1, 1]), lambda item: item, 200)) == [(1,), (500,), (500,), (1, 1)]
    assert list(weigh_batches([[1, 2], [], [3], []], lambda item: item, 200)) == [(1, 2), (3,)]
    assert list(weigh_batches([[], [1], []], lambda item: item, 200)) == [(), (1,)]


@pytest.mark.parametrize("together", [1, 8, 100])
def test_batches_become_smaller_towards_the_end_where_it_is_known(together: int) -> None:
    taken = 0

    def weigh(item: int) -> int:
        nonlocal taken
        taken += 1
        return item

    def share(weighed: int) -> int:
        return max(2, (100 - taken + weighed) // 4)

    items = ([1] * together for _ in range(100 // together))
    batches = list(weigh_batches(items, weigh, 20, share=share))
    assert sum(map(len, batches)) == 100 // together * together
    sizes = [len(batch) for batch in batches]
    assert sizes[0] in (19, 20)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 3


def test_a_slow_source_holds_up_neither_its_own_items_nor_outcomes() -> None:
    first_is_out = threading.Event()

    def slowly() -> Iterator[str]:
        yield "double 1"
        assert first_is_out.wait(20), "the first item waits for the second"
        yield "double 2"

    seen: list[object] = []
    with Ahead(ones(slowly())) as ahead, ThreadCrew(1, Deeds(), Limits()) as workers:
        for outcome in workers.map(weigh_batches(ahead, len, 1000)):
            if isinstance(outcome, Done):
                seen += outcome.value
                first_is_out.set()
    assert seen == [2, 4]


def ones(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield items one at a time."""
    return ([item] for item in items)


def _wait_for_end(ahead: Ahead[Any]) -> None:
    for _ in range(2_000):
        if ahead.ended:
            return
        time.sleep(0.01)
    pytest.fail("the source is not read to its end")


@pytest.mark.parametrize("packs", [False, True])
def test_who_takes_waits_for_as_many_as_are_wanted_and_never_for_what_is_there(
    packs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, got = CompactQueue[int](packs=packs), []
    for number in range(12_000):
        queue.put([number])
    with monkeypatch.context() as patch:
        patch.setattr(queue, "_came", None)  # nothing to wait for, however few come at a time
        while len(got) < 9_000:
            items = queue.take(60, 2_000)
            got += items
            items.clear()
    threading.Timer(0.01, lambda: (queue.put([12_000]), queue.put_last(12_001))).start()
    while got[-1:] != [12_001]:
        items = queue.take(60, 2_000)
        got += items
        items.clear()
    assert got == list(range(12_002))
    assert not queue.take(0)


@pytest.mark.parametrize("count", [1, 511, 8_193, 12_000])
def test_what_waits_as_bytes_comes_in_order_whole(count: int) -> None:
    everything = [(f"folder/{number}.py", number) for number in range(count)]
    with Ahead(ones(everything), compact=True) as ahead:
        _wait_for_end(ahead)
        first = next(iter(ahead))
        some = list(itertools.islice(ahead, count // 100))
        assert [*first, *chain.from_iterable(some), *ahead.rest()] == everything
    with Ahead(ones(everything), compact=True) as ahead:
        assert list(chain.from_iterable(ahead)) == everything


def test_what_waits_as_bytes_takes_a_third_of_the_memory() -> None:
    def files() -> Iterator[DiscoveredFile]:
        for n in range(100_000):
            yield DiscoveredFile(
                f"a/folder/of/sources/{n:06}.py", "/root", "python", 70_000 + n, 10**18 + n, 10**18 - n
            )

    def held(*, compact: bool) -> int:
        tracemalloc.start()
        with Ahead(ones(files()), compact=compact) as ahead:
            _wait_for_end(ahead)
            held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    assert held(compact=True) < held(compact=False) / 3


def test_a_crew_that_is_made_later_is_made_for_the_first_batch_and_ends_with_the_one_it_stands_for() -> None:
    #  [] ─▶ idle   [] ─▶ idle   ["double 2"] ─▶ made ─▶ done
    made: list[ThreadCrew[str, object]] = []

    def make() -> ThreadCrew[str, object]:
        made.append(ThreadCrew(1, Deeds(), Limits()))
        return made[0]

    with Later(1, Deeds(), Limits(), make) as crew:
        assert crew.in_hand() == ()
        outcomes = crew.map(iter([(), (), ("double 2",), ("double 3", "double 4")]))
        assert [next(outcomes), next(outcomes), made] == [Idle(), Idle(), []]
        assert [outcome.value for outcome in outcomes if isinstance(outcome, Done)] == [[4], [6, 8]]
        assert len(made) == 1
    with Later(1, Deeds(), Limits(), make) as crew:
        assert list(crew.map(iter([(), ()]))) == [Idle(), Idle()]
    assert len(made) == 1


def test_whoever_stops_gets_what_was_found_and_few_are_handed_out_together() -> None:
    with Ahead(ones(range(5_000))) as ahead:
        _wait_for_end(ahead)
        first = next(iter(ahead))
        assert 0 < len(first) <= 64
        ahead.stop(5)
        assert [*first, *ahead.rest()] == list(range(5_000))


@pytest.mark.parametrize("compact", [False, True])
def test_what_a_source_raises_reaches_the_reader(compact: bool) -> None:
    def breaking() -> Iterator[int]:
        yield 1
        raise OSError("the drive is gone")

    with Ahead(ones(breaking()), compact=compact) as ahead, pytest.raises(OSError, match="the drive is gone"):
        assert list(chain.from_iterable(ahead)) == [1]
