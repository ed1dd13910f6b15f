"""What known files cost in a process that stays, as a watch, an agent's server or the library's caller is one.

A process moves files of an indexed tree and has its index follow, and indexes the same files cold, in turns; what it
takes to start is in neither.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.corpora import walk
from benchmarks.measure import Spread, run_process, spread
from treemill.library import index
from treemill.settings import Settings, StorageSettings


def staying(root: Path, part: Path, moved: int, rounds: int) -> tuple[Spread, Spread]:
    """Return the seconds of a switch that moves so many files of `root`, and of `part`, which holds them, cold.

    Raises:
        CommandError: the process failed.
    """
    command = (sys.executable, "-m", "benchmarks.staying", root, part, str(moved), str(rounds))
    switched, cold = json.loads(run_process(command, memory=False).stdout)
    return spread(switched), spread(cold)


def main(root: str, part: str, moved: str, rounds: str) -> None:
    """Print the seconds of switches and of cold runs, in turns; the first of each, which load modules, are left out."""
    tree, cold_tree = Path(root), Path(part)
    paths = some_files(tree, int(moved))
    uncached = Settings(storage=StorageSettings(cache_mb=0))
    seconds = []
    for number in range(int(rounds) + 1 + (int(rounds) + 1) % 2):  # so that the files end where they were
        move(tree, paths, there=number % 2 == 0)
        switched = timed(tree, Settings())
        shutil.rmtree(cold_tree / ".treemill", ignore_errors=True)
        seconds.append((switched, timed(cold_tree, uncached)))
    print(json.dumps(list(zip(*seconds[1:], strict=True))))


def timed(root: Path, settings: Settings) -> float:
    """Return how long the index of a folder takes to follow it."""
    began = time.perf_counter()
    index(root, settings=settings)
    return time.perf_counter() - began


def some_files(root: Path, wanted: int) -> list[Path]:
    """Return files of a tree, relative to it and folder by folder, as many as are wanted or as there are."""
    files = (path.relative_to(root) for path in sorted(walk(root)))
    return [path for path in files if path.parts[0] != ".treemill"][-wanted:]


def move(root: Path, paths: Sequence[Path], *, there: bool) -> None:
    """Move files below a root to a folder in it, or back."""
    source, target = (root, root / "other") if there else (root / "other", root)
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).rename(target / path)
    # Git leaves no folder behind that it has emptied.
    for folder in sorted({folder for path in paths for folder in path.parents[:-1]}, reverse=True):
        with suppress(OSError):
            (source / folder).rmdir()


if __name__ == "__main__":
    main(*sys.argv[1:])
