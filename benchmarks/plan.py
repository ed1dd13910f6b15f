"""The plan of `python -m benchmarks`: which measurements there are, in which order, and running them within a time.

Each step is a command of this folder in a process group of its own: one that fails or takes too long costs itself, and
nothing of it is left behind. A step that has no time left is not begun. What was measured is in the run files; `resume`
leaves out a step whose newest run file is of the revision that is checked out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.newest import newest, newest_path
from benchmarks.results import RUNS, revision

# The part of a step's time that its rounds may take; the rest is for laying out files and for what is measured once.
_FOR_ROUNDS = 0.6

# Servers that steps start come from what tests start them with.
_SUPPORT = Path(__file__).parents[1] / "tests"


@dataclass(frozen=True, slots=True)
class Step:
    """A measurement: its name, the run file that it writes, its command, the minutes that it may take.

    `words` begin with the module to run. `rounds` says whether it takes --rounds, `bounded` whether it takes --seconds
    and then measures fewer rounds; `needs` is a word for what it cannot do without ("peers", "bench", "work", "").
    """

    name: str
    run: str
    words: tuple[str, ...]
    minutes: float
    rounds: bool = True
    bounded: bool = False
    needs: str = ""


# The most telling first: a short budget ends the list early.
STEPS = (
    Step("beside-django", "beside-django", ("benchmarks.beside", "django"), 12, bounded=True, needs="peers"),
    Step("limit", "limit-languages", ("benchmarks.scale", "limit", "languages"), 10, bounded=True),
    Step("beside-languages", "beside-languages", ("benchmarks.beside", "languages"), 40, bounded=True, needs="peers"),
    Step("growth", "growth", ("benchmarks.scale", "growth", "monorepo"), 30, bounded=True),
    Step("index-django", "index-django", ("benchmarks.throughput", "index", "django"), 8),
    Step("index-languages", "index-languages", ("benchmarks.throughput", "index", "languages"), 20),
    Step("encoding", "encoding-languages", ("benchmarks.throughput", "encoding", "languages"), 20),
    Step("chunking", "chunking-languages", ("benchmarks.throughput", "chunking", "languages"), 30),
    Step("parallel", "parallel-languages", ("benchmarks.chunking", "languages"), 12),
    Step("incremental", "incremental-20000", ("benchmarks.throughput", "incremental", "--files", "20000"), 10),
    Step("unchanged-100000", "unchanged-100000", ("benchmarks.throughput", "unchanged", "--files", "100000"), 4),
    Step(
        "processing",
        "processing",
        ("benchmarks.processing", "--write", "cancel", "feedback", "heartbeat"),
        8,
        rounds=False,
    ),
    Step("latency", "latency-languages", ("benchmarks.latency",), 12, rounds=False),
    Step(
        "faults",
        "faults",
        ("benchmarks.faults", "--kills", "100", "--faults", "100", "--flips", "100"),
        6,
        rounds=False,
    ),
    Step(
        "quality",
        "quality",
        ("benchmarks.quality", "--drawn", "0", "--beside", "windows"),
        20,
        rounds=False,
        needs="bench",
    ),
    Step("by-language", "by-language-languages", ("benchmarks.by_language", "languages"), 10),
    Step("patterns", "patterns", ("benchmarks.patterns", "--corpus", "languages", "--write"), 10),
    Step("documented", "documented", ("benchmarks.documented", "--write"), 10, rounds=False, needs="work"),
    Step("postgres", "postgres", ("benchmarks.postgres",), 20, rounds=False),
    Step("fleet", "fleet", ("benchmarks.fleet",), 10, rounds=False),
    Step("cluster", "cluster", ("benchmarks.cluster", "--rounds", "2"), 25, rounds=False),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended: "measured", "a bound is missed", "failed", "out of time", "left out"; why, and its seconds."""

    step: str
    how: str
    why: str = ""
    seconds: float = 0.0


def chosen(
    names: str, *, peers: Path | None, bench: Path | None, trees: Path | None, work: Path | None = None
) -> list[Step]:
    """Return the steps that are asked for (all, where `names` is empty), with their needs filled in.

    Raises:
        ValueError: there is no such step; the message names those there are.
    """
    by_name = {step.name: step for step in STEPS}
    wanted = [name for name in names.split(",") if name] or list(by_name)
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise ValueError(f"there is no step {', '.join(unknown)}; there are: {', '.join(by_name)}")
    given: dict[str, tuple[str, ...]] = {}
    if peers is not None:
        given["peers"] = ("--peers", str(peers))
    if bench is not None:
        given["bench"] = ("--bench", str(bench), *(("--trees", str(trees)) if trees else ()))
    if work is not None:
        given["work"] = ("--work", str(work))
    steps = [by_name[name] for name in by_name if name in wanted]
    return [
        replace(step, words=(*step.words, *given[step.needs]), needs="") if step.needs in given else step
        for step in steps
    ]


def carry_out(
    steps: Sequence[Step],
    *,
    rounds: int,
    minutes: float,
    resume: bool,
    folder: Path,
    tell: Callable[[str], None],
    runs: Path = RUNS,
    variables: Mapping[str, str] | None = None,
) -> list[Ended]:
    """Run the steps one after the other and return how each ended; output goes to `folder`/NAME.log."""
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * minutes
    ended: list[Ended] = []
    for number, step in enumerate(steps):
        left = until - time.monotonic()
        share = step.minutes / sum(each.minutes for each in steps[number:])
        tell(f"── {step.name}: {left / 60:.1f} minutes left")
        words = [*step.words]
        words += ["--rounds", str(rounds)] if step.rounds else []
        words += ["--seconds", f"{min(left * share, 60 * step.minutes) * _FOR_ROUNDS:.0f}"] if step.bounded else []
        log = folder / f"{step.name}.log"
        ended.append(_step(step, words, left, resume=resume, log=log, runs=runs, variables=variables))
        tell(line(ended[-1]))
    return ended


def line(ended: Ended) -> str:
    """Say how a step ended."""
    took = f" after {ended.seconds:.0f} s" if ended.seconds else ""
    return f"   {ended.step}: {ended.how}{took}" + (f": {ended.why}" if ended.why else "")


def _step(
    step: Step,
    words: Sequence[str],
    left: float,
    *,
    resume: bool,
    log: Path,
    runs: Path,
    variables: Mapping[str, str] | None,
) -> Ended:
    if step.needs:
        return Ended(step.name, "left out", f"it needs --{step.needs}")
    if resume and (found := newest(step.run, runs)) is not None and found["revision"] == revision():
        return Ended(step.name, "left out", f"measured at this revision already, {found['when']}")
    if left <= 0:
        return Ended(step.name, "left out", "no time is left")
    before = _stamp(step, runs)
    start = time.monotonic()
    code = _run([sys.executable, "-m", *words], min(left, 60 * step.minutes), log, variables)
    seconds = time.monotonic() - start
    if code is None:
        return Ended(step.name, "out of time", f"see {log}", seconds)
    # An error that nobody caught ends with 1 as well; what was measured has left a file.
    if code in (0, 1) and _stamp(step, runs) != before:
        return Ended(step.name, "a bound is missed" if code else "measured", f"see {log}" if code else "", seconds)
    return Ended(step.name, "failed", f"exit code {code}: {_last_line(log)}", seconds)


def _stamp(step: Step, runs: Path) -> tuple[str, int] | None:
    path = newest_path(step.run, runs)
    return None if path is None else (path.name, path.stat().st_mtime_ns)


def _run(command: Iterable[str], seconds: float, log: Path, variables: Mapping[str, str] | None) -> int | None:
    """Return a command's exit code, or None where it was ended, with all that it started, because time was up."""
    path = os.pathsep.join(filter(None, (str(_SUPPORT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, **(variables or {})}
    with open(log, "wb") as out:
        child = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
        try:
            return child.wait(seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(error, KeyboardInterrupt):
                raise
            return None


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
