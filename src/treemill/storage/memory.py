"""The store in memory: for tests, and for a tree that is to be searched without leaving anything behind.

It keeps moments: immutable states, of which a commit makes the next. A snapshot is a moment, and so is what a writer
falls back to. Segments are laid out by the same code as those on disk.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from types import TracebackType
from typing import Self

import numpy as np

from treemill.errors import IndexLocked, IndexMismatch, IndexMissing
from treemill.records import Content, Coverage, PreparedFile, Recipe, RecordedFile, RunRecord, RunState, Status
from treemill.storage import FileTable, Segment
from treemill.storage.layout import Part, lay_out, part_from
from treemill.types import Failure
from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class _Moment:
    """A state that is never changed. `ids` are those of the contents that files refer to or once did."""

    generation: int = 0
    refreshed_ns: int = 0
    recipe: Recipe | None = None
    run: RunRecord | None = None
    files: Mapping[str, RecordedFile] = field(default_factory=dict)
    ids: Mapping[bytes, int] = field(default_factory=dict)
    contents: Mapping[int, tuple[Content, Part]] = field(default_factory=dict)


class MemoryStore:
    """See `treemill.storage.IndexStore`. Threads may share it; another process sees nothing of it."""

    def __init__(self) -> None:
        self._moment = _Moment()
        self._lease = threading.Lock()
        self._take_id = itertools.count(1).__next__

    def recipe(self) -> Recipe | None:
        """Return what the index was built with, or None while it is empty."""
        return self._moment.recipe

    def recorded(self, within: Sequence[str] | None = None, *, keys: bool = True) -> Iterator[RecordedFile]:
        """Return everything recorded (with `within`: at or below those paths), in the order of the paths' bytes."""
        files = self._moment.files
        paths = [path for path in files if within is None or any(_lies_in(path, folder) for folder in within)]
        return iter([files[path] for path in sorted(paths, key=os.fsencode)])

    def last_run(self) -> RunRecord | None:
        """Return the newest run, or None. RUNNING is reported as INTERRUPTED when there is no writer."""
        run = self._moment.run
        if run is not None and run.state is RunState.RUNNING and not self._lease.locked():
            return replace(run, state=RunState.INTERRUPTED)
        return run

    def is_laid_out(self) -> bool:
        """Return True: there is nothing that could be lost."""
        return True

    def generation(self) -> int:
        """Return the number of the newest commit, 0 before the first."""
        return self._moment.generation

    def lookup(self) -> MemoryLookup:
        """Return a lookup of the contents that are held now."""
        return MemoryLookup(frozenset(self._moment.ids))

    def writer(self, *, wait_seconds: float = 0.0) -> MemoryWriter:
        """Take the writer lease, waiting at most that long.

        Raises:
            IndexLocked: there is a writer already.
        """
        if not self._lease.acquire(timeout=max(wait_seconds, 0.0)):
            raise IndexLocked("this process is writing this index already", pid=os.getpid())
        return MemoryWriter(self)

    def snapshot(self) -> MemorySnapshot:
        """Open the last commit for reading.

        Raises:
            IndexMissing: nothing has been committed yet.
        """
        return MemorySnapshot(self._moment, self)

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lies_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")


@dataclass(frozen=True, slots=True)
class MemoryLookup:
    """See `treemill.storage.KeyLookup`: the keys at the time when it was asked for."""

    keys: frozenset[bytes]

    def known(self, key: bytes) -> bool:
        """Return whether the store held this content."""
        return key in self.keys

    def close(self) -> None:
        """Hold nothing."""


class MemorySnapshot:
    """See `treemill.storage.Snapshot`."""

    generation: int
    recipe: Recipe

    def __init__(self, moment: _Moment, store: MemoryStore) -> None:
        if moment.recipe is None:
            raise IndexMissing("the index is still empty", suggestion="Run: treemill index")
        self.generation = moment.generation
        self.recipe = moment.recipe
        self._moment = moment
        self._store = store
        self._lock = threading.Lock()
        self._files: FileTable | None = None
        self._segments: Sequence[Segment] | None = None

    def coverage(self) -> Coverage:
        """Return how much of the tree this moment covers, and whether this process is writing now."""
        records, run = self._moment.files.values(), self._moment.run
        counts = {status: sum(record.status is status for record in records) for status in Status}
        held = [self._moment.contents[self._moment.ids[record.key]][0] for record in records if record.key]
        return Coverage(
            searchable=counts[Status.INDEXED],
            known=run.known if run else 0,
            complete=run is not None and run.state is RunState.COMPLETE and not counts[Status.FAILED],
            chunks=sum(content.chunk_count for content in held),
            vectors=sum(content.chunk_count for content in held if content.vectors),
            skipped=counts[Status.SKIPPED],
            failed=counts[Status.FAILED],
            writer_pid=os.getpid() if self._store._lease.locked() else None,
            refreshed_ns=self._moment.refreshed_ns,
        )

    def files(self) -> FileTable:
        """Return all indexed files, in the order of their paths' bytes. Computed once."""
        with self._lock:
            if self._files is None:
                records = [record for record in self._moment.files.values() if record.status is Status.INDEXED]
                records.sort(key=lambda record: os.fsencode(record.path))
                ids = [self._moment.ids[record.key] for record in records]
                self._files = FileTable(
                    [record.path for record in records],
                    np.array(ids, np.int64),
                    [self._moment.contents[content_id][0].language for content_id in ids],
                )
            return self._files

    def segments(self) -> Sequence[Segment]:
        """Return all chunks to scan: at most one segment. Computed once."""
        with self._lock:
            if self._segments is None:
                parts = [part for _, (_, part) in sorted(self._moment.contents.items()) if len(part.lengths)]
                self._segments = [lay_out(parts, dimension=self.recipe.dimension)] if parts else []
            return self._segments

    def content(self, content_id: int) -> Content:
        """Return the content under that id, `postings` and `vectors` left empty.

        Raises:
            KeyError: there is none.
        """
        return replace(self._moment.contents[content_id][0], postings=b"", vectors=b"")

    def contents(self, content_ids: Sequence[int]) -> list[Content]:
        """Return the contents under those ids, as `content` does."""
        return [self.content(content_id) for content_id in content_ids]

    def texts(self, content_ids: Sequence[int]) -> list[tuple[str, bytes]]:
        """Return the encodings and deflated texts of some contents, in that order.

        Raises:
            KeyError: there is none.
        """
        found = [self._moment.contents[content_id][0] for content_id in content_ids]
        return [(content.encoding, content.text) for content in found]

    def wholes(self, content_ids: Sequence[int]) -> Iterator[Content]:
        """Yield the contents under those ids with their postings and vectors, in that order.

        Raises:
            KeyError: there is none under one of them.
        """
        return (self._moment.contents[content_id][0] for content_id in content_ids)

    def file(self, path: str) -> RecordedFile | None:
        """Return what is recorded of that path, or None."""
        return self._moment.files.get(path)

    def close(self) -> None:
        """Let go of the moment's segments."""
        with self._lock:
            self._segments = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryWriter:
    """See `treemill.storage.Writer`."""

    takes_blocks = False

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._seen_ns = time.time_ns()
        self._open = True
        self._recipe: Recipe | None = None
        self._run: RunRecord | None = None
        self.rollback()

    def begin_run(self, recipe: Recipe) -> None:
        """Record that a run began, at once. An empty store takes the recipe, and so does one that it succeeds.

        Raises:
            IndexMismatch: the store was built with another recipe.
        """
        if self._recipe is not None and self._recipe != recipe and not recipe.succeeds(self._recipe):
            raise IndexMismatch(
                f"the index was built with {self._recipe}; now asked for is {recipe}",
                suggestion="Run: treemill index --rebuild",
            )
        self._seen_ns = time.time_ns()
        if recipe.succeeds(self._recipe):
            self._files.update({path: record._replace(seen_ns=0) for path, record in self._files.items()})
        self._recipe = recipe
        self._run = RunRecord(self._seen_ns, 0, RunState.RUNNING, os.getpid(), 0)
        self._changed = True
        self.commit()

    def set_known(self, known: int) -> None:
        """State how many files the run found to index; part of the next commit."""
        if self._run is not None:
            self._run = replace(self._run, known=known)
            self._changed = True

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        """Replace these files whole. One that cannot be written fails alone and is returned."""
        failures = []
        for file in files:
            try:
                self._put(file)
            except (ValueError, TypeError) as error:
                failures.append(Failure(file.path, "write", type(error).__name__, str(error)))
        return failures

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some keys whose contents are held, what was put and not committed yet included."""
        return frozenset(self._ids.keys() & set(keys))

    def mark(self, records: Sequence[RecordedFile]) -> None:
        """Record paths that are skipped or failed; rows they had before are dropped."""
        self._files.update((record.path, record._replace(key=b"")) for record in records)
        self._changed = True

    def remove(self, paths: Iterable[str]) -> int:
        """Forget these paths; return how many were recorded."""
        removed = sum(self._files.pop(path, None) is not None for path in paths)
        self._changed = self._changed or removed > 0
        return removed

    def commit(self) -> int:
        """Make everything since the last commit visible at once; return the generation."""
        before = self._store._moment
        if self._changed:
            self._store._moment = _Moment(
                before.generation + 1,
                time.time_ns(),
                self._recipe,
                self._run,
                dict(self._files),
                dict(self._ids),
                dict(self._contents),
            )
            self._changed = False
        return self._store._moment.generation

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        moment = self._store._moment
        self._recipe, self._run = moment.recipe, moment.run
        self._files, self._ids, self._contents = dict(moment.files), dict(moment.ids), dict(moment.contents)
        self._changed = False

    def end_run(self, state: RunState) -> None:
        """Record how the run ended, with what was not committed yet; forget contents that no file refers to."""
        if self._run is not None:
            self._run = replace(self._run, state=state, ended_ns=time.time_ns())
        used = {record.key for record in self._files.values()}
        self._ids = {key: content_id for key, content_id in self._ids.items() if key in used}
        self._contents = {content_id: self._contents[content_id] for content_id in self._ids.values()}
        self._changed = True
        self.commit()

    def close(self) -> None:
        """Roll back to the last commit and give the lease back. Closing twice is fine."""
        if self._open:
            self._open = False
            self._store._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, file: PreparedFile) -> None:
        os.fsencode(file.path)
        if file.key not in self._ids:
            content = file.content
            if content is None:
                raise ValueError("the index does not hold its content, which was left out")
            if content.key != file.key:
                raise ValueError("its content has another key")
            dimension = self._recipe.dimension if self._recipe else 0
            content_id = self._store._take_id()
            part = part_from(content_id, content, dimension=dimension)
            self._ids[file.key] = content_id
            self._contents[content_id] = content, part
        self._files[file.path] = RecordedFile(
            file.path, file.size, file.stamp, file.key, self._seen_ns, Status.INDEXED, changed_ns=file.changed_ns
        )
        self._changed = True
