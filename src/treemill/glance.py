"""A glance: does everything stand as it stood when a look found nothing to do? Answered without walking the tree.

    look that finds nothing ─▶ Sight ─▶ keep        later: glance ─▶ as it was, or not known

A look depends on the listings of the folders that it walks, on the files in them, on ignore files and on a few files
above the root. Whatever happens to one of them changes a stamp of it: of a folder, where an entry comes, goes or gets
another name; of a file, where it is written to. So a look need not be taken again while all these stamps are the same,
and asking for stamps costs a fifth of a walk.

Stamps are trusted as a `Plan` trusts them: where they are well older than the look. What a look depends on besides, a
repository within the root or a folder that cannot be read, makes that nothing is kept. The file that is kept is a cache
in the index's own folder, good for one state of the index and one set of settings; damaged or gone, it costs a look.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import zlib
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import time_ns

from treemill._version import __version__
from treemill.freshness import Survey, is_settled, look
from treemill.ignoring import fingerprint_above
from treemill.plan import is_trusted
from treemill.records import Recipe
from treemill.settings import DiscoverySettings, Settings
from treemill.storage.location import UNFIT_FILE_SYSTEMS, file_system_of
from treemill.storage.opening import RootStore
from treemill.types import changed_ns

NAME = "sight"
"""The name of the file in the folder of an index."""

_DIGEST_BYTES = 16
_LOW_BITS = 2**63 - 1


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

    def __call__(self, path: str, entry: os.stat_result | None, target: str = "", /) -> None:
        """See `treemill.discovery.Saw`."""
        if entry is None or not is_trusted(entry.st_mtime_ns, changed_ns(entry), self._began_ns):
            self._whole = False
            return
        if not path:
            self._device = entry.st_dev
        elif stat.S_ISDIR(entry.st_mode) and entry.st_dev != self._device:
            self._whole = False  # another file system, which may keep stamps in other ways
        self._stamps[path.rstrip("/")] = _stamps_of(entry)
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
            "stamps": _digest(self._stamps.values()),
        }
        paths = "\0".join(self._stamps)
        body = zlib.compress(f"{json.dumps(said)}\n{paths}".encode("utf-8", "surrogateescape"), 1)
        with contextlib.suppress(OSError):
            beside = folder / f"{NAME}.{os.getpid()}"
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(checksum(body) + body)
            beside.replace(folder / NAME)


def look_unless_settled(root: Path, store: RootStore, settings: Settings, recipe: Recipe) -> Survey | None:
    """Return None where a run over a tree would have nothing to do, else a look at it; keep what shows the former.

    Raises:
        UsageError, StorageError: as `look`.
    """
    folder = store.private_folder()
    if folder is None:
        survey = look(root, store, settings)
        return survey if survey.found_work or not _rests(store, recipe, survey.known) else None
    known = glance(root, settings.discovery, folder, store.generation())
    if known is not None and _rests(store, recipe, known):
        return None
    sight = Sight(root, settings.discovery)
    survey = look(root, store, settings, saw=sight)
    if survey.found_work or not _rests(store, recipe, survey.known):
        return survey
    sight.keep(folder, survey.generation, survey.known)
    return None


def _rests(store: RootStore, recipe: Recipe, known: int) -> bool:
    """Whether nothing is to do where a look finds nothing; what readers could not use, a run lays out once for all."""
    return is_settled(store, recipe, known) and store.is_laid_out()


def glance(root: Path, settings: DiscoverySettings, folder: Path, generation: int) -> int | None:
    """Return what `Survey.known` said when a look found nothing to do, if it would find nothing now; else None.

    None says nothing about the tree: a look does.
    """
    kept = _kept(folder)
    if kept is None:
        return None
    said, paths = kept
    try:
        if said["generation"] != generation or said["context"] != context_of(root, settings):
            return None
        prefix = os.path.join(root, "")
        stamps = (_stamps_of(os.lstat(prefix + path) if path else os.stat(root)) for path in paths)
        if said["stamps"] != _digest(stamps) or not _lead_there(prefix, said["links"]):
            return None
        known = said["known"]
        return known if isinstance(known, int) else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _kept(folder: Path) -> tuple[dict[str, object], list[str]] | None:
    """Return what was kept and the paths that it is about, or None where there is nothing, or not what was written."""
    try:
        data = (folder / NAME).read_bytes()
        body = data[_DIGEST_BYTES:]
        if data[:_DIGEST_BYTES] != checksum(body):
            return None
        head, _, paths = zlib.decompress(body).decode("utf-8", "surrogateescape").partition("\n")
        return json.loads(head), paths.split("\0")
    except (OSError, ValueError, RecursionError, zlib.error):
        return None


def _lead_there(prefix: str, links: object) -> bool:
    """Whether links still lead where they led, and to something."""
    return isinstance(links, Mapping) and all(
        os.path.realpath(prefix + path) == target and os.path.exists(target) for path, target in links.items()
    )


def context_of(root: Path, settings: DiscoverySettings) -> str:
    """Return what a walk depends on besides the tree: the program, its settings, the rules from outside."""
    real = os.path.realpath(root)
    return repr((__version__, real, settings, "" if settings.no_ignore else fingerprint_above(real).hex()))


def _stamps_of(entry: os.stat_result) -> tuple[int, ...]:
    """Return what tells one state of an entry from another."""
    return (entry.st_size, entry.st_mtime_ns, changed_ns(entry), entry.st_ino & _LOW_BITS, entry.st_dev & _LOW_BITS)


def _digest(stamps: Iterable[tuple[int, ...]]) -> str:
    numbers = array("q")
    for each in stamps:
        numbers.extend(each)
    return hashlib.blake2b(numbers.tobytes(), digest_size=_DIGEST_BYTES).hexdigest()


def checksum(body: bytes) -> bytes:
    """Return what stands before a body that is kept, to tell damage by."""
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()
