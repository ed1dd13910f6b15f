"""Root → a stream of the files that belong to a tree, in order of path, and of what could not be looked at.

    for found in discover(root, settings.discovery): DiscoveredFile | Skipped | Unreadable

Which entries belong is decided by `treemill.belonging`. What is left out by a rule is not reported (`why_ignored`
tells). What would belong but cannot be indexed is: files over the size cap, FIFOs, sockets and devices, links that lead
out of the root. A link to a place inside the root is left out silently, as its target is met under its own name, now or
when it comes. Links are never followed, so there are no loops.

The walk is lazy: it holds the listings of the folders on the way to where it is and of a few beside them, or what one
step of `treemill.plain_walk` has found.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from treemill.belonging import Belonging, Folder, Saw, unwatched
from treemill.errors import UsageError
from treemill.ignore_hints import Hints
from treemill.languages import language_of_name
from treemill.listing import FOLDER, Listed, list_folder, list_folders
from treemill.plain_walk import Below, PlainWalk
from treemill.reading import is_inside, kind_of, over_the_cap
from treemill.settings import DiscoverySettings
from treemill.stamps import Entry, entry_of
from treemill.types import DiscoveredFile, Skipped, SkipReason, Unreadable

Found = DiscoveredFile | Skipped | Unreadable

# So many entries of a folder are looked at before the first of them is entered; folders among them are listed together.
_BESIDE = 32

# The first files come as soon as they can: nothing is listed ahead of so many folders.
_FIRST_FOLDERS = 32

# When so many entries are listed ahead, folders behind them wait for their turn: a listing takes memory.
_ENTRIES_AHEAD = 5_000

_Branches = dict[str, "_Branches | None"]
"""Which entries of a folder are wanted, by name: None for all of one, else which entries of it."""


def discover(
    root: str | Path,
    settings: DiscoverySettings | None = None,
    *,
    language_of: Callable[[str], str | None] = language_of_name,
    within: Iterable[str] | None = None,
    entered: Callable[[str], object] | None = None,
    saw: Saw = unwatched,
) -> Iterator[Found]:
    """Walk a tree and yield its files, lazily and in order of path.

    Each path comes at most once. A folder or entry that cannot be read is yielded as `Unreadable`; nothing may be
    concluded about paths at or below it. Entries that vanish on the way are passed over.

    With `within`, only those paths (relative to the root, files or folders, "" for the root) and what lies below them
    are yielded, as a walk of the whole tree would; the folders on the way to them are listed, their other entries are
    left out. `entered` is told each folder that is walked, with a slash behind it ("" for the root); `saw`, everything
    in the tree that the walk depends on; both before it is looked into.

    Raises:
        UsageError: `root` is no folder. Raised by the call, not by the first step.
        SettingsError: a pattern of `include` or `exclude` is none. Likewise.
    """
    return chain.from_iterable(
        discover_together(root, settings, language_of=language_of, within=within, entered=entered, saw=saw)
    )


def discover_together(
    root: str | Path,
    settings: DiscoverySettings | None = None,
    *,
    language_of: Callable[[str], str | None] = language_of_name,
    within: Iterable[str] | None = None,
    entered: Callable[[str], object] | None = None,
    saw: Saw = unwatched,
) -> Iterator[list[Found]]:
    """As `discover`, but what is found in one step comes together: at least one entry, in order of path."""
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
        self._max_bytes = settings.max_file_bytes
        self._language_of = language_of
        self._rules = Belonging(root, settings, saw)
        self._plain = PlainWalk(root, self._max_bytes)
        self._looks_ahead = self._walks_plainly = False
        self._folders = 0
        self._ahead: dict[str, list[Listed] | OSError] = {}

    def walk(self, wanted: _Branches | None, entered: Callable[[str], object] | None) -> Iterator[list[Found]]:
        """Yield depth first; a stack of listings stands in for recursion, so that depth costs nothing."""
        self._looks_ahead = wanted is None and entered is None and self._saw is unwatched
        self._walks_plainly = self._looks_ahead and self._plain.possible and self._language_of is language_of_name
        if entered is not None:
            entered("")
        stack = [(self._enter(self._rules.top(), wanted), wanted)]
        while stack:
            listing, wanted = stack[-1]
            for found in listing:
                if isinstance(found, Folder):
                    below = None if wanted is None else wanted[found.path.rpartition("/")[0].rpartition("/")[2]]
                    if entered is not None:
                        entered(found.path)
                    stack.append((self._enter(found, below), below))
                    break
                yield found
            else:
                stack.pop()

    def _enter(self, folder: Folder, wanted: _Branches | None) -> Iterator[list[Found] | Folder]:
        """Yield what one folder holds, folders to enter included, in order of path; of `wanted` entries alone."""
        self._folders += 1
        try:
            self._rules.note(folder.path)
            entries = self._listed(folder, wanted)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._saw(folder.path, None)
            yield [Unreadable(folder.path.rstrip("/"), error.strerror or str(error))]
            return
        names = {listed[1] for listed in entries}
        if self._rules.generated_inside(folder, names) is not None:
            if not self._rules.is_opened(folder.path):
                return
            folder = replace(folder, only_included=True)
        folder = self._rules.with_its_rules(folder, names)
        if wanted is not None:
            entries = [listed for listed in entries if listed[1] in wanted]
        look = self._look_unruled if self._rules.says_nothing(folder) else self._look_at
        hints = self._rules.hints(folder) if self._walks_plainly else None
        for place in range(0, len(entries), _BESIDE):
            some = [(listed[1], look(listed, folder, names)) for listed in entries[place : place + _BESIDE]]
            if self._looks_ahead and hints is None and self._folders > _FIRST_FOLDERS:
                self._list_ahead([found for _, found in some if isinstance(found, Folder)])
            reached = [found for name, found in some if wanted is None or _is_reached(found, wanted[name])]
            for together in _together(reached):
                if hints is not None and isinstance(together, Folder):
                    yield from self._walk_plainly(together, hints)
                else:
                    yield together

    def _walk_plainly(self, folder: Folder, hints: Hints) -> Iterator[list[Found] | Folder]:
        """Yield what lies below a folder, in order of path; folders to enter where there is something to think about.

        `hints` are those of the rules that hold in the folder.
        """
        steps: list[Iterator[Below]] = [iter((folder.path,))]
        while steps:
            some: list[Found | Folder | None] = []
            for below in steps[-1]:
                if type(below) is DiscoveredFile:
                    some.append(below)
                elif isinstance(below, str):
                    found = self._plain.below(below, hints)
                    if found != [below]:
                        steps.append(iter(found))
                        break
                    some.append(Folder(below, folder.own, folder.git))
                elif isinstance(below, tuple):
                    path, listed = below
                    some.append(self._look_at(listed, Folder(path, folder.own, folder.git), set()))
            else:
                steps.pop()
            yield from _together(some)

    def _listed(self, folder: Folder, wanted: _Branches | None) -> list[Listed]:
        listed = self._ahead.pop(folder.path, None)
        if listed is None:
            return list_folder(self._prefix + folder.path, wanted)
        if isinstance(listed, OSError):
            raise listed
        return listed

    def _list_ahead(self, folders: Sequence[Folder]) -> None:
        """List folders that will be entered next, in one go: where other threads run, each turn costs more."""
        if len(folders) > 1:
            paths = [folder.path for folder in folders]
            listings = list_folders([self._prefix + path for path in paths], _ENTRIES_AHEAD)
            for path, listed in zip(paths, listings, strict=True):
                if listed is not None:
                    self._ahead[path] = listed

    def _look_unruled(self, listed: Listed, folder: Folder, beside: set[str]) -> Found | Folder | None:
        """As `_look_at` in a folder of which no rule says anything: most of what is there are files that belong."""
        _, name, mode, size, mtime_ns, changed_ns, _, _ = listed
        if stat.S_ISREG(mode) and size <= self._max_bytes and name[0] != "." and self._saw is unwatched:
            path = folder.path + name
            return DiscoveredFile(path, self._root, self._language_of(path), size, mtime_ns, changed_ns)
        return self._look_at(listed, folder, beside)

    def _look_at(self, listed: Listed, folder: Folder, beside: set[str]) -> Found | Folder | None:
        name, mode = listed[1], listed[2]
        path = folder.path + name
        reason = self._rules.left_out(path, name, mode == FOLDER, folder, beside)
        if mode == FOLDER:
            below = path + "/"
            if reason is None or self._rules.is_opened(below):
                return Folder(below, folder.own, folder.git, reason is not None)
            return None
        if reason is not None:
            return None
        if mode < 0:
            self._saw(path, None)
            return Unreadable(path, os.strerror(-mode))
        try:
            return self._describe(path, listed)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._saw(path, None)
            return Unreadable(path, error.strerror or str(error))

    def _describe(self, path: str, listed: Listed) -> Found | None:
        """Describe an entry that belongs and is no folder; None for a link to a place inside the root."""
        _, _, mode, size, mtime_ns, changed_ns, _, _ = listed
        if stat.S_ISREG(mode):
            if self._saw is not unwatched:
                self._saw(path, Entry(*listed[2:]))
            if size > self._max_bytes:
                return Skipped(path, SkipReason.TOO_LARGE, over_the_cap(size, self._max_bytes))
            return DiscoveredFile(path, self._root, self._language_of(path), size, mtime_ns, changed_ns)
        entry = Entry(*listed[2:])
        if not stat.S_ISLNK(mode) and not stat.S_ISDIR(mode):
            self._saw(path, entry)
            return Skipped(path, SkipReason.NOT_REGULAR, kind_of(mode))
        target = os.path.realpath(self._prefix + path)
        self._saw(path, entry if os.path.exists(target) else None, target)
        if not is_inside(target, self._real_root):
            return Skipped(path, SkipReason.OUTSIDE_ROOT, f"a link to {target}")
        return None  # also where nothing is there yet: what becomes of a path must not hang on another one

    def why(self, relative: str) -> str | None:
        """Go down to one path as the walk would, and return what it is stopped by."""
        folder = self._rules.top()
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
        inside = self._rules.generated_inside(folder, names)
        if inside is not None and not self._rules.is_opened(folder.path):
            return inside
        return self._why_last(self._rules.with_its_rules(folder, names), last, names)

    def _step(self, folder: Folder, name: str, names: set[str]) -> tuple[str | None, Folder]:
        """Enter one folder on the way; return what forbids it, and the folder."""
        inside = self._rules.generated_inside(folder, names)
        if inside is not None and not self._rules.is_opened(folder.path):
            return inside, folder
        folder = self._rules.with_its_rules(folder, names)
        path = folder.path + name
        if os.path.islink(self._prefix + path):
            return f"{path} is a link, and links are not followed", folder
        reason = self._rules.left_out(path, name, True, folder, names)
        below = Folder(path + "/", folder.own, folder.git, reason is not None or inside is not None)
        if reason is not None and not self._rules.is_opened(below.path):
            return f"{path} is left out: {reason}", below
        return None, below

    def _why_last(self, folder: Folder, name: str, names: set[str]) -> str | None:
        path = folder.path + name
        try:
            entry = os.lstat(self._prefix + path)
        except OSError as error:
            return f"it cannot be looked at: {error.strerror}"
        is_folder = stat.S_ISDIR(entry.st_mode)
        reason = self._rules.left_out(path, name, is_folder, folder, names)
        if is_folder or reason is not None:
            return reason
        found = self._describe(path, (name, name, *entry_of(entry)))
        if found is None and not os.path.exists(self._prefix + path):
            return "it is a link to a place inside the root where nothing is"
        if found is None:
            return "it is a link to a place inside the root, which is indexed under its own name"
        return f"it is {found.reason}: {found.detail}" if isinstance(found, Skipped) else None

    def _names(self, folder: Folder) -> set[str] | str:
        try:
            return set(os.listdir(self._prefix + folder.path))
        except OSError as error:
            return f"the folder {folder.path or '.'} cannot be read: {error.strerror}"


def _together(found: Iterable[Found | Folder | None]) -> Iterator[list[Found] | Folder]:
    """Yield what was found, what stands between two folders together."""
    some: list[Found] = []
    for each in found:
        if isinstance(each, Folder):
            if some:
                yield some
                some = []
            yield each
        elif each is not None:
            some.append(each)
    if some:
        yield some


def _is_reached(found: Found | Folder | None, below: _Branches | None) -> bool:
    """Tell whether what was found is wanted itself, or may hold what is, or hides whether it does."""
    return below is None or isinstance(found, Folder | Unreadable)


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
