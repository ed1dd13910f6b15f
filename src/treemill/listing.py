"""Folders → their entries, each with what the file system says of it, in one go.

    for place, name, mode, size, mtime_ns, changed_ns, inode, device in list_folder(path): ...

What a walk asks of a folder are its names and, of everything in it but folders, the stamps. Where there is a compiled
half, it asks without the interpreter's lock and makes no object for each answer of the system.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Container, Sequence

from treemill.native import compiled
from treemill.stamps import entry_of

_NATIVE = compiled("listing")

FOLDER = 0
"""The mode that stands for a folder, which is not looked at before it is entered."""

Listed = tuple[str, str, int, int, int, int, int, int]
"""An entry: its place, its name, and what `treemill.stamps.Entry` says of it.

Entries sorted by place stand such that whole paths come in order: it is the name, with a slash behind that of a folder.
A folder has the mode FOLDER and nothing else; a negative mode is the number of the error for which an entry cannot be
looked at, its sign turned.
"""


def list_folder(path: str, wanted: Container[str] | None = None) -> list[Listed]:
    """Return what a folder holds, sorted by place. What vanishes meanwhile is left out.

    Of names that are not `wanted`, nothing but the name is told; they look like folders.

    Raises:
        OSError: it cannot be read, or is none.
    """
    if _NATIVE is not None and wanted is None:
        listed = list_folders([path])[0]
        if isinstance(listed, OSError):
            raise listed
        if listed is not None:
            return listed
    return sorted(list_plainly(path, wanted))  # by place alone: none is there twice


def list_folders(paths: Sequence[str], enough: int = 1) -> list[list[Listed] | OSError | None]:
    """Return of each folder what `list_folder` does, or the error for which it cannot be read.

    Folders that come behind `enough` entries are not listed: None. Where other threads run, listing several at once
    takes less time than one after the other: the interpreter's lock is let go of once.
    """
    joined = os.fsencode("\0".join(paths))
    told = None
    if _NATIVE is not None and joined.count(0) == len(paths) - 1:
        told = _NATIVE.list_folders(joined, len(paths), enough)
    if told is None:
        return [*map(_listed_or_error, paths[:1]), *[None] * (len(paths) - 1)]
    for listed in told:
        if isinstance(listed, list):
            listed.sort()
    return [
        OSError(listed, os.strerror(listed), path) if isinstance(listed, int) else listed
        for path, listed in zip(paths, told, strict=True)
    ]


def _listed_or_error(path: str) -> list[Listed] | OSError:
    try:
        return sorted(list_plainly(path))
    except OSError as error:
        return error


def list_plainly(path: str, wanted: Container[str] | None = None) -> list[Listed]:
    """As `list_folder`, one by one and in no order."""
    found: list[Listed] = []
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                if wanted is not None and entry.name not in wanted:
                    found.append((entry.name, entry.name, FOLDER, 0, 0, 0, 0, 0))
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                place = entry.name + "/" if is_folder else entry.name
                if is_folder and not _is_junction(entry):
                    found.append((place, entry.name, FOLDER, 0, 0, 0, 0, 0))
                else:
                    found.append((place, entry.name, *entry_of(entry.stat(follow_symlinks=False))))
            except FileNotFoundError:
                continue
            except OSError as error:
                found.append((entry.name, entry.name, -(error.errno or errno.EIO), 0, 0, 0, 0, 0))
    return found


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is a mount point of Windows, which leads elsewhere as a link does."""
    return os.name == "nt" and getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0) == 0xA0000003
