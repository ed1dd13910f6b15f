"""A benchmark for tests of the plan: `python -m support.steps WHAT [--rounds N]` measures nothing, at once."""

from __future__ import annotations

import sys
import time

from benchmarks.results import Run, Table, at_most, publish

if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "raise":
        raise RuntimeError("the disk is on fire")
    if what == "hang":
        time.sleep(600)
    bound = at_most("figure", 1.0, 2.0 if what == "hold" else 0.5)
    publish(Run(f"step-{what}", (Table("words", ("word",), ((" ".join(rest),),)),), (bound,)))
    sys.exit(0 if bound.holds else 1)
