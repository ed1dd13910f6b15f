"""One page about one run: `treemill index --report FILE.html`.

The page holds everything it shows (no script, no request), follows the reader's light or dark, and whatever came from
the tree is escaped. `Recorder` listens while the run goes on; `page` draws what it heard.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from treemill.cli.page_parts import bars, framed, section, table, text, tiles
from treemill.cli.words import count, seconds, size
from treemill.events import Committed, Event, Worked
from treemill.reports import IndexReport

# Workers take about 600 KB at a time, so this is gigabytes of source; beyond it, the timeline has no more room anyway.
_MOST_BATCHES = 20_000

_WIDTH, _LANE, _CHART = 1000.0, 26.0, 120.0
_BINS = 120


class Recorder:
    """Listens to a run and keeps what the page draws: what workers did when, and when it was committed."""

    def __init__(self) -> None:
        self.batches: list[Worked] = []
        self.commits: list[Committed] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Worked) and len(self.batches) < _MOST_BATCHES:
            self.batches.append(event)
        elif isinstance(event, Committed) and len(self.commits) < _MOST_BATCHES:
            self.commits.append(event)


def page(report: IndexReport, recorder: Recorder) -> str:
    """Return the page about a run, complete."""
    sections = [
        _tiles(report),
        section(
            "What the workers did", _timeline(recorder), "A bar is a batch of files; point at it to see what it held."
        ),
        section("Throughput over time", _throughput(recorder), "Source read and chunked, in MB a second."),
        section("Where the time went", _stages(report), "Seconds by stage, summed over the workers."),
        section("Failures", _failures(report)),
        section("Slowest files", table(("seconds", "file"), [(f"{s:.3f}", p) for p, s in report.stats.slowest])),
        section("Languages", _languages(report)),
        section("Left out", _skipped(report)),
    ]
    return framed(report.root, _verdict(report), report.stats.end_time, sections)


def _verdict(report: IndexReport) -> str:
    """Say what really happened, in a sentence."""
    stats = report.stats
    did = "Interrupted after" if stats.cancelled else "Indexed"
    text = f"{did} {count(stats.files_processed, 'file')} in {seconds(report.seconds)}"
    if stats.failed_files:
        text += f"; {stats.failed_files:,} failed"
    if stats.cancelled_files:
        text += f"; {stats.cancelled_files:,} not begun or not finished"
    return f"{text}. Searchable: {report.coverage}."


def _tiles(report: IndexReport) -> str:
    stats = report.stats
    return tiles(
        [
            (f"{stats.files_processed:,}", "files committed", ""),
            (f"{stats.chunks_created:,}", "chunks", ""),
            (size(stats.total_size), "of source", ""),
            (f"{stats.files_per_second:,.0f}", "files a second", ""),
            (f"{report.unchanged:,}", "unchanged", ""),
            (f"{len(report.skipped):,}", "left out", ""),
            (f"{stats.failed_files:,}", "failed", "bad" if stats.failed_files else ""),
        ]
    )


def _timeline(recorder: Recorder) -> str:
    """Draw a lane for each worker, and a tick for each commit below them."""
    if not recorder.batches:
        return ""
    end = _end_of(recorder)
    lanes = {worker: lane for lane, worker in enumerate(sorted({batch.worker for batch in recorder.batches}))}
    bars = []
    for batch in recorder.batches:
        x, width = batch.started / end * _WIDTH, max(0.7, batch.seconds / end * _WIDTH)
        told = f"{batch.first_path}{' …' if batch.files > 1 else ''}\n"
        told += f"{count(batch.files, 'file')}, {size(batch.size)}, {batch.seconds:.3f} s"
        slow = ' class="slow"' if batch.seconds > 1 else ""
        bars.append(
            f'<rect x="{x:.1f}" y="{lanes[batch.worker] * _LANE + 4:.0f}" width="{width:.1f}" '
            f'height="{_LANE - 8:.0f}"{slow}><title>{text(told)}</title></rect>'
        )
    height = len(lanes) * _LANE
    labels = [
        f'<text x="-8" y="{lane * _LANE + _LANE / 2 + 4:.0f}" text-anchor="end">worker {worker + 1}</text>'
        for worker, lane in lanes.items()
    ]
    ticks = [
        f'<line class="commit" x1="{x:.1f}" x2="{x:.1f}" y1="{height:.0f}" y2="{height + 8:.0f}">'
        f"<title>{text(count(commit.files, 'file'))} searchable at {commit.at:.2f} s</title></line>"
        for commit in recorder.commits
        for x in [min(commit.at / end, 1.0) * _WIDTH]
    ]
    return _drawing([*labels, *bars, *ticks, *_axis(end, height + 8)], height + 30, "Timeline of the workers")


def _throughput(recorder: Recorder) -> str:
    """Draw the source that workers went through over time."""
    if not recorder.batches:
        return ""
    end = _end_of(recorder)
    width = end / _BINS
    bins = [0.0] * _BINS
    for batch in recorder.batches:
        first, last = batch.started / width, (batch.started + max(batch.seconds, 1e-6)) / width
        for number in range(max(0, int(first)), min(_BINS, math.ceil(last))):
            share = (min(last, number + 1) - max(first, number)) / (last - first)
            bins[number] += batch.size * share
    rates = [total / width / 1e6 for total in bins]
    top = _round_up(max(rates))
    step = _WIDTH / _BINS
    points = [f"{(number + 0.5) * step:.1f},{_CHART - rate / top * _CHART:.1f}" for number, rate in enumerate(rates)]
    area = f'<polygon class="area" points="0,{_CHART:.0f} {" ".join(points)} {_WIDTH:.0f},{_CHART:.0f}"/>'
    line = f'<polyline class="line" points="{" ".join(points)}"/>'
    grid = [
        f'<line class="grid" x1="0" x2="{_WIDTH:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{top * part:g}</text>'
        for part in (0.0, 0.5, 1.0)
        for y in [_CHART - part * _CHART]
    ]
    return _drawing([*grid, area, line, *_axis(end, _CHART)], _CHART + 24, "Throughput in MB a second")


def _stages(report: IndexReport) -> str:
    stages = [(name, spent) for name, spent in report.stats.stages.items() if spent > 0]
    return bars([(name, spent, f"{spent:.2f} s") for name, spent in stages])


def _languages(report: IndexReport) -> str:
    ordered = sorted(report.stats.languages.items(), key=lambda item: (-item[1].size, item[0]))
    return table(
        ("language", "files", "chunks", "size"),
        [(name, f"{row.files:,}", f"{row.chunks:,}", size(row.size)) for name, row in ordered],
    )


def _failures(report: IndexReport) -> str:
    rows = [(each.path, each.stage, each.error_type, each.message) for each in report.failures]
    return table(("file", "stage", "error", "message"), rows)


def _skipped(report: IndexReport) -> str:
    reasons = Counter(str(each.reason) for each in report.skipped)
    summary = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    rows = [(each.path, str(each.reason), each.detail) for each in report.skipped]
    body = table(("file", "reason", "detail"), rows)
    return f"<details><summary>{text(summary)}</summary>{body}</details>" if body else ""


def _drawing(parts: Iterable[str], height: float, name: str) -> str:
    return (
        f'<svg role="img" aria-label="{text(name)}" viewBox="-80 -8 {_WIDTH + 100:.0f} {height + 8:.0f}">'
        f"{''.join(parts)}</svg>"
    )


def _axis(end: float, y: float) -> list[str]:
    """Return the marks of the time axis, at most eleven, at round numbers of seconds."""
    step = _round_up(end / 8)
    marks = [number * step for number in range(math.floor(end / step) + 1)]
    return [f'<text x="{at / end * _WIDTH:.1f}" y="{y + 18:.0f}" text-anchor="middle">{at:g} s</text>' for at in marks]


def _round_up(value: float) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(round(factor * power, 10) for factor in (1, 2, 5, 10) if factor * power >= value * 0.999999)


def _end_of(recorder: Recorder) -> float:
    ends = [batch.started + batch.seconds for batch in recorder.batches]
    return max([*ends, *(commit.at for commit in recorder.commits), 1e-3])
