"""`treemill watch`: keep the index of folders up to date while they change.

On a terminal, one line for each folder says how it stands; elsewhere a line tells of each change. `--json` prints every
event, one a line, on standard output.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import threading
import time
from collections.abc import Iterable
from typing import TextIO

from treemill.cli.given import settings_for
from treemill.cli.words import count, printable, seconds
from treemill.cli.working import cancelled_by_ctrl_c
from treemill.events import Event, Heartbeat, Listener, StandingBy, Troubled, Updated, Waiting, Watching, ignore
from treemill.places import places_of
from treemill.watching import keep_up_all


def run(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl-C, which is how a watch ends well."""
    places = [place for _, place in places_of(arguments.paths)]
    listeners = _listeners([str(place.root) for place in places], arguments)
    with cancelled_by_ctrl_c() as cancel:
        keep_up_all(
            [
                (place.root, functools.partial(settings_for, place, arguments), listener)
                for place, listener in zip(places, listeners, strict=True)
            ],
            cancel,
            polling=arguments.poll,
        )
    return 0


def _listeners(roots: list[str], arguments: argparse.Namespace) -> Iterable[Listener]:
    """Return who tells of each root."""
    lock = threading.Lock()
    if arguments.json:
        return [_json_lines(lock)] * len(roots)
    if arguments.quiet:
        return [ignore] * len(roots)
    return [_Told(sys.stderr, root, lock, named=len(roots) > 1) for root in roots]


def _json_lines(lock: threading.Lock) -> Listener:
    def tell(event: Event) -> None:
        with lock:
            print(json.dumps(event.as_dict()), flush=True)

    return tell


class _Told:
    """Tells people of one root: on a terminal the last line is drawn over while nothing but its figures changes."""

    def __init__(self, stream: TextIO, root: str, lock: threading.Lock, *, named: bool) -> None:
        self._stream = stream
        self._lock = lock
        self._prefix = f"{root}: " if named else ""
        self._moving = stream.isatty() and not named
        self._drawn = False
        self._pid = -1

    def __call__(self, event: Event) -> None:
        match event:
            case StandingBy(message=message):
                self._say(f"standing by: {message}")
            case Waiting(pid=pid, message=message):
                if pid != self._pid:
                    self._pid = pid
                    self._say(f"waiting: {message}")
            case Watching():
                self._say(_watching(event))
            case Updated():
                self._say(f"{time.strftime('%H:%M:%S')}  {_updated(event)}")
            case Troubled(message=message):
                self._say(f"trouble: {message}; trying again")
            case Heartbeat(ended=ended, known=known):
                self._draw(f"indexing {ended:,} of {count(known, 'file')}")

    def _say(self, text: str) -> None:
        """Print a line that stays."""
        with self._lock:
            self._stream.write(f"{self._over()}{printable(self._prefix + text)}\n")
            self._stream.flush()
            self._drawn = False

    def _draw(self, text: str) -> None:
        """Show a line that the next one replaces, on a terminal."""
        if not self._moving:
            return
        with self._lock:
            self._stream.write(f"{self._over()}{printable(text)}\r")
            self._stream.flush()
            self._drawn = True

    def _over(self) -> str:
        return "\x1b[2K" if self._drawn else ""


def _watching(event: Watching) -> str:
    text = f"watching {event.root}: {count(event.files, 'file')} searchable"
    if event.polling:
        return f"{text}, looked at every {seconds(event.interval)} ({event.polling})"
    return f"{text}, {count(event.folders, 'folder')} listened to"


def _updated(event: Updated) -> str:
    others = [(event.removed, "removed"), (event.skipped, "skipped"), (event.failed, "failed")]
    told = ", ".join(f"{number:,} {what}" for number, what in others if number)
    return f"indexed {count(event.processed, 'file')}{f', {told}' if told else ''} in {seconds(event.seconds)}"
