"""A place to do harm to an index in: a small tree with versions, runs in forked children, and what an index says.

A child indexes the tree in its own process and tells through a pipe which files are committed; whoever forked it may
kill it, or have its system calls fail. What an index says of a file is its text, its chunks and its postings: two that
say the same of every file give the same answers.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import socket
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from treemill.errors import TreemillError
from treemill.events import Event, Finished, Passed
from treemill.indexing import index_tree
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings, StorageSettings
from treemill.storage import IndexStore
from treemill.storage.content_cache import ContentCache
from treemill.storage.folders import rebuild
from treemill.storage.memory import MemoryStore
from treemill.storage.sqlite import SqliteStore
from treemill.types import SkipReason

FILES = 60

_CACHE_MB = 1

SETTINGS = Settings(
    chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")),
    storage=StorageSettings(commit_seconds=0.01),
)

View = dict[str, tuple[str, int, frozenset[tuple[int, int, int]]]]
"""Path → text, number of chunks, postings as (term, chunk, weight)."""


class Tree:
    """A tree of small files in versions: `edit` writes the next version of some of them."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self._random = random.Random(seed)
        self.version = 0
        for folder in (root, self.cache.folder):
            shutil.rmtree(folder, ignore_errors=True)
        root.mkdir(parents=True)
        for number in range(FILES):
            self._write(number)

    @property
    def index(self) -> Path:
        """The folder of the tree's index."""
        return self.root / ".treemill"

    @property
    def cache(self) -> ContentCache:
        """The content cache that runs over this tree share, small enough to be tidied often."""
        return ContentCache(_CACHE_MB, self.root.with_name(f"{self.root.name}-cache"))

    def edit(self) -> None:
        """Change a third of the files, remove a few, bring others back."""
        self.version += 1
        for number in self._random.sample(range(FILES), FILES // 3):
            self._write(number)
        for number in self._random.sample(range(FILES), 3):
            self._path(number).unlink(missing_ok=True)

    def texts(self) -> dict[str, str]:
        """Return what is on disk."""
        return {path.relative_to(self.root).as_posix(): path.read_text() for path in self.root.rglob("*.py")}

    def _path(self, number: int) -> Path:
        return self.root / f"pkg{number % 5}" / f"m{number}.py"

    def _write(self, number: int) -> None:
        path = self._path(number)
        path.parent.mkdir(exist_ok=True)
        functions = [
            f"def f{number}_{each}(argument{self.version}):\n    return shared + version{self.version} * {each}\n"
            for each in range(1 + (number * 7 + self.version) % 40)
        ]
        path.write_text("\n".join(functions) + f"\nEND = {number}, {self.version}\n")


def view(store: IndexStore) -> View:
    """Return what an index says of each of its files; {} for one that is empty.

    Raises:
        TreemillError: it cannot be read, or is damaged.
    """
    if not store.generation() or store.recipe() is None:
        return {}
    with store.snapshot() as snapshot:
        postings: dict[int, set[tuple[int, int, int]]] = {}
        counts: dict[int, int] = {}
        for segment in snapshot.segments():
            owner = np.repeat(np.arange(len(segment.contents)), np.diff(segment.first_chunk))
            terms = np.repeat(segment.terms, np.diff(segment.offsets))
            chunks = segment.chunks.astype(np.int64)
            within = chunks - segment.first_chunk[owner[chunks]]
            for place, *entry in zip(
                owner[chunks].tolist(), terms.tolist(), within.tolist(), segment.weights.tolist(), strict=True
            ):
                postings.setdefault(int(segment.contents[place]), set()).add((entry[0], entry[1], entry[2]))
            counts.update(zip(segment.contents.tolist(), np.diff(segment.first_chunk).tolist(), strict=True))
        table = snapshot.files()
        result: View = {}
        for path, content_id in zip(table.paths, table.contents.tolist(), strict=True):
            content = snapshot.content(content_id)
            text = zlib.decompress(content.text).decode()
            if content.chunk_count != counts.get(content_id, 0):
                text = f"TORN: {content.chunk_count} chunks, {counts.get(content_id, 0)} to scan"
            result[path] = text, content.chunk_count, frozenset(postings.get(content_id, ()))
        return result


def fresh(tree: Tree) -> View:
    """Return what an index says that was made from nothing, without the cache."""
    store = MemoryStore()
    index_tree(tree.root, store, SETTINGS)
    return view(store)


def index_now(tree: Tree) -> None:
    """Bring the index of a tree up to date."""
    with SqliteStore(tree.index, create=True) as store, tree.cache as cache:
        index_tree(tree.root, store, SETTINGS, cache=cache)


def rebuild_now(tree: Tree) -> None:
    """Put an empty index in the place of the old one and fill it."""
    rebuild(tree.index)
    index_now(tree)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended: `code` (negative for a signal), which files it said were committed, its error or "".

    `unreadable` are the files that it could not read when it came to them.
    """

    code: int
    committed: frozenset[str]
    error: str
    unreadable: frozenset[str] = frozenset()


def in_child(
    tree: Tree, *, rebuilding: bool = False, kill_after: float | None = None, harm: Callable[[], object]
) -> Outcome:
    """Index a tree in a forked child, after `harm()` there; kill it after so many seconds, if that is given."""
    reader, writer = socket.socketpair()
    child = os.fork()
    if child == 0:
        reader.close()
        os._exit(_run_child(tree, writer, rebuilding=rebuilding, harm=harm))
    writer.close()
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with reader, reader.makefile(encoding="utf-8") as said:
        lines = said.read().split("\n")
    _, status = os.waitpid(child, 0)
    committed, unreadable = (
        frozenset(line[2:] for line in lines[:-1] if line.startswith(mark)) for mark in ("C ", "U ")
    )
    error = next((line[2:] for line in lines if line.startswith("E ")), "")
    return Outcome(os.waitstatus_to_exitcode(status), committed, error, unreadable)


def _run_child(tree: Tree, writer: socket.socket, *, rebuilding: bool, harm: Callable[[], object]) -> int:
    def tell(event: Event) -> None:
        if isinstance(event, Finished):
            writer.sendall(f"C {event.path}\n".encode())  # no write that is made to fail
        elif isinstance(event, Passed) and event.reason == SkipReason.UNREADABLE:
            writer.sendall(f"U {event.path}\n".encode())

    code = 0
    line = ""
    try:
        harm()
        if rebuilding:
            rebuild(tree.index)
        with SqliteStore(tree.index, create=True) as store, tree.cache as cache:
            index_tree(tree.root, store, SETTINGS, listener=tell, cache=cache)
    except TreemillError as error:
        code, line = error.exit_code, f"E {error}\n"
    except BaseException as error:  # noqa: BLE001 - a child tells of everything and ends
        where = traceback.extract_tb(error.__traceback__)[-1]
        code, line = 99, f"E {type(error).__name__}: {error} at {Path(where.filename).name}:{where.lineno}\n"
    calm()
    writer.sendall(line.replace("\n", " ").encode() + b"\n" if line else b"")
    return code


# ── faults of system calls, by libfiu ──


def _libfiu() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libfiu.so.0")
        ctypes.CDLL(None).fiu_enable  # noqa: B018 - asks whether the preloaded library brought its symbols
    except (OSError, AttributeError):
        return None
    return library if "fiu_posix_preload" in os.environ.get("LD_PRELOAD", "") else None


def can_inject() -> bool:
    """Whether this process was started with libfiu's preload library, so that system calls can be made to fail."""
    return _libfiu() is not None


_armed: list[bytes] = []


def arm(point: str, error: int, probability: float) -> None:
    """Have a system call of this process fail now and then: `point` as libfiu names it, `error` an errno."""
    library = _libfiu()
    assert library is not None, "start under LD_PRELOAD of fiu_posix_preload.so"
    library.fiu_enable_random(point.encode(), 1, ctypes.c_void_p(error), 0, ctypes.c_float(probability))
    _armed.append(point.encode())


def calm() -> None:
    """Have system calls work again."""
    library = _libfiu()
    while library is not None and _armed:
        library.fiu_disable(_armed.pop())


def preload() -> str | None:
    """Return what LD_PRELOAD must name, or None where libfiu is not installed (Debian: libfiu0 and fiu-utils)."""
    if sys.platform != "linux":
        return None
    for folder in ("/usr/lib/fiu", *map(str, Path("/usr/lib").glob("*/fiu")), "/usr/local/lib/fiu"):
        path = Path(folder) / "fiu_posix_preload.so"
        if path.exists():
            return str(path)
    return None


def differences(found: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """Return the paths of which two views do not say the same."""
    return sorted(path for path in {*found, *wanted} if found.get(path) != wanted.get(path))
