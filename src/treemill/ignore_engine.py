"""Patterns of ignore files to expressions of a linear-time engine, RE2, and what matches them.

pathspec knows all that a pattern can say, and takes longer to load than a tree of a thousand files to walk. Nearly all
that people write are names, endings and paths: those are translated here, and match what pathspec says they match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import re2

# What translates all patterns is loaded with the first one that is not plain.
_TRANSLATION = "treemill.ignore_patterns"

# Names and paths, with `*` and `?` in them; not `**`, and nothing that needs a backslash or brackets.
_PLAIN = re.compile(rb"(!?)(/?)((?:(?!\*\*)[\w.~+*?-])+(?:/(?:(?!\*\*)[\w.~+*?-])+)*)(/?)")
_WILD = {b"*": b"[^/]*", b"?": b"[^/]"}


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

    There is no expression for what says nothing, or is no pattern.
    """
    said = line.rstrip()
    if not said or said.startswith(b"#"):
        return None, False
    plain = _PLAIN.fullmatch(said)
    if plain is None or said in (b"*/", b"!*/"):
        told: tuple[bytes | None, bool] = import_module(_TRANSLATION).translated(line)
        return told
    says_not, anchor, path, slash = plain.groups()
    if path == b"*" and not anchor:
        return b".", not says_not
    start = b"^" if anchor or b"/" in path else b"^(?:.+/)?"
    names = b"/".join(map(_expression, path.split(b"/")))
    return start + names + (b"/$" if slash else b"/?$"), not says_not


def _expression(name: bytes) -> bytes:
    """Return what matches a name in a pattern: a star alone stands for at least a character."""
    if name == b"*":
        return b"[^/]+"
    return b"".join(_WILD.get(each) or re.escape(each) for each in re.findall(rb"[*?]|[^*?]+", name))
