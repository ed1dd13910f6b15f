"""Answers in text for people, in JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

from treemill.cli.given import noted
from treemill.cli.words import ago, on_one_line, printable
from treemill.records import Coverage, Hit
from treemill.searching import Answer

# Only a terminal has pages.
_PAGING = "treemill.cli.paging"

_LINES_SHOWN = 8
_LINES_BEFORE = 1
_PLACES_NAMED = 5
_COLOURS = {"path": "35", "line": "32", "symbol": "1", "dim": "2"}


def print_answer(answer: Answer, arguments: argparse.Namespace) -> None:
    """Print an answer as the arguments ask for it, and on standard error what it could not see."""
    if arguments.json:
        print(json.dumps(as_json(answer, scores=arguments.scores)))
    elif arguments.jsonl:
        for hit in answer.hits:
            print(json.dumps(hit_json(hit, scores=arguments.scores)))
    elif arguments.files_with_matches:
        for hit in answer.hits:
            print(on_one_line(shown_path(hit)))
    else:
        paint = _painter()
        whole = answer.query.context > 0 or answer.query.max_tokens is not None
        text = "\n\n".join(_shown(hit, paint, scores=arguments.scores, whole=whole) for hit in answer.hits)
        _show(text + "\n" * bool(answer.hits))
    if not arguments.json:
        _say_coverage(answer, arguments)


def _show(text: str) -> None:
    """Print text for people, page by page on a terminal that it does not fit on."""
    if sys.stdout.isatty():
        import_module(_PAGING).show(text)
    else:
        sys.stdout.write(text)


def shown_path(hit: Hit) -> str:
    """Return the path of a hit as people may open it: below its root, where several were asked."""
    return f"{hit.root.rstrip('/')}/{hit.path}" if hit.root else hit.path


def _say_coverage(answer: Answer, arguments: argparse.Namespace) -> None:
    """Say on standard error what the answer could not see, and why there is none."""
    coverage = answer.coverage
    for note in answer.notes:
        noted(arguments, note)
    if not answer.hits:
        noted(arguments, f"no match: {answer.reason}")
    if arguments.no_update and coverage.writer_pid is not None and coverage.writer_pid != os.getpid():
        noted(
            arguments,
            f"process {coverage.writer_pid} is indexing; answered from {coverage}, {ago(coverage.refreshed_ns)}",
        )
    elif not coverage.complete and coverage.known and coverage.writer_pid is None:
        noted(arguments, f"answered from {coverage}; `treemill status` says what is missing")
    if coverage.vectors_complete is False:
        noted(arguments, f"{coverage.vectors:,} of {coverage.chunks:,} chunks have vectors; the others answer by words")


def as_json(answer: Answer, *, scores: bool) -> dict[str, Any]:
    """Return an answer as JSON-ready values; keys as in docs/cli.md."""
    values: dict[str, Any] = {
        "query": answer.query.text,
        "results": [hit_json(hit, scores=scores) for hit in answer.hits],
        "coverage": coverage_json(answer.coverage),
        "reason": answer.reason,
    }
    if answer.notes:
        values["notes"] = list(answer.notes)
    if answer.roots:
        values["roots"] = {name: coverage_json(coverage) for name, coverage in answer.roots.items()}
    return values


def hit_json(hit: Hit, *, scores: bool) -> dict[str, Any]:
    """Return a hit as JSON-ready values."""
    values: dict[str, Any] = {
        "file_path": hit.path,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "content": hit.content,
        "language": hit.language,
        "symbol": hit.symbol,
        "kind": hit.kind,
        "score": hit.score,
        "line": hit.line,
        "more": [list(lines) for lines in hit.more],
    }
    if hit.root:
        values["root"] = hit.root
    return {**values, "why": dict(hit.why)} if scores else values


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Return coverage as JSON-ready values, with whether every chunk has its vector (null without a model)."""
    return {**asdict(coverage), "vectors_complete": coverage.vectors_complete}


def _painter() -> dict[str, str]:
    """Return the escape codes to use: none where the output is no terminal or colour is not wanted."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return _COLOURS if coloured else {}


def _shown(hit: Hit, paint: dict[str, str], *, scores: bool, whole: bool) -> str:
    """Return a hit as a heading and its telling lines."""

    def in_colour(text: str, name: str) -> str:
        return f"\x1b[{paint[name]}m{text}\x1b[0m" if paint else text

    place = (
        in_colour(on_one_line(shown_path(hit)), "path") + ":" + in_colour(f"{hit.start_line}-{hit.end_line}", "line")
    )
    heading = place + (f"  {in_colour(printable(hit.symbol), 'symbol')}  {hit.kind}" if hit.symbol else "")
    if hit.more:
        places = ", ".join(f"{first}-{last}" for first, last in hit.more[:_PLACES_NAMED])
        heading += in_colour(f"  also: {places}", "dim")
    if scores:
        parts = ", ".join(f"{name} {value:+.3f}" for name, value in hit.why.items())
        heading += in_colour(f"\n  score {hit.score:.3f} = {parts}", "dim")
    width = len(str(hit.end_line))
    shown = [
        in_colour(f"{number:>{width + 2}} ", "dim") + printable(line[:200])
        for number, line in _lines_to_show(hit, whole)
    ]
    return "\n".join([heading, *shown])


def _lines_to_show(hit: Hit, whole: bool) -> list[tuple[int, str]]:
    """Return the numbered lines of a hit from the telling one on; all of them where they are asked for."""
    lines = list(enumerate(hit.content.split("\n"), hit.start_line))
    while lines and not lines[-1][1].strip():
        lines.pop()
    if whole:
        return lines
    first = max(0, min(hit.line - hit.start_line - _LINES_BEFORE, len(lines) - _LINES_SHOWN))
    while first < len(lines) - 1 and not lines[first][1].strip():
        first += 1
    return lines[first : first + _LINES_SHOWN]
