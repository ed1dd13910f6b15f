"""The folder of an index in SQLite: how one comes to be, is replaced by an empty one, and goes.

    .treemill.new-1a2b3c4d/   an empty index, while it is made beside
    .treemill/                appears whole, by a rename
    .treemill.old-1a2b3c4d/   what stood there before, until it is removed

A process that is killed on the way leaves one of those beside, which the next that makes an index removes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

from treemill.errors import IndexMissing, StorageError
from treemill.storage.connection import create_database, explained
from treemill.storage.lease import Lease
from treemill.storage.ownership import MARK_NAME, check_private, data_folder, new_id, read_mark, write_mark

_LEFTOVER_SECONDS = 3600.0
_STRAY = re.compile(r"new-[0-9a-f]{8}|[0-9a-f]{32}")


def create(folder: Path) -> None:
    """Make an empty index, unless there is something already: built beside and renamed, so it is there whole."""
    with explained(folder / "new"):
        if os.path.lexists(folder):
            return
        _remove_leftovers(folder)
        beside = _built_beside(folder)
        try:
            os.rename(beside, folder)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            if not os.path.lexists(folder):
                raise


def _built_beside(folder: Path) -> Path:
    """Return a new index folder with an empty database in it, next to where it is to go."""
    beside = folder.with_name(f"{folder.name}.new-{os.urandom(4).hex()}")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lay_out(beside)
    return beside


def lay_out(place: Path, generation: int = 0) -> None:
    """Make an index folder with an empty database in it, whose commits count on from a generation.

    Raises:
        OSError, StorageError: it cannot be made; nothing is left of it.
    """
    index_id = new_id()
    place.mkdir(mode=0o700)
    try:
        (place / ".gitignore").write_text("*\n")
        data = data_folder(place, index_id)
        data.mkdir(mode=0o700)
        create_database(data, index_id, generation)
        write_mark(place, index_id)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def rebuild(folder: Path, *, wait_seconds: float = 0.0) -> None:
    """Put an empty index in the place of what is in a folder, whoever made that. Nothing of the old one is read.

    Raises:
        IndexLocked: somebody is writing to the old one.
        StorageError: it cannot be replaced.
    """
    with contextlib.ExitStack() as stack, explained(folder / "new"):
        try:
            data = data_folder(folder, read_mark(folder))
        except IndexMissing:
            create(folder)
            return
        except StorageError:
            # Nobody's Treemill writes to a folder that it would not open.
            pass
        else:
            stack.enter_context(Lease.acquire(data, wait_seconds=wait_seconds))
        beside = _built_beside(folder)
        old = folder.with_name(f"{folder.name}.old-{os.urandom(4).hex()}")
        os.rename(folder, old)
        os.rename(beside, folder)
        _remove(old)


def remove(folder: Path) -> list[Path]:
    """Remove an index that this user's Treemill made; return what else is in its folder, which stays.

    Raises:
        IndexMissing: there is none.
        IndexLocked: somebody is writing to it.
        StorageError: it is not this user's, or cannot be removed.
    """
    index_id = read_mark(folder)
    data = data_folder(folder, index_id)
    with Lease.acquire(data), explained(data):
        # Without its mark nobody opens it: whatever happens from here on, no half of an index is left in use.
        (folder / MARK_NAME).unlink()
        shutil.rmtree(data)
    with explained(data):
        (folder / ".gitignore").unlink(missing_ok=True)
        left = sorted(folder.iterdir())
        if not left:
            folder.rmdir()
    return left


def _remove(path: Path) -> None:
    """Remove a folder and everything in it, or a link or file, following no link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_strays(folder: Path, index_id: bytes) -> None:
    """Remove what a replacement that was killed has left in an index folder; its lease is held by who calls."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if _STRAY.fullmatch(path.name) and path.name != index_id.hex() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed while they made or replaced an index have left beside it."""
    beside = re.compile(re.escape(folder.name) + r"\..{3}-.{8}", re.DOTALL)
    try:
        names = os.listdir(folder.parent)
    except (FileNotFoundError, PermissionError):
        return  # nobody has made one there yet, or what lies there is not for us to know
    for path in [folder.parent / name for name in names if beside.fullmatch(name)]:
        # Somebody else's, or one that is being made right now, is not touched.
        with contextlib.suppress(OSError, StorageError):
            check_private(path, directory=True)
            if time.time() - path.lstat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(path)
