"""Writes the figures of the newest runs into the marked blocks of README.md and docs/benchmarks.md, and draws them.

    python -m benchmarks.publish            write
    python -m benchmarks.publish --check    say what would change; exit code 1 where anything would

A block stands between `<!-- figures: NAME -->` and `<!-- /figures -->`; nobody writes there by hand. A figure is
refused, named, and left out where it was not measured, has no bound to be held against, or was measured on source that
is not committed; the exit code is 1 then. A missed bound is published, as missed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.charts import FOLDER, draw
from benchmarks.newest import newest
from benchmarks.plan import STEPS
from benchmarks.results import RUNS, shown

ROOT = Path(__file__).parents[1]
PAGES = {"headline": "README.md", "figures": "docs/benchmarks.md"}

_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n)(.*?)(<!-- /figures -->)", re.S)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure of a page: in words, which benchmark's run has it, and its name there."""

    words: str
    run: str
    figure: str


HEADLINE = (
    Wanted("cold index of Django, times as fast as semble", "beside-django", "cold, times as fast as semble"),
    Wanted("the same of 20+ languages", "beside-languages", "cold, times as fast as semble"),
    Wanted("its peak memory on Django, share of semble's", "beside-django", "peak memory, share of semble's"),
    Wanted("the same on 20+ languages", "beside-languages", "peak memory, share of semble's"),
    Wanted("share of the bare parse's speed on the same cores", "limit-languages", "share of the physical limit"),
    Wanted("two workers, times as fast as one", "limit-languages", "two workers, × one"),
    Wanted("first answer while 100,000 files are indexed, s", "growth", "100,000 files, first answer, s"),
    Wanted("nothing changed in 100,000 files, s", "growth", "100,000 files, nothing changed, s"),
    Wanted("memory at 100,000 files, × that at 10,000", "growth", "peak memory at 100,000 files, × that at 10,000"),
    Wanted("index ÷ source, text and caches included", "growth", "100,000 files, index ÷ source"),
    Wanted("a cancelled run returns after, s", "processing", "cancelled run, s"),
    Wanted("quality of answers, NDCG@10", "quality", "NDCG@10, treemill"),
)


class RefusedError(Exception):
    """A figure is not published; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a page says of a figure."""

    words: str
    measured: str
    bound: str
    holds: bool
    when: str

    @property
    def row(self) -> str:
        """A line of a table."""
        return f"| {self.words} | {self.measured} | {self.bound}{'' if self.holds else ', **missed**'} | {self.when} |"


def figure(wanted: Wanted, runs: Path) -> Figure:
    """Return a figure as the newest run has it.

    Raises:
        RefusedError: it was not measured, has no bound, or its revision is not a commit.
    """
    run = newest(wanted.run, runs)
    if run is None:
        raise RefusedError(f"{wanted.words}: {wanted.run} was not measured")
    checks = [check for check in run["checks"] if check["name"] == wanted.figure]
    found: dict[str, float] | None = run.get("figures", {}).get(wanted.figure)
    if not checks and found is None:
        raise RefusedError(f"{wanted.words}: the newest run of {wanted.run} has no {wanted.figure!r}")
    if not checks:
        raise RefusedError(f"{wanted.words}: {wanted.figure!r} has no bound in the newest run of {wanted.run}")
    if "changes" in run["revision"] or run["revision"] == "unknown":
        raise RefusedError(f"{wanted.words}: measured at revision {run['revision']!r}, which is no commit")
    check = checks[0]
    words = shown(float(check["measured"]))
    if found is not None and found["low"] != found["high"]:
        words += f" ({shown(found['low'])}–{shown(found['high'])})"
    return Figure(wanted.words, words, check["bound"], check["holds"], f"{run['when'][:10]}, {run['revision']}")


def every_figure(runs: Path) -> Iterator[Wanted]:
    """Name each bounded figure of the newest run of each step, in the plan's order."""
    for step in STEPS:
        run = newest(step.run, runs)
        for check in run["checks"] if run else ():
            yield Wanted(f"{step.name}: {check['name']}", step.run, check["name"])


def block(wanted: list[Wanted], runs: Path, pictures: list[str], refused: list[str]) -> str:
    """Return a block's text ("" where nothing was measured); add to `refused` what is left out."""
    figures = []
    for each in wanted:
        try:
            figures.append(figure(each, runs))
        except RefusedError as error:
            refused.append(str(error))
    if not figures:
        return ""
    table = ["| figure | median (least–greatest) | bound | measured |", "| --- | --- | --- | --- |"]
    machines = dict.fromkeys(_machine(run) for each in wanted if (run := newest(each.run, runs)) is not None)
    parts = ["\n".join([*table, *(each.row for each in figures)]), f"Measured on {'; '.join(machines)}.", *pictures]
    return "\n\n" + "\n\n".join(parts) + "\n\n"


def _machine(run: dict[str, Any]) -> str:
    machine = run["machine"]
    return f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['python']}"


def pages(runs: Path, drawn: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the text of each block, and what is refused."""
    refused: list[str] = []
    alternatives = {
        "throughput": "Megabytes a second of a cold index: treemill, semble and the bare parse",
        "memory": "Peak memory of a cold index against the number of files: treemill and semble",
        "quality": "Quality of answers against the time to index: treemill and other ways to search",
    }
    in_docs = [f"![{alternatives[name]}](charts/{name}.svg)" for name in drawn]
    in_readme = [line.replace("(charts/", "(docs/charts/") for line in in_docs if "throughput" in line]
    return {
        "headline": block(list(HEADLINE), runs, in_readme, refused),
        "figures": block(list(every_figure(runs)), runs, in_docs, refused),
    }, list(dict.fromkeys(refused))


def filled(text: str, blocks: dict[str, str]) -> str:
    """Return a page with its blocks filled."""
    return _BLOCK.sub(lambda match: match[1] + blocks[match[2]].removeprefix("\n") + match[4], text)


def main(arguments: list[str] | None = None) -> int:
    """Write the pages and the pictures, and name what is refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description="Publish the newest figures.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a page would change")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder of README.md and docs")
    given = parser.parse_args(arguments)
    folder = given.root / FOLDER.relative_to(ROOT)
    if given.check:
        drawn, lacking = sorted(path.stem for path in folder.glob("*.svg")), []
    else:
        drawn, lacking = draw(folder, given.runs)
    blocks, refused = pages(given.runs, sorted(drawn))
    changed = []
    for name in PAGES.values():
        path = given.root / name
        before = path.read_text("utf-8")
        after = filled(before, blocks)
        if after != before:
            changed.append(name)
            if not given.check:
                path.write_text(after, "utf-8")
    for line in changed:
        print(f"{line} {'would change' if given.check else 'is written'}")
    print(*(f"refused: {line}" for line in (*refused, *lacking)), sep="\n", file=sys.stderr)
    return int(bool(changed) if given.check else bool(refused or lacking))


if __name__ == "__main__":
    sys.exit(main())
