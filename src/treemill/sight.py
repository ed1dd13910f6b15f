"""What a walk saw: kept where it found nothing to do, so that a glance can tell next time (see `treemill.glance`)."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import zlib
from array import array
from itertools import chain
from pathlib import Path
from time import time_ns

from treemill.freshness import Survey, look
from treemill.glance import NAME, checksum, context_of, digest
from treemill.plan import is_trusted
from treemill.records import Recipe
from treemill.settings import DiscoverySettings, Settings
from treemill.settled import rests
from treemill.stamps import Entry
from treemill.storage.location import UNFIT_FILE_SYSTEMS, file_system_of
from treemill.storage.opening import RootStore


class Sight:
    """What a walk depends on, as `treemill.discovery.discover` tells it while it walks."""

    def __init__(self, root: Path, settings: DiscoverySettings) -> None:
        """Begin before the walk does."""
        self._root = root
        self._began_ns = time_ns()
        self._context = context_of(root, settings)
        self._whole = os.name == "posix" and file_system_of(root) not in UNFIT_FILE_SYSTEMS
        self._device: int | None = None
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._links: dict[str, str] = {}

    def __call__(self, path: str, entry: Entry | None, target: str = "", /) -> None:
        """See `treemill.belonging.Saw`."""
        if entry is None or not is_trusted(entry.mtime_ns, entry.changed_ns, self._began_ns):
            self._whole = False
            return
        if not path:
            self._device = entry.device
        elif stat.S_ISDIR(entry.mode) and entry.device != self._device:
            self._whole = False  # another file system, which may keep stamps in other ways
        self._stamps[path.rstrip("/")] = entry.stamp
        if target:
            self._links[path] = target

    def keep(self, folder: Path, generation: int, known: int) -> None:
        """Keep it in the folder of an index, in which nothing was to do, with what `Survey.known` said.

        Where that cannot be done, nothing is kept.
        """
        if not self._whole:
            return
        said = {
            "context": self._context,
            "generation": generation,
            "known": known,
            "links": self._links,
            "stamps": digest(array("q", chain.from_iterable(self._stamps.values())).tobytes()),
        }
        paths = "\0".join(self._stamps)
        body = zlib.compress(f"{json.dumps(said)}\n{paths}".encode("utf-8", "surrogateescape"), 1)
        with contextlib.suppress(OSError):
            beside = folder / f"{NAME}.{os.getpid()}"
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(checksum(body) + body)
            beside.replace(folder / NAME)


def look_and_keep(
    root: Path, store: RootStore, settings: Settings, recipe: Recipe, folder: Path | None
) -> Survey | None:
    """Return a look at a tree, or None where a run over it would have nothing to do; then keep what was seen.

    `folder` is where, None for nowhere.

    Raises:
        UsageError, StorageError: as `look`.
    """
    if folder is None:
        survey = look(root, store, settings)
        return survey if survey.found_work or not rests(store, recipe, survey.known) else None
    sight = Sight(root, settings.discovery)
    survey = look(root, store, settings, saw=sight)
    if survey.found_work or not rests(store, recipe, survey.known):
        return survey
    sight.keep(folder, survey.generation, survey.known)
    return None
