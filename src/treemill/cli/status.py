"""`treemill status`: what is indexed, and how much of it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from treemill.cli.words import ago, printable, size
from treemill.places import place_of
from treemill.records import Coverage, RunRecord, RunState
from treemill.storage.sqlite import SqliteStore


def run(arguments: argparse.Namespace) -> int:
    """Print the state of the index."""
    place = place_of(arguments.path)
    with SqliteStore(place.folder) as store, store.snapshot() as snapshot:
        coverage, recipe, newest = snapshot.coverage(), snapshot.recipe, store.last_run()
    on_disk = _size_of(place.folder)
    if arguments.json:
        values = {
            "root": str(place.root),
            "index": str(place.folder),
            "bytes": on_disk,
            "coverage": {**asdict(coverage), "vectors_complete": coverage.vectors_complete},
            "recipe": asdict(recipe),
            "run": None if newest is None else {**asdict(newest), "state": str(newest.state)},
        }
        print(json.dumps(values, indent=1))
        return 0
    rows = [
        ("root", str(place.root)),
        ("index", f"{place.folder} ({size(on_disk)})"),
        ("searchable", f"{coverage}, {coverage.chunks:,} chunks"),
        ("left out", f"{coverage.skipped:,} skipped, {coverage.failed:,} failed"),
        *([("vectors", f"{coverage.vectors:,} of {coverage.chunks:,} chunks")] if recipe.model else []),
        ("last commit", ago(coverage.refreshed_ns)),
        ("last run", _state(coverage, newest)),
        ("built with", f"{recipe.chunker}, {recipe.words}, " + (recipe.model or "no model")),
    ]
    for name, value in rows:
        print(f"{name:<12} {printable(value)}")
    return 0


def _state(coverage: Coverage, newest: RunRecord | None) -> str:
    if coverage.writer_pid is not None:
        return f"going on in process {coverage.writer_pid}"
    if newest is None:
        return "none"
    if newest.state is RunState.COMPLETE:
        return "complete"
    return f"{newest.state}: run `treemill index` to go on"


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
