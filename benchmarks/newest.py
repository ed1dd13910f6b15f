"""Run files, read: the newest of each benchmark, and its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.results import RUNS


def newest(name: str, runs: Path = RUNS) -> dict[str, Any] | None:
    """Return what the newest run file of a benchmark says, or None where it was never run.

    Run files are named `WHEN-NAME.json`, so that the order of names is that of times.
    """
    path = newest_path(name, runs)
    return None if path is None else dict(json.loads(path.read_text("utf-8")))


def newest_path(name: str, runs: Path = RUNS) -> Path | None:
    """Return the newest run file of a benchmark."""
    found = [path for path in sorted(runs.glob(f"*Z-{name}.json")) if path.name.partition("Z-")[2] == f"{name}.json"]
    return found[-1] if found else None
