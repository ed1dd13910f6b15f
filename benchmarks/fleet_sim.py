"""A million repositories on paper: the measured costs, and a simulation of where the whole saturates.

    python -m benchmarks.fleet_sim measure [--corpus languages]     # costs, into fleet_sim.json beside this file
    python -m benchmarks.fleet_sim [--repositories 100000]           # sizing and simulation, from that file

`measure` visits each package of the corpus as a fleet's worker does, alone and from nothing, and keeps files, bytes,
chunks, processor seconds and index bytes of each. The costs of a visit, a file and a megabyte are the least squares of
relative errors; what single repositories cost beside them is the simulation's noise.

The simulation is of discrete events: repositories, drawn from the measured ones and scaled by a lognormal factor, are
fetched (one host of repositories, so many bytes a second together), worked on (a worker a core), and written: to
databases, each of which takes so many chunks a second from all that write to it, or to object storage, which keeps up
with whoever writes. A worker dies now and then and its repository begins again; some nodes are slow; some visits fail
and are tried once more. What all take is told from the rate of the middle eight tenths, and the tail.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import shutil
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.corpora import corpus
from treemill.fleet.listing import Repository
from treemill.fleet.visiting import Order, visit

MEASURED = Path(__file__).with_suffix(".json")

REPOSITORIES = 1_000_000
FILES = 1_000_000_000

# Assumptions, not measurements. Prices are of no provider in particular.
CORE_HOUR = 0.04
GB_MONTH = 0.023
DATABASE_GB_MONTH = 0.12
DATABASE_HOUR = 1.00
HOST_BYTES_A_SECOND = 2e9
WORKER_LIFE_HOURS = 200.0
SLOW_NODES, SLOWNESS = 0.02, 4.0
FAILING = 0.003
SIZE_SIGMA = 1.0
FETCHED_PER_SOURCE = 0.35
RESTART_SECONDS = 60.0

WORKED, WRITTEN = 0, 1


@dataclass(frozen=True, slots=True)
class Sample:
    """A repository as it was measured."""

    name: str
    files: int
    bytes: int
    chunks: int
    seconds: float
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor seconds: of a visit, a file and a megabyte (10⁶ bytes)."""

    visit: float
    file: float
    megabyte: float

    def of(self, files: float, size: float) -> float:
        """Return the seconds of a repository."""
        return self.visit + self.file * files + self.megabyte * size / 1e6


@dataclass(slots=True)
class Setup:
    """What is simulated: cores, and databases with the chunks a second that each takes; none: object storage."""

    workers: int
    databases: int
    chunks_a_second: float


@dataclass(slots=True)
class Outcome:
    """What a simulation came to: hours for all, shares of the time that things were busy, the slowest repository."""

    hours: float
    workers: float
    fetching: float
    databases: float
    restarted: int
    slowest: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A repository of the simulation: processor seconds, bytes to fetch, chunks, and whether its first visit fails."""

    number: int
    seconds: float
    fetched: float
    chunks: float
    fails: bool
    again: bool = False


def main() -> None:
    """Measure, or simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("measure", "simulate"), default="simulate")
    parser.add_argument("--corpus", default="languages")
    parser.add_argument("--repositories", type=int, default=100_000, help="how many are simulated")
    parser.add_argument("--chunks-a-second", type=float, default=1_500, help="that one database takes")
    parser.add_argument("--most-mb", type=float, default=15, help="measure: leave out packages that are larger")
    arguments = parser.parse_args()
    if arguments.what == "measure":
        samples = measure(corpus(arguments.corpus), arguments.most_mb * 1e6)
        MEASURED.write_text(json.dumps([asdict(each) for each in samples], indent=1) + "\n", "utf-8")
    samples = [Sample(**each) for each in json.loads(MEASURED.read_text("utf-8"))]
    costs = fitted(samples)
    console = Console(width=150)
    console.print(_table("Measured", _measured_rows(samples, costs)))
    console.print(_table("One million repositories, one billion files", _sizing_rows(samples, costs, arguments)))
    console.print(_simulations(samples, costs, arguments))


def measure(source: Path, most_bytes: float) -> list[Sample]:
    """Visit a copy of each package of a corpus alone, from nothing, in this process."""
    samples = []
    flags = {"chunker.concurrency.executor": "inline", "storage.cache_mb": 0}
    for package in sorted(path for path in source.iterdir() if path.is_dir()):
        if _bytes_below(package) > most_bytes:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary, package.name)
            shutil.copytree(package, root, symlinks=True)
            order = Order(Repository(package.name, str(root)))
            if not samples:
                visit(order, flags, "")  # imports, grammars and the model are loaded once a worker
                shutil.rmtree(root / ".treemill")
            began = time.process_time()
            visited = visit(order, flags, "")
            seconds = time.process_time() - began
            assert not visited.error, visited.error
            held = _bytes_below(Path(visited.place))
        samples.append(Sample(package.name, visited.files, visited.bytes, visited.chunks, seconds, held))
    return samples


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def fitted(samples: list[Sample]) -> Costs:
    """Return the costs with the least squares of relative errors, none below zero."""
    wanted = [0, 1, 2]
    while True:
        terms = np.array(
            [[(1.0, each.files, each.bytes / 1e6)[term] / each.seconds for term in wanted] for each in samples]
        )
        found, *_ = np.linalg.lstsq(terms, np.ones(len(samples)), rcond=None)
        if (found >= 0).all():
            values = dict(zip(wanted, found.tolist(), strict=True))
            return Costs(values.get(0, 0.0), values.get(1, 0.0), values.get(2, 0.0))
        wanted.pop(int(found.argmin()))


def _measured_rows(samples: list[Sample], costs: Costs) -> list[tuple[str, str]]:
    size, files = sum(each.bytes for each in samples), sum(each.files for each in samples)
    errors = sorted(each.seconds / costs.of(each.files, each.bytes) for each in samples)
    return [
        ("repositories, files, MB", f"{len(samples)}, {files:,}, {size / 1e6:.0f}"),
        ("bytes a file, chunks a MB", f"{size / files:,.0f}, {sum(each.chunks for each in samples) / size * 1e6:,.0f}"),
        ("processor: a visit, ms", f"{costs.visit * 1e3:.0f}"),
        ("processor: a file, ms", f"{costs.file * 1e3:.2f}"),
        ("processor: a MB, ms", f"{costs.megabyte * 1e3:.0f}"),
        (
            "measured / fitted: least, median, greatest",
            f"{errors[0]:.2f}, {errors[len(errors) // 2]:.2f}, {errors[-1]:.2f}",
        ),
        ("index / source", f"{sum(each.index_bytes for each in samples) / size:.2f}"),
    ]


def _sizing_rows(samples: list[Sample], costs: Costs, arguments: argparse.Namespace) -> list[tuple[str, str]]:
    size, files = sum(each.bytes for each in samples), sum(each.files for each in samples)
    source = FILES * size / files
    chunks = source * sum(each.chunks for each in samples) / size
    index = source * sum(each.index_bytes for each in samples) / size
    core_hours = (costs.visit * REPOSITORIES + costs.file * FILES + costs.megabyte * source / 1e6) / 3600
    days = chunks / arguments.chunks_a_second / 86_400
    return [
        ("source, TB; chunks, 10⁹; index, TB", f"{source / 1e12:.1f}; {chunks / 1e9:.1f}; {index / 1e12:.1f}"),
        ("core-hours from nothing", f"{core_hours:,.0f}"),
        (f"… at {CORE_HOUR:g} a core-hour", f"{core_hours * CORE_HOUR:,.0f}"),
        (f"objects, a month, at {GB_MONTH:g} a GB", f"{index / 1e9 * GB_MONTH:,.0f}"),
        (f"one database at {arguments.chunks_a_second:,.0f} chunks/s: days of loading", f"{days:,.0f}"),
        ("databases for a load within a day, TB in each", f"{math.ceil(days)}, {index / 1e12 / math.ceil(days):.2f}"),
        (
            f"… a month, at {DATABASE_HOUR:g} an hour and {DATABASE_GB_MONTH:g} a GB",
            f"{math.ceil(days) * DATABASE_HOUR * 730 + index / 1e9 * DATABASE_GB_MONTH:,.0f}",
        ),
        ("1 % of files changed a day: core-hours, chunks/s", f"{core_hours / 100:,.1f}, {chunks / 100 / 86_400:,.0f}"),
    ]


def _table(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    for row in rows:
        table.add_row(*row)
    return table


def _simulations(samples: list[Sample], costs: Costs, arguments: argparse.Namespace) -> Table:
    """Simulate installations of several sizes, and show what each is busy with."""
    table = Table(title=f"Simulated ({arguments.repositories:,} repositories drawn)", title_justify="left")
    for name in ("cores", "databases", "hours for all", "workers busy", "fetching", "databases busy", "saturated"):
        table.add_column(name, justify="right")
    table.add_column("begun again")
    table.add_column("slowest repository, h")
    for workers in (64, 256, 1024, 4096):
        for databases in (0, 8, 64):
            setup = Setup(workers, databases, arguments.chunks_a_second)
            out = simulate(samples, costs, setup, arguments.repositories)
            busy = {"workers": out.workers, "fetching": out.fetching, "databases": out.databases}
            table.add_row(
                f"{workers:,}",
                str(databases or "objects"),
                f"{out.hours:,.1f}",
                *(f"{share:.0%}" for share in busy.values()),
                max(busy, key=lambda name: busy[name]),
                f"{out.restarted:,}",
                f"{out.slowest:.2f}",
            )
    return table


def simulate(samples: list[Sample], costs: Costs, setup: Setup, repositories: int, seed: int = 1) -> Outcome:
    """Simulate the visit of some repositories; the hours are those that a million takes at the rate of the middle.

    Workers wait for what they fetch and for the database that they write to; each of these serves in order of arrival.
    """
    chance = random.Random(seed)
    speeds = [1 / SLOWNESS if chance.random() < SLOW_NODES else 1.0 for _ in range(setup.workers)]
    drawn = _drawn(samples, costs, repositories, chance)
    waiting = deque(drawn)
    events: list[tuple[float, int, int, int]] = []
    number = 0
    host_free, database_free = 0.0, [0.0] * setup.databases
    working = fetching = writing = 0.0
    restarted = 0
    ended: list[float] = []
    slowest = 0.0

    def begin(worker: int, now: float) -> None:
        nonlocal number, host_free, fetching, working, restarted
        if not waiting:
            return
        repository = waiting.popleft()
        fetch = repository.fetched / HOST_BYTES_A_SECOND
        host_free = max(host_free, now) + fetch
        fetching += fetch
        seconds = repository.seconds / speeds[worker]
        if chance.random() < 1 - math.exp(-seconds / 3600 / WORKER_LIFE_HOURS):
            restarted += 1
            seconds += seconds / 2 + RESTART_SECONDS
        working += seconds
        number += 1
        taken[number] = (repository, now)
        heapq.heappush(events, (host_free + seconds, number, worker, WORKED))

    taken: dict[int, tuple[Drawn, float]] = {}
    for worker in range(setup.workers):
        begin(worker, 0.0)
    while events:
        now, which, worker, what = heapq.heappop(events)
        repository, since = taken[which]
        if what == WORKED and setup.databases:
            database = repository.number % setup.databases
            write = repository.chunks / setup.chunks_a_second
            database_free[database] = max(database_free[database], now) + write
            writing += write
            heapq.heappush(events, (database_free[database], which, worker, WRITTEN))
            continue
        del taken[which]
        ended.append(now)
        slowest = max(slowest, now - since)
        if repository.fails and not repository.again:
            waiting.append(Drawn(**{**asdict(repository), "again": True}))
        begin(worker, now)
    first, last = ended[len(ended) // 10], ended[len(ended) * 9 // 10]
    rate = (len(ended) * 9 // 10 - len(ended) // 10) / (last - first)
    total = ended[-1]
    return Outcome(
        hours=REPOSITORIES / rate / 3600 + (total - last) / 3600,
        workers=working / (total * setup.workers),
        fetching=fetching / total,
        databases=writing / (total * setup.databases) if setup.databases else 0.0,
        restarted=restarted,
        slowest=slowest / 3600,
    )


def _drawn(samples: list[Sample], costs: Costs, repositories: int, chance: random.Random) -> list[Drawn]:
    """Draw repositories: measured ones, scaled, so that they have a thousand files on average."""
    mean = sum(each.files for each in samples) / len(samples)
    scale = FILES / REPOSITORIES / mean / math.exp(SIZE_SIGMA**2 / 2)
    found = []
    for number in range(repositories):
        sample = chance.choice(samples)
        factor = scale * chance.lognormvariate(0.0, SIZE_SIGMA)
        noise = sample.seconds / costs.of(sample.files, sample.bytes)
        seconds = costs.of(sample.files * factor, sample.bytes * factor) * noise
        fails = chance.random() < FAILING
        fetched = sample.bytes * factor * FETCHED_PER_SOURCE
        found.append(Drawn(number, seconds, fetched, sample.chunks * factor, fails))
    return found


if __name__ == "__main__":
    main()
