"""What a hint that something changed at a path means for the index: nothing, a look there, or a look at everything.

Hints are paths relative to the root, "" for "anything may have changed".
"""

from __future__ import annotations

from collections.abc import Iterable

from treemill.belonging import NEVER_ENTERED
from treemill.ignoring import GIT_IGNORE_FILE, OWN_IGNORE_FILE

GIT_RULES = ".git/info"
"""The one folder of git's own whose files say what belongs to a tree."""

_RULES = frozenset({GIT_IGNORE_FILE, OWN_IGNORE_FILE, ".git"})

# More places than this are not looked at one by one.
_MOST_PLACES = 2_000


def telling(changes: frozenset[str]) -> frozenset[str]:
    """Return the changes that can change the index: those in folders that are never entered cannot, rules apart."""
    return frozenset(path for path in changes if path.startswith(GIT_RULES) or not _is_never_entered(path))


def _is_never_entered(path: str) -> bool:
    first, _, rest = path.partition("/")
    if first == ".treemill" or (first == ".git" and rest):
        return True
    return not NEVER_ENTERED.isdisjoint(rest.split("/")[:-1])


def concerns_all(changes: frozenset[str]) -> bool:
    """Whether the whole tree has to be looked at: too much has changed, something unknown, or a rule."""
    if "" in changes or len(changes) > _MOST_PLACES:
        return True
    return any(path.rpartition("/")[2] in _RULES or path.startswith(GIT_RULES) for path in changes)


def topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that lie below no other of them, in order."""
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not kept or not path.startswith(kept[-1] + "/"):
            kept.append(path)
    return tuple(kept)


def is_at_or_below(folder: str, places: frozenset[str]) -> bool:
    """Whether a folder (with a slash behind it) is one of the places or lies below one."""
    path = folder.rstrip("/")
    while path:
        if path in places:
            return True
        path = path.rpartition("/")[0]
    return False
