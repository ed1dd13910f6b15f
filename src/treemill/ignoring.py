"""Ignore rules: which file says that a path is left out, or brought back.

    .treemillignore (nearest first)  >  .gitignore (nearest first)  >  .git/info/exclude  >  the global excludes of git

Each ignore file becomes one `Rules`: its patterns, translated by pathspec, matched by RE2, so that a pattern from a
hostile tree takes time linear in the path. A pattern is asked about an entry itself, never about what lies below
it: whoever walks the tree does not enter a folder that is left out, and that is all the inheritance there is.

Ignore files are read as git reads them: bytes, regular files only and never through a link. A tree can thus not
make its reader wait on a FIFO or swallow an endless device.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from importlib import import_module
from typing import Any, NamedTuple

from treemill import git
from treemill.errors import SettingsError
from treemill.ignore_hints import Hints, hints_of
from treemill.small_files import read_small_file

OWN_IGNORE_FILE = ".treemillignore"
GIT_IGNORE_FILE = ".gitignore"

# Rules by the ten thousand were made by a program, or to harm.
MAX_PATTERNS = 10_000

MAX_PATTERN_BYTES = 4_096
"""No path is longer on any platform; a longer pattern counts as none."""

# What translates and matches patterns is loaded with the first one: most questions read none.
_ENGINE = "treemill.ignore_engine"

# RE2 compiles about this many patterns into one automaton within its default memory.
_PATTERNS_A_SET = 500


class Verdict(NamedTuple):
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

    __slots__ = ("_above", "_hints", "_ignores", "_lines", "_sets", "_skip", "_texts", "origin")

    def __init__(self, lines: Iterable[bytes], origin: str, *, skip: int = 0, above: bytes = b"") -> None:
        self.origin = origin
        self._skip = skip
        self._above = above
        self._sets: list[Any] = []
        self._ignores: list[bool] = []
        self._lines: list[int] = []
        self._texts: list[bytes] = []
        self._hints: tuple[Hints | None] | None = None
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

    def hints(self) -> Hints | None:
        """Return what names look like that a pattern can match; None where any may be matched."""
        if self._hints is None:
            self._hints = (hints_of(self._texts),)
        return self._hints[0]

    def verdict(self, number: int) -> Verdict:
        """Describe what that pattern says."""
        text = self._texts[number].strip().decode("utf-8", "replace")
        return Verdict(self._ignores[number], self.origin, self._lines[number], text)

    def _compile(self, lines: Iterable[bytes]) -> None:
        engine = import_module(_ENGINE)
        regexes: list[bytes] = []
        for number, line in enumerate(lines, 1):
            if len(self._ignores) >= MAX_PATTERNS:
                break
            regex, ignores = (
                engine.translated(line.removesuffix(b"\r")) if len(line) <= MAX_PATTERN_BYTES else (None, False)
            )
            if regex is None:
                continue
            if len(self._ignores) % _PATTERNS_A_SET == 0:
                self._sets.append(engine.new_set())
            if not engine.added(self._sets[-1], regex):
                if len(self._ignores) % _PATTERNS_A_SET == 0:
                    self._sets.pop()
                continue
            self._ignores.append(ignores)
            self._lines.append(number)
            self._texts.append(line)
            regexes.append(regex)
        for number, each in enumerate(self._sets):
            start = number * _PATTERNS_A_SET
            self._sets[number] = engine.compiled(each, regexes[start : start + _PATTERNS_A_SET])


def rules_in(path: str, origin: str, *, skip: int = 0, above: bytes = b"", follow: bool = False) -> tuple[Rules, ...]:
    """Read one ignore file; nothing where there is none, or none that says anything.

    What is no small regular file, or cannot be read, counts as absent.
    """
    data = read_small_file(path, follow=follow)
    if not data:
        return ()
    return _if_any(Rules(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), origin, skip=skip, above=above))


def rules_of_repository(top: str | None, *, skip: int = 0, above: bytes = b"") -> tuple[Rules, ...]:
    """Return the rules of a repository's info/exclude and the user's own excludes, strongest first."""
    shared = None if top is None else git.exclude_file(top)
    users = git.global_excludes()
    of_repository = () if shared is None else rules_in(shared, ".git/info/exclude", skip=skip, above=above)
    return (*of_repository, *rules_in(users, users, skip=skip, above=above, follow=True))


def rules_above(root: str) -> tuple[Rules, ...]:
    """Return git's rules that hold for an absolute root from outside it, strongest first.

    They count inside one repository only. A root that was asked for is walked: where rules above leave it out itself,
    they are set aside.
    """
    top = git.repository_top(root)
    if top is None or top == root:
        return rules_of_repository(top)
    users = git.global_excludes()
    rules = rules_of_repository(top, above=_way(top, root))
    folder = top
    for name in os.path.relpath(root, top).split(os.sep):
        place = os.path.join(folder, GIT_IGNORE_FILE)
        rules = rules_in(place, place, above=_way(folder, root)) + rules
        folder = os.path.join(folder, name)
    said = next((each.verdict(number) for each in rules if (number := each.ask(b"")) is not None), None)
    return rules_in(users, users, follow=True) if said is not None and said.ignored else rules


def fingerprint_above(root: str) -> bytes:
    """Return 16 bytes that change when the files do that `rules_above` reads for an absolute root."""
    top = git.repository_top(root)
    users = git.global_excludes()
    shared = None if top is None else git.exclude_file(top)
    said: list[object] = [top, users, read_small_file(users, follow=True)]
    said += [shared, None if shared is None else read_small_file(shared)]
    folder = root if top is None else top
    for name in os.path.relpath(root, folder).split(os.sep) if folder != root else ():
        said.append(read_small_file(os.path.join(folder, GIT_IGNORE_FILE)))
        folder = os.path.join(folder, name)
    return hashlib.blake2b(repr(said).encode("utf-8", "surrogateescape"), digest_size=16).digest()


def rules_of_setting(patterns: tuple[str, ...], setting: str, *, bring_back: bool) -> tuple[Rules, ...]:
    """Compile patterns of the settings; with `bring_back` they bring back what they match.

    Raises:
        SettingsError: one of them is no pattern.
    """
    if not patterns:  # nothing that would have to be loaded
        return ()
    for each in patterns:
        if not Rules([os.fsencode(each)], setting):
            raise SettingsError(f"{setting} holds {each!r}, which is no pattern", suggestion="Use gitignore syntax")
    lines = [os.fsencode("!" + each if bring_back else each) for each in patterns]
    return _if_any(Rules(lines, setting))


def _if_any(rules: Rules) -> tuple[Rules, ...]:
    return (rules,) if rules else ()


def _way(folder: str, root: str) -> bytes:
    """Return the way from a folder down to the root, with a slash at the end."""
    return os.fsencode(os.path.relpath(root, folder).replace(os.sep, "/") + "/")
