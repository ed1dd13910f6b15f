"""A tree that is kept indexed behind, while questions about it are answered: what long-lived doors stand on.

    ask ─▶ [a look at the tree, waited for briefly] ─▶ the last commit ─▶ answer, with coverage
                        │
                        └─▶ one thread: look, index what changed, sleep until somebody asks again

A host is there at once: nothing is opened, walked or loaded before the first question or `start`. It never raises for
what the index lacks: an answer says what it could see and why it is empty.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from treemill import library
from treemill.errors import IndexLocked, IndexMissing, TreemillError, UsageError
from treemill.events import Event, Heartbeat, Listener, ignore
from treemill.freshness import IndexOptions
from treemill.places import Place
from treemill.records import Coverage, FileText, IndexedFile, Query
from treemill.reports import IndexReport
from treemill.searching import Answer, Index
from treemill.settings import Settings
from treemill.values import dataclass

PATIENCE_SECONDS = 0.5
"""How long a question waits for a look at what changed; then the last commit answers, and says so by its coverage."""

# Questions that come in a row share one look at the tree.
_LOOK_AGAIN_SECONDS = 1.0

# How long questions that do not wait share one look, in the time that the last one took.
_PAUSE_SHARE = 20.0

_POLL_SECONDS = 0.05

# Closing waits this long for a run to end what it has in hand; a run that is cancelled ends within a second.
_CLOSING_SECONDS = 10.0

_NOTHING_YET = "nothing is searchable yet, the index is being built; ask again in a moment"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """How a hosted tree stands.

    `running` tells whether a run goes on in this process, `progress` is its newest heartbeat; `report` is the newest
    run's, `trouble` what ended it, "" if nothing did. `writer` is another process that is indexing the tree, or None.
    """

    root: str
    coverage: Coverage
    running: bool
    progress: Heartbeat | None
    report: IndexReport | None
    trouble: str
    writer: int | None


class Host:
    """One tree, kept indexed behind. Any number of threads may ask; use it in a `with`."""

    def __init__(self, place: Place, *, settings: Settings | None = None, on_event: Listener = ignore) -> None:
        """Take a place; `on_event` is told of every event of every run, from one thread of the run."""
        self.place = place
        self._settings = settings
        self._on_event = on_event
        self._cancel = threading.Event()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._wanted = 0
        self._done = 0
        self._running = False
        self._looked = float("-inf")
        self._look_seconds = 0.0
        self._retry = False
        self._progress: Heartbeat | None = None
        self._report: IndexReport | None = None
        self._trouble = ""
        self._writer: int | None = None
        self._index: Index | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the run, keeping what it committed, and release the index. Closing twice is fine."""
        with self._changed:
            self._closed = True
            self._cancel.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSING_SECONDS)
        with self._changed:
            if self._index is not None:
                self._index.close()
                self._index = None

    def refresh(self, *, retry: bool = False) -> int:
        """Have the tree looked at, from now on, and return a ticket for `wait`. With `retry`, failed files again."""
        with self._changed:
            if self._closed:
                return self._done
            self._retry |= retry
            # A run under way may have passed by what has changed since: it does not count.
            self._wanted = max(self._wanted, self._done + 1 + self._running)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="treemill-host", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return self._wanted

    def wait(self, ticket: int, seconds: float) -> bool:
        """Wait until the look of a ticket has ended, at most so long; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= ticket or self._closed, seconds)

    def cancel(self) -> None:
        """End the run that goes on, keeping what it committed; the next refresh begins another."""
        self._cancel.set()

    def ask(self, query: Query, *, patience: float = PATIENCE_SECONDS) -> Answer:
        """Answer from the last commit, after a look at the tree for which `patience` seconds are waited at most.

        A query without `under` is about the hosted place alone.

        Raises:
            UsageError: a limit, a pattern or a place is none.
            StorageError: the index is damaged or cannot be read.
        """
        # Who does not wait for a look is slowed down by one that goes on in this process: then it has a small share.
        pause = _LOOK_AGAIN_SECONDS if patience else max(_LOOK_AGAIN_SECONDS, _PAUSE_SHARE * self._look_seconds)
        if time.monotonic() - self._looked > pause:
            self.wait(self.refresh(), patience)
        self._wait_for_first_commit(4 * patience)
        try:
            answer = self._opened().ask(query)
        except IndexMissing:
            return Answer(query, (), self._nothing(), self._trouble or _NOTHING_YET)
        if answer.hits or answer.coverage.complete or not self._running:
            return answer
        if not answer.coverage.searchable:
            return replace(answer, reason=_NOTHING_YET)
        return replace(answer, reason=f"{answer.reason} so far; the index is being built, ask again in a moment")

    def files(self) -> list[IndexedFile]:
        """Return what is indexed below the hosted place, in order of path; nothing before the first commit.

        Raises:
            StorageError: the index is damaged or cannot be read.
        """
        try:
            return self._opened().files()
        except IndexMissing:
            return []

    def text(self, path: str) -> FileText:
        """Return a file as it was when it was indexed; `path` is relative to the root.

        Raises:
            UsageError: it is not in the index.
            StorageError: the index is damaged or cannot be read.
        """
        try:
            return self._opened().text(path)
        except IndexMissing:
            raise UsageError(f"{path} is not in the index", suggestion=_NOTHING_YET) from None

    def status(self) -> HostStatus:
        """Return how the tree stands now."""
        try:
            coverage = self._opened().coverage()
        except TreemillError:
            coverage = self._nothing()
        with self._changed:
            return HostStatus(
                str(self.place.root),
                coverage,
                self._running,
                self._progress if self._running else None,
                self._report,
                self._trouble,
                self._writer,
            )

    def _wait_for_first_commit(self, seconds: float) -> None:
        """Wait until there is anything to answer from, at most so long, and only while it can be expected."""
        deadline = time.monotonic() + seconds
        while self._running and not self._searchable() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _searchable(self) -> int:
        try:
            return self._opened().coverage().searchable
        except TreemillError:
            return 0

    def _opened(self) -> Index:
        with self._changed:
            if self._index is None:
                self._index = library.open(self.place.root / self.place.under)
            return self._index

    def _nothing(self) -> Coverage:
        """The coverage of an index that has no commit yet."""
        progress = self._progress
        return Coverage(0, 0 if progress is None else progress.known, complete=False)

    def _keep(self) -> None:
        """Bring the index up to date whenever somebody wants it, until the host is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted > self._done or self._closed)
                if self._closed:
                    return
                ticket, retry = self._wanted, self._retry
                self._retry, self._running, self._progress = False, True, None
                self._cancel.clear()
            began = time.monotonic()
            self._run(retry)
            with self._changed:
                self._running, self._done, self._looked = False, ticket, time.monotonic()
                self._look_seconds = self._looked - began
                self._changed.notify_all()

    def _run(self, retry: bool) -> None:
        """Run once. What stops it is kept for the status, and for answers that would be empty without a reason."""
        try:
            report = library.index(
                self.place.root,
                settings=self._settings,
                options=IndexOptions(retry=retry),
                on_event=self._told,
                cancel=self._cancel,
            )
        except IndexLocked as error:
            # Somebody else does the work; their commits are what the next answers come from.
            self._trouble, self._writer = "", error.pid
        except TreemillError as error:
            self._trouble, self._writer = str(error), None
        else:
            self._report, self._trouble, self._writer = report, "", None

    def _told(self, event: Event) -> None:
        if isinstance(event, Heartbeat):
            self._progress = event
        self._on_event(event)
