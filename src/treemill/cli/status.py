"""`treemill status`: what is indexed, and how much of it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from treemill.cli.given import store_flags
from treemill.cli.words import ago, printable, size
from treemill.configuration import load_settings
from treemill.places import place_of, seated
from treemill.records import Coverage, RunRecord, RunState
from treemill.storage.opening import open_store


def run(arguments: argparse.Namespace) -> int:
    """Print the state of the index."""
    place = place_of(arguments.path)
    settings = load_settings(place.root, flags=store_flags(arguments)).storage
    place = seated(place, settings)
    with open_store(place.root, place.folder, settings) as store, store.snapshot() as snapshot:
        coverage, recipe, newest = snapshot.coverage(), snapshot.recipe, store.last_run()
        where, held = store.described(), store.held_bytes()
    if arguments.json:
        values = {
            "root": str(place.root),
            "index": where,
            "bytes": held,
            "coverage": {**asdict(coverage), "vectors_complete": coverage.vectors_complete},
            "recipe": asdict(recipe),
            "run": None if newest is None else {**asdict(newest), "state": str(newest.state)},
        }
        print(json.dumps(values, indent=1))
        return 0
    rows = [
        ("root", str(place.root)),
        ("index", f"{where} ({size(held)})"),
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
