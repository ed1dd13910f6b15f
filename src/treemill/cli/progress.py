"""Progress for people and programs: a display that moves on a terminal, a line now and then without one.

The pipeline tells everything as it happens; this is where it is thinned out for the eye. `--progress json` is not
thinned out: one event a line, for other programs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from treemill.cli.live import Live
from treemill.cli.words import count, printable
from treemill.events import Ended, Event, Finished, Heartbeat, Listener, Passed, Waiting, ignore

WAYS = ("auto", "live", "lines", "files", "json", "none")
"""The valid values of `--progress`: `lines` is one now and then, `files` one for each file."""

# Without a terminal, somebody reads a log: a line this often tells enough.
_LINE_SECONDS = 5.0

# A file in hand for longer than this is named: it is what everybody waits for.
_SLOW_SECONDS = 1.0


@contextmanager
def listener_for(stream: TextIO, arguments: argparse.Namespace) -> Iterator[Listener]:
    """Give the listener that fits where standard error goes and what the flags ask for."""
    way = _way(stream, arguments)
    if way == "live":
        live = Live(stream)
        try:
            yield live
        finally:
            live.clear()
    elif way == "json":
        yield _Json(stream)
    elif way == "files":
        yield _Files(stream)
    elif way == "lines":
        yield _NowAndThen(stream)
    else:
        yield ignore


def _way(stream: TextIO, arguments: argparse.Namespace) -> str:
    """Decide how progress is shown: what is asked for, else what fits."""
    asked: str = getattr(arguments, "progress", "auto")
    if asked != "auto":
        return asked
    if arguments.quiet:
        return "none"
    if arguments.verbose:
        return "files"
    return "live" if stream.isatty() else "lines"


class _Json:
    """Each event as a JSON object on a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        print(json.dumps(event.as_dict()), file=self._stream, flush=True)


class _Waited:
    """Says for whom a run waits: at once, when that changes, and again every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pid = -1
        self._next = 0.0

    def __call__(self, event: Waiting) -> None:
        if event.pid != self._pid or event.at >= self._next:
            self._pid, self._next = event.pid, event.at + _LINE_SECONDS
            print(printable(f"waiting: {event.message}"), file=self._stream, flush=True)


class _Files:
    """One line for each file, as it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waited = _Waited(stream)

    def __call__(self, event: Event) -> None:
        match event:
            case Waiting():
                self._waited(event)
            case Finished(path=path, chunks=chunks):
                self._say(f"{path}: {count(chunks, 'chunk')}")
            case Passed(path=path, reason=reason, detail=detail, failed=failed):
                self._say(f"{path}: {'failed' if failed else 'skipped'}: {reason}: {detail}")
            case Heartbeat(in_hand=in_hand):
                for _, path, seconds in in_hand:
                    if seconds > _SLOW_SECONDS:
                        self._say(f"{path}: in hand for {seconds:.0f} s")

    def _say(self, text: str) -> None:
        print(printable(text), file=self._stream, flush=True)


class _NowAndThen:
    """A line every few seconds, and none for what is over before."""

    wants_files = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waited = _Waited(stream)
        self._next = time.monotonic() + _LINE_SECONDS
        self._failed = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Waiting):
            self._waited(event)
        elif isinstance(event, Passed):
            self._failed += event.failed
        elif isinstance(event, Heartbeat) and time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_SECONDS
            print(printable(self._line(event)), file=self._stream, flush=True)
        elif isinstance(event, Ended):
            self._next = float("inf")

    def _line(self, beat: Heartbeat) -> str:
        known = f"{beat.known:,}" + ("" if beat.known_is_final else " or more")
        text = f"{beat.ended:,} of {known} files, {beat.files_per_second:,.0f} files/s, "
        text += f"{beat.megabytes_per_second:.1f} MB/s"
        if self._failed:
            text += f", {self._failed:,} failed"
        slowest = max(beat.in_hand, key=lambda held: held[2], default=None)
        if slowest is not None and slowest[2] > _SLOW_SECONDS:
            text += f"; {slowest[1]} in hand for {slowest[2]:.0f} s"
        return text
