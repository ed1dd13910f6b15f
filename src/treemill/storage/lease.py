"""The writer lease: at most one process changes an index, and everybody can tell which.

The lease is a lock that the operating system holds on an open file, so it ends with the process, however that ends,
and a live one cannot be taken over. The file says who holds it; that is for messages only, the lock alone decides.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from treemill.errors import IndexLocked, StorageError

LOCK_NAME = "writer.lock"

WATCH_NAME = "watcher.lock"
"""A second lease of the same kind: at most one process keeps an index up to date by watching its tree."""

LAYOUT_NAME = "layout.lock"
"""A third one: at most one process lays out the segment files of a cache that several share."""

FLEET_NAME = "fleet.lock"
"""A fourth one: at most one run goes over a fleet of repositories."""

_DOING = {
    LOCK_NAME: "writing this index",
    WATCH_NAME: "watching this tree",
    LAYOUT_NAME: "laying out segments",
    FLEET_NAME: "running this fleet",
}

# `holder` takes a shared lock for a moment to see whether it can, so a writer does not take the first refusal for
# an answer.
_GRACE_SECONDS = 0.05
_PAUSE_SECONDS = 0.01

if sys.platform == "win32":
    import msvcrt

    # A lock on Windows keeps others from reading what it covers: it covers a byte behind everything written.
    _LOCKED_BYTE = 1 << 20

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class Lease:
    """The right to change the index in a folder, until `release`. A context manager.

    The lock is not handed to children: neither one that is forked nor one that is started keeps it alive.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def acquire(cls, folder: Path, *, wait_seconds: float = 0.0, name: str = LOCK_NAME) -> Self:
        """Take the lease (the writer's, or the watcher's), waiting at most that long.

        Raises:
            IndexLocked: somebody holds it; `.pid` is the process.
            StorageError: the lock file cannot be opened.
        """
        deadline = time.monotonic() + max(wait_seconds, _GRACE_SECONDS)
        descriptor = _opened(folder, os.O_RDWR | os.O_CREAT, name)
        try:
            while not _try_lock(descriptor, shared=False):
                if time.monotonic() >= deadline:
                    raise _locked(descriptor, name)
                time.sleep(_PAUSE_SECONDS)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()} {time.time_ns()}\n".encode())
        except OSError as error:
            os.close(descriptor)
            raise _unusable(folder, error) from error
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Give the lease back. Doing it twice is fine."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            # What the file says is for messages; a disk that fails must not keep the lock, which closing gives back.
            try:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)
                    _unlock(descriptor)
            finally:
                os.close(descriptor)

    def forget(self) -> None:
        """Close the file in a forked child, without touching the lock that the parent holds."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(folder: Path) -> int | None:
    """Return the process that holds the lease, None if nobody does, 0 if somebody who has not said who. Never waits.

    Raises:
        StorageError: the lock file cannot be opened or used.
    """
    with _looked_at(folder) as descriptor:
        return None if descriptor is None else _written(descriptor)[0]


def locked(folder: Path) -> IndexLocked | None:
    """Return the error that taking the lease would raise now, or None if nobody holds it. Never waits.

    Raises:
        StorageError: the lock file cannot be opened or used.
    """
    with _looked_at(folder) as descriptor:
        return None if descriptor is None else _locked(descriptor, LOCK_NAME)


@contextlib.contextmanager
def _looked_at(folder: Path) -> Iterator[int | None]:
    """Lend the lock file that somebody holds, None where nobody does."""
    try:
        descriptor = _opened(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        if _try_lock(descriptor, shared=True):
            _unlock(descriptor)
            yield None
        else:
            yield descriptor
    except OSError as error:
        raise _unusable(folder, error) from error
    finally:
        os.close(descriptor)


def _opened(folder: Path, flags: int, name: str = LOCK_NAME) -> int:
    try:
        return os.open(folder / name, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(
            f"the lock file in {folder} cannot be opened: {error.strerror}",
            suggestion="Check the permissions of that folder",
        ) from error


def _unusable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the lock file in {folder} cannot be used: {error.strerror}",
        suggestion="An index has to lie on a local disk that can be written",
    )


def _written(descriptor: int) -> tuple[int, int]:
    """Return the pid in the lock file and since when it holds the lease (wall clock in ns); zeros if not said."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        pid, since = (int(word) for word in os.read(descriptor, 64).split())
    except ValueError:
        return 0, 0
    return max(pid, 0), max(since, 0)


def _locked(descriptor: int, name: str) -> IndexLocked:
    pid, since = _written(descriptor)
    who = f"process {pid}" if pid else "another process"
    start = f" since {time.strftime('%H:%M:%S', time.localtime(since / 1e9))}" if since else ""
    if pid and is_stopped(pid):
        return IndexLocked(
            f"{who} is {_DOING[name]}{start}, but is stopped, so that nobody else can",
            pid=pid,
            suggestion=f"Have it go on (kill -CONT {pid}) or end it (kill -KILL {pid}); what it committed is safe",
        )
    return IndexLocked(
        f"{who} is {_DOING[name]}{start}",
        pid=pid or None,
        suggestion="Wait for it" if name == FLEET_NAME else "Wait for it, or run: treemill index --wait",
    )


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped (by Ctrl-Z, SIGSTOP or a debugger), as far as the platform tells."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(1024).rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


_held: weakref.WeakSet[Lease] = weakref.WeakSet()


def _forget_all() -> None:
    for lease in list(_held):
        lease.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
