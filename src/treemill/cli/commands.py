"""What the help of every command shares: its form, and the exit codes."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where commands are added to a parser."""

EXIT_CODES = """\
exit codes:
  0 done   1 no match   2 bad use or setting   3 no index   4 index of another recipe   5 another process writes
  6 store or workers failed   7 embedding failed   8 files skipped, with --strict   9 every file failed
  130 interrupted"""


def add_command(commands: Commands, name: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
    """Add a command with its help, and return its parser."""
    return commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=epilog or EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
