"""Promises in seconds, held on machines that are busy with something else."""

from __future__ import annotations

import time
from collections.abc import Callable

from treemill.plan import FINE_TRUST_NS


def soonest(attempt: Callable[[], float], within: float, *, attempts: int = 5) -> float:
    """Make attempts until one takes less than `within` seconds; return what the best one took.

    What waits for something that hangs waits each time; what other processes held up is not held up each time. So a
    promise is asked for in full, and a busy machine breaks no test.
    """
    best = attempt()
    for _ in range(attempts - 1):
        if best < within:
            break
        best = min(best, attempt())
    return best


def rest() -> None:
    """Wait until the times of files that were written before are trusted: younger files are read again."""
    time.sleep(1.5 * FINE_TRUST_NS / 1e9)
