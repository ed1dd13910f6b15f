"""The contents that this user's Treemill has ever made, kept across roots: a clone or a worktree costs no parse.

    worker: read ─▶ digest ─▶ key ─▶ held? ─▶ content, as it was made          (CachedContents)
    writer: new contents ─▶ the cache, with what is committed                  (ContentCache, Keeping)

One SQLite file in the user's cache folder, shared by all processes. It is no part of any index, and losing it costs
only time: it is not forced to disk, what is damaged is thrown away, and where it is busy, full or on a file system
that is not fit for it, a run does without.

An entry has no text: whoever looks for it has just read the file, and so half of the bytes of a run are not written
twice. It stands under the content's key, the model, the format and the version of Treemill, and carries a keyed digest
over both. The key is this user's (`treemill.storage.ownership`), so an entry that somebody else put there, changed or
moved under another name is not taken.

The cache holds at most as many bytes as the settings say. What was not used for longest goes first; when an entry was
last used is known to the day, so that reading seldom writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

from treemill._version import __version__
from treemill.errors import StorageError
from treemill.records import Content, Recipe
from treemill.siblings import cache_folder
from treemill.storage.location import UNFIT_FILE_SYSTEMS, file_system_of
from treemill.storage.ownership import check_private, user_key

_log = logging.getLogger(__name__)

# What packs contents is loaded with the first one.
_PACKED = "treemill.storage.packed"

CACHE_DATABASE = "contents.db"
"""The name of the file in the folder of a cache."""

# Of a cache that is full, this share is kept: room is made for many at once.
_KEPT_SHARE = 0.9

# How much may be added before the size is looked at again.
_LOOK_SHARE = 1 / 16

# Caches do not take the last of a disk.
_LEAST_FREE_BYTES = 1 << 30

# Entries are some kilobytes each: writing them in pages of this size takes 60 % of the time of SQLite's own.
_PAGE_BYTES = 16_384
_CACHE_KIB = 8_192

# The cache is nothing to wait for.
_BUSY_SECONDS = 0.2

_DAY_SECONDS = 86_400

# What a chunker falls back to when time or memory runs out depends on the machine's load: such a content is not shared.
BY_CHANCE = frozenset({"ChunkingTimeoutError", "MemoryLimitExceededError", "WorkerCrashedError"})

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id   INTEGER PRIMARY KEY,
    key  BLOB    NOT NULL UNIQUE,
    used INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mac  BLOB    NOT NULL,
    data BLOB    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_use ON entries (used, size);
"""

_inherited: list[sqlite3.Connection] = []


class CachedContents:
    """Looks contents up for one recipe. Can be pickled, and opens its own connection in each process.

    Never raises for what the cache is: a content that cannot be had is one that is not held.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self._folder = folder
        self._recipe = recipe
        self._lock = threading.Lock()
        self._pid = 0
        self._connection: sqlite3.Connection | None = None
        self._secret = b""

    def get(self, key: bytes) -> Content | None:
        """Return the content under that key as it was made for this recipe, `cached` set; None if it is not held.

        It comes without its text, unless that is empty.
        """
        entry = entry_key(key, self._recipe)
        with self._lock:
            connection = self._opened()
            if connection is None:
                return None
            try:
                row = connection.execute("SELECT mac, data FROM entries WHERE key = ?", (entry,)).fetchone()
            except sqlite3.Error as error:
                _log.debug("the content cache is left out: %s", error)
                self._close()
                self._pid = os.getpid()
                return None
        if row is None or row[0] != _mac(self._secret, entry, row[1]):
            return None
        try:
            content: Content = import_module(_PACKED).unpack_content(row[1])
        except ValueError:
            return None
        if content.key != key:
            return None
        return replace(content, cached=True)

    def close(self) -> None:
        """Close the connection of this process; the next question opens one again."""
        with self._lock:
            self._close()

    def __reduce__(self) -> tuple[type[CachedContents], tuple[Path, Recipe]]:
        return CachedContents, (self._folder, self._recipe)

    def __del__(self) -> None:
        self._close()

    def _opened(self) -> sqlite3.Connection | None:
        if self._pid != os.getpid():
            self._close()
            self._pid = os.getpid()
            with contextlib.suppress(StorageError, OSError, sqlite3.Error):
                self._secret = _secret()
                self._connection = _connected(self._folder, create=False)
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.close()
        elif connection is not None:
            _inherited.append(connection)
        self._pid = 0


class ContentCache:
    """The cache of this user, from the writing side. Used from one thread; whatever goes wrong, a run goes on."""

    def __init__(self, max_mb: float, folder: Path | None = None) -> None:
        """Use the cache in a folder, by default this user's, or none if `max_mb` is 0.

        It is opened when it is first needed.
        """
        self.folder = folder or cache_folder() / "contents"
        self._max_bytes = int(max_mb * 1_000_000)
        self._connection: sqlite3.Connection | None = None
        self._given_up = max_mb <= 0
        self._secret = b""
        self._since_look = 0

    def lookup(self, recipe: Recipe) -> CachedContents | None:
        """Return what workers ask for contents of a recipe, or None where there is nothing to ask."""
        if self._given_up or not (self.folder / CACHE_DATABASE).exists():
            return None
        return CachedContents(self.folder, recipe)

    def keep(self, recipe: Recipe, contents: Sequence[Content]) -> None:
        """Keep these contents, and note that those that came out of the cache were used."""
        today = int(time.time()) // _DAY_SECONDS
        pack = import_module(_PACKED).pack_content
        new, used = [], []
        for content in contents:
            entry = entry_key(content.key, recipe)
            if content.cached:
                used.append((today, entry, today))
            elif content.fallback not in BY_CHANCE:
                data = pack(content, text=not content.size)
                new.append((entry, today, len(data), data))
        try:
            connection = self._opened()
            if connection is not None and (new or used):
                self._write(connection, new, used)
        except (sqlite3.Error, OSError, StorageError) as error:
            self._give_up(error)

    def close(self) -> None:
        """Make room if too much is held, and close."""
        if self._connection is not None:
            try:
                if self._since_look:
                    self._make_room(self._connection)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(
        self,
        connection: sqlite3.Connection,
        new: Sequence[tuple[bytes, int, int, bytes]],
        used: Sequence[tuple[int, bytes, int]],
    ) -> None:
        with _transaction(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO entries (key, used, size, mac, data) VALUES (?, ?, ?, ?, ?)",
                ((key, day, size, _mac(self._secret, key, data), data) for key, day, size, data in new),
            )
            connection.executemany("UPDATE entries SET used = ? WHERE key = ? AND used < ?", used)
        self._since_look += sum(size for _, _, size, _ in new)
        if self._since_look > self._max_bytes * _LOOK_SHARE:
            self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        """Remove what was not used for longest while too much is held."""
        self._since_look = 0
        total = connection.execute("SELECT ifnull(sum(size), 0) FROM entries").fetchone()[0]
        if total <= self._max_bytes:
            return
        surplus = total - self._max_bytes * _KEPT_SHARE
        gone = []
        for entry, size in connection.execute("SELECT id, size FROM entries ORDER BY used, id"):
            if surplus <= 0:
                break
            gone.append((entry,))
            surplus -= size
        with _transaction(connection):
            connection.executemany("DELETE FROM entries WHERE id = ?", gone)
        connection.execute("PRAGMA incremental_vacuum").fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _opened(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._given_up:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if file_system_of(self.folder) in UNFIT_FILE_SYSTEMS:
                raise StorageError(f"{self.folder} is on a file system without the locks that it needs")
            if shutil.disk_usage(self.folder).free < _LEAST_FREE_BYTES:
                raise StorageError(f"little is free on the disk of {self.folder}")
            self._secret = _secret()
            self._connection = _connected(self.folder, create=True)
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Do without for the rest of the run; throw a damaged cache away."""
        _log.info("the content cache is left out: %s", error)
        self._given_up = True
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self.remove()

    def remove(self) -> None:
        """Remove the cache's own files, and nothing else."""
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                (self.folder / f"{CACHE_DATABASE}{suffix}").unlink()


def check_cache(folder: Path) -> str | None:
    """Return in one sentence what is wrong with the cache in a folder, or None. Reads all of it."""
    try:
        secret = _secret()
        with contextlib.closing(_connected(folder, create=False)) as connection:
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if said != "ok":
                return f"the content cache is damaged: {said}"
            entries = connection.execute("SELECT key, mac, data FROM entries")
            wrong = sum(mac != _mac(secret, key, data) for key, mac, data in entries)
    except (StorageError, OSError, sqlite3.Error) as error:
        return f"the content cache cannot be used: {error}"
    return f"{wrong:,} entries of the content cache were not made by your Treemill, or are damaged" if wrong else None


def entry_key(key: bytes, recipe: Recipe) -> bytes:
    """Return what a content stands under: its key and everything else that decides what was made of the bytes."""
    rest = f"{recipe.model or ''}\0{recipe.dimension}\0{recipe.format}\0{__version__}"
    return hashlib.blake2b(key + rest.encode(), digest_size=16).digest()


def _secret() -> bytes:
    return hashlib.blake2b(b"treemill content cache", key=user_key(), digest_size=32).digest()


def _mac(secret: bytes, entry: bytes, data: bytes) -> bytes:
    digest = hashlib.blake2b(entry, key=secret, digest_size=16)
    digest.update(data)
    return digest.digest()


def _connected(folder: Path, *, create: bool) -> sqlite3.Connection:
    """Open the database, after making sure that nobody else could have put it there."""
    check_private(folder, directory=True)
    path = folder / CACHE_DATABASE
    with contextlib.suppress(FileExistsError):
        if create:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            check_private(folder / f"{CACHE_DATABASE}{suffix}")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        if create and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        # Not before the size of pages is known: it is counted in pages of the size at hand.
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if not create:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
