"""What a run tells of itself: an event for each thing that happens, to those who listen.

The observer is told at once, the listener by the dispatcher's thread. What happens to many files in one moment goes to
the dispatcher as one, and becomes events there, so that the run has next to nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from treemill.events import (
    Cancelled,
    Committed,
    Ended,
    Event,
    Finished,
    Listener,
    Passed,
    Queued,
    Started,
    Worked,
    ignore,
    wants_files,
)
from treemill.flow import Done
from treemill.processing.dispatch import Dispatcher
from treemill.processing.tally import Entry, Tally
from treemill.types import DiscoveredFile, Failure, Skipped


class Herald:
    """Tells the observer and the listener of a run; entered while there is something to tell.

    `tally` has the clock of the run; `beat` makes its heartbeat. `tells_of_files` is False where nobody wants to hear
    of files that are queued, started and finished: these events are not even made then.
    """

    def __init__(self, tally: Tally, listener: Listener, observer: Listener, beat: Callable[[], Event]) -> None:
        self.tells_of_files = wants_files(listener) or observer is not ignore
        self._tally = tally
        self._observer = observer
        self._observed = observer is not ignore
        self._dispatcher = Dispatcher(listener, beat)

    def __enter__(self) -> Self:
        self._dispatcher.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dispatcher.__exit__(kind, error, trace)
        self._tally.stats.dropped_events = self._dispatcher.dropped

    def wait_for_first(self) -> None:
        """Let the first file be told of, if that takes no longer than a moment."""
        if self.tells_of_files:
            self._dispatcher.wait_for_first()

    def post(self, event: Event) -> None:
        """Tell of anything."""
        if self._observed:
            self._observer(event)
        self._dispatcher.post(event)

    def queued(self, path: str) -> None:
        """A file waits for a worker."""
        self.post(Queued(self._tally.elapsed, path))

    def started(self, files: Sequence[DiscoveredFile]) -> None:
        """Files are handed to the workers."""
        if files and self.tells_of_files:
            at = self._tally.elapsed
            names = [file.name for file in files]  # which is less to keep, should the listener be late
            self._post_all((Started(at, name) for name in names), len(names))

    def committed(self, entries: Sequence[Entry], generation: int) -> None:
        """Files are committed; without any there is nothing to tell."""
        if not entries:
            return
        at = self._tally.elapsed
        if self.tells_of_files:
            self._post_all((_finished(at, entry) for entry in entries), len(entries))
        self.post(Committed(at, len(entries), generation))

    def passed(self, what: Skipped | Failure) -> None:
        """A file is left out, or failed."""
        at = self._tally.elapsed
        if isinstance(what, Skipped):
            self.post(Passed(at, what.path, str(what.reason), what.detail, failed=False))
        else:
            self.post(Passed(at, what.path, what.error_type, what.message, failed=True))

    def cancelled(self, path: str) -> None:
        """A file was not begun, or not committed, when the run was cancelled."""
        self.post(Cancelled(self._tally.elapsed, path))

    def worked(self, done: Done[DiscoveredFile, Any]) -> None:
        """A worker ended a batch."""
        tally, files = self._tally, done.items
        size = sum(file.size for file in files)
        started = done.started - tally.began
        self.post(Worked(tally.elapsed, done.worker, started, done.seconds, len(files), size, files[0].name))

    def ended(self) -> None:
        """The run is over, and its statistics are closed."""
        stats = self._tally.stats
        self.post(
            Ended(
                self._tally.elapsed,
                stats.files_processed,
                stats.failed_files,
                stats.skipped_files,
                stats.cancelled_files,
                stats.duration,
            )
        )

    def _post_all(self, events: Iterator[Event], count: int) -> None:
        """Tell of so many files at once."""
        if self._observed:
            for event in events:
                self.post(event)
        else:
            self._dispatcher.post_all(events, count)


def _finished(at: float, entry: Entry) -> Finished:
    return Finished(at, entry.path, entry.chunks, entry.size, entry.language)
