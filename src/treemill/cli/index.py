"""`treemill index`: bring the index of a folder up to date, and say what that came to."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import sys
from collections import Counter
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from treemill.cli import INTERRUPTED
from treemill.cli.given import settings_for
from treemill.cli.words import count, printable, seconds, size
from treemill.errors import UsageError
from treemill.events import ignore
from treemill.flow.freeing import give_back
from treemill.freshness import IndexOptions, Survey, Walk, begin_walk
from treemill.places import place_of, seated
from treemill.rebuilding import rebuilt, replaced
from treemill.reports import IndexReport
from treemill.starting import begin_index, note_index
from treemill.storage import IndexStore
from treemill.storage.opening import open_store, replacement

# A page about the run is loaded for those who ask for one; what indexes, while the index of a tree like it is copied.
_PAGE = "treemill.cli.report_page"
_WORKING = "treemill.cli.working"

SKIPPED_WITH_STRICT = 8
EVERY_FILE_FAILED = 9

_FOREVER_SECONDS = 1e9
_MOST_NAMED = 5
_COLLECT_AFTER = 50_000
_SWITCH_SECONDS = 0.001


def run(arguments: argparse.Namespace) -> int:
    """Index, print the report, and return the exit code."""
    # What a run holds are plain values: there are hardly any cycles to find, and each search visits all that is loaded.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    give_back()
    # While the tree is walked, whoever commits or feeds workers would wait five times as long for the interpreter.
    sys.setswitchinterval(_SWITCH_SECONDS)
    place = place_of(arguments.path)
    settings = settings_for(place, arguments)
    place = seated(place, settings.storage)
    wait = _FOREVER_SECONDS if arguments.wait else 0.0
    options = IndexOptions(retry=arguments.retry, wait_seconds=wait)
    recorder = import_module(_PAGE).Recorder() if arguments.report else ignore

    def build(store: IndexStore, survey: Survey | None = None, walk: Walk | None = None) -> IndexReport:
        bring_up_to_date = import_module(_WORKING).bring_up_to_date
        report: IndexReport = bring_up_to_date(place, store, settings, arguments, options, survey, walk, recorder)
        return report

    if arguments.rebuild and settings.storage.url:
        report = replaced(replacement(place.root, settings.storage, wait_seconds=wait), build)
    elif arguments.rebuild:
        report = rebuilt(place.folder, build, wait_seconds=wait)
    else:
        survey = begin_index(place, settings)
        with contextlib.ExitStack() as stack:
            store = open_store(place.root, place.folder, settings.storage, create=True)
            stack.enter_context(store)
            walk = None if survey is not None else stack.enter_context(begin_walk(place.root, store, settings))
            if survey is None:
                store.foresee()
            report = build(store, survey, walk)
        note_index(place, settings)
    if arguments.report:
        _write(arguments.report, import_module(_PAGE).page(report, recorder))
    if arguments.json:
        print(json.dumps(as_json(report), indent=1))
    elif not arguments.quiet:
        for line in summary(report):
            print(printable(line), file=sys.stderr)
    return exit_code(report, strict=arguments.strict)


def _write(name: str, text: str) -> None:
    """Write a page.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        Path(name).write_text(text, "utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {error.strerror}", suggestion="Name a file in a folder that exists"
        ) from error


def exit_code(report: IndexReport, *, strict: bool) -> int:
    """Return what the report means to a script."""
    stats = report.stats
    if stats.cancelled:
        return INTERRUPTED
    if stats.failed_files and not stats.files_processed and not report.coverage.searchable:
        return EVERY_FILE_FAILED
    return SKIPPED_WITH_STRICT if strict and (report.skipped or report.failures) else 0


def as_json(report: IndexReport) -> dict[str, object]:
    """Return a report as JSON-ready values."""
    return {
        "root": report.root,
        "stats": report.stats.as_dict(),
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": [{**asdict(each), "reason": str(each.reason)} for each in report.skipped],
        "coverage": asdict(report.coverage),
        "recipe": asdict(report.recipe),
        "warnings": list(report.warnings),
        "seconds": report.seconds,
    }


def summary(report: IndexReport) -> list[str]:
    """Return the report in a few lines: what happened, never more than what happened."""
    stats, coverage = report.stats, report.coverage
    did = "interrupted after" if stats.cancelled else "indexed"
    files, chunks = count(stats.files_processed, "file"), count(stats.chunks_created, "chunk")
    lines = [f"{did} {files} ({size(stats.total_size)}, {chunks}) in {seconds(report.seconds)}"]
    others = [
        (report.unchanged, "unchanged"),
        (report.removed, "removed"),
        (len(report.skipped), "skipped"),
        (stats.failed_files, "failed"),
        (stats.cancelled_files, "not begun or not finished"),
    ]
    told = ", ".join(f"{number:,} {what}" for number, what in others if number)
    if told:
        lines[0] += f"; {told}"
    lines += [f"  failed   {each.path}: {each.message}" for each in report.failures[:_MOST_NAMED]]
    reasons = Counter(str(each.reason) for each in report.skipped)
    if len(report.skipped) <= _MOST_NAMED:
        lines += [f"  skipped  {each.path}: {each.reason}: {each.detail}" for each in report.skipped]
    else:
        lines += [f"  skipped  {number:,} {reason}" for reason, number in reasons.most_common()]
    if len(report.failures) > _MOST_NAMED or len(report.skipped) > _MOST_NAMED:
        lines.append("  (`treemill why FILE` tells of each, --json of all)")
    lines += [f"  warning  {warning}" for warning in report.warnings]
    if not coverage.known:
        lines.append(f"there is nothing to index in {report.root}; `treemill why FILE` says why a file is left out")
    else:
        lines.append(f"searchable: {coverage}")
    return lines
