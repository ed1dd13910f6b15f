"""Pictures of the newest runs: throughput beside the limit and a peer, memory beside size, quality beside speed.

    python -m benchmarks.charts [--into docs/charts] [--runs FOLDER]

A picture whose figures were not measured is not drawn; the command names it and ends with 1.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.newest import newest
from benchmarks.results import RUNS
from benchmarks.svg import Picture

FOLDER = Path(__file__).parents[1] / "docs" / "charts"
SIZES = (1_000, 10_000, 100_000)

_CALLED = {"windows": "BM25 over windows of 50 lines"}

_WIDTH = 760
_LEFT, _RIGHT = 150, 110


class NotMeasuredError(Exception):
    """A picture lacks what it would show; the message says which run."""


class Figures(dict[str, dict[str, float]]):
    """The figures of a run, by name: median, low and high. One that is not there is an error that names it."""

    def __init__(self, name: str, found: dict[str, dict[str, float]]) -> None:
        super().__init__(found)
        self._name = name

    def __missing__(self, key: str) -> dict[str, float]:
        raise NotMeasuredError(f"the newest run of {self._name} has no {key!r}")


def figures_of(name: str, runs: Path) -> Figures:
    """Return the figures of a benchmark's newest run.

    Raises:
        NotMeasuredError: it was never run.
    """
    found = newest(name, runs)
    if found is None or not found.get("figures"):
        raise NotMeasuredError(f"{name} was not measured")
    return Figures(name, found["figures"])


def _where(name: str, runs: Path) -> str:
    found: dict[str, Any] = newest(name, runs) or {}
    machine = found["machine"]
    return f"{found['when'][:10]}, {machine['processor']}, {machine['cores']} cores, revision {found['revision']}"


def throughput(runs: Path) -> str:
    """Draw MB/s of a cold index: ours and the peer's on what both index, and the bare parse on the same cores."""
    groups = []
    for corpus, title in (("django", "Django"), ("languages", "20+ languages")):
        found = figures_of(f"beside-{corpus}", runs)
        ours, theirs = found["cold, ours, MB/s"], found["cold, semble, MB/s"]
        groups.append((title, [("treemill", ours, "ours"), ("semble", theirs, "peer")]))
    bare = figures_of("limit-languages", runs)
    two = bare["cold, two workers, MB/s"]
    groups.append(
        ("syntax only", [("treemill", two, "ours"), ("bare parse", bare["bare parse on two cores, MB/s"], "limit")])
    )
    words = "; ".join(f"{title}: " + ", ".join(f"{n} {f['median']:.1f}" for n, f, _ in rows) for title, rows in groups)
    picture = Picture(_WIDTH, 320, "Cold index, MB of source a second", f"Megabytes a second, more is better. {words}.")
    most = max(figure["high"] for _, rows in groups for _, figure, _ in rows)
    scale = (_WIDTH - _LEFT - _RIGHT - 90) / most
    y = 52.0
    for title, rows in groups:
        picture.text(16, y + 31, title)
        for name, figure, kind in rows:
            picture.text(_LEFT + 84, y + 17, name, "soft", "end")
            left = _LEFT + 92
            picture.bar(left, y + 2, figure["median"] * scale, 22, kind)
            ends = [left + figure[end] * scale for end in ("low", "high")]
            picture.rule(ends[0], y + 13, ends[1], y + 13, "whisker")
            picture.text(ends[1] + 8, y + 18, f"{figure['median']:.1f}")
            y += 27
        y += 22
    picture.text(
        16, 286, "Whole processes, the index durable at the end; medians, lines from least to greatest.", "soft"
    )
    picture.text(16, 304, _where("beside-languages", runs), "soft")
    return str(picture)


def memory(runs: Path) -> str:
    """Draw the summed peak memory of a cold index against the number of files, and the peer's where it was measured."""
    grown = figures_of("growth", runs)
    key = "{:,} files, peak memory, MB"
    ours = [(size, grown[key.format(size)]) for size in SIZES if key.format(size) in grown]
    if len(ours) < 2:
        raise NotMeasuredError("growth was not measured at two sizes or more")
    peers = []
    for corpus in ("django", "languages"):
        found = figures_of(f"beside-{corpus}", runs)
        if "peak memory, semble, MB" in found:
            peers.append((int(found["files"]["median"]), found["peak memory, semble, MB"]))
    words = ", ".join(f"treemill {each['median']:.0f} MB at {size:,} files" for size, each in ours)
    words += "".join(f", semble {each['median']:.0f} MB at {size:,} files" for size, each in peers)
    picture = Picture(
        _WIDTH, 360, "Peak memory of a cold index against the number of files", f"Less is better. {words}."
    )
    sizes = [size for size, _ in (*ours, *peers)]
    most = max(each["high"] for _, each in (*ours, *peers)) * 1.1
    x = _logarithmic(min(sizes) * 0.8, max(sizes) * 1.25, 70, _WIDTH - 90)
    y = _linear(0, most, 300, 56)
    _grid(picture, [(y(value), f"{value:,.0f} MB") for value in _ticks(most)], 70, _WIDTH - 40)
    for size in SIZES:
        if min(sizes) * 0.8 <= size <= max(sizes) * 1.25:
            picture.text(x(size), 320, f"{size:,} files", "soft", "middle")
    for name, kind, points in (("treemill", "ours", ours), ("semble", "peer", sorted(peers))):
        places = [(x(size), y(each["median"])) for size, each in points]
        if places:
            picture.line(places, kind)
            for place in places:
                picture.dot(*place, kind)
            picture.text(places[-1][0] + 10, places[-1][1] - 8, name)
    picture.text(16, 346, f"Summed over all processes (PSS). {_where('growth', runs)}", "soft")
    return str(picture)


def quality(runs: Path) -> str:
    """Draw how good answers are against the processor's time to index the same repositories."""
    found = figures_of("quality", runs)
    names = [key.partition(", ")[2] for key in found if key.startswith("NDCG@10, ")]
    points = [
        (name, found[f"CPU seconds to index all repositories, {name}"]["median"], found[f"NDCG@10, {name}"]["median"])
        for name in names
    ]
    if not points:
        raise NotMeasuredError("the newest run of quality scored nothing")
    words = ", ".join(f"{name} {score:.3f} in {seconds:.0f} s" for name, seconds, score in points)
    title = "Quality of answers against the time to index"
    picture = Picture(_WIDTH, 340, title, f"NDCG@10, more is better; processor seconds, fewer are better. {words}.")
    times = [seconds for _, seconds, _ in points]
    x = _logarithmic(min(times) * 0.7, max(times) * 1.6, 70, _WIDTH - 60)
    low = math.floor(min(score for *_, score in points) * 20 - 1) / 20
    y = _linear(low, 1.0, 284, 56)
    ticks = [low + step * 0.05 for step in range(round((1 - low) / 0.05) + 1)]
    _grid(picture, [(y(value), f"{value:.2f}") for value in ticks], 70, _WIDTH - 40)
    for name, seconds, score in points:
        picture.dot(x(seconds), y(score), "ours" if name == "treemill" else "peer")
        picture.text(x(seconds) + 10, y(score) + 4, f"{_CALLED.get(name, name)}: {score:.3f}, {seconds:.0f} s")
    picture.text(_WIDTH / 2, 304, "processor seconds to index all repositories (logarithmic)", "soft", "middle")
    picture.text(16, 326, f"NDCG@10, mean of repositories. {_where('quality', runs)}", "soft")
    return str(picture)


def _linear(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _logarithmic(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    scale = _linear(math.log(low), math.log(high), start, end)
    return lambda value: scale(math.log(value))


def _ticks(most: float) -> list[float]:
    """Return about four round values from 0 to at most `most`."""
    raw = most / 4
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * each for each in (1, 2, 5, 10) if unit * each >= raw)
    return [step * number for number in range(int(most / step) + 1)]


def _grid(picture: Picture, ticks: list[tuple[float, str]], left: float, right: float) -> None:
    for y, words in ticks:
        picture.rule(left, y, right, y)
        picture.text(left - 8, y + 4, words, "soft", "end")


CHARTS: dict[str, Callable[[Path], str]] = {"throughput": throughput, "memory": memory, "quality": quality}


def draw(into: Path, runs: Path = RUNS) -> tuple[list[str], list[str]]:
    """Draw what was measured into NAME.svg; return the names of the pictures, and what keeps the others from being."""
    drawn, lacking = [], []
    for name, chart in CHARTS.items():
        try:
            text = chart(runs)
        except NotMeasuredError as error:
            lacking.append(f"the picture {name} is not drawn: {error}")
            continue
        into.mkdir(parents=True, exist_ok=True)
        (into / f"{name}.svg").write_text(text, "utf-8")
        drawn.append(name)
    return drawn, lacking


def main(arguments: list[str] | None = None) -> int:
    """Draw, and say what was not measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.charts", description="Draw the newest runs.")
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--runs", type=Path, default=RUNS)
    given = parser.parse_args(arguments)
    drawn, lacking = draw(given.into, given.runs)
    for name in drawn:
        print(given.into / f"{name}.svg")
    print(*lacking, sep="\n", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
