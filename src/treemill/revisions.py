"""What git says has changed since a revision: the one question about a tree that needs git itself.

Git is run as the user would run it, but for what a tree's own configuration could make it start: no monitor of the
file system, no external differ, no text converters, no hooks.
"""

from __future__ import annotations

import os
import subprocess

from treemill.errors import UsageError

_QUIET = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_PATIENCE_SECONDS = 30


def changed_since_revision(root: str | os.PathLike[str], revision: str) -> frozenset[str]:
    """Return the files below a root that are not as in a revision, and those git does not track.

    Paths are POSIX and relative to the root. What git ignores is not told.

    Raises:
        UsageError: there is no git, no repository, or no such revision.
    """
    known = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if known is None:
        raise UsageError(
            f"{revision[:60]!r} is neither a time nor a revision that git knows here",
            suggestion="Give a time (2d, 3h, 2026-05-01) or a revision (HEAD~3, main)",
        )
    commit = known.decode("ascii", "replace").strip()
    differing = _git(root, "diff", "--no-ext-diff", "--no-textconv", "--relative", "--name-only", "-z", commit, "--")
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if differing is None or untracked is None:
        raise UsageError(f"git cannot say what has changed since {revision[:60]!r}", suggestion="Try: git diff --stat")
    return frozenset(os.fsdecode(path) for path in (differing + untracked).split(b"\0") if path)


def _git(root: str | os.PathLike[str], *words: str) -> bytes | None:
    """Return what git prints, or None where it fails."""
    command = ["git", "-C", os.fspath(root), *_QUIET, *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise UsageError("there is no git to ask what has changed", suggestion="Give a time instead: 2d") from error
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None
