"""Which index folders this user's Treemill made: only those are opened.

A source tree may come with a `.treemill/` of its own, doctored to give wrong answers or worse. So an index folder
carries a mark: its random id, authenticated with a key that only this user has. Everything else lies in a folder
that is named by the id, which nobody who prepares a tree can know, so that no checkout can slip a file in later.

    .treemill/
      .gitignore          the folder ignores itself
      owner               the id, and its HMAC-SHA256 under the user's key
      <id>/               the database, the lock, the segments
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import stat
import sys
from pathlib import Path

from treemill.errors import IndexMissing, StorageError

MARK_NAME = "owner"
STATE_VARIABLE = "TREEMILL_STATE_DIR"

_KEY_BYTES = 32
_ID_BYTES = 16
_MOST_MARK_BYTES = 1_000
_REBUILD = "Run: treemill index --rebuild"


def state_folder() -> Path:
    """Return where this user's Treemill keeps what is not a cache: `TREEMILL_STATE_DIR`, or the platform's place."""
    given = os.environ.get(STATE_VARIABLE)
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "treemill"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "treemill"
    given = os.environ.get("XDG_STATE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".local" / "state") / "treemill"


def user_key() -> bytes:
    """Return this user's key, made at first use.

    Raises:
        StorageError: it can be neither read nor made, or others may write it.
    """
    folder = state_folder()
    path = folder / "key"
    try:
        try:
            return _read_key(path)
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_key(path)
            return _read_key(path)
    except OSError as error:
        raise StorageError(
            f"the key that marks your indexes cannot be kept in {folder}: {error.strerror}",
            suggestion=f"Set {STATE_VARIABLE} to a folder of yours that can be written",
        ) from error


def new_id() -> bytes:
    """Return the id of a new index: 16 random bytes."""
    return os.urandom(_ID_BYTES)


def write_mark(folder: Path, index_id: bytes) -> None:
    """Mark a new index folder as made by this user's Treemill.

    Raises:
        OSError: the file cannot be written, or is there already.
    """
    _write_new(folder / MARK_NAME, _mark_of(index_id))


def replace_mark(folder: Path, index_id: bytes) -> None:
    """Have the mark of an index folder name another index, at once: whoever reads it sees the one or the other.

    Raises:
        OSError: it cannot be written; the mark is as it was.
    """
    beside = folder / f"{MARK_NAME}.{os.urandom(4).hex()}"
    try:
        _write_new(beside, _mark_of(index_id))
        os.replace(beside, folder / MARK_NAME)
    finally:
        beside.unlink(missing_ok=True)
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_mark(folder: Path) -> bytes:
    """Return the id of an index folder, after making sure that this user's Treemill made it.

    Raises:
        IndexMissing: there is no such folder.
        StorageError: it is not this user's, others could have changed it, or it cannot be read.
    """
    try:
        return _checked_mark(folder)
    except OSError as error:
        # No word of rebuilding: a disk that fails for a moment says nothing of whose the index is.
        raise StorageError(
            f"the index in {folder} cannot be read: {error.strerror or error}",
            suggestion="Check the disk and the permissions of that folder, and try again",
        ) from error


def _checked_mark(folder: Path) -> bytes:
    try:
        check_private(folder, directory=True)
    except FileNotFoundError:
        raise IndexMissing(f"there is no index at {folder}", suggestion="Run: treemill index") from None
    try:
        mark = folder / MARK_NAME
        check_private(mark)
        with open(mark, "rb") as file:
            words = file.read(_MOST_MARK_BYTES).decode("ascii").split()
        index_id, signature = bytes.fromhex(words[0]), words[1]
    except (FileNotFoundError, ValueError, IndexError):
        raise _foreign(folder, "it carries no mark of yours") from None
    if len(index_id) != _ID_BYTES or not hmac.compare_digest(signature, _signature(index_id)):
        raise _foreign(folder, "its mark was not made with your key")
    data = data_folder(folder, index_id)
    try:
        check_private(data, directory=True)
    except FileNotFoundError:
        raise _foreign(folder, "what its mark names is not there") from None
    for name in os.listdir(data):
        # Files come and go while others read and write; one that is gone needs no check.
        with contextlib.suppress(FileNotFoundError):
            check_private(data / name)
    return index_id


def data_folder(folder: Path, index_id: bytes) -> Path:
    """Return the folder that holds an index's files."""
    return folder / index_id.hex()


def check_private(path: Path, *, directory: bool = False) -> None:
    """Make sure that nobody else could have put a file or folder there, or changed it.

    Raises:
        FileNotFoundError: it is not there.
        StorageError: it is a link, somebody else's, or can be written by others.
    """
    entry = os.lstat(path)
    kind = "folder" if directory else "file"
    if not (stat.S_ISDIR(entry.st_mode) if directory else stat.S_ISREG(entry.st_mode)):
        raise _foreign(path, f"it is not a plain {kind}")
    if hasattr(os, "geteuid"):
        if entry.st_uid != os.geteuid():
            raise _foreign(path, f"it belongs to user {entry.st_uid}")
        if entry.st_mode & 0o022:
            raise _foreign(path, "others may write to it")


def _foreign(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"{path} was not made by your Treemill, so it is not opened: {reason}",
        suggestion=f"If you trust the tree, replace the index. {_REBUILD}",
    )


def _mark_of(index_id: bytes) -> bytes:
    return f"{index_id.hex()}\n{_signature(index_id)}\n".encode()


def _signature(index_id: bytes) -> str:
    return hmac.new(user_key(), b"treemill index\0" + index_id, hashlib.sha256).hexdigest()


def _read_key(path: Path) -> bytes:
    check_private(path)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise StorageError(
            f"the key in {path} is damaged", suggestion=f"Delete it; indexes made with it need {_REBUILD[5:]}"
        )
    return key


def _make_key(path: Path) -> None:
    """Write a key beside and link it into place, so that of two processes one wins and none reads half a key."""
    temporary = path.with_name(f"key.{os.urandom(4).hex()}")
    _write_new(temporary, os.urandom(_KEY_BYTES))
    try:
        if sys.platform == "win32":
            os.rename(temporary, path)
        else:
            os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
