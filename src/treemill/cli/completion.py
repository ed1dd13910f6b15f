"""`treemill completion`: what a shell needs to complete commands, flags and folders."""

from __future__ import annotations

import argparse

import shtab

from treemill.cli.arguments import command_line


def run(arguments: argparse.Namespace) -> int:
    """Print the script for a shell."""
    print(shtab.complete(command_line(), shell=arguments.shell))
    return 0
