"""Which trees of this user are alike: copies, clones and worktrees of one another, told by what lies at their top.

A note of each indexed root lies in the user's cache folder: where its index is, and marks of the entries at its top.
It decides nothing but where to look for an index to start from; what is found there is opened as any other index is.
Imports little, because it is asked before anything else is loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import zlib
from collections.abc import Collection
from pathlib import Path

_NAME = "roots.json"
_MOST_BYTES = 1_000_000
_MOST_ROOTS = 100
_MOST_MARKS = 200

# Two trees are alike where so much of what lies at the top of either lies at the top of both; names of folders are too
# common to tell, unless there are many.
_ALIKE = 0.5
_TELLING_FOLDERS = 5

# Where all lies in a few folders, what lies in those is looked at, and in those in them.
_MOST_LEVELS = 3


def cache_folder() -> Path:
    """Return where this user's caches of Treemill lie on this platform."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "treemill" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "treemill"
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "treemill"


def note_root(root: Path, index: Path) -> None:
    """Note that a root is indexed, in the index folder `index`. Where that cannot be done, nothing is noted."""
    noted = _noted()
    entry = [os.fspath(index), *sorted(_marks(root))[:_MOST_MARKS]]
    if noted.get(os.fspath(root)) == entry:
        return
    noted.pop(os.fspath(root), None)
    noted = {name: said for name, said in noted.items() if os.path.isdir(said[0])}
    kept = {os.fspath(root): entry, **dict(list(noted.items())[: _MOST_ROOTS - 1])}
    folder = cache_folder()
    with contextlib.suppress(OSError, ValueError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = folder / f"{_NAME}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(kept, file)
        beside.replace(folder / _NAME)


def indexes_alike(root: Path) -> list[Path]:
    """Return the index folders of other roots that are like this one, the most alike first."""
    own = _marks(root)
    found = []
    for name, (index, *marks) in _noted().items():
        common = own.intersection(marks)
        share = len(common) / len(own.union(marks)) if own else 0.0
        if share >= _ALIKE and _tell(common) and name != os.fspath(root) and os.path.isdir(index):
            found.append((-share, Path(index)))
    return [index for _, index in sorted(found, key=lambda each: each[0])]


def _marks(root: Path) -> frozenset[str]:
    """Return short marks of the entries at the top of a tree, and below it where those alone do not tell."""
    marks: set[str] = set()
    folders = [""]
    for _ in range(_MOST_LEVELS):
        folders = [below for folder in folders for below in _take_marks(root, folder, marks)]
        if _tell(marks):
            break
    return frozenset(sorted(marks)[:_MOST_MARKS])


def _take_marks(root: Path, folder: str, marks: set[str]) -> list[str]:
    """Add a mark of each entry of a folder: of a file by its path and size, of a folder by its path; return those."""
    below = []
    with contextlib.suppress(OSError), os.scandir(os.path.join(root, folder)) as entries:
        for entry in entries:
            if entry.name in (".git", ".treemill"):
                continue
            path = f"{folder}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            said = path if is_folder else f"{path}\0{entry.stat(follow_symlinks=False).st_size}"
            marks.add(f"{zlib.crc32(os.fsencode(said)):08x}{'/' * is_folder}")
            if is_folder:
                below.append(f"{path}/")
    return below


def _tell(marks: Collection[str]) -> bool:
    """Whether marks that two trees have in common are more than names that many trees have."""
    return len(marks) >= _TELLING_FOLDERS or any(not mark.endswith("/") for mark in marks)


def _noted() -> dict[str, list[str]]:
    """Return what is noted, newest first: by root the index folder and the marks. Nothing where it is not to be had."""
    try:
        path = cache_folder() / _NAME
        if path.stat().st_size > _MOST_BYTES:
            return {}
        noted = json.loads(path.read_text("utf-8", "surrogateescape"))
    except (OSError, ValueError, RuntimeError):
        return {}
    if not isinstance(noted, dict):
        return {}
    return {
        name: said
        for name, said in noted.items()
        if isinstance(said, list) and said and all(isinstance(each, str) for each in said)
    }
