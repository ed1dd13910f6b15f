"""A glance: does everything stand as it stood when a look found nothing to do? Answered without walking the tree.

    look that finds nothing ─▶ Sight ─▶ keep        later: standing ─▶ glance ─▶ as it was, or not known

A look depends on the listings of the folders that it walks, on the files in them, on ignore files and on a few files
above the root. Whatever happens to one of them changes a stamp of it: of a folder, where an entry comes, goes or gets
another name; of a file, where it is written to. So a look need not be taken again while all these stamps are the same,
and asking for stamps costs a tenth of a walk, most of it without the interpreter: it is done beside, while a question
loads what answers it. What keeps a sight is `treemill.sight`.

Stamps are trusted as a `Plan` trusts them: where they are well older than the look. What a look depends on besides, a
repository within the root or a folder that cannot be read, makes that nothing is kept. The file that is kept is a cache
in the index's own folder, good for one state of the index and one set of settings; damaged or gone, it costs a look.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from treemill._version import __version__
from treemill.ignoring import fingerprint_above
from treemill.settings import DiscoverySettings
from treemill.stamps import stamps_below

NAME = "sight"
"""The name of the file in the folder of an index."""

DIGEST_BYTES = 16


class Standing(NamedTuple):
    """What was kept in the folder of an index about a tree that stands as it stood then."""

    folder: Path
    said: Mapping[str, object]


def standing(root: Path, folder: Path) -> Standing | None:
    """Return what was kept in a folder, if every entry that it is about has the stamps that it had; else None."""
    kept = _kept(folder)
    if kept is None:
        return None
    said, paths = kept
    try:
        stands = said["stamps"] == digest(stamps_below(root, paths)) and _lead_there(root, said["links"])
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return Standing(folder, said) if stands else None


def glance(
    root: Path, settings: DiscoverySettings, folder: Path, generation: int, seen: Standing | None = None
) -> int | None:
    """Return what `Survey.known` said when a look found nothing to do, if it would find nothing now; else None.

    `seen` is what `standing` said just before, where it was asked. None says nothing about the tree: a look does.
    """
    if seen is None or seen.folder != folder:
        seen = standing(root, folder)
    if seen is None:
        return None
    said = seen.said
    try:
        if said["generation"] != generation or said["context"] != context_of(root, settings):
            return None
        known = said["known"]
        return known if isinstance(known, int) else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _kept(folder: Path) -> tuple[dict[str, object], bytes] | None:
    """Return what was kept and the paths that it is about, or None where there is nothing, or not what was written."""
    try:
        data = (folder / NAME).read_bytes()
        body = data[DIGEST_BYTES:]
        if data[:DIGEST_BYTES] != checksum(body):
            return None
        head, _, paths = zlib.decompress(body).partition(b"\n")
        return json.loads(head), paths
    except (OSError, ValueError, RecursionError, zlib.error):
        return None


def _lead_there(root: Path, links: object) -> bool:
    """Whether links still lead where they led, and to something."""
    return isinstance(links, Mapping) and all(
        os.path.realpath(os.path.join(root, path)) == target and os.path.exists(target)
        for path, target in links.items()
    )


def context_of(root: Path, settings: DiscoverySettings) -> str:
    """Return what a walk depends on besides the tree: the program, its settings, the rules from outside."""
    real = os.path.realpath(root)
    return repr((__version__, real, settings, "" if settings.no_ignore else fingerprint_above(real).hex()))


def digest(stamps: bytes) -> str:
    """Return what stands for the stamps of all entries."""
    return hashlib.blake2b(stamps, digest_size=DIGEST_BYTES).hexdigest()


def checksum(body: bytes) -> bytes:
    """Return what stands before a body that is kept, to tell damage by."""
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()
