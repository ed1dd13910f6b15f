"""Is everything as it should be? What `treemill doctor` looks at, and what it can make right.

    store: rows, postings, vectors, segments, ownership        (treemill.storage.examining)
    manifest against the tree: bytes that changed under an unchanged size and time, failed and left-out files
    around it: settings, the user's key, the content cache, file system and disk space, the embedding provider

Looking changes nothing. Findings come as they are made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from treemill.configuration import explain_settings
from treemill.discovery import discover, discover_together
from treemill.disk_space import LEAST_FREE_BYTES, free_bytes
from treemill.errors import IndexMissing, StorageError, TreemillError
from treemill.places import Place
from treemill.plan import Plan, is_unchanged
from treemill.ranking import words
from treemill.reading import read_file
from treemill.records import RecordedFile, RunState, Status
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.storage import rows as tables
from treemill.storage.content_cache import CACHE_DATABASE, ContentCache, check_cache
from treemill.storage.examining import Finding, Repair, examine
from treemill.storage.location import UNFIT_FILE_SYSTEMS, file_system_of
from treemill.storage.opening import open_store
from treemill.storage.ownership import state_folder, user_key
from treemill.storage.packed import text_of
from treemill.storage.repairing import repair
from treemill.storage.sqlite import SqliteStore
from treemill.types import DiscoveredFile, Skipped
from treemill.work import content_key

_MOST_NAMED = 10

_ANEW = "Run: treemill index --rebuild"

ProviderCheck = Callable[[Settings], str | None]
"""Returns what is wrong with the embedding provider of some settings, or None."""


def diagnose(
    place: Place, *, flags: Mapping[str, Any] | None = None, check_provider: ProviderCheck | None = None
) -> Iterator[Finding]:
    """Look at a place's index and everything it depends on, and yield what is wrong.

    Raises:
        SettingsError, UsageError, StorageError: the database that the settings name cannot be asked.
    """
    settings = Settings()
    try:
        explained = explain_settings(place.root, flags=flags)
        settings = explained.settings
        yield from (Finding("settings", warning, harmless=True) for warning in explained.warnings)
    except TreemillError as error:
        yield Finding("settings", str(error))
    yield from _user(settings)
    yield from _database(place, settings) if settings.storage.url else _folder(place, settings)
    if check_provider is not None and (problem := check_provider(settings)):
        yield Finding("provider", problem)


def _folder(place: Place, settings: Settings) -> Iterator[Finding]:
    """Look at an index in a folder."""
    yield from _disk(place.folder)
    try:
        found = list(examine(place.folder))
    except IndexMissing as error:
        yield Finding("store", str(error), harmless=True)
        return
    yield from found
    if not any(each.subject in ("ownership", "store", "contents", "manifest") for each in found):
        with SqliteStore(place.folder) as store:
            yield from _tree(place, settings, store, Repair.FORGET)


def _database(place: Place, settings: Settings) -> Iterator[Finding]:
    """Look at an index in a database: every content, and the segments that this machine lays out from them.

    What is damaged is not forgotten row by row, but built anew beside: there are readers on other machines.
    """
    try:
        store = open_store(place.root, place.folder, settings.storage)
    except IndexMissing as error:
        yield Finding("store", str(error), harmless=True)
        return
    with store, store.snapshot() as snapshot:
        files = snapshot.files()
        paths = dict(zip(files.contents.tolist(), files.paths, strict=True))
        damaged = 0
        for content_id, path in paths.items():
            try:
                text_of(snapshot.content(content_id))
            except (KeyError, ValueError, StorageError) as error:
                damaged += 1
                yield Finding("contents", f"what is kept of {path} is damaged: {error}. {_ANEW}")
        try:
            snapshot.segments()
        except StorageError as error:
            yield Finding("segments", f"the segments cannot be laid out: {error}")
        if not damaged:
            yield from _tree(place, settings, store, Repair.NONE)


def mend(place: Place, findings: list[Finding]) -> None:
    """Make right what can be; what is forgotten or rebuilt comes back with the next run.

    Raises:
        IndexLocked: somebody is writing.
        StorageError: it cannot be repaired.
    """
    if any(each.subject == "cache" and each.repair is Repair.REBUILD for each in findings):
        ContentCache(0).remove()
    repair(place.folder, [each for each in findings if each.subject != "cache"])


def _user(settings: Settings) -> Iterator[Finding]:
    """Look at what this user has beside indexes: the key that marks them, and the content cache."""
    try:
        user_key()
    except TreemillError as error:
        yield Finding("ownership", error.message)
    else:
        folder = state_folder()
        if os.name == "posix" and (folder / "key").stat().st_mode & 0o077:
            yield Finding(
                "ownership", f"the key in {folder} can be read by others: anybody could mark indexes as yours"
            )
    cache = ContentCache(settings.storage.cache_mb)
    if (cache.folder / CACHE_DATABASE).exists() and (problem := check_cache(cache.folder)):
        yield Finding("cache", problem, Repair.REBUILD, harmless=True)


def _disk(folder: Path) -> Iterator[Finding]:
    kind = file_system_of(folder.parent)
    if kind in UNFIT_FILE_SYSTEMS:
        yield Finding("disk", f"{folder} is on {kind}, whose locks an index cannot rely on")
    free = free_bytes(folder)
    if free < LEAST_FREE_BYTES:
        yield Finding("disk", f"only {free / 1e6:,.0f} MB are free where the index is kept ({folder})")


def _tree(place: Place, settings: Settings, store: IndexStore, amends: Repair) -> Iterator[Finding]:
    """Compare the manifest with the tree, bytes included where size and time say that nothing changed."""
    run = store.last_run()
    recorded = {record.path: record for record in store.recorded()}
    plan = Plan(discover_together(place.root, settings.discovery), iter(recorded.values()))
    stale = {file.name for file in plan}
    recipe = store.recipe()
    if run is not None and run.state in (RunState.INTERRUPTED, RunState.FAILED):
        yield Finding("manifest", f"the last run was {run.state}: run `treemill index` to go on", harmless=True)
    if stale or plan.gone:
        what = f"{len(stale):,} files changed and {len(plan.gone):,} are gone since: run `treemill index`"
        yield Finding("manifest", what, harmless=True)
    if recipe is not None and recipe.words == words.RECIPE:
        yield from _bytes(place, settings, recipe.chunker, recorded, stale, amends)
    failed = [record for record in recorded.values() if record.status is Status.FAILED]
    for record in failed[:_MOST_NAMED]:
        yield Finding("files", f"{record.path} failed: {record.reason}: {record.detail}", harmless=True)
    if len(failed) > _MOST_NAMED:
        yield Finding("files", f"{len(failed) - _MOST_NAMED:,} more files failed", harmless=True)


def _bytes(
    place: Place,
    settings: Settings,
    chunker: str,
    recorded: dict[str, RecordedFile],
    stale: set[str],
    amends: Repair,
) -> Iterator[Finding]:
    """Digest every file that is taken for unchanged: a wrong content under it would be a wrong answer."""
    for file in discover(place.root, settings.discovery):
        if not isinstance(file, DiscoveredFile) or file.name in stale:
            continue
        record = recorded.get(file.name)
        if record is None or record.status is not Status.INDEXED or not is_unchanged(file, record):
            continue
        read = read_file(file, max_bytes=settings.discovery.max_file_bytes)
        if isinstance(read, Skipped) or (read.size, read.stamp) != (record.size, record.stamp):
            continue  # it changed since the walk
        if content_key(read.source.digest, read.source.language, chunker) != record.key:
            what = f"{file.name} holds something else than the index says, under the same size and time"
            if amends is Repair.NONE:
                what += f". {_ANEW}"
            yield Finding("manifest", what, amends, path=tables.path_bytes(file.name))
