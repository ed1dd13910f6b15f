"""The command line: words → a verb → text for people or programs.

Data goes to standard output, everything else to standard error. Each command is a module that is loaded when it is
asked for, so that `--help` and `--version` start at once.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from treemill.cli.arguments import parse
from treemill.cli.words import printable
from treemill.errors import StorageError, TreemillError, UsageError

COMMANDS = {
    "chunk": "treemill.cli.chunk",
    "clear": "treemill.cli.clear",
    "config": "treemill.cli.config",
    "doctor": "treemill.cli.doctor",
    "completion": "treemill.cli.completion",
    "export": "treemill.cli.transfer",
    "import": "treemill.cli.transfer",
    "fleet": "treemill.cli.fleet",
    "find-related": "treemill.cli.related",
    "index": "treemill.cli.index",
    "install": "treemill.cli.install",
    "mcp": "treemill.cli.mcp",
    "search": "treemill.cli.search",
    "serve": "treemill.cli.serve",
    "status": "treemill.cli.status",
    "uninstall": "treemill.cli.install",
    "watch": "treemill.cli.watch",
    "why": "treemill.cli.why",
}
"""Each command and the module whose `run(arguments) -> exit code` does it."""

INTERRUPTED = 130

_WARMING = "treemill.cli.warming"

_NOT_WRITTEN = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


def run(words: Sequence[str]) -> int:
    """Do what the words ask for and return the exit code."""
    arguments = parse(words)
    # The command line computes in workers; a pool of threads for matrices in this process only costs start-up time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    warms = arguments.command == "index" and arguments.executor in (None, "process") and arguments.cluster is None
    if warms:
        # This program has one processor for itself while it loads, or neither it nor a worker is ready early.
        import_module(_WARMING).warm_workers(arguments, left=1)
    try:
        command = import_module(COMMANDS[arguments.command])
        if warms:
            import_module(_WARMING).warm_workers(arguments)
        _collect_from_now_on()
        code: int = command.run(arguments)
        sys.stdout.flush()
        return code
    except TreemillError as error:
        print(f"treemill: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has enough.
        _write_no_more()
        return 0
    except FileNotFoundError:
        if not _folder_is_gone():
            raise
        print("treemill: the current folder has been removed. Change to one that is there", file=sys.stderr)
        return UsageError.exit_code
    except OSError as error:
        # What is opened by name says which it is, and what an index cannot be told is explained by the store.
        if error.errno not in _NOT_WRITTEN or error.filename is not None:
            raise
        _write_no_more()
        told = f"the output cannot be written: {error.strerror}. Free some space there, or send it elsewhere"
        print(f"treemill: {told}", file=sys.stderr)
        return StorageError.exit_code
    except KeyboardInterrupt:
        print("treemill: interrupted", file=sys.stderr)
        return INTERRUPTED


def _write_no_more() -> None:
    """Keep the interpreter from failing when it flushes the rest."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _folder_is_gone() -> bool:
    """Whether the folder that this process was started in, or has changed to, is not there any more."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _collect_from_now_on() -> None:
    """Have garbage collected again where `main` switched that off; what is loaded stays, and is not looked at again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
