"""How fast an index follows its tree: nothing changed, one edit, a switch of branches; as whole processes, and watched.

The tree is made of small Python files from a rule, so that its size can be asked for. A switch moves known files to
other folders; its figure is a ratio to indexing as many files of that tree cold, in the same run. The delay of an edit
counts from the moment that `treemill watch` says it has noticed to the one at which it says the file is committed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.corpora import home
from benchmarks.measure import Spread, run_process, spread
from benchmarks.results import Run, Table, at_least, at_most

FOLDER_FILES = 20
FUNCTIONS = 8
EDITS = 10

# What the design promises for trees of these sizes, in seconds.
UNCHANGED_SECONDS = {20_000: 1.0, 100_000: 4.0}
EDIT_SECONDS = 0.15
SWITCH_RATIO = 20.0
COPY_RATIO = 10.0


def run(files: int, *, moved: int, rounds: int) -> Run:
    """Measure a tree of so many files, of which a switch moves some.

    Raises:
        CommandError: a command failed.
    """
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix="run-") as place:
        # Caches start empty, and what a person has in theirs is neither used nor touched.
        os.environ["XDG_CACHE_HOME"] = str(Path(place, "cache"))
        # Modules are compiled once, as in an installed package, also where the environment would not have it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(place, "bytecode"))
        root = Path(place, "tree")
        plant(root, files)
        cold = index(root)
        # Files younger than a moment are read once more: the figures are about a tree that has come to rest.
        time.sleep(2.5)
        index(root)
        unchanged = spread(index(root) for _ in range(rounds))
        edited = spread(edit(root, number) for number in range(rounds))
        switched = spread(switch(root, moved, number) for number in range(rounds))
        part = Path(place, "part")
        parts = spread(cold_part(root, part, moved) for _ in range(rounds))
        shutil.rmtree(part / ".treemill")
        index(part)
        copies = spread(copied(part, Path(place, "copy")) for _ in range(rounds))
        noticed, whole = watched(root)
    again = parts.median / copies.median
    ratio = parts.median / switched.median
    rows = (
        ("cold", f"{cold:.2f} s", ""),
        ("nothing changed", str(unchanged), "s, whole process"),
        ("one edit", str(edited), "s, whole process"),
        (f"{moved:,} known files moved", str(switched), "s, whole process"),
        (f"{moved:,} files cold", str(parts), f"s, whole process: {ratio:.1f} ×"),
        (f"a copy of these {moved:,}", str(copies), f"s, whole process: {again:.1f} ×"),
        ("watch: noticed to committed", str(noticed), "s"),
        ("watch: written to committed", str(whole), "s"),
    )
    checks = [
        at_most("watch: noticed to committed, s", noticed.median, EDIT_SECONDS),
        at_least("known files moved, times as fast as cold", ratio, SWITCH_RATIO),
        at_least("a copy of an indexed tree, times as fast as cold", again, COPY_RATIO),
    ]
    if files in UNCHANGED_SECONDS:
        checks.insert(0, at_most("nothing changed, s", unchanged.median, UNCHANGED_SECONDS[files]))
    table = Table(f"A tree of {files:,} files", ("what", "median (least–greatest)", ""), rows)
    return Run(f"incremental-{files}", (table,), tuple(checks))


def plant(root: Path, files: int) -> None:
    """Lay out a tree of files that all differ."""
    rng = random.Random(7)
    words = [f"word{number}" for number in range(5_000)]
    for number in range(files):
        path = path_of(root, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        body = [
            f"def {rng.choice(words)}_{number}_{each}(a, b):\n    return {rng.choice(words)}(a) + {rng.choice(words)}\n"
            for each in range(FUNCTIONS)
        ]
        path.write_text("".join(body))


def path_of(root: Path, number: int) -> Path:
    """Return where a file is planted."""
    folder = number // FOLDER_FILES
    return root / f"package{folder // FOLDER_FILES:03}" / f"module{folder % FOLDER_FILES:02}" / f"file{number:06}.py"


def index(root: Path, *options: str) -> float:
    """Return the wall seconds of `treemill index`."""
    return run_process([sys.executable, "-m", "treemill", "index", "--quiet", *options, root]).seconds


def edit(root: Path, number: int) -> float:
    """Edit a file and return how long it takes to index that."""
    path_of(root, 7).write_text(f"def edited_{number}(): ...\n")
    return index(root)


def switch(root: Path, moved: int, number: int) -> float:
    """Move some files to other folders (back, in every second round) and return how long it takes to index that."""
    here, there = (root, root / "other") if number % 2 == 0 else (root / "other", root)
    for each in range(100, 100 + moved):
        target = path_of(there, each)
        target.parent.mkdir(parents=True, exist_ok=True)
        path_of(here, each).rename(target)
    return index(root)


def cold_part(root: Path, part: Path, moved: int) -> float:
    """Return how long it takes to index as many files from nothing, with no cache to help."""
    shutil.rmtree(part, ignore_errors=True)
    plant(part, moved)
    return index(part, "--no-cache")


def copied(part: Path, copy: Path) -> float:
    """Return how long it takes to index a copy of a tree whose contents are in the cache, as a new worktree is."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(part, copy, ignore=shutil.ignore_patterns(".treemill"))
    return index(copy)


def watched(root: Path) -> tuple[Spread, Spread]:
    """Return how long edits take to be committed since they were noticed, and since they were written."""
    since_noticed, since_written = [], []
    with watch(root) as events:
        until(events, "watching")
        for number in range(EDITS):
            time.sleep(3.5)  # the look that follows an edit is over by then
            written = time.perf_counter()
            path_of(root, 11).write_text(f"def watched_{number}(): ...\n")
            noticed = until(events, "noticed", places=1)
            committed = until(events, "committed")
            since_noticed.append(committed - noticed)
            since_written.append(committed - written)
            until(events, "updated")
    return spread(since_noticed), spread(since_written)


@contextmanager
def watch(root: Path) -> Iterator[Iterator[dict[str, Any]]]:
    """Run `treemill watch` and give its events as they come."""
    command = [sys.executable, "-m", "treemill", "watch", "--json", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.terminate()
            process.stdout.read()


def until(events: Iterator[dict[str, Any]], name: str, **fields: object) -> float:
    """Read events up to one of a name with these fields and return when it came.

    The look at everything that follows an edit also notices something, the stamp that was too young: at no place.
    """
    for event in events:
        if event["event"] == name and fields.items() <= event.items():
            return time.perf_counter()
    raise RuntimeError(f"the watch ended without {name}")
