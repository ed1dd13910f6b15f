"""What a node of a cluster has, looked at before it is given any work.

`looked_at` is sent to the node whole, and runs where this package may be missing: it needs the standard library alone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PACKAGE = "treemill"

# What is built or written beside the sources says nothing about which sources they are.
_NOT_SOURCES = (".pyc", ".so", ".pyd", ".c")


class Sight(NamedTuple):
    """What was found on a machine.

    `python` is its version, `code` the digest of the package's files, empty where it is not there; `versions` are those
    of the distributions that were asked for, None for one that is missing. `sees` says whether a file is there as well.
    """

    python: str
    code: str
    versions: dict[str, str | None]
    sees: bool


def looked_at(
    distributions: Sequence[str], sample: tuple[str, int, int] | None
) -> tuple[str, str, dict[str, str | None], bool]:
    """Return the fields of the `Sight` of this machine. `sample` is a path, its size and modification time (ns)."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    versions: dict[str, str | None] = {}
    for name in distributions:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    sees = False
    if sample is not None:
        path, size, mtime_ns = sample
        try:
            entry = os.stat(path)
            sees = (entry.st_size, entry.st_mtime_ns) == (size, mtime_ns)
        except OSError:
            sees = False
    python = ".".join(map(str, sys.version_info[:3]))
    return python, digest_of(places[0]) if places else "", versions, sees


def digest_of(folder: str) -> str:
    """Return a digest of the sources and the data below a package's folder."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix not in _NOT_SOURCES and path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
            if path.suffix == ".py":
                digest.update(path.read_bytes())
    return digest.hexdigest()
