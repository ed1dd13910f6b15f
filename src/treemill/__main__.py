"""`python -m treemill` and the `treemill` command."""

from __future__ import annotations

import gc
import os
import sys

from treemill.cli import run

# What indexes starts processes and threads, which are seen off when the interpreter ends.
_WORKING = {"treemill.cli.working", "treemill.cli.behind", "treemill.cli.paging"}


def main() -> None:
    """Run the command line and exit with its code."""
    _fill_closed_streams()
    # Loading modules makes no garbage, and looking for some among them costs a question a tenth of its time: `run`
    # switches it on again when the command is loaded.
    gc.disable()
    code = run(sys.argv[1:])
    if sys.argv[1:2] == ["search"] and not _WORKING & sys.modules.keys():
        # What was opened to answer is closed. To take down all that is loaded would cost as much again as the answer.
        if sys.stderr is not None:  # as it is where it was closed before the start
            sys.stderr.flush()
        os._exit(code)
    # The interpreter's end would look twice through all that is loaded for cycles: nobody waits for what is in some.
    gc.freeze()
    sys.exit(code)


def _fill_closed_streams() -> None:
    """Open what was closed of standard input, output and error on nothing.

    Else the next files that are opened get their numbers, and what anybody says goes into them.
    """
    for name, way in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, way, encoding="utf-8"))  # noqa: SIM115 - as long as the program


if __name__ == "__main__":
    main()
