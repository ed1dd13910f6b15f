"""What a question looks like: a path, a regular expression, a message that some program printed, a description.

Each is told by its form alone. Whether the index has such a path, or a line that matches, is for search to see: where
there is none, the same text is taken for words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from treemill.languages import language_of_name

# `File "app/models.py", line 12`, `app/models.py:12:5`, `app/models.py#L12`, `app/models.py(12)`.
_TRACEBACK = re.compile(r"""File ["']([^"']+)["'], line (\d+)""")
_PATH = re.compile(r"""["'`(<]?([^\s"'`<>|*?:]+?)(?:(?::|#L|\()(\d{1,7})(?::\d+)?\)?)?["'`)>]?[:,.]?""")
_WORDY = re.compile(r"\w")
_LONGEST_PATH = 1_000

# What hardly stands in words and names, and often in patterns.
_PATTERN = re.compile(
    r"\\[wdsbWDSB]|\\[.()\[\]{}|*+?$^]|\.[*+]|[\])]\s?[*+?{]|\[\^|\[[a-zA-Z0-9]-|\(\?|\w\|\w|^\^|\w\$$"
)

# A message is a clause; a question asks, and a list of topics has no verb. One of these words makes a clause of it.
_CLAUSE = re.compile(
    r"\b(not|cannot|can't|couldn't|doesn't|isn't|must|should|may|invalid|expected|failed|unable|missing|already|"
    r"unexpected|denied|illegal|undefined|unsupported|unknown|is|are|be|was|were|been|has|have|no|found|exceeded)\b",
    re.IGNORECASE,
)
_ASKING = re.compile(r"\s*(how|what|where|which|when|why|who)\b", re.IGNORECASE)
# A sentence has articles; names of topics ("session middleware and cookies") and errors have hardly any.
_ARTICLE = re.compile(r"\b(the|an?)\b", re.IGNORECASE)
_QUOTES = re.compile(r"\"[^\"]+\s[^\"]+\"|'[^']+\s[^']+'|`[^`]+\s[^`]+`")
_MARKS = re.compile(r"\w: |%[sdr]\b|\{\w*\}|[.!]$|^(Use|Cannot|Failed)\b")
_FEWEST_WORDS = 3

# A sentence that begins like one.
_BEGINS = re.compile(r"[A-Z][a-z]*\s+[a-z]+\s+[a-z]+\s+\w+\s")

_WORD = re.compile(r"[^\W_]+")
_VALUE = re.compile(r"\d+").fullmatch


class AskedPath(NamedTuple):
    """A path that is asked for: its parts in lower case, and the line behind it, or None."""

    parts: tuple[str, ...]
    line: int | None


def path_asked(text: str) -> AskedPath | None:
    """Return the path that a text is, or a line of a traceback names; None if it looks like none."""
    if len(text) > _LONGEST_PATH:
        return None
    named = _TRACEBACK.search(text)
    found = named or _PATH.fullmatch(text.strip())
    if found is None:
        return None
    path = found[1].replace("\\", "/")
    parts = tuple(part for part in path.lower().split("/") if part not in ("", ".", ".."))
    if not parts or not _WORDY.search(parts[-1]):
        return None
    if named is None and not ("/" in path or "." in path.strip(".") or language_of_name(path)):
        return None
    return AskedPath(parts, int(found[2]) if found[2] else None)


def path_fit(path: str, asked: AskedPath) -> float:
    """Return how well a path is the one that is asked for, 0 to 1: how much of it, from its end, is the same.

    A name without its suffix counts less, and so do the files in a folder that is asked for.
    """
    parts = path.lower().split("/")
    wanted = asked.parts
    same = 0
    for mine, theirs in zip(reversed(parts), reversed(wanted), strict=False):
        if mine != theirs and not (same == 0 and "." not in theirs and mine.split(".")[0] == theirs):
            break
        same += 1
    if same:
        return same / len(wanted) * (1.0 if parts[-1] == wanted[-1] else 0.8)
    inside = any(tuple(parts[start : start + len(wanted)]) == wanted for start in range(len(parts) - len(wanted)))
    return 0.4 if inside else 0.0


def looks_like_pattern(text: str) -> bool:
    """Tell whether a text looks like a regular expression rather than like words or names."""
    return _PATTERN.search(text) is not None


def looks_like_message(text: str) -> bool:
    """Tell whether a text looks like something that a program printed, so that its words stand together in the code."""
    if _ASKING.match(text) or len(_WORD.findall(text)) < _FEWEST_WORDS:
        return False
    return _BEGINS.match(text) is not None or any(form.search(text) for form in (_QUOTES, _MARKS, _CLAUSE))


def describes(text: str) -> bool:
    """Tell whether a text says in a sentence what something does, as documentation of a function does.

    "Returns the pool of a worker" does; "worker pools" names a topic, which files are about.
    """
    return _ASKING.match(text) is None and _ARTICLE.search(text) is not None


def pairs_of(text: str, most: int) -> Sequence[str]:
    """Return the neighbouring words of a message, each pair in lower case with what stands between them.

    Numbers are values: the source has placeholders for them.
    """
    lowered = text.lower()
    pairs = pairwise(_WORD.finditer(lowered))
    told = (
        lowered[first.start() : second.end()] for first, second in pairs if not (_VALUE(first[0]) or _VALUE(second[0]))
    )
    return tuple(dict.fromkeys(islice(told, most)))
