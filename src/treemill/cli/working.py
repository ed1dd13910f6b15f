"""What every command that indexes shares: Ctrl-C that cancels, progress on a terminal."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from treemill.cli.progress import listener_for
from treemill.cli.words import printable
from treemill.disk_space import shortage
from treemill.embedding.registry import provider_for
from treemill.errors import IndexLocked
from treemill.events import Event, Listener, ignore
from treemill.freshness import IndexOptions, Survey, Walk
from treemill.indexing import index_tree
from treemill.places import Place
from treemill.reports import IndexReport
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.storage.content_cache import ContentCache


def bring_up_to_date(
    place: Place,
    store: IndexStore,
    settings: Settings,
    arguments: argparse.Namespace,
    options: IndexOptions | None = None,
    survey: Survey | None = None,
    walk: Walk | None = None,
    recorder: Listener = ignore,
) -> IndexReport:
    """Index a place, showing progress; the first Ctrl-C cancels, a second one forces.

    `survey` and `walk` are as `index_tree` takes them. `recorder` is told of every event as well, before whoever shows
    progress.
    """
    with listener_for(sys.stderr, arguments) as shown, cancelled_by_ctrl_c() as cancel:

        def both(event: Event) -> None:
            recorder(event)
            shown(event)

        listener = shown if recorder is ignore else both
        problem = shortage(place, settings, empty=not store.generation())
        if problem and not arguments.quiet:
            print(f"treemill: {printable(problem)}", file=sys.stderr)
        try:
            with ContentCache(settings.storage.cache_mb) as cache:
                return index_tree(
                    place.root,
                    store,
                    settings,
                    provider=provider_for(settings, store.recipe()),
                    options=options,
                    listener=listener,
                    cancel=cancel,
                    survey=survey,
                    walk=walk,
                    cache=cache,
                )
        except IndexLocked as locked:
            if cancel.is_set():
                raise KeyboardInterrupt from locked
            raise


@contextmanager
def cancelled_by_ctrl_c() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C (or SIGTERM) sets; a second one interrupts as usual."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
