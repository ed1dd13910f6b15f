"""Which files have changed since a time or a revision: times by the stamps the index has, revisions by git."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime
from importlib import import_module

from treemill.errors import UsageError
from treemill.records import Status
from treemill.storage import IndexStore

_SPAN = re.compile(r"(\d{1,6})\s*(m|min|h|d|w)", re.IGNORECASE)
_SECONDS = {"m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST = 200

# What runs git is loaded for those who ask it.
_REVISIONS = "treemill.revisions"


def changed_files(store: IndexStore, root: str | os.PathLike[str] | None, since: str) -> frozenset[str]:
    """Return the indexed files that have changed since a time, or files that have since a revision of git.

    A time is how long ago ("45m", "3h", "2d", "1w") or a date with or without a time of day ("2026-05-01",
    "2026-05-01T12:30"; local unless it says otherwise), and is compared with the modification times of the files as
    they were indexed. Anything else is a revision, of the repository that `root` is in.

    Raises:
        UsageError: it is neither, or a revision and the root is not known.
    """
    moment = moment_of(since, time.time_ns())
    if moment is not None:
        return frozenset(
            record.path for record in store.recorded() if record.status is Status.INDEXED and record.stamp >= moment
        )
    if not since.strip() or len(since) > _LONGEST or "\0" in since or since.startswith("-"):
        raise UsageError(
            f"{since[:60]!r} is neither a time nor a revision",
            suggestion="Give a time (2d, 3h, 2026-05-01) or a revision (HEAD~3, main)",
        )
    if root is None:
        raise UsageError(
            f"{since!r} is no time, and without a folder there is no git to ask", suggestion="Give a time (2d, 3h)"
        )
    changed: frozenset[str] = import_module(_REVISIONS).changed_since_revision(root, since)
    return changed


def moment_of(text: str, now_ns: int) -> int | None:
    """Return the wall clock (ns) that a text names, None if it names none."""
    text = text.strip()
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_ns - int(span[1]) * _SECONDS[span[2].lower()] * 1_000_000_000
    if not _DATE.match(text):
        return None
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        return None
