"""What a store keeps, and what it hands back: the values between the pipeline, the store and search.

    PreparedFile ─▶ Writer ─▶ store ─▶ Snapshot ─▶ Hit

What a file holds is kept once, as `Content` under a key that has no path in it; a path is a thin entry that points
to it. So a move, a copy or a branch switch costs a row. Bulk values are bytes (packed little-endian arrays), so that
they cross processes and enter the store as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Literal, NamedTuple

from treemill.sources import Symbol
from treemill.values import dataclass

INDEX_FORMAT = 3
"""The version of the stored format; another one is a mismatch, never guessed at."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an index was built with. Two indexes with one recipe and the same files give the same answers.

    `chunker` names the chunker and its limits, `words` the word splitter. `model` and `dimension` are the embedding
    model's, or None and 0 without one.
    """

    chunker: str
    words: str
    model: str | None = None
    dimension: int = 0
    format: int = INDEX_FORMAT

    def succeeds(self, other: Recipe | None) -> bool:
        """Whether it differs from another in nothing but a later version of the same chunker.

        What either makes may stand in one index for the while in which all files are cut again.
        """
        if other is None or replace(self, chunker=other.chunker) != other:
            return False
        version, _, limits = self.chunker.partition(" ")
        before, _, limits_before = other.chunker.partition(" ")
        chunker, _, number = version.rpartition("-")
        chunker_before, _, number_before = before.rpartition("-")
        if (chunker, limits) != (chunker_before, limits_before) or not (number + number_before).isdecimal():
            return False
        return int(number) > int(number_before)


class Block(NamedTuple):
    """What a segment takes from the contents of a batch, in order of `keys`, brought together by who made them.

    Content i has `chunk_counts[i]` chunks; those of all are numbered through. `terms` (uint32, ascending and distinct)
    stand in so many chunks as `counts` says, those of `chunks`, each with its weight in `weights` (uint8); counts and
    chunks are uint16 where that is enough. `spellings` are the distinct words of all contents whose `spelled` is 1.
    """

    keys: tuple[bytes, ...]
    chunk_counts: tuple[int, ...]
    terms: bytes
    counts: bytes
    chunks: bytes
    weights: bytes
    spellings: bytes
    spelled: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What a file's bytes came to: everything that search needs and the path does not change.

    `key` is 16 bytes over (bytes, language, chunker, words). `text` is the original bytes, zlib-compressed.
    `ends` is uint32[n], the byte offset after each chunk; `lines` is uint32[n], each chunk's first line (1-based).
    `lengths` is uint16[n], the number of words in each chunk (capped at 65,535). `symbols` is what
    `treemill.chunking.packing.pack_symbols` returns, `postings` what `treemill.ranking.postings.pack` does.
    `vectors` is int8[n × dimension] of the recipe's model, or empty. `source` and `fallback` are the chunker's.

    `plain` is the postings once more, as the bytes of their four arrays: whoever has them at hand spares the store
    unpacking what was just packed; `spellings` are the text's words (see `treemill.ranking.spellings`), for whoever
    has the text at hand. `block` holds both for all contents of a batch. `cached` says that it came out of the user's
    content cache. None of them is part of the content, and none is stored.
    """

    key: bytes
    language: str | None
    encoding: str
    size: int
    chunk_count: int
    source: str
    fallback: str | None
    text: bytes
    ends: bytes
    lines: bytes
    lengths: bytes
    symbols: bytes
    postings: bytes
    vectors: bytes = b""
    plain: tuple[bytes, bytes, bytes, bytes] | None = field(default=None, compare=False, repr=False)
    cached: bool = field(default=False, compare=False, repr=False)
    spellings: bytes | None = field(default=None, compare=False, repr=False)
    block: Block | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[type[Content], tuple[object, ...]]:
        # As in DiscoveredFile: what every file crosses a process border with is taken apart by hand.
        return Content, (
            self.key,
            self.language,
            self.encoding,
            self.size,
            self.chunk_count,
            self.source,
            self.fallback,
            self.text,
            self.ends,
            self.lines,
            self.lengths,
            self.symbols,
            self.postings,
            self.vectors,
            self.plain,
            self.cached,
            self.spellings,
            self.block,
        )


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """A file ready to be committed. `content` is None where the store holds that key already.

    `path` is POSIX and relative to the root. `stamp` is the modification time at reading in ns, taken from the open
    file; `size` and `changed_ns` likewise.
    """

    path: str
    size: int
    stamp: int
    key: bytes
    content: Content | None
    changed_ns: int = 0

    def __reduce__(self) -> tuple[type[PreparedFile], tuple[object, ...]]:
        return PreparedFile, (self.path, self.size, self.stamp, self.key, self.content, self.changed_ns)


class Status(StrEnum):
    """What the index knows of a path."""

    INDEXED = "indexed"
    SKIPPED = "skipped"
    FAILED = "failed"


class RecordedFile(NamedTuple):
    """What the store recorded of a path: the manifest entry that planning compares with the disk.

    A tuple, because every look makes one for each file of the tree.

    `key` is the content's key for an indexed file, b"" otherwise. `seen_ns` is the wall clock when the file was
    read: a stamp within two seconds of it is not trusted ("racily clean", as git calls it). `reason` and `detail`
    say why a path is skipped or failed (a SkipReason or an error type; a sentence). `changed_ns` is when the file
    system last changed anything about the file, which nobody can set back; 0 where it does not say.
    """

    path: str
    size: int
    stamp: int
    key: bytes
    seen_ns: int
    status: Status
    reason: str = ""
    detail: str = ""
    changed_ns: int = 0


class RunState(StrEnum):
    """How the newest run stands. A run that is RUNNING without a living writer was interrupted."""

    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The newest run over a tree. Times are wall-clock ns; `known` is the number of files it found to index."""

    started_ns: int
    ended_ns: int
    state: RunState
    pid: int
    known: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the tree an answer could see: stated with every answer.

    `searchable` files of `known`; `chunks` of them, `vectors` of these; `complete` when the newest run ended and
    nothing is missing. `writer_pid` is the process that is indexing now, or None. `refreshed_ns` is the wall clock of
    the last commit, 0 if none.
    """

    searchable: int
    known: int
    complete: bool
    chunks: int = 0
    vectors: int = 0
    skipped: int = 0
    failed: int = 0
    writer_pid: int | None = None
    refreshed_ns: int = 0

    @property
    def vectors_complete(self) -> bool | None:
        """Whether every chunk has its vector; None where there are none, as without a model."""
        return None if not self.vectors else self.vectors >= self.chunks

    def __str__(self) -> str:
        # While a run has not seen all of the tree, files of the run before may be more than it knows of.
        return f"{self.searchable:,} of {max(self.searchable, self.known):,} files"


@dataclass(frozen=True, slots=True)
class Query:
    """A question. `limit` results at most, at most `per_file` of them from one file, the first `offset` left out.

    `mode` says how `text` is meant: as a question, as the name of a definition, as a regular expression (in the syntax
    of RE2), or as a place ("src/app.py:12") whose like is looked for ("related") or which is shown ("place").
    `languages`, `kinds` (of files, any of `FILE_KINDS`), `include` and `exclude` (globs on the path) filter; empty
    means all. `under` keeps files below that folder, relative to the root; `files`, unless None, keeps these alone;
    `changed_since` keeps those that changed since a time ("2d", "2026-05-01") or a revision of git. `threshold` leaves
    out results with a lower score. `context` widens each result by that many lines on both sides; `max_tokens` ends
    the results where they would exceed it.
    """

    text: str
    limit: int = 10
    offset: int = 0
    per_file: int = 1
    languages: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    under: str = ""
    mode: Literal["ask", "symbol", "regex", "related", "place"] = "ask"
    files: frozenset[str] | None = None
    context: int = 0
    max_tokens: int | None = None
    kinds: tuple[str, ...] = ()
    changed_since: str = ""
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that answers. Lines are 1-based and inclusive; `why` names what brought it here and by how much.

    `line` is the one to look at first: that of the definition's name, or the one that fits best. `more` are further
    places in the same file, best first, as (first line, last line). `path` is relative to the root; `root` names that
    where several were asked, and is empty where there is one.
    """

    path: str
    start_line: int
    end_line: int
    content: str
    language: str | None
    symbol: str | None
    kind: str | None
    score: float
    why: Mapping[str, float] = field(default_factory=dict)
    line: int = 0
    more: tuple[tuple[int, int], ...] = ()
    root: str = ""


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """An indexed file: its size in bytes, how many chunks it is cut into, and its modification time in ns."""

    path: str
    language: str | None
    size: int
    chunks: int
    stamp: int


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as it was when it was indexed: its text, and what it defines, in order of position."""

    path: str
    language: str | None
    text: str
    symbols: tuple[Symbol, ...]
