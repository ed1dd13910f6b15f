"""Run files as benchmarks write them, for what reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.results import at_least


def write_run(
    runs: Path,
    name: str,
    figures: dict[str, float],
    *,
    bounds: dict[str, float] | None = None,
    when: str = "2026-11-25T0800Z",
    revision: str = "abc1234",
) -> None:
    """Write the run file of a benchmark; `bounds` are lower ones. A figure's spread is 10 % to each side."""
    checks = [at_least(key, figures[key], bound) for key, bound in (bounds or {}).items()]
    said: dict[str, Any] = {
        "name": name,
        "when": when,
        "revision": revision,
        "machine": {"processor": "A processor", "cores": "2", "memory": "8 GB", "python": "CPython 3.11"},
        "figures": {key: {"median": v, "low": v * 0.9, "high": v * 1.1} for key, v in figures.items()},
        "checks": [{"name": c.name, "measured": c.measured, "bound": c.bound, "holds": c.holds} for c in checks],
    }
    runs.mkdir(parents=True, exist_ok=True)
    (runs / f"{when}-{name}.json").write_text(json.dumps(said), "utf-8")


def write_all(runs: Path) -> None:
    """Write runs that every picture can be drawn of."""
    for corpus, files, theirs in (("django", 4_800, 1.1), ("languages", 31_000, 0.8)):
        write_run(
            runs,
            f"beside-{corpus}",
            {
                "cold, ours, MB/s": 9.4,
                "cold, semble, MB/s": theirs,
                "cold, times as fast as semble": 9.4 / theirs,
                "peak memory, ours, MB": 240.0,
                "peak memory, semble, MB": 90.0 + files / 20,
                "files": float(files),
            },
            bounds={"cold, times as fast as semble": 5},
        )
    write_run(runs, "limit-languages", {"cold, two workers, MB/s": 8.0, "bare parse on two cores, MB/s": 11.0})
    sizes = {1_000: 180.0, 10_000: 230.0, 100_000: 280.0}
    write_run(runs, "growth", {f"{size:,} files, peak memory, MB": value for size, value in sizes.items()})
    quality = {"NDCG@10, treemill": 0.87, "NDCG@10, windows": 0.67}
    seconds = {"CPU seconds to index all repositories, treemill": 80.0}
    seconds["CPU seconds to index all repositories, windows"] = 130.0
    write_run(runs, "quality", {**quality, **seconds}, bounds={"NDCG@10, treemill": 0.9})
