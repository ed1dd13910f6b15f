"""A process on a node of a cluster: it looks at what the node has, and becomes the host of workers there.

`Outpost` is sent to the node whole, and starts where this package may be missing: it needs the standard library alone
until it is given work. Starting a process is most of what a node costs, so the one that looked is the one that stays.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = "treemill"

# What is built or written beside the sources says nothing about which sources they are.
_NOT_SOURCES = (".pyc", ".so", ".pyd", ".c")


class Outpost:
    """Looks, and then is a `treemill.flow.host.Host`: its methods may be called once it has begun."""

    def __init__(self) -> None:
        self._host: Any = None

    def look(
        self, distributions: Sequence[str], sample: tuple[str, int, int] | None
    ) -> tuple[str, str, dict[str, str | None], bool]:
        """As `looked_at`."""
        return looked_at(distributions, sample)

    def begin(self, count: int, work: bytes, limits: Any, path: Sequence[str]) -> tuple[str, str]:
        """Become a host, which greets."""
        self._host = importlib.import_module(f"{PACKAGE}.flow.host").Host(count, work, limits, path)
        greeting: tuple[str, str] = self._host.greet()
        return greeting

    def hand(self, batches: bytes) -> None:
        """As `Host.hand`."""
        self._host.hand(batches)

    def collect(self) -> Any:
        """As `Host.collect`."""
        return self._host.collect()

    def pids(self) -> tuple[int, ...]:
        """As `Host.pids`."""
        pids: tuple[int, ...] = self._host.pids()
        return pids


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
