"""The values that travel between stages: files, symbols, chunks, and what kept a file out.

    DiscoveredFile ─▶ Source ─▶ Chunking ─▶ CodeChunk

A file is discovered (`DiscoveredFile`, nothing read yet), read (`Source`: its bytes and their encoding), cut
(`Chunking`: offsets and symbols, the compact form that crosses process boundaries), and, for those who want
objects, rebuilt as `CodeChunk`s. What cannot go on becomes a `Skipped` or a `Failure` and travels with the rest.

Everything here is frozen. Paths are POSIX strings relative to the root; offsets are bytes, 0-based and half-open;
lines are 1-based and inclusive.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from treemill.languages import language_of_name
from treemill.sources import Source as Source
from treemill.sources import Symbol as Symbol
from treemill.values import dataclass

ChunkSource = Literal["semantic", "delimiter", "fixed"]


class SkipReason(StrEnum):
    """Why a file is not in the index although it was seen; `treemill why FILE` prints these."""

    BINARY = "binary"
    CHANGING = "changing"
    EMPTY_ENTRY = "empty entry"
    IGNORED = "ignored"
    NOT_REGULAR = "not a regular file"
    OUTSIDE_ROOT = "outside the root"
    QUARANTINED = "quarantined"
    REPEATED = "given twice"
    TOO_LARGE = "too large"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, why, and a detail for people ("3.2 MB, the cap is 1 MB")."""

    path: str
    reason: SkipReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder (or entry) that could not be looked into, "" for the root: what lies there is unknown, not gone."""

    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that something went wrong with: at which stage, the type of the error and its message."""

    path: str
    stage: Literal["read", "chunk", "embed", "write"]
    error_type: str
    message: str
    traceback: str = ""


def changed_ns(entry: os.stat_result) -> int:
    """Return when the file system last changed anything about a file (wall clock, ns), 0 where it does not say.

    Unlike the modification time, nobody can set it. Windows has the time of creation in that field.
    """
    return entry.st_ctime_ns if os.name == "posix" else 0


def _is_plain(path: str) -> bool:
    """Whether a path to a file is relative and POSIX, with nothing in it that could be left out."""
    if os.sep != "/" or path.startswith(("/", "./")):
        return False
    return "//" not in path and "/./" not in path


@dataclass(frozen=True, slots=True)
class DiscoveredFile:
    """A regular file to index, known by its directory entry alone.

    `name` is its POSIX path relative to `root`, or the path as given where there is no root. `language` comes
    from the name (a shebang is looked at when the file is read). `size` is in bytes, `mtime_ns` in nanoseconds;
    `changed_ns` is when the file system last changed anything about the file, 0 where it does not say.
    """

    name: str
    root: str | None
    language: str | None
    size: int
    mtime_ns: int
    changed_ns: int = 0

    @classmethod
    def from_path(
        cls, path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None
    ) -> DiscoveredFile | None:
        """Describe a file by `stat` alone; the content is never opened.

        Returns None for what is no file to index: a missing path, a directory, a FIFO, a device, a broken or
        looping link. With a root, `path` is taken relative to it (or must lie below it) and is kept relative.

        Raises:
            ValueError: `path` lies outside `root`.
        """
        given = os.fspath(path)
        base = None if root is None else os.fspath(root)
        absolute = given if base is None else os.path.join(base, given)
        try:
            entry = os.stat(absolute)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(entry.st_mode):
            return None
        plain = base is None or _is_plain(given)  # as nearly all are: to take a path apart costs ten times the look
        name = given if plain else Path(absolute).relative_to(base or "").as_posix()
        return cls(name, base, language_of_name(name), entry.st_size, entry.st_mtime_ns, changed_ns(entry))

    def __reduce__(self) -> tuple[type[DiscoveredFile], tuple[object, ...]]:
        # Every file crosses to a worker: ten times as fast as what a frozen slotted class does by itself.
        return DiscoveredFile, (self.name, self.root, self.language, self.size, self.mtime_ns, self.changed_ns)

    @property
    def path(self) -> Path:
        """The path relative to the root, or as given."""
        return Path(self.name)

    @property
    def absolute(self) -> str:
        """The path to open."""
        return self.name if self.root is None else os.path.join(self.root, self.name)

    def content_hash(self) -> str:
        """Read the file now and return the BLAKE2b-128 of its bytes, in hexadecimal.

        Raises:
            OSError: the file cannot be read.
        """
        with open(self.absolute, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@dataclass(frozen=True, slots=True)
class Chunking:
    """How a file is cut, without its bytes.

    `ends` are the byte offsets at which the chunks end: chunk i is `[ends[i-1], ends[i])`, the first starts at 0,
    the last end is the size of the file. No ends: the file is empty or whitespace. `symbols` are in order of
    `start`. `source` is the chunker that made it; `fallback` the type of the error for which a better one did not.
    """

    ends: tuple[int, ...]
    symbols: tuple[Symbol, ...]
    source: ChunkSource
    fallback: str | None = None


@dataclass(frozen=True)
class CodeChunk:
    """A piece of a file: what the library hands out.

    The chunks of a file tile it: their `byte_range`s, in order, are the file. `content` is that range decoded with
    the file's encoding, without the BOM. `symbols` are the definitions that start in it; `symbol` and `kind` the
    main one (else the definition it continues), `parents` the names around that one. `overlap_before` is text of
    the chunk before, where overlap is on; it is never part of `content`.
    """

    content: str
    line_range: tuple[int, int]
    byte_range: tuple[int, int]
    path: Path
    language: str | None
    symbol: str | None
    kind: str | None
    parents: tuple[str, ...]
    symbols: tuple[Symbol, ...]
    source: ChunkSource
    fallback: str | None = None
    ordinal: int = 0
    overlap_before: str = ""

    @cached_property
    def content_hash(self) -> str:
        """BLAKE2b-128 of the content, in hexadecimal."""
        return hashlib.blake2b(self.content.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @cached_property
    def id(self) -> str:
        """Depends only on the path, the content, and its ordinal among the equal chunks of that file."""
        key = f"{self.path.as_posix()}\0{self.content_hash}\0{self.ordinal}"
        return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @property
    def token_estimate(self) -> int:
        """About how many model tokens the content makes, by the rule of thumb of 3.5 bytes of code a token."""
        return max(1, round(len(self.content.encode("utf-8", "surrogateescape")) / 3.5))

    @property
    def qualified_name(self) -> str | None:
        """The main symbol behind its parents, joined by dots."""
        return None if self.symbol is None else ".".join((*self.parents, self.symbol))


@dataclass(frozen=True, slots=True)
class ChunkedFile:
    """A file, its bytes and how they are cut: complete, so that the next stage looks nothing up."""

    file: DiscoveredFile
    source: Source
    chunking: Chunking

    @property
    def ranges(self) -> Sequence[tuple[int, int]]:
        """The byte range of each chunk."""
        ends = self.chunking.ends
        return list(zip((0, *ends[:-1]), ends, strict=True))
