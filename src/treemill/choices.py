"""Words that settings, questions and the command line choose from. Apart, so that `--help` loads nothing else."""

from __future__ import annotations

EXECUTORS = ("process", "thread", "inline")
"""What workers are, in the order in which errors list them."""

FILE_KINDS = ("code", "docs", "config", "tests")
"""What a file is for; each file is of one kind."""
