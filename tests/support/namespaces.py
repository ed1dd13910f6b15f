"""A process in name spaces of its own (Linux): it may mount and set limits, and nobody else notices.

    python namespaces.py WATCHES COMMAND...     runs a command to which the kernel tells of at most so many folders

Everything is undone by the kernel when the last process in them ends.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

REFUSED = 77
"""The exit code where the machine does not let this user have name spaces."""

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_DETACH = 2
_DEATH_SIGNAL = 1

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Move this process into new name spaces for mounts and users, in which it is who it was and may do all.

    Raises:
        OSError: the machine does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    _done(_libc.unshare(_NEW_MOUNTS | _NEW_USERS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount(source: str, point: Path, kind: str, options: str = "") -> None:
    """Mount a file system.

    Raises:
        OSError: the kernel does not.
    """
    _done(_libc.mount(source.encode(), os.fsencode(point), kind.encode(), ctypes.c_ulong(0), options.encode()))


def unmount(point: Path) -> None:
    """Take a file system away from its place, also where somebody uses it."""
    _done(_libc.umount2(os.fsencode(point), _DETACH))


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone."""
    _done(_libc.prctl(_DEATH_SIGNAL, 9, 0, 0, 0))


def _done(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(watches: str, *command: str) -> None:
    """Become a command whose user the kernel tells of few folders."""
    try:
        enter()
        Path("/proc/sys/user/max_inotify_watches").write_text(watches)
    except OSError as error:
        print(f"no name spaces: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
