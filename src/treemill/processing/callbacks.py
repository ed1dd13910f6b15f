"""Progress for callers who want a function called: `callback(current, total, path, info=None)`.

Functions of two (`current, total`) and three (`…, path`) arguments work as well. A queued file is told with (0, 0);
afterwards `current` is how many files have ended, which never falls, and `total` how many are known. A function that
returns "INTERRUPT" cancels the run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any

from treemill.events import Cancelled, Ended, Event, Finished, Heartbeat, Passed, Queued, Started
from treemill.values import dataclass

ProgressCallback = Callable[..., object]
"""A function of (current, total), (current, total, path) or (current, total, path, info)."""

INTERRUPT = "INTERRUPT"
QUEUED = "📥 Queued for processing"

# A file ends with one of these.
_ENDS = frozenset((Finished, Passed, Cancelled))

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(slots=True)
class Counts:
    """How many files have ended, and how many are known: what events add up to."""

    ended: int = 0
    known: int = 0

    def note(self, event: Event) -> None:
        """Count an event."""
        kind = type(event)
        if kind is Queued:
            self.known += 1
        elif kind in _ENDS:
            self.ended += 1


class Teller:
    """Tells a callback of events, and calls `interrupt` when it wants the run to end.

    `given` turns the path of an event into the path that the callback's owner gave.
    """

    def __init__(
        self, callback: ProgressCallback, *, given: Callable[[str], object], interrupt: Callable[[], object]
    ) -> None:
        self._call = _with_event(callback, given)
        self._interrupt = interrupt

    def tell(self, event: Event, counts: Counts) -> None:
        """Call the callback, if the event is one of those it is told of. What the callback raises is raised."""
        kind = type(event)
        if kind is Queued:
            answer = self._call(0, 0, event)
        elif kind in _TOLD:
            answer = self._call(counts.ended, counts.known, event)
        else:
            return
        if answer == INTERRUPT:
            self._interrupt()


def tell_all(tellers: Iterable[Teller], event: Event, counts: Counts) -> None:
    """Tell several callbacks of an event, each of them whatever the others raise; the first error is raised then."""
    errors: list[Exception] = []
    for teller in tellers:
        try:
            teller.tell(event, counts)
        except Exception as error:  # noqa: BLE001 - raised below, behind the last of them
            errors.append(error)
    if errors:
        raise errors[0]


def listener_of(
    callback: ProgressCallback, *, given: Callable[[str], object], interrupt: Callable[[], object]
) -> Callable[[Event], None]:
    """Return a listener for one run that tells a callback of its events."""
    teller, counts = Teller(callback, given=given, interrupt=interrupt), Counts()

    def listener(event: Event) -> None:
        counts.note(event)
        teller.tell(event, counts)

    return listener


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


# The path and the text for each kind of event that callbacks are told of.
_TOLD: dict[type[Event], Callable[[Any], tuple[str, str]]] = {
    Queued: lambda event: (event.path, QUEUED),
    Started: lambda event: (event.path, "🔄 Processing"),
    Finished: lambda event: (event.path, f"✅ Committed, {event.chunks:,} chunk{'' if event.chunks == 1 else 's'}"),
    Passed: lambda event: (
        event.path,
        f"{'❌ Failed' if event.failed else '⏭️ Skipped'}: {event.reason}: {event.detail}",
    ),
    Cancelled: lambda event: (event.path, "🚫 Cancelled"),
    Heartbeat: _pulse,
    Ended: lambda event: ("", in_words(event)),
}


def _with_event(callback: ProgressCallback, given: Callable[[str], object]) -> Callable[[int, int, Event], object]:
    """Return a function of (current, total, event) that calls the callback with what it takes.

    There are three events a file: the path as it was given and the text are only made for callbacks that take them.
    """

    def with_path(current: int, total: int, event: Event) -> object:
        return callback(current, total, given(_TOLD[type(event)](event)[0]))

    def with_info(current: int, total: int, event: Event) -> object:
        path, info = _TOLD[type(event)](event)
        return callback(current, total, given(path), info)

    def with_named_info(current: int, total: int, event: Event) -> object:
        path, info = _TOLD[type(event)](event)
        return callback(current, total, given(path), info=info)

    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):  # functions made in C do not always tell
        return with_path
    kinds = {each.kind for each in parameters}
    positional = sum(each.kind in _POSITIONAL for each in parameters)
    if Parameter.VAR_KEYWORD in kinds or any(_takes_info(each) for each in parameters):
        return with_named_info
    if positional >= 4 or Parameter.VAR_POSITIONAL in kinds:
        return with_info
    if positional == 3:
        return with_path
    return lambda current, total, event: callback(current, total)


def _takes_info(parameter: Any) -> bool:
    return bool(parameter.name == "info" and parameter.kind is not Parameter.POSITIONAL_ONLY)
