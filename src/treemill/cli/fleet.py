"""`treemill fleet`: bring the indexes of many repositories up to date, and show how far each is."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from treemill.cli import INTERRUPTED
from treemill.cli.fleet_page import fleet_page
from treemill.cli.given import flags_of
from treemill.cli.words import ago, count, on_one_line, printable, seconds, size
from treemill.cli.working import cancelled_by_ctrl_c
from treemill.configuration import load_settings
from treemill.errors import UsageError
from treemill.fleet.catalogue import CATALOGUE_NAME, Catalogue, Entry, State
from treemill.fleet.listing import Repository, read_listing
from treemill.fleet.running import FleetReport, run_fleet
from treemill.fleet.visiting import Visited
from treemill.objects import open_place

SOME_FAILED = 8
ALL_FAILED = 9

_MOST_NAMED = 10


def run(arguments: argparse.Namespace) -> int:
    """Do what the words ask for and return the exit code."""
    file = Path(arguments.file)
    repositories = read_listing(file)
    folder = Path(arguments.folder) if arguments.folder else file.with_name(f"{file.stem}.fleet")
    if arguments.status or arguments.roots:
        return _show(arguments, _known(repositories, folder))
    flags = flags_of(arguments)
    report = _carry_out(arguments, repositories, folder.absolute(), flags)
    if arguments.report:
        _write(arguments.report, fleet_page(str(file), report))
    if arguments.json:
        _print_json(report.entries)
    elif not arguments.quiet:
        for line in summary(report):
            print(printable(line), file=sys.stderr)
    return exit_code(report)


def _carry_out(
    arguments: argparse.Namespace, repositories: Sequence[Repository], folder: Path, flags: Mapping[str, Any]
) -> FleetReport:
    """Run, telling of each repository as it ends; the first Ctrl-C cancels, a second one forces."""
    # No tree has a say in who works and where indexes are kept.
    settings = load_settings(folder, flags=flags)

    def begun(name: str) -> None:
        if arguments.verbose:
            print(f"  begun    {on_one_line(name)}", file=sys.stderr)

    def visited(outcome: Visited, done: int, total: int) -> None:
        if not arguments.quiet and (arguments.verbose or outcome.error or not outcome.unchanged):
            print(f"[{done:>{len(str(total))}}/{total}] {on_one_line(told(outcome))}", file=sys.stderr, flush=True)

    publish = arguments.publish or ""
    on_nodes = settings.chunker.concurrency.executor == "ray" and settings.storage.url
    if on_nodes and publish and not publish.startswith("s3://"):
        raise UsageError(
            f"{publish} is a folder of this machine, and nodes of a cluster would publish to folders of theirs",
            suggestion="Publish to a bucket: --publish s3://bucket/prefix",
        )
    if publish:
        open_place(publish, create=True).ages()  # one that does not answer is told of before any work
        publish = publish if "://" in publish else str(Path(publish).absolute())
    with cancelled_by_ctrl_c() as cancel:
        return run_fleet(
            repositories,
            folder,
            settings,
            flags,
            publish=publish,
            on_begun=begun,
            on_visited=visited,
            cancel=cancel,
        )


def told(visited: Visited) -> str:
    """Return what became of a repository, in a line."""
    if visited.error:
        return f"{visited.name}: failed: {visited.error}"
    if visited.unchanged:
        return f"{visited.name}: unchanged"
    did = "interrupted" if visited.cancelled else "indexed"
    text = f"{visited.name}: {did}, {count(visited.files, 'file')}, {size(visited.bytes)} in {seconds(visited.seconds)}"
    return f"{text}; {count(visited.failed_files, 'file')} failed" if visited.failed_files else text


def summary(report: FleetReport) -> list[str]:
    """Return the run in a few lines: never more than what happened."""
    complete = [entry for entry in report.entries if entry.state is State.COMPLETE]
    failed = [entry for entry in report.entries if entry.state is State.FAILED]
    unchanged = sum(each.unchanged and not each.error for each in report.visited)
    did = "interrupted after" if report.cancelled else "visited"
    lines = [f"{did} {_repositories(len(report.visited))} in {seconds(report.seconds)}"]
    if unchanged:
        lines[0] += f"; {unchanged:,} unchanged"
    lines += [f"  failed   {entry.name}: {entry.error}" for entry in failed[:_MOST_NAMED]]
    if len(failed) > _MOST_NAMED:
        lines.append(f"  failed   {len(failed) - _MOST_NAMED:,} more: --status tells of each")
    if report.forgotten:
        lines.append(f"  {_repositories(report.forgotten)} no longer listed; indexes that are there stay")
    waiting = len(report.entries) - len(complete) - len(failed)
    held = f"{sum(e.files for e in complete):,} files, {size(sum(e.bytes for e in complete))}"
    lines.append(f"complete: {len(complete):,} of {_repositories(len(report.entries))} ({held})")
    if waiting:
        lines[-1] += f"; {waiting:,} to do: the same command goes on"
    return lines


def _repositories(number: int) -> str:
    return f"{number:,} {'repository' if number == 1 else 'repositories'}"


def exit_code(report: FleetReport) -> int:
    """Return what the run means to a script."""
    if report.cancelled:
        return INTERRUPTED
    failed = report.count(State.FAILED)
    if failed:
        return ALL_FAILED if failed == len(report.entries) else SOME_FAILED
    return 0


def _known(repositories: Sequence[Repository], folder: Path) -> list[Entry]:
    """Return what the catalogue says of the listed repositories."""
    known: Mapping[str, Entry] = {}
    if (folder / CATALOGUE_NAME).is_file():
        with Catalogue(folder) as catalogue:
            known = catalogue.entries()
    return [known.get(each.name) or Entry(each.name, each.source) for each in repositories]


def _show(arguments: argparse.Namespace, entries: Sequence[Entry]) -> int:
    if arguments.roots:
        for entry in entries:
            if entry.state is State.COMPLETE:
                print(entry.root)
    elif arguments.json:
        _print_json(entries)
    else:
        width = max(len(entry.name) for entry in entries)
        for entry in entries:
            facts = f"{entry.files:>9,} files {size(entry.bytes):>9}  {(entry.commit or '')[:10]:<10}"
            line = f"{entry.name:<{width}}  {entry.state:<11} {facts}  {ago(entry.seen_ns):<14} {entry.error}"
            print(on_one_line(line.rstrip()))
    return 0


def _print_json(entries: Sequence[Entry]) -> None:
    values = [{**asdict(entry), "state": str(entry.state)} for entry in entries]
    print(json.dumps({"repositories": values, "at": time.time()}, indent=1))


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, "utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {error.strerror}", suggestion="Name a file in a folder that exists"
        ) from error
