"""Workers on Ray beside local worker processes: the same index, what it costs, and what deaths cost.

    PYTHONPATH=tests python -m benchmarks.cluster [--corpus languages] [--megabytes 1000] [--part 60] [--rounds 3]

A cluster of two node processes with a processor each is started on the loopback, without dashboard. The corpus is
indexed from nothing: by two local worker processes, and by two workers on the cluster, in turn; connecting, looking at
the nodes and starting the actors count. Processor time is that of this process, of Ray's processes that hold workers,
and of the workers; that of Ray's daemons, which are there whoever uses the cluster, is told apart. Then a part of the
corpus, some files of each package, is indexed with files carried to the nodes, and with a worker, an actor and a node
killed on the way; each time the rows are compared with those of a local run. The memory of this process is sampled
while it hands out a quarter and all of those files.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpora import corpus
from benchmarks.measure import PeakMemory, Spread, spread
from benchmarks.results import Check, Run, at_least, at_most, figures_table, publish
from support.ray_cluster import NODE, ray_cluster
from treemill.embedding.registry import make_provider
from treemill.indexing import index_tree
from treemill.ranking.postings import Postings, unpack
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.sqlite import SqliteStore

# What Ray's own processes are started as, on every node, whoever uses the cluster.
_DAEMONS = ("raylet/raylet", "gcs_server", "Agent", "dashboard", "/monitor.py", "log_monitor")

_WORKER, _ACTOR = "treemill.flow.child", "ray::Outpost"

# How often processes are looked at; one that ends is counted as it was at the last look.
_LOOK_SECONDS = 0.5

_POSTINGS = tuple(Postings.__dataclass_fields__)

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One index from nothing: seconds on the wall, of processors, peak MB of this process, files, rows by path.

    `daemons` are the processor seconds of Ray's own processes meanwhile.
    """

    wall: float
    cpu: float
    daemons: float
    memory: float
    files: int
    rows: dict[bytes, tuple[Any, ...]]

    def equals(self, other: Measured) -> bool:
        """Whether the rows are those of another; what differs is printed."""
        for path in sorted({*self.rows, *other.rows}):
            here, there = self.rows.get(path, ()), other.rows.get(path, ())
            if here != there:
                columns = [number for number, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]]
                print(f"differs: {path!r} in columns {columns}: {here[1:11]} {there[1:11]}")
        return self.rows == other.rows


def main() -> int:
    """Measure and print; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="languages")
    parser.add_argument(
        "--megabytes", type=float, default=1000, help="of the corpus at most; some files of each package"
    )
    parser.add_argument("--part", type=float, default=60, metavar="MB", help="what is carried, and what is killed in")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory() as temporary:
        root = _part_of(corpus(arguments.corpus), Path(temporary, "all"), arguments.megabytes * 1e6)
        part = _part_of(root, Path(temporary, "part"), arguments.part * 1e6)
        quarter = _part_of(part, Path(temporary, "quarter"), arguments.part * 2.5e5)
        figures, checks = _measure((root, part, quarter), Path(temporary), arguments.rounds)
    publish(Run("cluster", (figures_table(figures),), tuple(checks), figures=figures), write=arguments.write)
    return 0 if all(check.holds for check in checks) else 1


def _measure(trees: tuple[Path, Path, Path], into: Path, rounds: int) -> tuple[dict[str, Spread], list[Check]]:
    root, part, quarter = trees
    numbers = itertools.count()

    def measured(tree: Path, settings: Settings, disturb: Callable[[], object] | None = None) -> Measured:
        return _index(tree, into / f"index{next(numbers)}", settings, disturb)

    figures: dict[str, Spread] = {}
    checks: list[Check] = []
    with ray_cluster(processors=1) as cluster:
        second = cluster.add_node(**{**NODE, "num_cpus": 1})
        local_runs, ray_runs = [], []
        for _ in range(rounds):
            local_runs.append(measured(root, _settings("process")))
            ray_runs.append(measured(root, _settings("ray", cluster.address)))
        reference = local_runs[0]
        for name, runs in (("local", local_runs), ("ray", ray_runs)):
            figures[f"{name}: wall, s"] = spread(each.wall for each in runs)
            figures[f"{name}: processors, s"] = spread(each.cpu for each in runs)
        walls = [there.wall / here.wall for here, there in zip(local_runs, ray_runs, strict=True)]
        cpus = [there.cpu / here.cpu for here, there in zip(local_runs, ray_runs, strict=True)]
        figures["ray / local, wall"], figures["ray / local, processors"] = spread(walls), spread(cpus)
        figures["Ray's daemons beside: processors, s"] = spread(each.daemons for each in ray_runs)
        checks.append(at_most("ray / local, wall", spread(walls).median, 1.25))
        checks.append(at_most("ray / local, processors", spread(cpus).median, 1.25))
        checks.append(at_least("runs on ray equal to local", sum(each.equals(reference) for each in ray_runs), rounds))
        files = {tree: sum(path.is_file() for path in tree.rglob("*")) for tree in (root, part)}
        figures |= {"files": spread([files[root]]), "files of the part": spread([files[part]])}
        of_part = measured(part, _settings("process"))
        there = measured(part, _settings("ray", cluster.address))
        carried = measured(part, _settings("ray", cluster.address, "carried"))
        figures["carried / shared, wall, of the part"] = spread([carried.wall / there.wall])
        checks.append(at_least("carried: equal to local", int(carried.equals(of_part)), 1))
        small = measured(quarter, _settings("ray", cluster.address, "carried")).memory
        figures["driver memory, a quarter of the part, MB"] = spread([small])
        figures["driver memory, all of the part, MB"] = spread([carried.memory])
        figures["memory of a local run, all of the part, MB"] = spread([of_part.memory])
        checks.append(at_most("driver memory, all / a quarter", carried.memory / small, 1.2))
        kills = {
            "a worker": lambda: _kill(_WORKER),
            "an actor": lambda: _kill(_ACTOR),
            "a worker, then a node": lambda: (
                _kill(_WORKER),
                time.sleep(there.wall / 4),
                cluster.remove_node(second, allow_graceful=False),
            ),
        }
        for what, kill in kills.items():
            run = measured(part, _settings("ray", cluster.address), kill)
            figures[f"{what} killed: wall, s"] = spread([run.wall])
            checks.append(at_least(f"{what} killed: equal to local", int(run.equals(of_part)), 1))
    return figures, checks


def _settings(executor: str, address: str = "", files: str = "shared") -> Settings:
    concurrency = ConcurrencySettings(executor=executor, max_parallel_files=2, cluster=address, cluster_files=files)
    return Settings(chunker=ChunkerSettings(concurrency=concurrency))


def _index(tree: Path, place: Path, settings: Settings, disturb: Callable[[], object] | None) -> Measured:
    """Index from nothing into a place that is removed; `disturb` runs beside, in a thread."""
    resident = {pid for pid, command in _commands().items() if any(each in command for each in _DAEMONS)}
    before, began = _cpu_seconds(), time.perf_counter()
    thread = threading.Thread(target=disturb) if disturb else None
    memory = PeakMemory(os.getpid(), family=False)
    with _cpu_watched() as ended, memory, SqliteStore(place, create=True) as store:
        if thread:
            thread.start()
        report = index_tree(tree, store, settings, provider=make_provider(Settings().embedding))
        wall = time.perf_counter() - began
        if thread:
            thread.join()
    spent = {pid: seconds - before.get(pid, 0.0) for pid, seconds in ended().items()}
    daemons = sum(seconds for pid, seconds in spent.items() if pid in resident)
    cpu = sum(spent.values()) - daemons
    rows = _rows(place)
    shutil.rmtree(place)
    assert report.stats.failed_files == 0, report.failures
    return Measured(wall, cpu, daemons, memory.peak_mb or 0.0, report.stats.files_processed, rows)


@contextmanager
def _cpu_watched() -> Iterator[Callable[[], dict[int, float]]]:
    """Sample the processor time of every process below this one, so that those that end are counted as they were."""
    seen: dict[int, float] = {}
    done = threading.Event()

    def sample() -> None:
        while not done.wait(_LOOK_SECONDS):
            seen.update(_cpu_seconds())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()

    def total() -> dict[int, float]:
        seen.update(_cpu_seconds())
        return dict(seen)

    try:
        yield total
    finally:
        done.set()
        thread.join()


def _cpu_seconds() -> dict[int, float]:
    """Return the processor seconds of this process and all below it, by process id."""
    return {pid: spent for pid, (_, spent) in _family().items()}


def _family() -> dict[int, tuple[int, float]]:
    """Return (parent, processor seconds) of this process and all below it, from one look at every process.

    What is asked of each thread would cost more than what is measured: Ray's processes have many.
    """
    known: dict[int, tuple[int, float]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        known[int(pid)] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICK
    family = {os.getpid(): known[os.getpid()]}
    while more := {pid: each for pid, each in known.items() if each[0] in family and pid not in family}:
        family |= more
    return family


def _commands() -> dict[int, str]:
    found = {}
    for pid in _family():
        try:
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def _kill(what: str) -> None:
    """Kill the first process whose command line holds a text, as soon as there is one and it has had time to begin."""
    until = time.monotonic() + 60
    while not (pids := [pid for pid, command in _commands().items() if what in command]):
        assert time.monotonic() < until, f"there is no {what}"
        time.sleep(0.05)
    time.sleep(1)
    os.kill(pids[0], signal.SIGKILL)


def _rows(place: Path) -> dict[bytes, tuple[Any, ...]]:
    """Return what the rows of an index say by path: file, content, postings and vectors, without row ids."""
    (database,) = place.rglob("index.db")
    query = """SELECT f.path, f.size, f.stamp, f.status, f.reason, c.key, c.language, c.encoding, c.chunk_count,
        c.source, c.fallback, b.ends, b.lines, b.symbols, s.postings, s.vectors FROM files f
        LEFT JOIN contents c ON c.id = f.content_id LEFT JOIN bodies b ON b.id = c.id
        LEFT JOIN scans s ON s.id = c.id ORDER BY f.path"""
    connection: Any = sqlite3.connect(database)
    try:
        return {row[0]: _opened(row) for row in connection.execute(query)}
    finally:
        connection.close()


def _opened(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row with what is deflated in it as what it says: the same may be deflated in several ways."""
    *plain, symbols, postings, vectors = row
    if postings is None:
        return row
    told = None if not postings else tuple(getattr(unpack(postings, plain[8]), each).tobytes() for each in _POSTINGS)
    return (*plain, zlib.decompress(symbols) if symbols else b"", told, vectors)


def _part_of(source: Path, target: Path, most_bytes: float) -> Path:
    """Copy some files of each folder of a corpus, in turn, until there are so many bytes; return the copy."""
    lanes = [
        iter(sorted(p for p in top.rglob("*") if p.is_file() and not p.is_symlink()))
        for top in sorted(source.iterdir())
    ]
    total = 0
    while lanes and total < most_bytes:
        for lane in list(lanes):
            path = next(lane, None)
            if path is None:
                lanes.remove(lane)
                continue
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
            total += path.stat().st_size
    return target


if __name__ == "__main__":
    sys.exit(main())
