"""The one that changes an index in SQLite: whole files in, one transaction a commit.

    put ─▶ transaction ─▶ commit ─▶ tail ─(about 50,000 chunks, or end of run)─▶ segment file

A batch of files goes in with a few bulk statements. Where one of them is refused, the batch is taken back to a
savepoint and its files go in one by one, each under a savepoint of its own, so that a bad file fails alone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from treemill.errors import IndexMismatch, StorageError
from treemill.flow.aside import Aside
from treemill.records import Content, PreparedFile, Recipe, RecordedFile, RunState
from treemill.storage import rows as tables
from treemill.storage import statements
from treemill.storage.connection import explained, open_database
from treemill.storage.garbage import GarbageLimits, collect
from treemill.storage.lease import Lease
from treemill.storage.segment_files import FULL_CHUNKS, is_tidy, remove_stray_segments
from treemill.storage.starting import STARTED_ELSEWHERE
from treemill.types import Failure

if TYPE_CHECKING:
    from treemill.storage.housekeeping import Layouts
    from treemill.storage.layout import Part

# What lays out is loaded where there is something to lay out: a move of known files is written without.
_LAYOUT = "treemill.storage.layout"
_LAYOUTS = "treemill.storage.housekeeping"

# A segment is laid out when about so many chunks are in none: as many as fill one, less the largest file.
TAIL_CHUNKS = FULL_CHUNKS * 3 // 4

# Garbage is looked for where one in so many contents may have lost a file since the last time, or once a day: the
# search goes through all of them, and so costs an edit little.
_COLLECT_SHARE = 100
_COLLECT_NS = 86_400 * 10**9

_RUNS_KEPT = 100

# What SQLite and Python raise when a value cannot be stored, as against the store that cannot take any.
_BAD_VALUE = (
    ValueError,
    TypeError,
    OverflowError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


class SqliteWriter:
    """See `treemill.storage.Writer`. Holds the lease and a transaction since the first change after a commit."""

    takes_blocks = True

    def __init__(self, folder: Path, index_id: bytes, lease: Lease, *, garbage: GarbageLimits) -> None:
        """Open the database in a data folder; the writer owns the lease from here on, also when this raises."""
        self._folder = folder
        self._index_id = index_id
        self._lease = lease
        self._garbage = garbage
        self._run: int | None = None
        self._seen_ns = time.time_ns()
        self._pending: list[Part] = []
        self._opened_layouts: Layouts | None = None
        self._writing_back: Aside[None] | None = None
        self._changed = 0
        self._recipe: Recipe | None = None
        try:
            self._connection = open_database(folder, index_id, writable=True)
            with explained(folder):
                self._load()
        except BaseException:
            lease.release()
            raise

    def begin_run(self, recipe: Recipe) -> None:
        """Record that a run began, at once. An empty index takes the recipe, and so does one that it succeeds.

        Raises:
            IndexMismatch: the index was built with another recipe.
        """
        if self._recipe is not None and self._recipe != recipe and not recipe.succeeds(self._recipe):
            raise _mismatch(self._folder.parent, self._recipe, recipe)
        if self._recipe is None:
            # All that a first run finds is new: what lays it out is loaded while the first files are on their way.
            Aside(partial(import_module, _LAYOUTS))
        self._seen_ns = time.time_ns()
        with self._unhurried(self._recipe == recipe), self._rolled_back():
            self._begin()
            if self._recipe != recipe:
                self._set_meta("recipe", tables.recipe_text(recipe))
                rows = self._connection.execute(tables.SELECT_RECORDS).fetchall()
                self._connection.executemany(tables.UPDATE_SEEN, tables.doubted(rows))
            self._changed = 0
            self._run = self._connection.execute(
                "INSERT INTO runs (started_ns, ended_ns, state, pid, known) VALUES (?, 0, ?, ?, 0)",
                (self._seen_ns, RunState.RUNNING.value, os.getpid()),
            ).lastrowid
            self._connection.execute("DELETE FROM runs WHERE id <= ?", ((self._run or 0) - _RUNS_KEPT,))
            self.commit()
        self._recipe = recipe

    def set_known(self, known: int) -> None:
        """State how many files the run found to index; part of the next commit."""
        with self._rolled_back():
            self._begin()
            self._connection.execute("UPDATE runs SET known = ? WHERE id = ?", (known, self._run))

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        """Replace these files whole. One that cannot be written fails alone and is returned; it leaves no trace.

        Raises:
            StorageError: the store can take none; everything since the last commit is lost.
        """
        self._changed += len(files)
        with self._rolled_back():
            self._begin()
            try:
                self._put_under_savepoint(files)
            except _BAD_VALUE:
                return [failure for file in files if (failure := self._put_alone(file)) is not None]
        return []

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some keys whose contents are held, what was put and not committed yet included."""
        asked = frozenset(keys)
        with self._rolled_back():
            return asked & self._ids.of(asked).keys()

    def mark(self, records: Sequence[RecordedFile]) -> None:
        """Record paths that are skipped or failed; rows they had before are dropped."""
        self._changed += len(records)
        with self._rolled_back():
            self._begin()
            statements.replace_files(self._connection, records)

    def remove(self, paths: Iterable[str]) -> int:
        """Forget these paths; return how many were recorded."""
        with self._rolled_back():
            self._begin()
            removed = statements.remove_files(self._connection, list(paths))
        self._changed += removed
        return removed

    def commit(self) -> int:
        """Make everything since the last commit durable and visible at once; return the generation.

        Without a change there is nothing to commit, and the generation stays.

        Raises:
            StorageError: disk full or damaged; everything up to the last commit is intact.
        """
        if not self._connection.in_transaction:
            return self._generation
        with self._rolled_back():
            self._set_meta("generation", str(self._generation + 1))
            self._set_meta("refreshed_ns", str(time.time_ns()))
            self._connection.execute("COMMIT")
        self._generation += 1
        if self._pending:
            self._layouts.add(self._pending)
            self._pending = []
            if self._layouts.tail_chunks >= TAIL_CHUNKS:
                with explained(self._folder):
                    self._layouts.lay_out_tail(self._dimension)
        return self._generation

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        with explained(self._folder):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._load()

    def end_run(self, state: RunState) -> None:
        """Record how the run ended, with what was not committed yet; collect garbage; lay out segments.

        What is committed by then may be written back while somebody reads: `close` waits for that.
        """
        now = time.time_ns()
        with self._unhurried(not self._connection.in_transaction), self._rolled_back():
            self._begin()
            self._connection.execute(
                "UPDATE runs SET state = ?, ended_ns = ? WHERE id = ?", (state.value, now, self._run)
            )
            collected = self._collect(now, whole=state is RunState.COMPLETE)
            self._ids = statements.HeldIds(self._connection)
            self.commit()
        with explained(self._folder):
            self._tidy(collected)

    def close(self) -> None:
        """Roll back to the last commit and give the lease back. Closing twice is fine."""
        try:
            try:
                self._wait_for_disk()
            finally:
                self._connection.close()
        finally:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _layouts(self) -> Layouts:
        if self._opened_layouts is None:
            made: Layouts = import_module(_LAYOUTS).Layouts(self._folder, self._index_id, self._connection)
            self._opened_layouts = made
        return self._opened_layouts

    def _tidy(self, collected: int) -> None:
        """Bring the segment files into the form that readers like, after `collected` contents were deleted."""
        # What cannot be read or written now is tried again, and told, by the layouts.
        with contextlib.suppress(sqlite3.OperationalError):
            if not collected and is_tidy(self._connection, self._folder):
                remove_stray_segments(self._connection, self._folder)
                self._writing_back = Aside(self._write_back)
                return
        self._layouts.tidy(self._dimension, collected=collected)

    def _write_back(self) -> None:
        """Take what was committed from the log into the database, which readers are faster with."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _wait_for_disk(self) -> None:
        """Wait until what the last run has committed is written back."""
        writing_back, self._writing_back = self._writing_back, None
        if writing_back is not None:
            with explained(self._folder):
                try:
                    writing_back()
                except sqlite3.OperationalError:  # tried again, and told
                    self._layouts.tidy(self._dimension, collected=0)

    def _collect(self, now: int, *, whole: bool) -> int:
        """Collect garbage if enough files have changed since the last time, or it is long ago; return how much."""
        if whole and tables.read_meta(self._connection, STARTED_ELSEWHERE) is not None:
            self._connection.execute("DELETE FROM meta WHERE key = ?", (STARTED_ELSEWHERE,))
            return collect(self._connection, now, GarbageLimits(days=0, share=0, floor_bytes=0))
        changed = self._changed + (tables.read_count(self._connection, "changed_since") or 0)
        last = tables.read_count(self._connection, "collected_ns")
        if last is not None and last <= now < last + _COLLECT_NS and changed * _COLLECT_SHARE < self._next_id:
            self._set_meta("changed_since", str(changed))
            return 0
        self._set_meta("changed_since", "0")
        self._set_meta("collected_ns", str(now))
        return collect(self._connection, now, self._garbage)

    @property
    def _dimension(self) -> int:
        return self._recipe.dimension if self._recipe else 0

    def _load(self) -> None:
        """Read the state that the database decides, as it is since the last commit."""
        self._recipe = tables.read_recipe(self._connection)
        self._generation = tables.read_number(self._connection, "generation")
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'contents'").fetchone()
        self._next_id = (row[0] if row else 0) + 1
        self._pending = []
        self._ids = statements.HeldIds(self._connection)

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._wait_for_disk()
            self._connection.execute("BEGIN IMMEDIATE")

    def _set_meta(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @contextlib.contextmanager
    def _unhurried(self, holds: bool) -> Iterator[None]:
        """Have what is committed in the block wait for the disk no longer than until the next commit, if that holds.

        For that a run began or ended: after a power failure the index then has the run before, or one that was
        interrupted, and all files of every commit before it.
        """
        if holds:
            self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            if holds and not self._connection.in_transaction:
                self._connection.execute("PRAGMA synchronous = FULL")

    def _rolled_back(self) -> _RolledBack:
        return _RolledBack(self)

    def _put_under_savepoint(self, files: Sequence[PreparedFile]) -> None:
        """Put files in with bulk statements, all or none."""
        next_id, pending = self._next_id, len(self._pending)
        self._connection.execute("SAVEPOINT files")
        try:
            self._insert(files)
        except _BAD_VALUE:
            self._connection.execute("ROLLBACK TO files")
            self._next_id = next_id
            del self._pending[pending:]
            raise
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE files")

    def _put_alone(self, file: PreparedFile) -> Failure | None:
        try:
            self._put_under_savepoint([file])
        except _BAD_VALUE as error:
            return Failure(file.path, "write", type(error).__name__, str(error))
        return None

    def _insert(self, files: Sequence[PreparedFile]) -> None:
        keys = {file.key for file in files}
        ids = self._ids.of(keys)
        if not ids.keys() >= keys:
            ids = dict(ids)
            self._insert_contents(files, ids)
        statements.replace_alike(self._connection, files, ids, statements.Alike(self._seen_ns))

    def _insert_contents(self, files: Sequence[PreparedFile], ids: dict[bytes, int]) -> None:
        """Put in the contents that have no id yet, and give them one."""
        new: list[tuple[int, Content]] = []
        # Those of a block come in a row, whatever else is among them.
        for file in sorted(files, key=lambda each: each.content is None or each.content.block is None):
            if file.key not in ids:
                if file.content is None:
                    raise ValueError("the index does not hold its content, which was left out")
                if file.content.key != file.key:
                    raise ValueError("its content has another key")
                ids[file.key] = self._next_id
                new.append((self._next_id, file.content))
                self._next_id += 1
        self._pending += import_module(_LAYOUT).parts_from(new, dimension=self._dimension)
        heads, bodies, scans = tables.content_rows(new)
        self._connection.executemany(tables.INSERT_CONTENT, heads)
        self._connection.executemany(tables.INSERT_BODY, bodies)
        self._connection.executemany(tables.INSERT_SCAN, scans)


class _RolledBack:
    """Leaves the writer at its last commit, and raises a StorageError, when the store fails inside the block.

    SQLite takes a transaction back on its own after some errors and not after others; afterwards it is gone either way.
    """

    def __init__(self, writer: SqliteWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        self._explained = explained(self._writer._folder)
        self._explained.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            with contextlib.suppress(StorageError):
                self._writer.rollback()
        self._explained.__exit__(kind, value, trace)


def _mismatch(folder: Path, built: Recipe, asked: Recipe) -> IndexMismatch:
    return IndexMismatch(
        f"the index in {folder} was built with {_described(built)}; now asked for is {_described(asked)}",
        suggestion="Run: treemill index --rebuild",
    )


def _described(recipe: Recipe) -> str:
    model = f"{recipe.model} ({recipe.dimension})" if recipe.model else "no model"
    return f"format {recipe.format}, {recipe.chunker}, {recipe.words}, {model}"
