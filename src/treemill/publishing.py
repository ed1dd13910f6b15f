"""An index kept where other machines get it: one immutable file a version, and a manifest that says which counts.

    PLACE/<digest>.treemill     an export (`treemill.storage.exported`), never changed
    PLACE/manifest.json         swapped at once: which file, its size and digest, what it was made from

The file is there before the manifest names it, and the versions named before stay for a while, so that whoever reads
has a whole one, whatever happens to whoever writes. Of two who publish at the same time, the later manifest counts.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from treemill._version import __version__
from treemill.errors import IndexMissing, UsageError
from treemill.git import git_facts
from treemill.objects import ObjectPlace, open_place
from treemill.places import Place
from treemill.settings import StorageSettings
from treemill.transfer import export_index
from treemill.values import dataclass

MANIFEST_NAME = "manifest.json"
FORMAT = 1

_SUFFIX = ".treemill"
_MOST_MANIFEST_BYTES = 1_000_000

# Versions before the newest that stay, and how long a file that no manifest names is left alone: somebody may be
# about to name it, or still be reading it.
_KEPT = 2
_LEFT_ALONE_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which file counts: its name, size and BLAKE2b-256; the commit it was made from, if any, and what made it.

    `previous` are the files that counted before, the newest first.
    """

    format: int
    file: str
    bytes: int
    digest: str
    contents: int
    commit: str | None
    treemill: str
    published_ns: int
    previous: tuple[str, ...] = ()


def publish_index(place: Place, url: str, storage: StorageSettings | None = None) -> Manifest:
    """Put the index of a place where a URL says, and return the manifest that counts now.

    `storage` as for `export_index`.

    Raises:
        UsageError: the URL is none, or what it needs is not installed.
        IndexMissing, IndexMismatch: there is no index, or none of this version.
        StorageError: the place or the index cannot be used; what counted before still does.
    """
    target = open_place(url, create=True)
    before = read_manifest(target)
    with tempfile.TemporaryDirectory(prefix="treemill-") as temporary:
        path = Path(temporary, "export")
        head = export_index(place, path, storage)
        digest = _digest(path)
        facts = git_facts(place.root)
        manifest = Manifest(
            format=FORMAT,
            file=f"{digest[:32]}{_SUFFIX}",
            bytes=path.stat().st_size,
            digest=digest,
            contents=head.contents,
            commit=None if facts is None else facts.commit,
            treemill=__version__,
            published_ns=time.time_ns(),
            previous=() if before is None else _names_before(before, f"{digest[:32]}{_SUFFIX}"),
        )
        target.put_file(manifest.file, path)
    target.put(MANIFEST_NAME, json.dumps(asdict(manifest), indent=1).encode())
    _sweep(target, manifest)
    return manifest


@contextmanager
def fetched(url: str) -> Iterator[tuple[Path, Manifest]]:
    """Lend the export that counts where a URL says, checked against its manifest, as a file.

    Raises:
        UsageError: the URL is none, or what is there is damaged or is not what the manifest says.
        IndexMissing: nothing has been published there.
        StorageError: the place cannot be read.
    """
    source = open_place(url)
    manifest = read_manifest(source)
    if manifest is None:
        raise IndexMissing(f"nothing has been published at {source.shown}", suggestion=f"Run: treemill export {url}")
    with tempfile.TemporaryDirectory(prefix="treemill-") as temporary:
        path = Path(temporary, "export")
        if not source.get_file(manifest.file, path, manifest.bytes + 1):
            raise UsageError(
                f"{manifest.file} is named by the manifest at {source.shown}, and is not there",
                suggestion="It may have just been replaced: try again, or publish it again",
            )
        if path.stat().st_size != manifest.bytes or _digest(path) != manifest.digest:
            raise UsageError(
                f"{manifest.file} at {source.shown} is not what its manifest says", suggestion="Publish it again"
            )
        yield path, manifest


def read_manifest(place: ObjectPlace) -> Manifest | None:
    """Return the manifest of a place, None where there is none.

    Raises:
        UsageError: it is damaged, or of another format.
    """
    data = place.get(MANIFEST_NAME, _MOST_MANIFEST_BYTES)
    if data is None:
        return None
    try:
        values: Any = json.loads(data)
        found = Manifest(**{**values, "previous": tuple(values.get("previous", ()))})
        sound = (
            found.format == FORMAT
            and isinstance(found.bytes, int)
            and all(isinstance(name, str) and _is_name(name) for name in (found.file, *found.previous))
            and isinstance(found.digest, str)
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise UsageError(
            f"the manifest at {place.shown} is damaged, or of another version of Treemill",
            suggestion="Publish it again",
        )
    return found


def _is_name(name: str) -> bool:
    stem = name.removesuffix(_SUFFIX)
    return stem != name and stem.isalnum() and stem.isascii()


def _names_before(before: Manifest, file: str) -> tuple[str, ...]:
    names = [name for name in (before.file, *before.previous) if name != file]
    return tuple(names[:_KEPT])


def _sweep(place: ObjectPlace, manifest: Manifest) -> None:
    """Remove what no manifest names any more, once nobody can be about to name it."""
    wanted = {MANIFEST_NAME, manifest.file, *manifest.previous}
    for name, age in place.ages().items():
        ours = name.endswith((_SUFFIX, ".partial"))
        if ours and name not in wanted and age > _LEFT_ALONE_SECONDS:
            place.remove(name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
