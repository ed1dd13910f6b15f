"""One page about a fleet: `treemill fleet FILE --report FILE.html`. In the form of the page about a run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from treemill.cli.page_parts import bars, framed, section, table, tiles
from treemill.cli.words import count, seconds, size
from treemill.fleet.catalogue import Entry, State
from treemill.fleet.running import FleetReport

_MOST_BARS = 30
_MOST_ROWS = 5000


def fleet_page(name: str, report: FleetReport) -> str:
    """Return the page about a run over the fleet that a file lists, complete."""
    failed = [entry for entry in report.entries if entry.state is State.FAILED]
    files = [(each.name, path, message) for each in report.visited for path, message in each.failures]
    slowest = sorted(report.visited, key=lambda each: -each.seconds)[:_MOST_BARS]
    sections = [
        _tiles(report),
        section("Failed repositories", table(("repository", "source", "error"), _reasons(failed), _MOST_ROWS)),
        section("Where the time went", bars([(e.name, e.seconds, seconds(e.seconds)) for e in slowest if e.seconds])),
        section("Repositories", _all(report.entries)),
        section("Files that failed", table(("repository", "file", "message"), files, _MOST_ROWS)),
    ]
    return framed(name, _verdict(report), time.time(), sections)


def _verdict(report: FleetReport) -> str:
    complete, failed = report.count(State.COMPLETE), report.count(State.FAILED)
    did = "Interrupted after" if report.cancelled else "Visited"
    text = f"{did} {len(report.visited):,} of {len(report.entries):,} repositories in {seconds(report.seconds)}"
    return f"{text}. Complete: {complete:,}" + (f"; failed: {failed:,}." if failed else ".")


def _tiles(report: FleetReport) -> str:
    entries = report.entries
    failed = report.count(State.FAILED)
    waiting = len(entries) - failed - report.count(State.COMPLETE)
    return tiles(
        [
            (f"{report.count(State.COMPLETE):,}", "repositories complete", ""),
            (f"{failed:,}", "failed", "bad" if failed else ""),
            (f"{waiting:,}", "to do", "bad" if waiting else ""),
            (f"{sum(entry.files for entry in entries):,}", "files searchable", ""),
            (f"{sum(entry.chunks for entry in entries):,}", "chunks", ""),
            (size(sum(entry.bytes for entry in entries)), "of source", ""),
            (f"{sum(each.unchanged for each in report.visited):,}", "unchanged", ""),
        ]
    )


def _reasons(entries: Sequence[Entry]) -> list[tuple[str, str, str]]:
    return [(entry.name, entry.source, entry.error) for entry in entries]


def _all(entries: Sequence[Entry]) -> str:
    rows = [
        (
            entry.name,
            str(entry.state),
            count(entry.files, "file"),
            f"{entry.chunks:,}",
            size(entry.bytes),
            (entry.commit or "")[:10],
            entry.place,
        )
        for entry in sorted(entries, key=lambda entry: (-entry.bytes, entry.name))
    ]
    return table(("repository", "state", "files", "chunks", "size", "commit", "index"), rows, _MOST_ROWS)
