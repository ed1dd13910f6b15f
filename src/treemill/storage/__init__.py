"""Where an index is kept: the protocols that every store fulfils, and the duties that the contract suite checks.

A store is opened for one root. Any number of `Snapshot`s read it, each sees one moment; one `Writer` at a time
changes it, held by a lease. What queries scan comes as `Segment`s: arrays, memory-mapped where the store can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from treemill.records import Content, Coverage, PreparedFile, Recipe, RecordedFile, RunRecord, RunState
    from treemill.types import Failure


class Segment(NamedTuple):
    """A run of contents, laid out for scanning. All arrays are read-only and may be memory-mapped.

    Chunk i of the segment (0 ≤ i < n) belongs to content `contents[j]` where `first_chunk[j] ≤ i < first_chunk[j+1]`;
    `contents` (int64[m]) is ascending, `first_chunk` is int64[m + 1]. `chunks` is uint16 in a segment of at most 65,536
    chunks, else uint32: widen it before arithmetic.
    Postings of `terms[t]` are `chunks[offsets[t]:offsets[t+1]]` (ascending) with `weights` beside them: the low six
    bits of a weight count the word in the text (capped at 63), the high two the definitions named by it (capped
    at 3). `vectors` is int8[n, dimension], with no rows where the index has no model; `norms` (float32, as many) is the
    length of each vector, 1 for one that is all zeros.
    `spellings` (uint8) are the words of the contents for which `spelled` (uint8[m]) is 1, deflated, as
    `treemill.ranking.spellings` has them; they may hold some of others.
    """

    contents: npt.NDArray[np.int64]
    first_chunk: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.uint16]
    terms: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    chunks: npt.NDArray[Any]
    weights: npt.NDArray[np.uint8]
    vectors: npt.NDArray[np.int8]
    norms: npt.NDArray[np.float32]
    spellings: npt.NDArray[np.uint8]
    spelled: npt.NDArray[np.uint8]


class FileTable(NamedTuple):
    """The indexed files of one moment: file i is `paths[i]` and holds content `contents[i]`.

    They are in the order of the paths' bytes (`os.fsencode`), which for names in UTF-8 is the order of the text.
    """

    paths: Sequence[str]
    contents: npt.NDArray[np.int64]
    languages: Sequence[str | None]


class Snapshot(AbstractContextManager["Snapshot"], Protocol):
    """One moment of an index. Many threads may use it at once; closing it releases what it holds.

    A file is in it whole, in one version, or not at all. `generation` grows with every commit.
    """

    generation: int
    recipe: Recipe

    def coverage(self) -> Coverage:
        """How much of the tree this moment covers."""

    def files(self) -> FileTable:
        """All indexed files. Computed once a snapshot."""

    def segments(self) -> Sequence[Segment]:
        """All chunks to scan, what is committed but in no segment file yet included. Computed once a snapshot.

        A segment may hold contents that no file refers to any more: a reader drops those by `files().contents`.
        """

    def content(self, content_id: int) -> Content:
        """The content under that id, `postings` and `vectors` left empty."""

    def contents(self, content_ids: Sequence[int]) -> Sequence[Content]:
        """What `content` gives for each of some ids, in that order: one question for many."""

    def texts(self, content_ids: Sequence[int]) -> Sequence[tuple[str, bytes]]:
        """The encodings and deflated texts of some contents, in that order: one question for many."""

    def wholes(self, content_ids: Sequence[int]) -> Iterator[Content]:
        """The contents under those ids, postings and vectors included, in that order and a few at a time.

        Raises:
            KeyError: there is none under one of them.
        """

    def file(self, path: str) -> RecordedFile | None:
        """What is recorded of that path, or None."""

    def close(self) -> None:
        """Release what the snapshot holds. Closing twice is fine."""


class Writer(AbstractContextManager["Writer"], Protocol):
    """The one that may change the store, used from one thread. Leaving it rolls back to the last commit."""

    @property
    def takes_blocks(self) -> bool:
        """Whether contents may come with the `Block` of their batch, instead of each with its own postings at hand."""

    def begin_run(self, recipe: Recipe) -> None:
        """Record that a run began. An empty store takes the recipe, and so does one that it succeeds.

        No record of the latter proves from then on that a file is unchanged: all are cut again, by this run or others.

        Raises:
            IndexMismatch: the store was built with another recipe.
        """

    def set_known(self, known: int) -> None:
        """State how many files the run found to index; part of the next commit."""

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        """Replace these files whole. One that cannot be written fails alone and is returned; it leaves no trace."""

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Those of some keys whose contents the store holds, what was put and not committed yet included."""

    def mark(self, records: Sequence[RecordedFile]) -> None:
        """Record paths that are skipped or failed, so that `why` can tell; rows they had before are dropped."""

    def remove(self, paths: Iterable[str]) -> int:
        """Forget these paths; return how many were recorded."""

    def commit(self) -> int:
        """Make everything since the last commit durable and visible at once; return the new generation.

        Raises:
            StorageError: disk full or damaged; everything up to the last commit is intact.
        """

    def rollback(self) -> None:
        """Forget everything since the last commit."""

    def end_run(self, state: RunState) -> None:
        """Record how the run ended, lay out caches for readers, and commit."""


@runtime_checkable
class ContentLookup(Protocol):
    """Gives contents that were made before, for another root or at another time. Can be pickled."""

    def get(self, key: bytes) -> Content | None:
        """The content under a key, complete, or None if it is not held. Never raises."""

    def close(self) -> None:
        """Release what this process holds for it; the next question takes it again."""


@runtime_checkable
class KeyLookup(Protocol):
    """Tells which contents a store holds. Can be pickled, and opened again in a worker process."""

    def known(self, key: bytes) -> bool:
        """Whether the store held this content when the lookup was first used, or later; False where it cannot be asked.

        Never raises: no file fails for what the store is. What ails that is told to the run, by the writer.
        """

    def close(self) -> None:
        """Release what this process holds for it; the next question takes it again."""


class IndexStore(AbstractContextManager["IndexStore"], Protocol):
    """An index of one root."""

    def recipe(self) -> Recipe | None:
        """What the index was built with, or None while it is empty."""

    def recorded(self, within: Sequence[str] | None = None, *, keys: bool = True) -> Iterator[RecordedFile]:
        """Everything recorded, in the order of the paths' bytes, as of the last commit.

        With `within`, only what is recorded of those paths ("" for the root) and of what lies below them, each once.
        Whoever does not need the `keys` of their contents need not get them.
        """

    def last_run(self) -> RunRecord | None:
        """The newest run, or None. RUNNING is reported as INTERRUPTED when no living writer holds the lease."""

    def generation(self) -> int:
        """The number of the newest commit, 0 before the first; cheap enough to ask before every question."""

    def is_laid_out(self) -> bool:
        """Whether what questions scan is there as the last run left it; if not, a run lays it out again."""

    def lookup(self) -> KeyLookup:
        """A lookup of contents for workers."""

    def writer(self, *, wait_seconds: float = 0.0) -> Writer:
        """Take the writer lease, waiting at most that long.

        Raises:
            IndexLocked: another writer holds it; its pid is in the error.
        """

    def snapshot(self) -> Snapshot:
        """Open the last commit for reading; never waits for a writer."""

    def close(self) -> None:
        """Release everything. Closing twice is fine."""
