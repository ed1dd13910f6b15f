"""Root → a stream of the files that belong to a tree, in order of path, and of what could not be looked at.

    for found in discover(root, settings.discovery): DiscoveredFile | Skipped | Unreadable

Who decides about an entry, strongest first:

1. `.git` and `.treemill` are never entered.
2. `exclude`, then `include` of the settings.
3. The ignore files: `.treemillignore`, where `!` brings back, then git's (see `treemill.ignoring`). Git's rules hold
   without a repository too; rules from above the root hold only inside the repository that the root belongs to.
4. Hidden names, and folders that evidently hold generated files (`treemill.generated`), are left out.

What is left out by a rule is not reported (`why_ignored` tells). What would belong but cannot be indexed is: files
over the size cap, FIFOs, sockets and devices, links that lead out of the root. A link to a place inside the root is
left out silently, as its target is met under its own name, now or when it comes. Links are never followed, so there
are no loops.

The walk is lazy: it holds the listings of the folders on the way to where it is, nothing else.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, takewhile
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from treemill.errors import UsageError
from treemill.generated import generated_by_content, generated_by_name
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
from treemill.languages import language_of_name
from treemill.reading import is_inside, kind_of, over_the_cap
from treemill.settings import DiscoverySettings
from treemill.types import DiscoveredFile, Skipped, SkipReason, Unreadable, changed_ns
from treemill.values import dataclass

NEVER_ENTERED = frozenset({".git", ".treemill"})

_BRINGS_RULES = frozenset({".git", GIT_IGNORE_FILE, OWN_IGNORE_FILE})

Found = DiscoveredFile | Skipped | Unreadable


class Saw(Protocol):
    """Told everything that a walk depends on within the tree, before it is looked into."""

    def __call__(self, path: str, entry: os.stat_result | None, target: str = "", /) -> object:
        """Take note of a folder ("" for the root), a file that belongs, or an ignore file, and what `lstat` says of it.

        `target` is where a link leads. Without an entry, what was found depends on more than can be noted.
        """


def unwatched(path: str, entry: os.stat_result | None, target: str = "", /) -> None:
    """Take no note."""


_Branches = dict[str, "_Branches | None"]
"""Which entries of a folder are wanted, by name: None for all of one, else which entries of it."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the way: `path` ends in a slash ("" for the root); the rules in force in it, strongest first.

    `only_included` folders are left out and entered only to reach what `include` brings back.
    """

    path: str
    own: tuple[Rules, ...]
    git: tuple[Rules, ...]
    only_included: bool = False


def discover(
    root: str | Path,
    settings: DiscoverySettings | None = None,
    *,
    language_of: Callable[[str], str | None] = language_of_name,
    within: Iterable[str] | None = None,
    entered: Callable[[str], object] = lambda folder: None,
    saw: Saw = unwatched,
) -> Iterator[Found]:
    """Walk a tree and yield its files, lazily and in order of path.

    Each path comes at most once. A folder or entry that cannot be read is yielded as `Unreadable`; nothing may be
    concluded about paths at or below it. Entries that vanish on the way are passed over.

    With `within`, only those paths (relative to the root, files or folders, "" for the root) and what lies below them
    are yielded, as a walk of the whole tree would; the folders on the way to them are listed, their other entries are
    not looked at. `entered` is told each folder that is walked, with a slash behind it ("" for the root); `saw`,
    everything in the tree that the walk depends on.

    Raises:
        UsageError: `root` is no folder. Raised by the call, not by the first step.
        SettingsError: a pattern of `include` or `exclude` is none. Likewise.
    """
    if not os.path.isdir(root):
        raise UsageError(f"{os.fspath(root)!r} is not a folder", suggestion="Name the folder that holds the sources")
    walk = _Walk(os.fspath(root), settings or DiscoverySettings(), language_of, saw)
    return walk.walk(None if within is None else _branches(within), entered)


def why_ignored(root: str | Path, path: str | Path, settings: DiscoverySettings | None = None) -> str | None:
    """Say in one sentence which rule keeps a path out of the index, or return None where discovery yields it.

    `path` is relative to the root, or absolute. It need not exist.
    """
    base = os.fspath(root)
    absolute = os.path.normpath(os.path.join(base, os.fspath(path)))
    relative = os.path.relpath(absolute, os.path.normpath(base)).replace(os.sep, "/")
    if relative == ".." or relative.startswith("../"):
        return f"it is not under the root {base}"
    return _Walk(base, settings or DiscoverySettings(), language_of_name).why(relative)


class _Walk:
    """One walk over one tree."""

    def __init__(
        self,
        root: str,
        settings: DiscoverySettings,
        language_of: Callable[[str], str | None],
        saw: Saw = unwatched,
    ) -> None:
        self._root = root
        self._saw = saw
        self._real_root = os.path.realpath(root)
        self._prefix = os.path.join(root, "")
        self._settings = settings
        self._language_of = language_of
        self._chosen = (
            *rules_of_setting(settings.exclude, "discovery.exclude", bring_back=False),
            *rules_of_setting(settings.include, "discovery.include", bring_back=True),
        )
        self._opened = _ways_to(settings.include)

    # ── the walk ──

    def walk(self, wanted: _Branches | None, entered: Callable[[str], object]) -> Iterator[Found]:
        """Yield depth first; a stack of listings stands in for recursion, so that depth costs nothing."""
        entered("")
        stack = [(self._enter(self._top(), wanted), wanted)]
        while stack:
            listing, wanted = stack[-1]
            for found in listing:
                if isinstance(found, _Folder):
                    below = None if wanted is None else wanted[found.path.rpartition("/")[0].rpartition("/")[2]]
                    entered(found.path)
                    stack.append((self._enter(found, below), below))
                    break
                yield found
            else:
                stack.pop()

    def _enter(self, folder: _Folder, wanted: _Branches | None) -> Iterator[Found | _Folder]:
        """Yield what one folder holds, folders to enter included, in order of path; of `wanted` entries alone."""
        try:
            self._note(folder.path)
            with os.scandir(self._prefix + folder.path) as listing:
                entries = [(_place(entry), entry) for entry in listing]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._saw(folder.path, None)
            yield Unreadable(folder.path.rstrip("/"), error.strerror or str(error))
            return
        names = {entry.name for _, entry in entries}
        if wanted is not None:
            entries = [each for each in entries if each[1].name in wanted]
        entries.sort(key=_FIRST)
        if self._generated_inside(folder, names) is not None:
            if folder.path not in self._opened:
                return
            folder = replace(folder, only_included=True)
        folder = self._with_its_rules(folder, names)
        for place, entry in entries:
            path = folder.path + entry.name
            try:
                found = self._look_at(entry, place[-1] == "/", path, folder, names)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._saw(path, None)
                found = Unreadable(path, error.strerror or str(error))
            if found is not None and (isinstance(found, _Folder | Unreadable) or _ends_at(entry.name, wanted)):
                yield found

    def _look_at(
        self, entry: os.DirEntry[str], is_folder: bool, path: str, folder: _Folder, beside: set[str]
    ) -> Found | _Folder | None:
        is_folder = is_folder and not _is_junction(entry)
        reason = self._left_out(path, entry.name, is_folder, folder, beside)
        if is_folder:
            below = path + "/"
            if reason is None or below in self._opened:
                return _Folder(below, folder.own, folder.git, reason is not None)
            return None
        if reason is not None:
            return None
        return self._describe(path, entry.stat(follow_symlinks=False))

    def _describe(self, path: str, entry: os.stat_result) -> Found | None:
        """Describe an entry that belongs and is no folder; None for a link to a place inside the root."""
        if stat.S_ISREG(entry.st_mode):
            self._saw(path, entry)
            if entry.st_size > self._settings.max_file_bytes:
                return Skipped(path, SkipReason.TOO_LARGE, over_the_cap(entry.st_size, self._settings.max_file_bytes))
            language = self._language_of(path)
            return DiscoveredFile(path, self._root, language, entry.st_size, entry.st_mtime_ns, changed_ns(entry))
        if not stat.S_ISLNK(entry.st_mode) and not stat.S_ISDIR(entry.st_mode):
            self._saw(path, entry)
            return Skipped(path, SkipReason.NOT_REGULAR, kind_of(entry.st_mode))
        target = os.path.realpath(self._prefix + path)
        self._saw(path, entry if os.path.exists(target) else None, target)
        if not is_inside(target, self._real_root):
            return Skipped(path, SkipReason.OUTSIDE_ROOT, f"a link to {target}")
        return None  # also where nothing is there yet: what becomes of a path must not hang on another one

    def why(self, relative: str) -> str | None:
        """Go down to one path as the walk would, and return what it is stopped by."""
        folder = self._top()
        *way, last = relative.split("/")
        for name in way:
            names = self._names(folder)
            if isinstance(names, str):
                return names
            reason, folder = self._step(folder, name, names)
            if reason is not None:
                return reason
        names = self._names(folder)
        if isinstance(names, str):
            return names
        inside = self._generated_inside(folder, names)
        if inside is not None and folder.path not in self._opened:
            return inside
        return self._why_last(self._with_its_rules(folder, names), last, names)

    def _step(self, folder: _Folder, name: str, names: set[str]) -> tuple[str | None, _Folder]:
        """Enter one folder on the way; return what forbids it, and the folder."""
        inside = self._generated_inside(folder, names)
        if inside is not None and folder.path not in self._opened:
            return inside, folder
        folder = self._with_its_rules(folder, names)
        path = folder.path + name
        if os.path.islink(self._prefix + path):
            return f"{path} is a link, and links are not followed", folder
        reason = self._left_out(path, name, True, folder, names)
        below = _Folder(path + "/", folder.own, folder.git, reason is not None or inside is not None)
        if reason is not None and below.path not in self._opened:
            return f"{path} is left out: {reason}", below
        return None, below

    def _why_last(self, folder: _Folder, name: str, names: set[str]) -> str | None:
        path = folder.path + name
        try:
            entry = os.lstat(self._prefix + path)
        except OSError as error:
            return f"it cannot be looked at: {error.strerror}"
        is_folder = stat.S_ISDIR(entry.st_mode)
        reason = self._left_out(path, name, is_folder, folder, names)
        if is_folder or reason is not None:
            return reason
        found = self._describe(path, entry)
        if found is None and not os.path.exists(self._prefix + path):
            return "it is a link to a place inside the root where nothing is"
        if found is None:
            return "it is a link to a place inside the root, which is indexed under its own name"
        return f"it is {found.reason}: {found.detail}" if isinstance(found, Skipped) else None

    def _names(self, folder: _Folder) -> set[str] | str:
        try:
            return set(os.listdir(self._prefix + folder.path))
        except OSError as error:
            return f"the folder {folder.path or '.'} cannot be read: {error.strerror}"

    # ── the rules ──

    def _left_out(self, path: str, name: str, is_folder: bool, folder: _Folder, beside: Iterable[str]) -> str | None:
        """Return why an entry is left out, or None where it belongs."""
        if name in NEVER_ENTERED:
            return f"{name} is never indexed"
        ruled = self._chosen or folder.own or folder.git
        said = self._said(os.fsencode(path + "/" if is_folder else path), folder) if ruled else None
        if said is not None:
            return f"{said} leaves it out" if said.ignored else None
        if folder.only_included:
            return f"{folder.path} is left out, and no pattern of discovery.include brings this back"
        if name.startswith(".") and not self._settings.hidden:
            return "hidden names are left out"
        return generated_by_name(name, beside) if is_folder else None

    def _said(self, subject: bytes, folder: _Folder) -> Verdict | None:
        """Return what the strongest rule that someone wrote says of an entry."""
        rules = self._chosen if folder.only_included else (*self._chosen, *folder.own, *folder.git)
        for each in rules:
            number = each.ask(subject)
            if number is not None:
                return each.verdict(number)
        return None

    def _generated_inside(self, folder: _Folder, names: set[str]) -> str | None:
        """Return what in a folder shows that it was generated, unless a rule brings the folder back."""
        evidence = generated_by_content(names) if folder.path else None
        if evidence is None:
            return None
        said = self._said(os.fsencode(folder.path), folder)
        if said is not None and not said.ignored:
            return None
        return f"{folder.path} is left out: {evidence} in it marks a generated folder"

    def _with_its_rules(self, folder: _Folder, names: set[str]) -> _Folder:
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
                self._note(folder.path + GIT_IGNORE_FILE)
                of_git = rules_in(place + GIT_IGNORE_FILE, folder.path + GIT_IGNORE_FILE, skip=skip) + of_git
        if OWN_IGNORE_FILE in names:
            self._note(folder.path + OWN_IGNORE_FILE)
            own = rules_in(place + OWN_IGNORE_FILE, folder.path + OWN_IGNORE_FILE, skip=skip) + own
        return replace(folder, own=own, git=of_git)

    def _note(self, path: str) -> None:
        """Tell of a folder or an ignore file as it is before it is read."""
        if self._saw is not unwatched:
            with contextlib.suppress(FileNotFoundError):
                self._saw(path, os.lstat(self._prefix + path.rstrip("/")) if path else os.stat(self._root))

    def _top(self) -> _Folder:
        return _Folder("", (), () if self._settings.no_ignore else rules_above(self._real_root))


def _place(entry: os.DirEntry[str]) -> str:
    """Return what sorts a listing such that whole paths come in order."""
    return entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is a mount point of Windows, which leads elsewhere as a link does."""
    return os.name == "nt" and getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0) == 0xA0000003


def _ends_at(name: str, wanted: _Branches | None) -> bool:
    """Tell whether an entry is wanted itself, not only what might lie below it."""
    return wanted is None or wanted[name] is None


def _branches(paths: Iterable[str]) -> _Branches | None:
    """Return the branches that lead to paths; None where that is the whole tree."""
    top: _Branches = {}
    for path in paths:
        if not path:
            return None
        here = top
        *way, last = path.split("/")
        for name in way:
            below = here.setdefault(name, {})
            if below is None:
                break
            here = below
        else:
            here[last] = None
    return top


def _ways_to(patterns: Iterable[str]) -> frozenset[str]:
    """Return the folders that must be entered to reach what patterns with a plain beginning name."""
    ways: set[str] = set()
    for each in patterns:
        *folders, _ = each.strip("/").split("/")
        plain = takewhile(lambda name: name not in NEVER_ENTERED and not _GLOB.intersection(name), folders)
        ways.update(accumulate(name + "/" for name in plain))
    return frozenset(ways)


_FIRST = itemgetter(0)
_GLOB = frozenset("*?[\\")
