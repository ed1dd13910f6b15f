"""Where the index of a tree lies: in `.treemill/` at its root, or in the user's cache where that cannot be.

The root of a path is the nearest folder at or above it that holds an index. SQLite and the writer lease need a file
system whose locks and shared memory work, and an index that is private needs one with permissions; the cache folder
of the user is taken for a tree on another one, or one that cannot be written.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from treemill.errors import IndexMissing, StorageError
from treemill.siblings import cache_folder
from treemill.storage.ownership import read_mark

if sys.platform == "darwin":
    import subprocess

INDEX_NAME = ".treemill"

# fmt: off
REMOTE_FILE_SYSTEMS = frozenset(
    {
        "9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.davfs2", "fuse.gcsfuse",
        "fuse.glusterfs", "fuse.goofys", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gpfs", "lustre", "macfuse",
        "ncpfs", "nfs", "nfs4", "ocfs2", "osxfuse", "smb3", "smbfs", "v9fs", "vboxsf", "webdav",
    }
)
_WITHOUT_PERMISSIONS = frozenset({"drvfs", "exfat", "fat", "fuseblk", "msdos", "ntfs", "ntfs3", "vfat"})
# fmt: on
UNFIT_FILE_SYSTEMS = REMOTE_FILE_SYSTEMS | _WITHOUT_PERMISSIONS
"""File systems that an index is not kept on: remote ones, and those that keep no permissions."""


def find_root(path: Path) -> Path:
    """Return the nearest folder at or above `path` that holds an index of this user, else `path` itself.

    The result is absolute, links resolved. A file stands for its folder.
    """
    start = _folder_of(path)
    for folder in (start, *start.parents):
        if any(_is_index(place) for place in _places(folder)):
            return folder
    return start


def locate(root: Path) -> Path:
    """Return the index folder of a root: the one that is there, else where one is to be made.

    A `.treemill/` that is not this user's is returned all the same: opening it says what is wrong with it.
    """
    inside, cached = _places(_folder_of(root))
    if os.path.lexists(inside):
        return inside
    if os.path.lexists(cached):
        return cached
    fit = os.access(inside.parent, os.W_OK) and file_system_of(inside.parent) not in UNFIT_FILE_SYSTEMS
    return inside if fit else cached


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that a folder is on, as the platform calls it; "" where it does not say."""
    if sys.platform == "linux":
        try:
            with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
                return deepest_mount(parse_linux_mounts(mounts), str(folder))
        except OSError:
            return ""
    if sys.platform == "darwin":
        try:
            listing = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=2, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return ""
        return deepest_mount(parse_bsd_mounts(listing.splitlines()), str(folder))
    return "smbfs" if str(folder).startswith("\\\\") else ""


def parse_linux_mounts(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return (mount point, type) of each line of /proc/mounts, in order."""
    fields = (line.split(" ") for line in lines)
    return [(_unescaped(each[1]), each[2]) for each in fields if len(each) >= 3]


def parse_bsd_mounts(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return (mount point, type) of each line of `mount` as macOS prints it: "device on /point (type, options)"."""
    matches = (re.fullmatch(r".+? on (/.*) \((\w+).*\)", line) for line in lines)
    return [(match[1], match[2]) for match in matches if match]


def deepest_mount(mounts: Iterable[tuple[str, str]], folder: str) -> str:
    """Return the type of the mount that a folder is below; of mounts on one point the last one counts."""
    best, kind = "", ""
    for point, type_ in mounts:
        prefix = point.rstrip("/") + "/"
        if (folder + "/").startswith(prefix) and len(prefix) >= len(best):
            best, kind = prefix, type_
    return kind


def _folder_of(path: Path) -> Path:
    resolved = Path(os.path.realpath(path))
    return resolved.parent if resolved.is_file() else resolved


def _places(root: Path) -> tuple[Path, Path]:
    """Return where the index of a resolved root can be: inside it, and in the cache."""
    name = hashlib.blake2b(os.fsencode(root), digest_size=16).hexdigest()
    return root / INDEX_NAME, cache_folder() / "indexes" / name


def _is_index(folder: Path) -> bool:
    try:
        read_mark(folder)
    except (IndexMissing, StorageError):
        return False
    return True


def _unescaped(point: str) -> str:
    """Return a mount point without the octal escapes that /proc/mounts has for blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point)
