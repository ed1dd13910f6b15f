"""The words of `treemill fleet`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from treemill.cli.commands import EXIT_CODES, Commands, add_command

_FLEET = f"""\
FILE lists the repositories, one path or git URL a line (or as .toml or .json, with names and revisions: docs/fleet.md).
Each gets an index of its own; one that fails stops no other. Beside FILE, a folder keeps what is known of each, and the
trees that were fetched; an interrupted run goes on where it was. Exits with 8 if some repositories failed, 9 if all.

examples:
  treemill fleet team.txt                           bring all of them up to date
  treemill fleet team.txt --status                  how far each is
  treemill fleet team.txt --report fleet.html       and a page about all
  treemill search retry $(treemill fleet team.txt --roots)   ask those that are indexed
  treemill fleet team.txt --store postgresql://me@db/code --cluster 10.0.0.1:6379

{EXIT_CODES}"""

AddArguments = Callable[[argparse.ArgumentParser], None]
"""Adds what several commands understand."""


def add_fleet(commands: Commands, working: AddArguments, stored: AddArguments) -> None:
    """Add the command."""
    command = add_command(commands, "fleet", "bring the indexes of many repositories up to date", _FLEET)
    command.add_argument("file", metavar="FILE", help="the list of repositories")
    command.add_argument("--folder", metavar="FOLDER", help="where the catalogue is kept (default: FILE.fleet)")
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--status", action="store_true", help="show what is known of each, and do nothing")
    shown.add_argument("--roots", action="store_true", help="print the roots that can be asked, and do nothing")
    command.add_argument("--json", action="store_true", help="print the catalogue as JSON")
    command.add_argument("--report", metavar="FILE.html", help="write a page about the run")
    command.add_argument(
        "--publish", metavar="PLACE", help="publish each index there under its name: a folder, or s3://bucket/prefix"
    )
    working(command)
    stored(command)
