"""Having workers start while the rest of the program loads, where it is plain that they will be needed."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path

from treemill.siblings import indexes_alike

# What starts workers is loaded where some are started.
_LAUNCHING = "treemill.flow.launching"

# What a worker imports before it is told its work: most of its start-up time.
_WORK = "treemill.preparing"


def warm_workers(arguments: argparse.Namespace, *, left: int = 0) -> None:
    """Start workers for a first run over a folder, those that are missing; one with an index in it may need none.

    So many processors are `left` to others, if there is another one.
    """
    folder = Path(arguments.path)
    if not folder.is_dir() or (folder / ".treemill").exists() or not _has_files(folder):
        return
    if not arguments.no_cache and indexes_alike(folder.resolve()):
        return  # a tree like it has been indexed: few workers are needed, or none
    wanted = 4 if arguments.workers is None else arguments.workers
    try:
        import_module(_LAUNCHING).warm(min(wanted, max(1, (os.cpu_count() or 1) - left)), _WORK)
    except OSError:
        return  # the crew will say so, if it still cannot start one


def _has_files(folder: Path) -> bool:
    """Whether there is anything in a folder that can be read."""
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False
