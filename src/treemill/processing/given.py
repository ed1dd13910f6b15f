"""Files as callers give them: paths in, names below the root, and the very same paths back in callbacks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath

from treemill.languages import language_among
from treemill.reading import is_inside
from treemill.settings import ChunkerSettings
from treemill.types import DiscoveredFile, Skipped, SkipReason

GivenPath = str | os.PathLike[str]

# What makes a path one that has to be looked at more closely than by its beginning.
_ODD = ("//", "/./", "/../", "\\")


class GivenFiles:
    """Names and describes the paths that a run is given.

    `name` is for the thread that queues, `describe` for the run's own, `as_given` for the dispatcher's. A queued file
    is a string; what it is on disk is looked at when a worker can have it. `besides` may be filled with the names that
    a store holds; those described are taken out of it.
    """

    def __init__(self, root: GivenPath | None, settings: ChunkerSettings) -> None:
        self._root = None if root is None else os.path.abspath(root)
        self._prefixes = () if root is None else prefixes_of(root)
        self._settings = settings
        self._kind: type | None = None
        self._base = ""
        self._odd: dict[str, str] = {}
        self._seen: set[str] = set()
        self.besides: set[str] = set()

    def strings(self, files: Iterable[GivenPath]) -> Iterator[str]:
        """Yield the paths as strings, and remember what they were."""
        for path in files:
            given = os.fspath(path)
            if self._kind is None:
                self._kind = Path if isinstance(path, PurePath) else str
                self._base = next((each for each in self._prefixes if given.startswith(each)), "")
            yield given

    def name(self, given: str) -> str:
        """Return the name of a file: POSIX and relative to the root, or as it was given where there is none."""
        if self._root is None:
            return given
        name = given
        for prefix in self._prefixes:
            if given.startswith(prefix):
                name = given[len(prefix) :]
                break
        # Nearly every path is told apart by these few looks; it is named twice where somebody hears of files.
        if ("/." in name or "//" in name or "\\" in name or name.startswith(("/", "./"))) and _is_odd(name):
            name = below(self._root, self._prefixes, given)
        if self._base + name != given:
            self._odd[name] = given
        return name

    def as_given(self, name: str) -> object:
        """Return the path that was given for a name, as a string or a Path, whichever the first one was."""
        given = self._odd.get(name) or (self._base + name if name else "")
        return given if self._kind is str else Path(given)

    def describe(self, given: str) -> DiscoveredFile | Skipped:
        """Look at a file's directory entry; Skipped where it is given again, gone, or no file to index."""
        name = self.name(given)
        if name in self._seen:
            return Skipped(name, SkipReason.REPEATED, "it was given before in this run")
        self._seen.add(name)
        self.besides.discard(name)
        return described(name, self._root, self._settings)


def _is_odd(name: str) -> bool:
    return any(mark in name for mark in _ODD) or name.startswith(("/", "./"))


def prefixes_of(root: GivenPath) -> tuple[str, ...]:
    """Return how paths below a root may begin: with the root, and, where it was given relative, as it was given.

    So `root.rglob("*")` gives paths below the root, whatever way the root is written.
    """
    given = os.path.join(os.path.normpath(root), "")
    absolute = os.path.join(os.path.abspath(root), "")
    return (absolute,) if os.path.isabs(given) or given in ("./", ".\\") else (absolute, given)


def below(root: str, prefixes: tuple[str, ...], given: str) -> str:
    """Return the name of a path below an absolute root, or the path itself where it does not lie there."""
    path = next((given[len(each) :].lstrip("/") for each in prefixes if given.startswith(each)), given)
    try:
        return Path(root, path).relative_to(root).as_posix()
    except ValueError:
        return given


def described(name: str, root: str | None, settings: ChunkerSettings) -> DiscoveredFile | Skipped:
    """Look at a file's directory entry; Skipped where it is gone, outside the root, or no file to index."""
    if root is not None and (".." in name or os.path.isabs(name)):
        place = os.path.normpath(os.path.join(root, name))
        if not is_inside(place, root):
            return Skipped(name, SkipReason.OUTSIDE_ROOT, f"it does not lie below {root}")
    file = DiscoveredFile.from_path(name, root=root)
    if file is None:
        if os.path.lexists(name if root is None else os.path.join(root, name)):
            return Skipped(name, SkipReason.NOT_REGULAR, "a folder, a device, or a link that leads to no file")
        return Skipped(name, SkipReason.VANISHED, "there is no such file")
    if settings.custom_languages:
        return replace(file, language=language_among(settings.custom_languages, name) or file.language)
    return file
