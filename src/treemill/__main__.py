"""`python -m treemill` and the `treemill` command."""

from __future__ import annotations

import gc
import sys

from treemill.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    # Loading modules makes no garbage, and looking for some among them costs a question a tenth of its time: `run`
    # switches it on again when the command is loaded.
    gc.disable()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
