"""`treemill install` and `uninstall`: make agents start Treemill's MCP server, and undo that."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from treemill.agents.installing import (
    Change,
    agents_named,
    apply_install,
    apply_uninstall,
    plan_install,
    plan_uninstall,
)
from treemill.cli.words import printable
from treemill.errors import UsageError

_DECLINED = 1


def run(arguments: argparse.Namespace) -> int:
    """Show what would be written, ask, and write it."""
    home = Path.home()
    agents = agents_named(arguments.agents, home)
    project = Path(arguments.project).resolve() if arguments.project is not None else None
    if project is not None and not project.is_dir():
        raise UsageError(f"there is no folder {project}", suggestion="Name the project's folder")
    installing = arguments.command == "install"
    changes = (plan_install if installing else plan_uninstall)(agents, home, project)
    needed = [change for change in changes if change.needed]
    for change in changes:
        print(printable(_told(change, installing)))
    if not needed:
        _forget([] if installing else changes)
        return 0
    if arguments.dry_run:
        print("nothing was written (--dry-run)")
        return 0
    if not arguments.yes and not _agreed():
        print("nothing was written")
        return _DECLINED
    for change in needed:
        (apply_install if installing else apply_uninstall)(change)
    print(_done(needed, installing))
    return 0


def _forget(changes: list[Change]) -> None:
    """Drop receipts of files in which nothing of ours is left."""
    for change in changes:
        apply_uninstall(change)


def _told(change: Change, installing: bool) -> str:
    """Return a change as a heading and a diff."""
    heading = f"{change.agent.title}: {change.path}"
    if not change.needed:
        return f"{heading}: " + ("already there" if installing else "nothing of Treemill's in it")
    if change.after is None:
        return f"{heading}: removed, it held nothing else"
    before, after = (part.decode("utf-8", "replace").splitlines() for part in (change.before or b"", change.after))
    lines = difflib.unified_diff(before, after, lineterm="", n=2)
    return "\n".join([heading, *("  " + line for line in list(lines)[2:])])


def _agreed() -> bool:
    """Ask on the terminal.

    Raises:
        UsageError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask", suggestion="Add -y to write this, or --dry-run to see it only")
    return input("write this? [y/N] ").strip().lower() in ("y", "yes")


def _done(changes: list[Change], installing: bool) -> str:
    names = ", ".join(change.agent.title for change in changes)
    return f"installed for {names}; restart them to begin" if installing else f"uninstalled from {names}"
