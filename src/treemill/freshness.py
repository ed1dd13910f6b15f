"""Does the index still say what the tree says? The look that comes before every run, and before every answer.

A look walks the tree and compares directory entries with what is recorded; it reads no file and needs neither parser
nor workers, so that a question on a tree in which nothing changed is answered at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from treemill.belonging import Saw, unwatched
from treemill.discovery import Found, discover_together
from treemill.flow import Ahead
from treemill.plan import Plan
from treemill.records import RunState, Status
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.types import DiscoveredFile
from treemill.values import dataclass

# So many files at most are found before anybody looks.
_WALKED_AHEAD = 16_384


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How one run differs from the settings.

    `everything` processes unchanged files too, `retry` those that failed or were skipped before; `wait_seconds` is how
    long to wait for another writer.
    """

    everything: bool = False
    retry: bool = False
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """A walk that stopped at the first file to process, or behind it, or at its end where there is none.

    `files` are the files to process, some at a time, those found so far included; they can be had once, and pull the
    walk on. `generation` is the index's from before the walk. `within` are the paths that the walk was confined to,
    None for the whole tree, and `elsewhere` how many files to index are known outside of them; `entered` is told the
    folders of the walk.
    """

    generation: int
    plan: Plan
    files: Iterator[list[DiscoveredFile]]
    found_work: bool
    within: tuple[str, ...] | None = None
    elsewhere: int = 0
    entered: Callable[[str], object] | None = None

    @property
    def known(self) -> int:
        """How many files to index are known so far; see `Plan.known`."""
        return self.plan.known + self.elsewhere


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over a whole tree that has begun: what it finds, some at a time, which can be had once.

    `generation` is the index's from before it began: what others committed since may be of files that it passed by.
    """

    found: Iterable[list[Found]]
    generation: int


@contextmanager
def begin_walk(root: Path, store: IndexStore, settings: Settings) -> Iterator[Walk]:
    """Begin to walk a tree in a thread of its own, while who looks is loaded, for `look`.

    Raises:
        UsageError: there is no such folder.
        SettingsError: a pattern of `include` or `exclude` is none.
        StorageError: the store cannot be read.
    """
    generation = store.generation()
    with Ahead(discover_together(root, settings.discovery), most=_WALKED_AHEAD) as found:
        yield Walk(found, generation)


def look(
    root: Path,
    store: IndexStore,
    settings: Settings,
    options: IndexOptions | None = None,
    *,
    walk: Walk | None = None,
    within: Sequence[str] | None = None,
    entered: Callable[[str], object] | None = None,
    saw: Saw = unwatched,
) -> Survey:
    """Walk a tree up to the first file that is not as the store has it.

    With `within`, only those paths and what lies below them are looked at, if the last run over the whole tree ended;
    else all of it is. `entered` is told each folder that is walked, `saw` what the walk depends on; see `discover`.
    `walk` is one over the whole tree that was begun for this look, and is told nobody.

    Raises:
        UsageError: there is no such folder.
        StorageError: the store cannot be read.
    """
    options = options or IndexOptions()
    generation = store.generation() if walk is None else walk.generation
    run = store.last_run()
    whole = within is None or run is None or run.state is not RunState.COMPLETE
    paths = None if whole or within is None else tuple(within)
    recorded = list(store.recorded(paths, keys=False))
    elsewhere = 0
    if paths is not None and run is not None:
        inside = sum(record.status is not Status.SKIPPED for record in recorded)
        elsewhere = max(0, run.known - inside)
    begun = None if walk is None else walk.found
    plan = Plan(
        begun or discover_together(root, settings.discovery, within=paths, entered=entered, saw=saw),
        recorded,
        retry=options.retry,
        everything=options.everything,
        readable=_can_be_read,
    )
    stale = plan.together()
    first = next(stale, None)
    if first is not None:
        return Survey(generation, plan, chain((first,), stale), True, paths, elsewhere, entered)
    return Survey(generation, plan, stale, bool(plan.gone or plan.to_mark), paths, elsewhere, entered)


def first_look(root: Path, settings: Settings, busy: Callable[[], bool]) -> Callable[[int], Survey]:
    """Walk a tree of which nothing is recorded, to the first file at least and on while somebody else is busy.

    Returns what makes the survey, given the generation of the store in which nothing is recorded. It is asked after
    each file whether somebody is busy.

    Raises:
        UsageError: there is no such folder.
        SettingsError: a pattern of `include` or `exclude` is none.
    """
    plan = Plan(discover_together(root, settings.discovery), (), readable=_can_be_read)
    stale, files = plan.together(), []
    for some in stale:
        files.append(some)
        if not busy():
            break
    return lambda generation: Survey(generation, plan, chain(files, stale), bool(files or plan.to_mark))


def _can_be_read(file: DiscoveredFile) -> bool:
    return os.access(file.absolute, os.R_OK)
