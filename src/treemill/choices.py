"""Words that settings, questions and the command line choose from. Apart, so that `--help` loads nothing else."""

from __future__ import annotations

EXECUTORS = ("process", "thread", "inline", "ray")
"""What workers are, in the order in which errors list them."""

FILE_KINDS = ("code", "docs", "config", "tests")
"""What a file is for; each file is of one kind."""

CLUSTER_FILES = ("auto", "shared", "carried")
"""How the nodes of a cluster come by files: from a path that they see too, or from whoever hands out the work."""
