"""Which files a query wants to hear of."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from treemill.choices import FILE_KINDS
from treemill.errors import UsageError
from treemill.ranking.paths import file_kind
from treemill.records import Query
from treemill.storage import FileTable

# More or longer globs than these come from a mistake, and would be tried on every path.
_MOST_GLOBS = 100
_LONGEST_GLOB = 1_000


def check(query: Query) -> None:
    """Refuse what nobody means.

    Raises:
        UsageError: a limit is too small, a kind of file is none, or there are too many globs or too long ones.
    """
    least = {"limit": 0, "offset": 0, "per_file": 1, "context": 0}
    bounds = {**least, "max_tokens": 1} if query.max_tokens is not None else least
    for name, bound in bounds.items():
        if getattr(query, name) < bound:
            raise UsageError(f"{name} is {getattr(query, name)}", suggestion=f"Give a number that is at least {bound}")
    unknown = sorted(set(query.kinds) - set(FILE_KINDS))
    if unknown:
        raise UsageError(
            f"there is no kind of file called {unknown[0][:60]!r}", suggestion=f"Give any of {', '.join(FILE_KINDS)}"
        )
    globs = (*query.include, *query.exclude)
    if len(globs) > _MOST_GLOBS or any(len(glob) > _LONGEST_GLOB for glob in globs):
        raise UsageError(
            "there are too many globs, or one is too long",
            suggestion=f"Give at most {_MOST_GLOBS} of at most {_LONGEST_GLOB:,} characters",
        )


def wanted(files: FileTable, query: Query) -> npt.NDArray[np.bool_] | None:
    """Return which files pass a query's filters (bool[files]); None where it has none."""
    if query.files is None and not any(
        (query.languages, query.kinds, query.include, query.exclude, query.under.rstrip("/"))
    ):
        return None
    passed = (passes(path, language, query) for path, language in zip(files.paths, files.languages, strict=True))
    return np.fromiter(passed, np.bool_, len(files.paths))


def passes(path: str, language: str | None, query: Query) -> bool:
    """Tell whether a file is one that the query wants to hear of."""
    if query.files is not None and path not in query.files:
        return False
    if query.languages and language not in query.languages:
        return False
    if query.kinds and file_kind(path, language) not in query.kinds:
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
