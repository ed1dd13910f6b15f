"""Where the processor time of a cold index goes: the command's own, by part, and that of its workers.

    python -m benchmarks.spending django         ms of processor time a MB, medians of three runs; --workers N

Two workers halve what workers do, never what the command does itself: a run scales until that takes as long as a
worker's share. Parts are timed by the clock of their thread, in a process that runs the command line as a user does.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.corpora import corpus
from benchmarks.index_run import own_copy
from benchmarks.measure import run_process, spread
from benchmarks.spending_run import LOADING, PARTS, REST, SIZE, WORKERS


def measured(name: str, workers: str) -> dict[str, float]:
    """Index a copy of a corpus cold, in a process of its own; return ms of processor time a MB by part."""
    with own_copy(corpus(name)) as root:
        command = [sys.executable, "-m", "benchmarks.spending_run", str(root), workers]
        found: dict[str, float] = json.loads(run_process(command).stdout)
        return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", default="django")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    runs = [measured(given.corpus, given.workers) for _ in range(given.rounds)]
    print(f"ms of processor time a MB, {runs[0][SIZE]:.1f} MB, {given.workers} workers, median of {given.rounds}")
    own = [LOADING, *PARTS, REST]
    for name, parts in (*((part, [part]) for part in own), ("the command itself, all", own), (WORKERS, [WORKERS])):
        print(f"{name:28}{spread(sum(run.get(part, 0.0) for part in parts) for run in runs)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
