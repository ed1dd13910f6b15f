"""Keep the index of a tree up to date while the tree changes: what `treemill watch` and the library's `watch` do.

    stand by ─▶ look at everything ─▶ listen ─▶ look once more ─▶ ⟲ changes ─▶ look at those paths ─▶ index them

What the platform tells (`file_events`) is a hint where to look; what is there, the walk and the digest decide as in any
other run. Hints get lost: queues overflow, folders are made faster than anyone can listen to them. So everything is
looked at again when the tree has come to rest, in a small share of the time; that look also settles the stamps of files
that were read too soon after they were written to be trusted. Where the platform tells nothing (network drives, too
many folders), looking is all there is.

A root that goes away is waited for. Trouble with the disk is told and tried again; what makes no sense to try again (an
index of another recipe, a wrong setting) is raised.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from treemill.configuration import load_settings
from treemill.embedding.registry import provider_for
from treemill.errors import EmbeddingError, IndexLocked, IndexMissing, SettingsError, StorageError, UsageError
from treemill.events import Event, Listener, Noticed, StandingBy, Troubled, Updated, Watching, ignore
from treemill.file_events import LOST, FileEvents
from treemill.flow.launching import dismiss, warm
from treemill.freshness import IndexOptions, look
from treemill.hints import GIT_RULES, concerns_all, is_at_or_below, telling, topmost
from treemill.indexing import index_tree
from treemill.places import place_of
from treemill.recipes import governor_for, recipe_of
from treemill.settings import Settings
from treemill.settled import is_settled
from treemill.storage.content_cache import ContentCache
from treemill.storage.location import REMOTE_FILE_SYSTEMS, file_system_of, locate
from treemill.storage.opening import RootStore, WatchLease, open_store

# How often the loop comes up to see whether it is to end, and whether the root is still the one it was.
_TICK_SECONDS = 0.25

# A tree that has been at rest for so long is looked at as a whole, if that takes a small share of the time; one in
# which nothing happens now and then, for what nobody tells of (rules above the root).
_REST_SECONDS = 2.5
_REST_SHARE = 0.05
_IDLE_SECONDS = 300.0
_IDLE_SHARE = 0.01

# Without events the whole tree is looked at so often, or more seldom where a look takes long.
_POLL_SECONDS = 1.0
_POLL_SHARE = 0.1

_RETRY_SECONDS = 5.0
_FOREVER_SECONDS = 1e9

# What a worker imports before it is told its work: one is kept waiting, so that an edit does not wait for imports.
_WORK = "treemill.preparing"

_SETTINGS = ("treemill.toml", "pyproject.toml")


def watch(
    root: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    on_event: Listener | None = None,
    cancel: threading.Event | None = None,
    polling: bool = False,
) -> None:
    """Keep the index of a folder up to date until `cancel` is set, which ends it within a second.

    Without settings, they are read as the command line does, and again when the tree's own change. `on_event` is called
    with each `treemill.events.Event`, one at a time: those of the watch (StandingBy, Watching, Noticed, Updated and
    Troubled) from this thread, those of the runs in between as `treemill.index` does. With `polling` the platform's
    file events are left out.

    Raises:
        UsageError: there is no such folder.
        SettingsError: a setting is wrong; the message names where it came from.
        IndexMismatch: the index was built with another recipe.
        StorageError: the index cannot be opened to begin with.
    """
    folder = place_of(root).root
    keep_up(
        folder,
        (lambda: load_settings(folder)) if settings is None else (lambda: settings),
        on_event or ignore,
        cancel or threading.Event(),
        polling=polling,
    )


def keep_up(
    root: Path, settings_of: Callable[[], Settings], listener: Listener, cancel: threading.Event, *, polling: bool
) -> None:
    """Watch a root, whatever becomes of it, until `cancel` is set; see `watch`."""
    began = time.monotonic()
    worked = False
    while not cancel.is_set():
        trouble = f"there is no folder {root}"
        stamps = _stamps(root)
        try:
            if os.path.isdir(root):
                storage = settings_of().storage
                with open_store(root, locate(root), storage, create=True) as store:
                    lease = _lease(store, root, listener, cancel, began)
                    if lease is None:
                        return
                    with lease:
                        turn = _Turn(root, store, settings_of, listener, cancel, began)
                        turn.start()
                        worked = True
                        turn.run(polling=polling)
                continue
        except (StorageError, IndexMissing, SettingsError, UsageError, EmbeddingError) as error:
            if os.path.isdir(root):
                if not worked:
                    raise
                trouble = str(error)
        finally:
            dismiss()
        listener(Troubled(time.monotonic() - began, str(root), trouble))
        _wait_for(root, stamps, cancel)


def keep_up_all(
    watched: Sequence[tuple[Path, Callable[[], Settings], Listener]], cancel: threading.Event, *, polling: bool
) -> None:
    """Watch several roots, each with its settings and listener and in a thread of its own, as `keep_up` does.

    What ends one of them ends them all, and is raised.
    """

    def one(root: Path, settings_of: Callable[[], Settings], listener: Listener) -> None:
        try:
            keep_up(root, settings_of, listener, cancel, polling=polling)
        finally:
            cancel.set()

    with ThreadPoolExecutor(len(watched), thread_name_prefix="watch") as threads:
        futures = [threads.submit(one, *each) for each in watched]
        # A signal is taken in by the main thread, which must not sleep for good.
        while not cancel.wait(_TICK_SECONDS):
            pass
    for future in futures:
        future.result()


def _wait_for(root: Path, stamps: object, cancel: threading.Event) -> None:
    """Wait until a root that went away is back; for a while if it is there, or until its settings files change."""
    until = time.monotonic() + _RETRY_SECONDS
    gone = not os.path.isdir(root)
    while not cancel.wait(_TICK_SECONDS):
        if os.path.isdir(root) if gone else time.monotonic() > until or _stamps(root) != stamps:
            return


def _lease(
    store: RootStore, root: Path, listener: Listener, cancel: threading.Event, began: float
) -> WatchLease | None:
    """Become the one that watches, or stand by until the other has ended; None when that is cancelled."""
    pid = -1
    while not cancel.is_set():
        try:
            return store.watcher()
        except IndexLocked as locked:
            if locked.pid != pid:
                pid = locked.pid or 0
                listener(StandingBy(time.monotonic() - began, str(root), pid, locked.message))
        cancel.wait(_TICK_SECONDS)
    return None


class _Turn:
    """Watching one root with one index and one set of settings, until one of them is replaced."""

    def __init__(
        self,
        root: Path,
        store: RootStore,
        settings_of: Callable[[], Settings],
        listener: Listener,
        cancel: threading.Event,
        began: float,
    ) -> None:
        self._root = root
        self._store = store
        self._settings_of = settings_of
        self._stamps = _stamps(root)
        self._settings = settings = settings_of()
        self._listener = listener
        self._cancel = cancel
        self._began = began
        self._provider = provider_for(settings, store.recipe())
        self._recipe = recipe_of(governor_for(settings, self._provider).recipe, self._provider)
        self._identity = _identity(root)
        self._walked: set[str] = set()
        self._listened: set[str] = set()
        self._look_seconds = 0.0

    def start(self) -> None:
        """Bring the index up to date."""
        self._walked = self._update(LOST)

    def run(self, *, polling: bool) -> None:
        """Keep the index up to date; return when the root, its index or its settings are others."""
        with FileEvents(self._root) as events:
            silent = "asked for" if polling else self._why_silent() or self._listen(events, self._walked)
            self._warm()
            if self._cancel.is_set():
                return
            self._tell_watching(silent)
            if silent:
                self._poll()
            else:
                self._follow(events)

    def _follow(self, events: FileEvents) -> None:
        """Look where the platform tells of changes, and everywhere now and then."""
        next_look = self._after(_REST_SECONDS, _REST_SHARE)
        while not self._cancel.is_set():
            changes = telling(events.next(_TICK_SECONDS) or frozenset())
            if events.deaf or not self._is_the_same():
                return
            if changes:
                self._listen(events, self._update(changes), changes)
                next_look = min(next_look, self._after(_REST_SECONDS, _REST_SHARE))
                self._warm()
            if time.monotonic() >= next_look:
                self._listen(events, self._update(LOST))
                next_look = self._after(_IDLE_SECONDS, _IDLE_SHARE)

    def _poll(self) -> None:
        """Look at everything, again and again."""
        while not self._cancel.wait(max(_POLL_SECONDS, self._look_seconds / _POLL_SHARE)):
            if not self._is_the_same():
                return
            self._update(LOST)
            self._warm()

    def _update(self, changes: frozenset[str]) -> set[str]:
        """Look at the changed places and index what is stale there; return the folders that were walked."""
        noticed = time.monotonic()
        within = None if concerns_all(changes) else topmost(changes)
        folders: set[str] = set()
        survey = look(self._root, self._store, self._settings, within=within, entered=folders.add)
        if survey.found_work or not is_settled(self._store, self._recipe, survey.known):
            self._tell(Noticed(self._at, str(self._root), 0 if within is None else len(within)))
            try:
                with ContentCache(self._settings.storage.cache_mb) as cache:
                    report = index_tree(
                        self._root,
                        self._store,
                        self._settings,
                        provider=self._provider,
                        options=IndexOptions(wait_seconds=_FOREVER_SECONDS),
                        listener=self._listener,
                        cancel=self._cancel,
                        survey=survey,
                        cache=cache,
                    )
            except IndexLocked:
                return folders  # cancelled while another process was writing
            stats, seconds = report.stats, time.monotonic() - noticed
            counts = (stats.files_processed, report.removed, stats.skipped_files, stats.failed_files)
            self._tell(Updated(self._at, str(self._root), *counts, round(seconds, 4)))
        elif within is None:
            self._look_seconds = time.monotonic() - noticed
        return folders

    def _listen(self, events: FileEvents, walked: set[str], changes: frozenset[str] = frozenset()) -> str:
        """Hear of changes in the folders that were walked; return why that cannot be, or "".

        A folder at or below one of the changes may be another one under the same name. What changed in a folder before
        anyone listened is looked for, until there is no folder left of which that may be so.
        """
        if "" in changes:
            self._listened = set()
        elif changes:
            self._listened -= {folder for folder in self._listened if is_at_or_below(folder, changes)}
        while not self._cancel.is_set():
            fresh = walked - self._listened
            if not fresh:
                return ""
            self._listened |= fresh
            try:
                events.listen(self._with_rules(self._listened))
            except OSError as error:
                events.deaf = True
                return f"the platform does not tell of changes: {error}"
            again = frozenset(folder.rstrip("/") for folder in fresh)
            walked = self._update(again)
        return ""

    def _with_rules(self, folders: set[str]) -> Iterable[str]:
        return folders | {GIT_RULES} if (self._root / GIT_RULES).is_dir() else folders

    def _why_silent(self) -> str:
        """Say why the platform's events cannot be had for this root, or return ""."""
        kind = file_system_of(self._root)
        return f"a network file system ({kind}) tells only of changes made here" if kind in REMOTE_FILE_SYSTEMS else ""

    def _is_the_same(self) -> bool:
        """Whether root, index and settings are still those that this began with.

        Raises:
            SettingsError: the settings are wrong now.
        """
        try:
            self._store.generation()
        except (IndexMissing, StorageError):
            return False
        if _identity(self._root) != self._identity:
            return False
        stamps = _stamps(self._root)
        if stamps != self._stamps:
            self._stamps = stamps
            return self._settings_of() == self._settings
        return True

    def _warm(self) -> None:
        """Have a worker waiting."""
        if self._settings.chunker.concurrency.executor == "process":
            warm(1, _WORK)

    def _after(self, seconds: float, share: float) -> float:
        """Return when to look at everything again: after a while, and such that looking takes a share of the time."""
        return time.monotonic() + max(seconds, self._look_seconds / share)

    @property
    def _at(self) -> float:
        return time.monotonic() - self._began

    def _tell(self, event: Event) -> None:
        self._listener(event)

    def _tell_watching(self, silent: str) -> None:
        with self._store.snapshot() as snapshot:
            files = snapshot.coverage().searchable
        interval = max(_POLL_SECONDS, self._look_seconds / _POLL_SHARE) if silent else 0.0
        self._tell(Watching(self._at, str(self._root), files, len(self._listened), silent, interval))


def _identity(root: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one under the same name; None where there is none."""
    try:
        entry = root.stat()
    except OSError:
        return None
    return entry.st_dev, entry.st_ino


def _stamps(root: Path) -> list[tuple[int, int, int] | None]:
    """Return what tells one state of the tree's settings files from another."""
    stamps: list[tuple[int, int, int] | None] = []
    for name in _SETTINGS:
        try:
            entry = os.stat(root / name)
        except OSError:
            stamps.append(None)
        else:
            stamps.append((entry.st_size, entry.st_mtime_ns, entry.st_ino))
    return stamps
