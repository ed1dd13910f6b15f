"""`treemill search`: ask about the code in a folder."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

from treemill.cli.given import settings_for
from treemill.cli.words import ago, on_one_line, printable
from treemill.embedding.registry import provider_for
from treemill.errors import EmbeddingError, IndexLocked, IndexMismatch, IndexMissing
from treemill.freshness import IndexOptions, asking_provider, governor_for, recipe_of, with_progress
from treemill.glance import look_unless_settled
from treemill.places import Place, named, places_of, seated
from treemill.records import Coverage, Hit, Query
from treemill.searching import Answer, Index
from treemill.searching.several import Indexes
from treemill.settings import Settings
from treemill.storage.opening import RootStore, open_store

NO_MATCH = 1

# The part that indexes, with its parsers and workers, is loaded only where the tree has changed.
_WORKING = "treemill.cli.working"
_BEHIND = "treemill.cli.behind"

# Only a terminal has pages.
_PAGING = "treemill.cli.paging"

_LINES_SHOWN = 8
_LINES_BEFORE = 1
_PLACES_NAMED = 5
_ALL = 1_000
_COLOURS = {"path": "35", "line": "32", "symbol": "1", "dim": "2"}


def run(arguments: argparse.Namespace) -> int:
    """Refresh what is asked if need be, answer, and return the exit code."""
    places = [_target(given, place, arguments) for given, place in places_of(arguments.paths or ["."])]
    return answer(places, _query(arguments, places[0].settings), arguments)


def _target(given: str, place: Place, arguments: argparse.Namespace) -> Target:
    settings = settings_for(place, arguments)
    place = seated(place, settings.storage)
    return Target(named(given, place), place, settings)


@dataclass(frozen=True, slots=True)
class Target:
    """A place to ask: how its root is named among several, and the settings that hold there."""

    name: str
    place: Place
    settings: Settings


def answer(targets: Sequence[Target], query: Query, arguments: argparse.Namespace) -> int:
    """Refresh the indexes of places if need be, print the answer to a query, and return the exit code."""
    with ExitStack() as opened:
        handles = [(target.name, opened.enter_context(_opened(target, arguments))) for target in targets]
        try:
            found = handles[0][1].ask(query) if len(handles) == 1 else Indexes(handles).ask(query)
        except IndexMissing:
            if not arguments.no_wait:
                raise
            found = Answer(query, (), Coverage(0, 0, complete=False), "nothing is committed yet; ask again in a moment")
    _print(found, arguments)
    return 0 if found.hits else NO_MATCH


def _opened(target: Target, arguments: argparse.Namespace) -> Index:
    """Return a handle on the index of a place, brought up to date unless that is not wanted."""
    place = target.place
    create = not arguments.no_update
    store = open_store(place.root, place.folder, target.settings.storage, create=create)
    if not arguments.no_update:
        _refresh(place, store, target.settings, arguments)
    return Index(store, asking_provider(target.settings, store), root=place.root, under=place.under)


def _query(arguments: argparse.Namespace, settings: Settings) -> Query:
    search = settings.search
    query = Query(
        arguments.query,
        mode="regex" if arguments.regex else "symbol" if arguments.symbol else "ask",
        limit=search.top_k if arguments.top_k is None else arguments.top_k,
        offset=arguments.offset,
        per_file=search.per_file if arguments.per_file is None else arguments.per_file,
        languages=tuple(arguments.lang),
        include=tuple(arguments.include),
        exclude=tuple(arguments.exclude),
        kinds=tuple(arguments.kind),
        changed_since=arguments.changed_since or "",
        threshold=arguments.threshold,
        context=arguments.context,
        max_tokens=arguments.max_tokens,
    )
    if arguments.all:
        query = replace(query, per_file=_ALL)
    return replace(query, per_file=1) if arguments.files_with_matches else query


def _refresh(place: Place, store: RootStore, settings: Settings, arguments: argparse.Namespace) -> None:
    """Bring the index up to date, unless another process is at it: then the last commit answers."""
    try:
        if (locked := store.locked()) is not None:
            raise with_progress(locked, store)
        provider = provider_for(settings, store.recipe())
        recipe = recipe_of(governor_for(settings, provider).recipe, provider)
        survey = look_unless_settled(place.root, store, settings, recipe)
        if survey is None:
            return
        if arguments.no_wait:
            pid = import_module(_BEHIND).index_behind(place, settings)
            _note(arguments, f"the tree has changed; process {pid} brings the index up to date")
            return
        working = import_module(_WORKING)
        report = working.bring_up_to_date(place, store, settings, arguments, IndexOptions(), survey)
    except IndexLocked as error:
        _note(arguments, error.message)
        return
    except IndexMismatch as error:
        _note(arguments, f"the index was not refreshed: {error}")
        return
    except EmbeddingError as error:
        if not _has_answers(store):
            raise
        _note(arguments, f"the index was not refreshed: {error}")
        return
    if report.stats.cancelled:
        raise KeyboardInterrupt
    for failure in report.failures[:3]:
        _note(arguments, f"{failure.path}: {failure.message}")


def _has_answers(store: RootStore) -> bool:
    """Whether anything is committed to answer from, whatever keeps the newest changes out."""
    try:
        with store.snapshot() as snapshot:
            return snapshot.coverage().searchable > 0
    except IndexMissing:
        return False


def _note(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.quiet:
        print(f"treemill: {printable(text)}", file=sys.stderr)


def _print(answer: Answer, arguments: argparse.Namespace) -> None:
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
        _note(arguments, note)
    if not answer.hits:
        _note(arguments, f"no match: {answer.reason}")
    if arguments.no_update and coverage.writer_pid is not None and coverage.writer_pid != os.getpid():
        _note(
            arguments,
            f"process {coverage.writer_pid} is indexing; answered from {coverage}, {ago(coverage.refreshed_ns)}",
        )
    elif not coverage.complete and coverage.known and coverage.writer_pid is None:
        _note(arguments, f"answered from {coverage}; `treemill status` says what is missing")
    if coverage.vectors_complete is False:
        _note(arguments, f"{coverage.vectors:,} of {coverage.chunks:,} chunks have vectors; the others answer by words")


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
