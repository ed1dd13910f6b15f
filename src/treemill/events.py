"""What a run tells a listener while it goes on: one small value for each thing that happens.

A listener is any callable that takes an event; the default does nothing. Events come from one dispatcher thread, one
at a time, in the order in which things happened, and the run never waits for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `at` is in seconds since the run began."""

    at: float

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready values, its name under "event"."""
        return {"event": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """The tree has been walked: so many files to process, so many unchanged, so many gone."""

    stale: int
    unchanged: int
    gone: int


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """Another process writes the index: its pid (0 if not known), and who that is and how far, for people.

    `at` is how long it has been waited for. Told about twice a second, before a run begins.
    """

    pid: int
    message: str


@dataclass(frozen=True, slots=True)
class Queued(Event):
    """A file waits for a worker."""

    path: str


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A file has been handed to the workers."""

    path: str


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """A file is committed, whole."""

    path: str
    chunks: int
    size: int
    language: str | None


@dataclass(frozen=True, slots=True)
class Passed(Event):
    """A file is left out or failed; `reason` is a SkipReason or the type of an error, `failed` tells which."""

    path: str
    reason: str
    detail: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """A file was not begun, or not committed, when the run was cancelled."""

    path: str


@dataclass(frozen=True, slots=True)
class Worked(Event):
    """A worker ended a batch: which worker, when it began, how long it took, what was in it. For timelines."""

    worker: int
    started: float
    seconds: float
    files: int
    size: int
    first_path: str


@dataclass(frozen=True, slots=True)
class Heartbeat(Event):
    """A sign of life, at least every second.

    `in_hand` is (worker, path, seconds) of the busy workers, `requests` how many the embedding provider is answering.
    """

    ended: int
    known: int
    known_is_final: bool
    files_per_second: float
    megabytes_per_second: float
    chunks_per_second: float
    in_hand: tuple[tuple[int, str, float], ...]
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Committed(Event):
    """So many files became searchable in one transaction."""

    files: int
    generation: int


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The run is over; nothing comes after it."""

    processed: int
    failed: int
    skipped: int
    cancelled: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StandingBy(Event):
    """Another process watches this tree; this one takes over when that one ends. `at` counts from the watch's begin."""

    root: str
    pid: int
    message: str


@dataclass(frozen=True, slots=True)
class Watching(Event):
    """The index is up to date, and changes in so many folders are heard of; `polling` says why not, where they are not.

    With polling, the whole tree is looked at every `interval` seconds.
    """

    root: str
    files: int
    folders: int
    polling: str = ""
    interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Noticed(Event):
    """Changes were heard of, in so many places; 0 where the whole tree is looked at."""

    root: str
    places: int


@dataclass(frozen=True, slots=True)
class Updated(Event):
    """The index is up to date again: what became of the changed files, and how long that took since it was noticed."""

    root: str
    processed: int
    removed: int
    skipped: int
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Troubled(Event):
    """The tree, its index or its settings cannot be used now, for a reason that may pass; it is tried again."""

    root: str
    message: str


Listener = Callable[[Event], object]


def ignore(event: Event) -> None:
    """The listener that does nothing."""


def wants_files(listener: Listener) -> bool:
    """Whether a listener is told of each file that is queued, started and finished.

    One whose `wants_files` is False is not, and is told everything else: to make and carry these events takes a run
    as long as to write the file's rows.
    """
    return listener is not ignore and bool(getattr(listener, "wants_files", True))
