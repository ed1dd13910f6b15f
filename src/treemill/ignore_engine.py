"""Patterns of ignore files to expressions of a linear-time engine: pathspec translates, RE2 matches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern


def new_set() -> Any:
    """Return an empty set of expressions that are matched as one."""
    return re2.Set.SearchSet(_options())


def added(patterns: Any, regex: bytes) -> bool:
    """Add an expression to a set; False where it is none, which disables a pattern as it does for git."""
    try:
        patterns.Add(regex)
    except re2.error:
        return False
    return True


def compiled(patterns: Any, regexes: Sequence[bytes]) -> Any:
    """Compile a set of these expressions and return what matches: its `Match` returns the numbers of those that do."""
    try:
        patterns.Compile()
    except re2.error:  # together they are too large: each for itself, and the one that still is matches nothing
        return _OneByOne(regexes)
    return patterns


class _OneByOne:
    """Patterns that are too large for one automaton together, matched one after the other."""

    def __init__(self, regexes: Sequence[bytes]) -> None:
        self._compiled = [_alone(regex) for regex in regexes]

    def Match(self, subject: bytes) -> list[int]:
        """Return the numbers of the patterns that match."""
        return [number for number, each in enumerate(self._compiled) if each is not None and each.search(subject)]


def _alone(regex: bytes) -> Any:
    try:
        return re2.compile(regex, _options())
    except re2.error:
        return None


@lru_cache(1)
def _options() -> re2.Options:
    options = re2.Options()
    # Names are bytes to git, and need not be UTF-8; a line feed is a character of a name like others.
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = 64 << 20
    return options


def translated(line: bytes) -> tuple[bytes | None, bool]:
    """Translate a line into an expression that matches the entry itself, and whether it leaves out.

    pathspec's expressions also match everything below a folder; closing them at the end leaves the folder alone.
    The expression that matches all, and the one that ends in a bare slash ("everything below x"), stay open.
    """
    if line.rstrip().endswith(b"/**/"):  # the folders below; pathspec takes it for the folder itself
        line = line.rstrip() + b"*/"
    try:
        regex, ignores = GitIgnoreSpecPattern.pattern_to_regex(line)
    except GitIgnorePatternError:
        return None, False
    if regex is None or ignores is None:
        return None, False
    if regex == b".":
        return regex, ignores
    return (regex + b"." if regex.endswith(b"/") else regex + b"$"), ignores
