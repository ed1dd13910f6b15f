"""What the platform tells of changes below a root: batches of paths, through the `watchfiles` library.

    with FileEvents(root) as events:
        events.listen(folders)          # hears of the entries of these folders from now on
        changes = events.next(1.0)      # relative paths of what changed, None after a second of silence

On Linux each folder is listened to by itself, so that what the index leaves out (dependencies, build output, what links
lead to) costs nothing; a new folder is listened to when somebody has walked it and says so. Elsewhere the platform
listens to whole trees, and does so cheaply.

Paths are hints: what is at them now is for the file system to say. A batch comes when a burst of changes pauses, or
goes on for longer than HOLD_MS. The library does not tell when the kernel's queue overflowed, and it reports a name
that is not UTF-8 as an error: what may have been lost is reported as `LOST`, and whoever listens should look at times
without being told.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

HOLD_MS = 300
"""How long changes are collected while more keep coming."""

STEP_MS = 25
"""How often new changes are looked for, and how long a pause ends a burst."""

LOST = frozenset({""})
"""The changes to report when anything may have changed: the root itself."""

# Linux tells of single folders, the others of whole trees.
_BY_FOLDER = sys.platform == "linux"

_END_SECONDS = 2.0
_ATTEMPTS = 5

# After so many steps a burst that has begun is over, and has been told.
_LAST_STEPS = HOLD_MS // STEP_MS + 2


class FileEvents:
    """Changes below one root. `listen` before `next`; leaving the `with` ends it.

    `deaf` tells that the platform has stopped telling, and that somebody has to look by himself.
    """

    def __init__(self, root: str | os.PathLike[str], *, by_folder: bool = _BY_FOLDER) -> None:
        self.root = os.path.realpath(root)
        self.by_folder = by_folder
        self.deaf = False
        self._prefix = os.path.join(self.root, "")
        self._batches: queue.SimpleQueue[frozenset[str]] = queue.SimpleQueue()
        self._reader: _Reader | None = None

    def listen(self, folders: Iterable[str]) -> None:
        """Hear of changes in these folders (relative to the root, "" for the root), and in no others, from now on.

        Folders that are gone are passed over. What changed in new folders before this call returns may not be reported:
        look at them afterwards. What changed in those that were listened to before is, if need be twice.

        Raises:
            OSError: the platform cannot listen to so many folders, or not to this file system.
        """
        places = [self._prefix + folder.rstrip("/") for folder in folders] if self.by_folder else [self.root]
        before, self._reader = self._reader, _Reader(self, [os.path.normpath(each) for each in places])
        if before is not None:
            before.retire()

    def next(self, timeout: float) -> frozenset[str] | None:
        """Return the paths that have changed, relative to the root; None if none did for so many seconds."""
        try:
            batch = self._batches.get(timeout=max(0.0, timeout))
            while True:
                try:
                    batch |= self._batches.get_nowait()
                except queue.Empty:
                    return batch
        except queue.Empty:
            return None

    def close(self) -> None:
        """Stop listening. Closing twice is fine."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, changes: Iterable[tuple[int, str]]) -> None:
        """Take in what the platform told, as (kind of change, absolute path)."""
        paths = frozenset(self._relative(path) for _, path in changes)
        if paths:
            self._batches.put(paths)

    def lose(self) -> None:
        """Take note that changes may have been missed."""
        self._batches.put(LOST)

    def fail(self) -> None:
        """Take note that nothing more will be heard."""
        self.deaf = True
        self._batches.put(LOST)

    def _relative(self, path: str) -> str:
        if path.startswith(self._prefix):
            return path[len(self._prefix) :].replace(os.sep, "/").rstrip("/")
        return ""


class _Ending:
    """What the library asks at every step whether it is to end: at once, or when a burst that has begun is told.

    The library forgets what it is collecting when it is told to end.
    """

    def __init__(self) -> None:
        self.now = False
        self.soon = False
        self._steps = 0

    def begin(self) -> bool:
        """Begin to count steps; return whether this is the last time."""
        self._steps = 0
        return self.soon

    def is_set(self) -> bool:
        """Whether to end here."""
        self._steps += self.soon
        return self.now or self._steps > _LAST_STEPS


class _Reader:
    """One set of folders that is listened to, and the thread that hears."""

    def __init__(self, events: FileEvents, places: list[str]) -> None:
        self._events = events
        self._places = places
        self._notify = self._opened()
        self._ending = _Ending()
        self._thread = threading.Thread(target=self._read, name="file-events", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread; what it has told stays with the events."""
        self._ending.now = True
        self._thread.join(_END_SECONDS)

    def retire(self) -> None:
        """Have the thread end by itself, when it has told what it has heard."""
        self._ending.soon = True

    def _opened(self) -> RustNotify:
        """Open the platform's watcher for those of the folders that are there and may be read.

        Raises:
            OSError: the platform cannot listen to so many folders, or not to this file system.
        """
        recursive = not self._events.by_folder
        for _ in range(_ATTEMPTS):
            places = [place for place in self._places if os.access(place, os.R_OK | os.X_OK)]
            # One that is gone in the meantime is an error as any other.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                return RustNotify(places, False, False, 0, recursive, False)
        raise OSError(f"folders come and go too fast below {self._events.root}")

    def _read(self) -> None:
        last = False
        while not (self._ending.now or last):
            # What came between two calls is told by the one that begins after the end was asked for.
            last = self._ending.begin()
            try:
                heard = self._notify.watch(HOLD_MS, STEP_MS, 0, self._ending)
            except WatchfilesRustInternalError:
                if last:
                    self._events.lose()
                elif not self._reopen():
                    return
                continue
            if isinstance(heard, str):
                return
            self._events.take(heard)

    def _reopen(self) -> bool:
        """Open the watcher again, which after an error tells nothing else any more."""
        try:
            self._notify = self._opened()
        except OSError:
            self._events.fail()
            return False
        self._events.lose()
        return True
