"""`python -m treemill` and the `treemill` command."""

from __future__ import annotations

import gc
import os
import sys
import threading

from treemill.cli import run

# Commands that leave nothing behind but answers, and files that are closed.
_LEAVE_NOTHING = (["index"], ["search"])

# What starts processes or connects to some, which are seen off when the interpreter ends.
_STARTS_PROCESSES = {"treemill.flow.launching", "treemill.cli.behind", "treemill.cli.paging", "ray"}


def main() -> None:
    """Run the command line and exit with its code."""
    _fill_closed_streams()
    # Loading modules makes no garbage, and looking for some among them costs a question a tenth of its time: `run`
    # switches it on again when the command is loaded.
    gc.disable()
    code = run(sys.argv[1:])
    if sys.argv[1:2] in _LEAVE_NOTHING and _is_all_written():
        # What was opened is closed. To take down all that is loaded would cost as much again as an answer.
        os._exit(code)
    # The interpreter's end would look twice through all that is loaded for cycles: nobody waits for what is in some.
    gc.freeze()
    sys.exit(code)


def _is_all_written() -> bool:
    """Write what is still to be written, and tell whether nobody is there that would have to be waited for."""
    waited_for = [thread for thread in threading.enumerate() if not thread.daemon]
    if len(waited_for) > 1 or _STARTS_PROCESSES & sys.modules.keys():
        return False
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as it is where it was closed before the start
                stream.flush()
    except (OSError, ValueError):  # said by the interpreter's end
        return False
    return True


def _fill_closed_streams() -> None:
    """Open what was closed of standard input, output and error on nothing.

    Else the next files that are opened get their numbers, and what anybody says goes into them.
    """
    for name, way in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, way, encoding="utf-8"))  # noqa: SIM115 - as long as the program


if __name__ == "__main__":
    main()
