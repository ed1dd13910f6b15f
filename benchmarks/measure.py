"""Measuring processes: wall time, processor time, the peak of their memory together; medians of several runs.

Memory is PSS, the proportional share, summed over a process and all its descendants: what the run really takes from
the machine, shared pages counted once. It is sampled ten times a second, so a peak shorter than that can be missed.
Only Linux tells PSS; elsewhere the memory of a run is None.
"""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

SAMPLES_A_SECOND = 10


class CommandError(Exception):
    """A measured command ended with another exit code than it should; its last lines are in the message."""


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """One run of a command: seconds on the wall, processor seconds with all its children's, peak MB, its output."""

    seconds: float
    cpu_seconds: float
    peak_mb: float | None
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several values, the least and the greatest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def spread(values: Iterable[float]) -> Spread:
    """Return the median, least and greatest of at least one value."""
    ordered = sorted(values)
    return Spread(statistics.median(ordered), ordered[0], ordered[-1])


def rounds_within(rounds: int, seconds: float | None) -> Iterator[int]:
    """Count rounds from 0: at least one, then as long as another one as long as the mean so far ends in time."""
    start = time.monotonic()
    for number in range(rounds):
        if number and seconds is not None and (time.monotonic() - start) * (number + 1) / number > seconds:
            return
        yield number


def median_seconds(work: Callable[[], object], runs: int) -> Spread:
    """Call `work` several times and return the spread of its seconds on the wall."""
    return spread([_seconds(work) for _ in range(runs)])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run_process(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    expect: Sequence[int] = (0,),
    timeout: float = 3600,
    variables: Mapping[str, str] | None = None,
    memory: bool = True,
) -> ProcessRun:
    """Run a command to its end and measure it and everything that it starts.

    Output goes through files, so that reading it costs the measured process nothing. `variables` are added to the
    environment. Sampling memory takes some 3 % of a core for three processes: without `memory`, it is left out.

    Raises:
        CommandError: its exit code is not one of `expect`, or it took longer than `timeout` seconds.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = os.times()
        start = time.perf_counter()
        environment = {**os.environ, **(variables or {})}
        child = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        with PeakMemory(child.pid) if memory else contextlib.nullcontext() as peak, _deadline(child, timeout) as late:
            # With a timeout, the library looks for the end every 50 ms.
            code = child.wait()
            seconds = time.perf_counter() - start
        if late.is_set():
            raise CommandError(f"{_line(command)} took longer than {timeout:.0f} s")
        after = os.times()
        texts = [_whole(stream) for stream in (out, err)]
    if code not in expect:
        raise CommandError(f"{_line(command)} ended with {code}:\n{texts[1][-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return ProcessRun(seconds, cpu, None if peak is None else peak.peak_mb, texts[0], texts[1])


@contextlib.contextmanager
def _deadline(child: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Kill a process that runs for longer; what is yielded tells whether that was so."""
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _line(command: Sequence[str | Path]) -> str:
    return " ".join(map(str, command))


def _whole(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


class PeakMemory:
    """While entered, samples the summed PSS of a process and its descendants; `.peak_mb` is the greatest sum seen.

    Without `family`, only of the process itself.
    """

    def __init__(self, pid: int, *, family: bool = True) -> None:
        self.peak_mb: float | None = None
        self._pid = pid
        self._family = family
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            total = summed_pss_mb(_family(self._pid) if self._family else [self._pid])
            if total is not None:
                self.peak_mb = max(self.peak_mb or 0.0, total)
            if self._done.wait(1 / SAMPLES_A_SECOND):
                return


def summed_pss_mb(pids: Iterable[int]) -> float | None:
    """Return the PSS of processes together in MB (10⁶ bytes), or None where none can be read."""
    found = [pss for each in pids if (pss := _pss_kb(each)) is not None]
    return sum(found) * 1024 / 1e6 if found else None


def _pss_kb(pid: int) -> int | None:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # ended between listing and reading
        return None
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), None)


def _family(pid: int) -> list[int]:
    """Return a process and its descendants, whichever of their threads started them."""
    family = [pid]
    for each in family:
        try:
            threads = os.listdir(f"/proc/{each}/task")
            lists = [Path(f"/proc/{each}/task/{thread}/children").read_text() for thread in threads]
        except OSError:
            continue
        family.extend(int(child) for children in lists for child in children.split())
    return family


def machine() -> dict[str, str]:
    """Describe what the figures were measured on: processor, cores, memory, system, Python."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions(*names: str) -> dict[str, str]:
    """Return the installed versions of distributions; those that are not installed are left out."""
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"
