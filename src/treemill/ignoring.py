"""Ignore rules: which file says that a path is left out, or brought back.

    .treemillignore (nearest first)  >  .gitignore (nearest first)  >  .git/info/exclude  >  the global excludes of git

Each ignore file becomes one `Rules`: its patterns, translated by pathspec, matched by RE2, so that a pattern from a
hostile tree takes time linear in the path. A pattern is asked about an entry itself, never about what lies below
it: whoever walks the tree does not enter a folder that is left out, and that is all the inheritance there is.

Ignore files are read as git reads them: bytes, regular files only and never through a link. A tree can thus not
make its reader wait on a FIFO or swallow an endless device.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import re2
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

OWN_IGNORE_FILE = ".treemillignore"
GIT_IGNORE_FILE = ".gitignore"

# A rule file of a person is a few kilobytes; what is longer was made by a program, or to harm.
MAX_IGNORE_FILE_BYTES = 1_000_000
MAX_PATTERNS = 10_000

# RE2 compiles about this many patterns into one automaton within its default memory.
_PATTERNS_A_SET = 500

_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rule that decides says: the entry is `ignored`, or brought back; and where that rule stands."""

    ignored: bool
    origin: str
    line: int
    pattern: str

    def __str__(self) -> str:
        return f"{self.origin} line {self.line}: {self.pattern}"


class Rules:
    """The patterns of one ignore file.

    `origin` names the file for people. Patterns are relative to the folder the file stands in: `skip` is the length
    of that folder's path below the root, its slash included; for a folder above the root, `above` is the way from it
    to the root instead.
    """

    __slots__ = ("_above", "_ignores", "_lines", "_sets", "_skip", "_texts", "origin")

    def __init__(self, lines: Iterable[bytes], origin: str, *, skip: int = 0, above: bytes = b"") -> None:
        self.origin = origin
        self._skip = skip
        self._above = above
        self._sets: list[re2.Set] = []
        self._ignores: list[bool] = []
        self._lines: list[int] = []
        self._texts: list[bytes] = []
        self._compile(lines)

    def __bool__(self) -> bool:
        return bool(self._ignores)

    def ask(self, path: bytes) -> int | None:
        """Return the number of the last pattern that matches a path, or None.

        `path` is relative to the root, with a slash at the end for a folder.
        """
        subject = self._above + path[self._skip :] if self._above else path[self._skip :]
        for number in range(len(self._sets) - 1, -1, -1):
            hits = self._sets[number].Match(subject)
            if hits:
                return number * _PATTERNS_A_SET + int(max(hits))
        return None

    def verdict(self, number: int) -> Verdict:
        """Describe what that pattern says."""
        text = self._texts[number].decode("utf-8", "replace")
        return Verdict(self._ignores[number], self.origin, self._lines[number], text)

    def _compile(self, lines: Iterable[bytes]) -> None:
        for number, line in enumerate(lines, 1):
            regex, ignores = _regex(line.removesuffix(b"\r"))
            if regex is None or len(self._ignores) >= MAX_PATTERNS:
                continue
            if len(self._ignores) % _PATTERNS_A_SET == 0:
                self._sets.append(re2.Set.SearchSet(_options()))
            try:
                self._sets[-1].Add(regex)
            except re2.error:  # a pattern that is none disables itself, as it does for git
                if len(self._ignores) % _PATTERNS_A_SET == 0:
                    self._sets.pop()
                continue
            self._ignores.append(ignores)
            self._lines.append(number)
            self._texts.append(line.strip())
        for each in self._sets:
            each.Compile()


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


def _regex(line: bytes) -> tuple[bytes | None, bool]:
    """Translate a line into an expression that matches the entry itself, and whether it leaves out.

    pathspec's expressions also match everything below a folder; closing them at the end leaves the folder alone.
    The expression that matches all, and the one that ends in a bare slash ("everything below x"), stay open.
    """
    try:
        regex, ignores = GitIgnoreSpecPattern.pattern_to_regex(line)
    except GitIgnorePatternError:
        return None, False
    if regex is None or ignores is None:
        return None, False
    if regex == b".":
        return regex, ignores
    return (regex + b"." if regex.endswith(b"/") else regex + b"$"), ignores


def read_rules(path: str, origin: str, *, skip: int = 0, above: bytes = b"", follow: bool = False) -> Rules | None:
    """Read one ignore file; None where there is none, or none that says anything.

    What is no regular file, cannot be read, or is longer than MAX_IGNORE_FILE_BYTES counts as absent.
    """
    data = read_small_file(path, follow=follow)
    if not data:
        return None
    return Rules(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), origin, skip=skip, above=above) or None


def read_small_file(path: str, *, follow: bool = False) -> bytes | None:
    """Return the bytes of a small regular file without ever waiting for it, or None.

    A link is followed only on request: for files of the user, not of the tree.
    """
    flags = _OPEN_FLAGS & ~getattr(os, "O_NOFOLLOW", 0) if follow else _OPEN_FLAGS
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return None
    try:
        entry = os.fstat(descriptor)
        if not stat.S_ISREG(entry.st_mode) or entry.st_size > MAX_IGNORE_FILE_BYTES:
            return None
        return os.read(descriptor, MAX_IGNORE_FILE_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
