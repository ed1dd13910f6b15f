"""Progress for people: a line that moves on a terminal, plain lines with -v, nothing otherwise.

The pipeline tells everything as it happens; this is where it is thinned out for the eye.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from treemill.cli.words import count, printable
from treemill.events import (
    Committed,
    Ended,
    Event,
    Finished,
    Heartbeat,
    Listener,
    Passed,
    Planned,
    Queued,
    Started,
    ignore,
)

# The eye sees no more than this; drawing more often only costs.
_REDRAW_SECONDS = 0.1

# A file in hand for longer than this is named: it is what everybody waits for.
_SLOW_SECONDS = 1.0


@contextmanager
def listener_for(stream: TextIO, arguments: argparse.Namespace) -> Iterator[Listener]:
    """Give the listener that fits where standard error goes and what the flags ask for."""
    if arguments.quiet:
        yield ignore
    elif arguments.verbose:
        yield _Lines(stream)
    elif stream.isatty():
        live = _Live(stream)
        try:
            yield live
        finally:
            live.clear()
    else:
        yield ignore


class _Lines:
    """One line for each file, as it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        match event:
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


class _Live:
    """One line that is drawn over and over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = 0.0
        self._queued = self._ended = self._failed = self._committed = 0
        self._final = False
        self._rates = ""
        self._last = ""
        self._slow = ""

    def __call__(self, event: Event) -> None:
        match event:
            case Queued():
                self._queued += 1
            case Started(path=path):
                self._last = path
            case Planned():
                self._final = True
            case Finished(path=path):
                self._ended += 1
            case Passed(failed=failed):
                self._ended += 1
                self._failed += failed
            case Committed(files=files):
                self._committed += files
            case Heartbeat():
                self._rates = f"{event.files_per_second:,.0f} files/s  {event.megabytes_per_second:.1f} MB/s"
                slow = max(event.in_hand, key=lambda held: held[2], default=None)
                self._slow = f"{slow[1]} ({slow[2]:.0f} s)" if slow and slow[2] > _SLOW_SECONDS else ""
            case Ended():
                return
        if isinstance(event, Heartbeat) or time.monotonic() - self._drawn > _REDRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        width = shutil.get_terminal_size().columns
        known = f"{self._queued:,}" + ("" if self._final else "+")
        text = f"indexing {self._ended:,} of {known} files"
        if self._failed:
            text += f", {self._failed:,} failed"
        text += f"  {self._rates}  {self._slow or self._last}"
        self._stream.write("\r\x1b[K" + printable(text)[: max(10, width - 1)])
        self._stream.flush()

    def clear(self) -> None:
        """Leave the line empty for what comes next."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
