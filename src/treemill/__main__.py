"""`python -m treemill` and the `treemill` command."""

from __future__ import annotations

import gc
import os
import sys

from treemill.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    _fill_closed_streams()
    # Loading modules makes no garbage, and looking for some among them costs a question a tenth of its time: `run`
    # switches it on again when the command is loaded.
    gc.disable()
    sys.exit(run(sys.argv[1:]))


def _fill_closed_streams() -> None:
    """Open what was closed of standard input, output and error on nothing.

    Else the next files that are opened get their numbers, and what anybody says goes into them.
    """
    for name, way in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, way, encoding="utf-8"))  # noqa: SIM115 - as long as the program


if __name__ == "__main__":
    main()
