"""What belongs to a tree: who decides about an entry, and by which rules.

Strongest first:

1. `.git` and `.treemill` are never entered.
2. `exclude`, then `include` of the settings.
3. The ignore files: `.treemillignore`, where `!` brings back, then git's (see `treemill.ignoring`). Git's rules hold
   without a repository too; rules from above the root hold only inside the repository that the root belongs to.
4. Hidden names, and folders that evidently hold generated files (`treemill.generated`), are left out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import Protocol

from treemill.generated import GENERATED, GENERATED_INSIDE, generated_by_content, generated_by_name
from treemill.ignore_hints import Hints, together
from treemill.ignoring import (
    GIT_IGNORE_FILE,
    OWN_IGNORE_FILE,
    Rules,
    Verdict,
    rules_above,
    rules_in,
    rules_of_repository,
    rules_of_setting,
)
from treemill.settings import DiscoverySettings
from treemill.stamps import Entry, entry_of
from treemill.values import dataclass

NEVER_ENTERED = frozenset({".git", ".treemill"})

_BRINGS_RULES = frozenset({".git", GIT_IGNORE_FILE, OWN_IGNORE_FILE})

MARKS = _BRINGS_RULES | GENERATED_INSIDE | GENERATED.keys()
"""Names that tell something of the folder in which they are, or may by what else is there; so does GENERATED_SUFFIX."""

_GLOB = frozenset("*?[\\")


class Saw(Protocol):
    """Told everything that a walk depends on within the tree, before it is looked into."""

    def __call__(self, path: str, entry: Entry | None, target: str = "", /) -> object:
        """Take note of a folder ("" for the root), a file that belongs, or an ignore file, and what `lstat` says of it.

        `target` is where a link leads. Without an entry, what was found depends on more than can be noted.
        """


def unwatched(path: str, entry: Entry | None, target: str = "", /) -> None:
    """Take no note."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on the way: `path` ends in a slash ("" for the root); the rules in force in it, strongest first.

    `only_included` folders are left out and entered only to reach what `include` brings back.
    """

    path: str
    own: tuple[Rules, ...]
    git: tuple[Rules, ...]
    only_included: bool = False


class Belonging:
    """The rules of one tree. `root` is its folder; `saw` is told of the files that they are read from."""

    def __init__(self, root: str, settings: DiscoverySettings, saw: Saw = unwatched) -> None:
        """Read the rules of the settings.

        Raises:
            SettingsError: a pattern of `include` or `exclude` is none.
        """
        self._root = root
        self._prefix = os.path.join(root, "")
        self._settings = settings
        self._saw = saw
        self._chosen = (
            *rules_of_setting(settings.exclude, "discovery.exclude", bring_back=False),
            *rules_of_setting(settings.include, "discovery.include", bring_back=True),
        )
        self._opened = _ways_to(settings.include)
        self._hints: dict[tuple[tuple[Rules, ...], tuple[Rules, ...]], Hints | None] = {}

    def top(self) -> Folder:
        """Return the root, with the rules that hold for it from outside."""
        return Folder("", (), () if self._settings.no_ignore else rules_above(os.path.realpath(self._root)))

    def is_opened(self, path: str) -> bool:
        """Whether a folder that is left out is entered all the same, on the way to what `include` brings back."""
        return path in self._opened

    def says_nothing(self, folder: Folder) -> bool:
        """Whether nobody wrote a rule that holds in a folder: then what is no folder belongs, hidden names apart."""
        return not (self._chosen or folder.own or folder.git or folder.only_included)

    def hints(self, folder: Folder) -> Hints | None:
        """Return what names look like, of what lies below a folder and brings no rules, of which there is more to say.

        None where any may be such. Hidden names are not among them, nor those in `MARKS`.
        """
        if folder.only_included or self._opened:
            return None
        rules = (folder.own, folder.git)
        if rules not in self._hints:
            self._hints[rules] = together(each.hints() for each in (*self._chosen, *folder.own, *folder.git))
        hints = self._hints[rules]
        if hints is not None and hints.below and not hints.below.isdisjoint(os.fsencode(folder.path).split(b"/")):
            return None
        return hints

    def left_out(self, path: str, name: str, is_folder: bool, folder: Folder, beside: Iterable[str]) -> str | None:
        """Return why an entry is left out, or None where it belongs; `beside` are the names in its folder."""
        if name in NEVER_ENTERED:
            return f"{name} is never indexed"
        if self._chosen or folder.own or folder.git:
            said = self._said(os.fsencode(path + "/" if is_folder else path), folder)
            if said is not None:
                return f"{said} leaves it out" if said.ignored else None
        if folder.only_included:
            return f"{folder.path} is left out, and no pattern of discovery.include brings this back"
        if name.startswith(".") and not self._settings.hidden:
            return "hidden names are left out"
        return generated_by_name(name, beside) if is_folder else None

    def generated_inside(self, folder: Folder, names: set[str]) -> str | None:
        """Return what in a folder shows that it was generated, unless a rule brings the folder back."""
        evidence = generated_by_content(names) if folder.path else None
        if evidence is None:
            return None
        said = self._said(os.fsencode(folder.path), folder)
        if said is not None and not said.ignored:
            return None
        return f"{folder.path} is left out: {evidence} in it marks a generated folder"

    def with_its_rules(self, folder: Folder, names: set[str]) -> Folder:
        """Add the rules that a folder brings along; a repository inside the root has only its own."""
        if _BRINGS_RULES.isdisjoint(names):
            return folder
        own, of_git = folder.own, folder.git
        place, skip = self._prefix + folder.path, len(os.fsencode(folder.path))
        if not self._settings.no_ignore:
            if ".git" in names and folder.path:
                self._saw(folder.path, None)  # what holds below depends on that repository's own files
                of_git = rules_of_repository(place, skip=skip)
            if GIT_IGNORE_FILE in names:
                self.note(folder.path + GIT_IGNORE_FILE)
                of_git = rules_in(place + GIT_IGNORE_FILE, folder.path + GIT_IGNORE_FILE, skip=skip) + of_git
        if OWN_IGNORE_FILE in names:
            self.note(folder.path + OWN_IGNORE_FILE)
            own = rules_in(place + OWN_IGNORE_FILE, folder.path + OWN_IGNORE_FILE, skip=skip) + own
        return replace(folder, own=own, git=of_git)

    def note(self, path: str) -> None:
        """Tell of a folder or an ignore file as it is before it is read."""
        if self._saw is not unwatched:
            with contextlib.suppress(FileNotFoundError):
                said = os.lstat(self._prefix + path.rstrip("/")) if path else os.stat(self._root)
                self._saw(path, entry_of(said))

    def _said(self, subject: bytes, folder: Folder) -> Verdict | None:
        """Return what the strongest rule that someone wrote says of an entry."""
        rules = self._chosen if folder.only_included else (*self._chosen, *folder.own, *folder.git)
        for each in rules:
            number = each.ask(subject)
            if number is not None:
                return each.verdict(number)
        return None


def _ways_to(patterns: Iterable[str]) -> frozenset[str]:
    """Return the folders that must be entered to reach what patterns with a plain beginning name."""
    ways: set[str] = set()
    for each in patterns:
        *folders, _ = each.strip("/").split("/")
        plain = takewhile(lambda name: name not in NEVER_ENTERED and not _GLOB.intersection(name), folders)
        ways.update(accumulate(name + "/" for name in plain))
    return frozenset(ways)
