"""Progress for callers who want a function called: `callback(current, total, path, info=None)`.

Functions of two (`current, total`) and three (`…, path`) arguments work as well. A queued file is told with (0, 0);
afterwards `current` is how many files have ended, which never falls, and `total` how many are known. A function that
returns "INTERRUPT" cancels the run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from treemill.events import Cancelled, Ended, Event, Finished, Heartbeat, Passed, Queued, Started
from treemill.values import dataclass

ProgressCallback = Callable[..., object]
"""A function of (current, total), (current, total, path) or (current, total, path, info)."""

INTERRUPT = "INTERRUPT"
QUEUED = "📥 Queued for processing"

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(slots=True)
class Counts:
    """How many files have ended, and how many are known: what events add up to."""

    ended: int = 0
    known: int = 0

    def note(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Queued):
            self.known += 1
        elif isinstance(event, Finished | Passed | Cancelled):
            self.ended += 1


class Teller:
    """Tells a callback of events, and calls `interrupt` when it wants the run to end.

    `given` turns the path of an event into the path that the callback's owner gave.
    """

    def __init__(
        self, callback: ProgressCallback, *, given: Callable[[str], object], interrupt: Callable[[], object]
    ) -> None:
        self._call = _with_four(callback)
        self._given = given
        self._interrupt = interrupt

    def tell(self, event: Event, counts: Counts) -> None:
        """Call the callback, if the event is one of those it is told of. What the callback raises is raised."""
        told = _told(event)
        if told is None:
            return
        path, info = told
        current, total = (0, 0) if isinstance(event, Queued) else (counts.ended, counts.known)
        if self._call(current, total, self._given(path), info) == INTERRUPT:
            self._interrupt()


def listener_of(
    callback: ProgressCallback, *, given: Callable[[str], object], interrupt: Callable[[], object]
) -> Callable[[Event], None]:
    """Return a listener for one run that tells a callback of its events."""
    teller, counts = Teller(callback, given=given, interrupt=interrupt), Counts()

    def listener(event: Event) -> None:
        counts.note(event)
        teller.tell(event, counts)

    return listener


def _told(event: Event) -> tuple[str, str] | None:
    """Return the path and the text for an event, or None for those that callbacks are not told of."""
    match event:
        case Queued(path=path):
            return path, QUEUED
        case Started(path=path):
            return path, "🔄 Processing"
        case Finished(path=path, chunks=chunks):
            return path, f"✅ Committed, {chunks:,} chunk{'' if chunks == 1 else 's'}"
        case Passed(path=path, reason=reason, detail=detail, failed=failed):
            return path, f"{'❌ Failed' if failed else '⏭️ Skipped'}: {reason}: {detail}"
        case Cancelled(path=path):
            return path, "🚫 Cancelled"
        case Heartbeat():
            return _pulse(event)
        case Ended():
            return "", in_words(event)
    return None


def _pulse(beat: Heartbeat) -> tuple[str, str]:
    """Return the slowest file in hand, and the rates with it."""
    worker_count = len(beat.in_hand)
    parts = [
        f"{beat.files_per_second:,.1f} files/s",
        f"{beat.megabytes_per_second:,.1f} MB/s",
        f"{beat.chunks_per_second:,.0f} chunks/s",
        f"{worker_count} active worker{'' if worker_count == 1 else 's'}",
    ]
    if beat.requests:
        parts.append(f"{beat.requests} request{'' if beat.requests == 1 else 's'}")
    slowest = max(beat.in_hand, key=lambda held: held[2], default=None)
    if slowest is None:
        return "", " | ".join(parts)
    _, path, seconds = slowest
    return path, " | ".join([*parts, f"{path} for {seconds:.1f} s"])


def in_words(ended: Ended) -> str:
    """Say what really happened, in one line."""
    others = [
        f"{number:,} {what}"
        for number, what in ((ended.failed, "failed"), (ended.skipped, "skipped"), (ended.cancelled, "cancelled"))
        if number
    ]
    mark = "🚫" if ended.cancelled else "⚠️" if ended.failed else "✅"
    return f"{mark} {', '.join([f'{ended.processed:,} processed', *others])} in {ended.seconds:.1f} s"


def _with_four(callback: ProgressCallback) -> Callable[[int, int, object, str], object]:
    """Return a function of (current, total, path, info) that calls the callback with what it takes."""
    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):  # functions made in C do not always tell
        return lambda current, total, path, info: callback(current, total, path)
    kinds = {each.kind for each in parameters}
    positional = sum(each.kind in _POSITIONAL for each in parameters)
    if Parameter.VAR_KEYWORD in kinds or any(_takes_info(each) for each in parameters):
        return lambda current, total, path, info: callback(current, total, path, info=info)
    if positional >= 4 or Parameter.VAR_POSITIONAL in kinds:
        return lambda current, total, path, info: callback(current, total, path, info)
    if positional == 3:
        return lambda current, total, path, info: callback(current, total, path)
    return lambda current, total, path, info: callback(current, total)


def _takes_info(parameter: Any) -> bool:
    return bool(parameter.name == "info" and parameter.kind is not Parameter.POSITIONAL_ONLY)
