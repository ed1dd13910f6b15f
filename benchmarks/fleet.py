"""A fleet of real packages: indexed, interrupted, killed, gone on with, one broken on purpose.

    python -m benchmarks.fleet [--corpus languages] [--repositories 30] [--most-mb 12]

The smallest packages of the corpus are taken, every third one as a git repository that is fetched by URL; one of the
fetched ones has a damaged object. The same list is gone over three times from nothing: at one go; interrupted (SIGINT)
and then killed (SIGKILL) on the way, and gone on with; and once more when all is done. What is searchable in the end is
compared by file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.corpora import corpus
from benchmarks.measure import Spread, spread
from benchmarks.results import Check, Run, Table, at_least, at_most, figures_table, publish

_GIT = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org", "-c", "gc.auto=0")


def main() -> int:
    """Measure and print; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="languages")
    parser.add_argument("--repositories", type=int, default=30)
    parser.add_argument("--most-mb", type=float, default=12, help="leave out packages that are larger")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = _measure(corpus(arguments.corpus), Path(temporary), arguments)
    publish(run, write=arguments.write)
    return 0 if all(check.holds for check in run.checks) else 1


def _measure(source: Path, temporary: Path, arguments: argparse.Namespace) -> Run:
    packages = [
        top for top in sorted(source.iterdir(), key=_bytes) if top.is_dir() and _bytes(top) < arguments.most_mb * 1e6
    ]
    packages = packages[-arguments.repositories :]
    whole, cut = (_laid_out(packages, temporary / name) for name in ("whole", "cut"))
    began = time.perf_counter()
    code = _run(whole)
    at_one_go = time.perf_counter() - began
    expected = _status(whole)
    third = at_one_go / 3
    began = time.perf_counter()
    interrupted = _run(cut, signal.SIGINT, third)
    after_interrupt = _complete(cut)
    killed = _run(cut, signal.SIGKILL, third)
    after_kill = _complete(cut)
    code_again = _run(cut)
    pieces = time.perf_counter() - began
    began = time.perf_counter()
    _run(cut)
    nothing = time.perf_counter() - began
    found = _status(cut)
    broken = [name for name, each in found.items() if each["state"] == "failed"]
    same = sum(_facts(found[name]) == _facts(expected[name]) for name in found)
    figures: dict[str, Spread] = {
        "repositories": spread([len(found)]),
        "source, MB": spread([sum(each["bytes"] for each in found.values()) / 1e6]),
        "files": spread([sum(each["files"] for each in found.values())]),
        "at one go, s": spread([at_one_go]),
        "in three pieces, s": spread([pieces]),
        "nothing to do, s": spread([nothing]),
        "complete after SIGINT": spread([after_interrupt]),
        "complete after SIGKILL": spread([after_kill]),
    }
    checks: list[Check] = [
        at_least("complete", sum(each["state"] == "complete" for each in found.values()), len(packages) - 1),
        at_least("reported", len(broken), 1),
        at_most("reported, at most", len(broken), 1),
        at_least("as at one go: state, files, chunks", same, len(packages)),
        at_least(
            "exit codes as documented (130, -9, 8, 8)",
            int((interrupted, killed, code, code_again) == (130, -9, 8, 8)),
            1,
        ),
        at_most("in three pieces / at one go", pieces / at_one_go, 1.6),
    ]
    rows = tuple(
        (name, each["state"], each["files"], each["bytes"], each["error"][:60]) for name, each in found.items()
    )
    table = Table("Repositories", ("name", "state", "files", "bytes", "error"), rows)
    return Run("fleet", (figures_table(figures), table), tuple(checks), figures=figures)


def _laid_out(packages: list[Path], place: Path) -> Path:
    """Copy packages below a folder, every third as a repository to be fetched; return the list of them."""
    lines = []
    damaged = False
    for number, package in enumerate(packages):
        copy = place / package.name
        shutil.copytree(package, copy, symlinks=True)
        if number % 3:
            lines.append(str(copy))
            continue
        for words in (("init", "-q"), ("add", "-A", "-f"), ("commit", "-qm", "all")):
            subprocess.run(["git", "-C", copy, *_GIT, *words], check=True, stdout=subprocess.DEVNULL)
        if not damaged:
            damaged = True
            _damage(copy)
        lines.append(f"file://{copy}")
    listed = place / "fleet.txt"
    listed.write_text("\n".join(lines) + "\n")
    return listed


def _damage(repository: Path) -> None:
    """Cut the largest object of a repository short."""
    objects = [path for path in (repository / ".git" / "objects").rglob("*") if path.is_file()]
    largest = max(objects, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    os.truncate(largest, largest.stat().st_size // 2)


def _run(listed: Path, number: signal.Signals | None = None, seconds: float = 0.0) -> int:
    """Go over a fleet, with a signal after some time, and return the exit code."""
    command = [sys.executable, "-m", "treemill", "fleet", str(listed), "--no-cache", "-q"]
    with subprocess.Popen(command) as process:
        if number is not None:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
    if number is signal.SIGKILL:
        time.sleep(1)  # workers of the run end when they see that it has
    return process.returncode


def _status(listed: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "treemill", "fleet", str(listed), "--status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {each["name"]: each for each in json.loads(done.stdout)["repositories"]}


def _complete(listed: Path) -> int:
    return sum(each["state"] == "complete" for each in _status(listed).values())


def _facts(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["state"], entry["files"], entry["chunks"], entry["bytes"]


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    sys.exit(main())
