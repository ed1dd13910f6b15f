"""What a syntax tree may take of the memory that one file is allowed, and whether it does.

A text is refused whose tree would be over it by what trees of code take; most trees that take more are found while
they grow, by what this process grew by. What is measured says nothing where several threads parse at once, so it
counts in the main thread alone: that of a worker process, and of most programs that chunk inline.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from treemill.errors import MemoryLimitExceededError
from treemill.flow.resident import resident_bytes

# What a tree of ordinary code takes, about; measured by growth of the process.
_TREE_BYTES_PER_BYTE = 40

# What trees of anything take at the most, with those that a parser follows at the same time.
_MOST_BYTES_PER_BYTE = 400

# Listing the children of a node takes this much for each.
_NODE_BYTES = 100

# The tree's share of what the file is allowed. The rest is for the text, for what stays in the process of a tree
# that was given up, and for cutting by something else: over the whole, a worker is killed.
_SHARE = 0.8

# Reading the size of the process takes as long as a hundred steps of the parser.
_ASK_EVERY = 64


class MemoryLimits(NamedTuple):
    """What the tree of a text may take, in bytes: its share of what the file is allowed, and what it would take if it
    were one of code. `near` tells whether trees of anything might be over the share."""

    share: float
    estimate: int
    near: bool


def memory_limits(size: int, limit_mb: float) -> MemoryLimits:
    """Return what the tree of a text of `size` bytes may take, where the file is allowed `limit_mb`.

    Raises:
        MemoryLimitExceededError: the tree would be over the limit, by what trees of code take.
    """
    share, estimate = limit_mb * 1e6 * _SHARE, size * _TREE_BYTES_PER_BYTE
    if estimate > limit_mb * 1e6:
        raise tree_too_large(limit_mb, estimate)
    return MemoryLimits(share, estimate, size * _MOST_BYTES_PER_BYTE > share)


def tree_too_large(limit_mb: float, actual: float = 0.0) -> MemoryLimitExceededError:
    """Return the error for a tree that takes so many bytes; without them, for one that had to be given up."""
    actual = actual or limit_mb * 1e6 + 1
    return MemoryLimitExceededError(
        f"the syntax tree would take about {actual / 1e6:,.0f} MB, more than {limit_mb:g}",
        limit=limit_mb,
        actual=actual / 1e6,
        unit="MB",
        suggestion="Raise max_memory_mb_per_operation, or leave the file out",
    )


class TreeMemory:
    """Watches one parse of a text of `size` bytes against `limit_mb`, from its beginning to the walk over the tree."""

    __slots__ = ("_before", "_calls", "_estimate", "_limit", "_limit_mb", "full", "watched")

    def __init__(self, size: int, limit_mb: float) -> None:
        """Begin to watch.

        Raises:
            MemoryLimitExceededError: the tree would be over the limit, by what trees of code take.
        """
        limits = memory_limits(size, limit_mb)
        self._limit_mb, self._limit, self._estimate = limit_mb, limits.share, limits.estimate
        self.full = False
        self._calls = 0
        main = threading.current_thread() is threading.main_thread()
        self._before = resident_bytes() if main and limits.near else 0
        self.watched = self._before > 0

    def outgrown(self) -> bool:
        """Tell whether the tree is over its share by now; called very often, it looks from time to time."""
        self._calls += 1
        self.full = self._calls % _ASK_EVERY == 0 and self._measured() > self._limit
        return self.full

    def check_list(self, count: int) -> None:
        """Refuse to list so many children of a node where there is no memory left for them.

        Raises:
            MemoryLimitExceededError: the tree and the list are over the limit together.
        """
        needed = count * _NODE_BYTES + (self._measured() if self.watched else self._estimate)
        if needed > self._limit_mb * 1e6:
            raise self.error(needed)

    def error(self, actual: float = 0.0) -> MemoryLimitExceededError:
        """Return the error for a tree that takes so many bytes; without them, for one that had to be given up."""
        return tree_too_large(self._limit_mb, actual)

    def _measured(self) -> int:
        return resident_bytes() - self._before
