"""Which index answers for a path: the root, and the folder that its index is kept in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from treemill.errors import UsageError
from treemill.settings import StorageSettings
from treemill.storage.location import find_root, locate
from treemill.storage.opening import indexed_root


class Place(NamedTuple):
    """Where a path belongs: the root whose index answers for it, and the path below that root ("" for the root)."""

    root: Path
    under: str

    @property
    def folder(self) -> Path:
        """The folder of the index, whether or not there is one yet."""
        return locate(self.root)


def place_of(path: str | os.PathLike[str]) -> Place:
    """Return the nearest folder at or above a path that holds an index, else the path itself.

    Raises:
        UsageError: there is no such folder.
    """
    if not os.fspath(path):
        raise UsageError("the name of a folder is empty", suggestion="Name a folder, or . for the current one")
    given = Path(path)
    if not given.exists():
        raise UsageError(f"there is no folder {given}", suggestion="Name a folder that exists")
    if not given.is_dir():
        raise UsageError(f"{given} is a file, not a folder", suggestion=f"Name its folder: {given.parent}")
    try:
        os.scandir(given).close()
    except PermissionError as error:
        raise UsageError(f"the folder {given} cannot be read", suggestion="Check its permissions") from error
    absolute = given.resolve()
    root = find_root(absolute)
    under = absolute.relative_to(root).as_posix()
    return Place(root, "" if under == "." else under)


def seated(place: Place, storage: StorageSettings) -> Place:
    """Return where a path belongs under the settings: to the indexed root above it where there is one.

    Raises:
        SettingsError, UsageError, StorageError: the place that a URL names cannot be asked.
    """
    path = place.root / place.under
    root = indexed_root(path, storage)
    if root is None:
        return place
    under = path.relative_to(root).as_posix()
    return Place(root, "" if under == "." else under)


def places_of(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[str, Place]]:
    """Return each path as it was given with its place, each place once.

    Raises:
        UsageError: there is no such folder.
    """
    found: dict[Place, str] = {}
    for path in paths:
        found.setdefault(place_of(path), os.fspath(path))
    return [(given, place) for place, given in found.items()]


def named(given: str, place: Place) -> str:
    """Return how to name the root of a place among several: as it was given, or from here if something below was."""
    if not place.under:
        return given
    return str(place.root) if os.path.isabs(given) else os.path.relpath(place.root)
