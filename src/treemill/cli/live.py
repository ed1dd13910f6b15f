"""The display that moves on a terminal: a bar for the whole, the rates, and a line for each worker.

    indexing ━━━━━━━━━━━━━━━━━╸━━━━━━━━  71 %  14,203 of 20,000 files  6 s left
    2,310 files/s  8.4 MB/s  10,771 chunks/s  3 failed
    worker 1  django/db/models/query.py
    worker 2  django/contrib/admin/options.py  2 s

It is drawn over itself, at most ten times a second, in the thread that tells of events, and never wider or higher than
the terminal.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TextIO

from treemill.cli.words import count, printable, seconds
from treemill.events import Ended, Event, Finished, Heartbeat, Passed, Planned, Queued, Started, Waiting, Worked

# The eye sees no more than this; drawing more often only costs.
_REDRAW_SECONDS = 0.1

_BAR_COLUMNS = 26
_MOST_WORKER_LINES = 8

# A file in hand for longer than this has its seconds beside it.
_SLOW_SECONDS = 1.0

# The estimate follows the last few seconds, since files are not alike.
_RATE_SECONDS = 8.0


class Live:
    """A listener that draws on a terminal. `clear` leaves the terminal empty for what comes next."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._styled = "NO_COLOR" not in os.environ
        self._drawn_at = 0.0
        self._lines_drawn = 0
        self._queued = self._ended = self._failed = 0
        self._final = False
        self._last_path = ""
        self._beat: Heartbeat | None = None
        self._marks: list[tuple[float, int]] = []
        self._seen: set[int] = set()

    def __call__(self, event: Event) -> None:
        match event:
            case Waiting(message=message):
                self._show([f"waiting: {message}"])
                return
            case Queued():
                self._queued += 1
            case Started(path=path):
                self._last_path = path
            case Planned():
                self._final = True
            case Finished():
                self._ended += 1
            case Passed(failed=failed):
                self._ended += 1
                self._failed += failed
            case Worked(worker=worker):
                self._seen.add(worker)
            case Heartbeat():
                self._beat = event
                self._final = self._final or event.known_is_final
            case Ended():
                return
        if isinstance(event, Heartbeat) or time.monotonic() - self._drawn_at > _REDRAW_SECONDS:
            self._draw(event.at)

    def clear(self) -> None:
        """Leave no trace of the display."""
        if self._lines_drawn:
            self._stream.write(self._over())
            self._stream.flush()
            self._lines_drawn = 0

    def _draw(self, at: float) -> None:
        self._drawn_at = time.monotonic()
        self._show([self._whole(at), self._rates(), *self._workers()])

    def _show(self, lines: list[str]) -> None:
        width, height = shutil.get_terminal_size()
        lines = lines[: max(1, height - 1)]
        texts = [self._fitted(printable(line).replace("\n", " "), max(10, width - 1)) for line in lines]
        self._stream.write(self._over() + "\n".join(texts) + "\n")
        self._stream.flush()
        self._lines_drawn = len(texts)

    def _over(self) -> str:
        """Return what brings the cursor back to the first line of the display and empties the screen below."""
        return f"\x1b[{self._lines_drawn}F\x1b[J" if self._lines_drawn else ""

    def _fitted(self, text: str, width: int) -> str:
        short = text if len(text) <= width else text[: width - 1] + "…"
        done, end = short.find("╸"), short.rfind("━") + 1
        if not self._styled or done < 0 or end <= done:
            return short
        begin = short.find("━") if "━" in short[:done] else done
        bar = f"\x1b[36m{short[begin : done + 1]}\x1b[0m\x1b[2m{short[done + 1 : end]}\x1b[0m"
        return short[:begin] + bar + short[end:]

    def _whole(self, at: float) -> str:
        """Return the line for the whole run: with a bar once it is known how much there is."""
        if not self._final or not self._queued:
            return f"indexing {self._ended:,} of {self._queued:,} files so far"
        share = min(1.0, self._ended / self._queued)
        done = round(share * (_BAR_COLUMNS - 1))
        bar = "━" * done + "╸" + "━" * (_BAR_COLUMNS - 1 - done)
        text = f"indexing {bar} {int(share * 100):3} %  {self._ended:,} of {count(self._queued, 'file')}"
        left = self._seconds_left(at)
        return text if left is None else f"{text}  {seconds(left)} left"

    def _seconds_left(self, at: float) -> float | None:
        """Return how long the rest takes at the pace of the last seconds; None while there is no pace yet."""
        self._marks.append((at, self._ended))
        while len(self._marks) > 2 and self._marks[0][0] < at - _RATE_SECONDS:
            self._marks.pop(0)
        (since, before), gone = self._marks[0], at - self._marks[0][0]
        if gone < 1.0 or self._ended <= before or since >= at:
            return None
        return (self._queued - self._ended) * gone / (self._ended - before)

    def _rates(self) -> str:
        beat = self._beat
        if beat is None:
            return self._last_path
        text = f"{beat.files_per_second:,.0f} files/s  {beat.megabytes_per_second:.1f} MB/s  "
        text += f"{beat.chunks_per_second:,.0f} chunks/s"
        if beat.requests:
            text += f"  {count(beat.requests, 'request')} for vectors"
        return f"{text}  {self._failed:,} failed" if self._failed else text

    def _workers(self) -> list[str]:
        """Return a line for each worker there has been, so that lines keep their places while files come and go."""
        held = {} if self._beat is None else {worker: (path, since) for worker, path, since in self._beat.in_hand}
        lines = []
        for worker in sorted(self._seen | held.keys())[:_MOST_WORKER_LINES]:
            path, since = held.get(worker, ("between files", 0.0))
            text = f"worker {worker + 1}  {path}"
            lines.append(f"{text}  {since:.0f} s" if since > _SLOW_SECONDS else text)
        return lines
