"""Indexes brought up to date and asked, and the exit code: what a question comes to on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module

from treemill.cli.given import noted
from treemill.cli.printing import print_answer
from treemill.cli.search import Target
from treemill.embedding.registry import provider_for
from treemill.errors import EmbeddingError, IndexLocked, IndexMismatch, IndexMissing
from treemill.recipes import asking_provider, governor_for, recipe_of
from treemill.records import Coverage, Query
from treemill.searching import Answer, Index
from treemill.searching.several import Indexes
from treemill.settings import Settings
from treemill.settled import look_unless_settled
from treemill.storage.opening import RootStore, open_store
from treemill.waiting import with_progress

NO_MATCH = 1

# The part that indexes, with its parsers and workers, is loaded only where the tree has changed.
_WORKING = "treemill.cli.working"
_BEHIND = "treemill.cli.behind"

_ALL = 1_000


def asked(arguments: argparse.Namespace, settings: Settings) -> Query:
    """Return the query that the words of the command line come to."""
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
    print_answer(found, arguments)
    return 0 if found.hits else NO_MATCH


def _opened(target: Target, arguments: argparse.Namespace) -> Index:
    """Return a handle on the index of a place, brought up to date unless that is not wanted."""
    place = target.place
    create = not arguments.no_update
    store = open_store(place.root, place.folder, target.settings.storage, create=create)
    if not arguments.no_update:
        _refresh(target, store, arguments)
    return Index(store, asking_provider(target.settings, store), root=place.root, under=place.under)


def _refresh(target: Target, store: RootStore, arguments: argparse.Namespace) -> None:
    """Bring the index up to date, unless another process is at it: then the last commit answers."""
    place, settings = target.place, target.settings
    try:
        if (locked := store.locked()) is not None:
            raise with_progress(locked, store)
        provider = provider_for(settings, store.recipe())
        recipe = recipe_of(governor_for(settings, provider).recipe, provider)
        survey = look_unless_settled(place.root, store, settings, recipe, target.standing)
        if survey is None:
            return
        if arguments.no_wait:
            pid = import_module(_BEHIND).index_behind(place, settings)
            noted(arguments, f"the tree has changed; process {pid} brings the index up to date")
            return
        working = import_module(_WORKING)
        report = working.bring_up_to_date(place, store, settings, arguments, survey=survey)
    except IndexLocked as error:
        noted(arguments, error.message)
        return
    except IndexMismatch as error:
        noted(arguments, f"the index was not refreshed: {error}")
        return
    except EmbeddingError as error:
        if not _has_answers(store):
            raise
        noted(arguments, f"the index was not refreshed: {error}")
        return
    if report.stats.cancelled:
        raise KeyboardInterrupt
    for failure in report.failures[:3]:
        noted(arguments, f"{failure.path}: {failure.message}")


def _has_answers(store: RootStore) -> bool:
    """Whether anything is committed to answer from, whatever keeps the newest changes out."""
    try:
        with store.snapshot() as snapshot:
            return snapshot.coverage().searchable > 0
    except IndexMissing:
        return False
