"""Which files a query wants to hear of."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from treemill.records import Query
from treemill.storage import FileTable


def wanted(files: FileTable, query: Query) -> npt.NDArray[np.bool_] | None:
    """Return which files pass a query's filters (bool[files]); None where it has none."""
    if not (query.languages or query.include or query.exclude or query.under):
        return None
    passed = (passes(path, language, query) for path, language in zip(files.paths, files.languages, strict=True))
    return np.fromiter(passed, np.bool_, len(files.paths))


def passes(path: str, language: str | None, query: Query) -> bool:
    """Tell whether a file is one that the query wants to hear of."""
    if query.languages and language not in query.languages:
        return False
    if query.under and not path.startswith(query.under.rstrip("/") + "/") and path != query.under:
        return False
    if query.include and not any(matches(path, glob) for glob in query.include):
        return False
    return not any(matches(path, glob) for glob in query.exclude)


def matches(path: str, glob: str) -> bool:
    """Match as ignore files do: a glob without a slash is about the name, `*` crosses folders."""
    return _compiled(glob).match(path if "/" in glob else path.rpartition("/")[2]) is not None


@lru_cache(maxsize=100)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))
