"""What an index survives: kills, a writer that stops, failing disks, flipped bytes. The long run, with a table.

    python -m benchmarks.faults                       all of it, a few minutes
    python -m benchmarks.faults --kills 1000 --flips 0 --faults 0

After each harm the index is opened by a process that nothing was done to: it must hold whole files only and everything
that was said to be committed, and the next run must complete it to equal a fresh one. Small trees, so that runs take
tens of milliseconds and many moments are hit. The exit code is 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from benchmarks.fault_lab import (
    Outcome,
    Tree,
    View,
    arm,
    can_inject,
    differences,
    fresh,
    in_child,
    index_now,
    preload,
    rebuild_now,
    view,
)
from benchmarks.fault_stop import stopped
from benchmarks.results import Check, Run, Table, publish
from treemill.errors import IndexMismatch, TreemillError
from treemill.records import RunState, Status
from treemill.storage.connection import DATABASE_NAME
from treemill.storage.content_cache import CACHE_DATABASE
from treemill.storage.ownership import data_folder, read_mark
from treemill.storage.segment_files import SMALL_TAIL_CONTENTS
from treemill.storage.sqlite import SqliteStore
from treemill.types import SkipReason

MODES = ("cold", "incremental", "rebuild", "other format")


def main(arguments: list[str] | None = None) -> int:
    """Do harm, print what came of it, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description="Do harm to an index.")
    parser.add_argument("--kills", type=int, default=400, help="how many runs are killed (default: 400)")
    parser.add_argument("--faults", type=int, default=400, help="how many runs meet failing calls (default: 400)")
    parser.add_argument("--flips", type=int, default=400, help="how often bytes are changed (default: 400)")
    parser.add_argument("--stopped", type=float, default=60, metavar="S", help="how long a writer stops (default: 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    if given.faults and not can_inject() and preload():
        os.environ["LD_PRELOAD"] = str(preload())
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.faults", *(arguments or sys.argv[1:])])
    with tempfile.TemporaryDirectory(prefix="treemill-faults-") as folder:
        os.environ["TREEMILL_STATE_DIR"] = str(Path(folder, "state"))
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        home = Path(folder)
        tables = [
            *([stopped(home, given.stopped, given.seed)] if given.stopped else []),
            *([kills(home, given.kills, given.seed)] if given.kills else []),
            *([call_faults(home, given.faults, given.seed)] if given.faults and can_inject() else []),
            *([full_disk(home, given.faults // 4, given.seed)] if given.faults else []),
            *([flips(home, given.flips, given.seed)] if given.flips else []),
        ]
    lost = sum(int(row[-1] or 0) for table in tables for row in table.rows)
    publish(Run("faults", tuple(tables), (Check("losses and wrong answers", lost, "0", lost == 0),)), write=given.write)
    return 1 if lost else 0


# ── SIGKILL ──


def kills(home: Path, count: int, seed: int) -> Table:
    """Kill runs of each kind at random moments; the last column counts what must not be."""
    moments = random.Random(seed)
    rows = []
    for mode in MODES:
        tally: Counter[str] = Counter()
        tree = Tree(home / mode.replace(" ", "-"), seed)
        took = _time_of(tree, mode)
        for _ in range(-(-count // len(MODES))):
            before = _prepare(tree, mode)
            outcome = in_child(
                tree,
                rebuilding=mode in ("rebuild", "other format"),
                kill_after=moments.uniform(0, took),
                harm=lambda: None,
            )
            tally["killed" if outcome.code == -signal.SIGKILL else "ended before"] += 1
            tally["committed"] += len(outcome.committed)
            _judge(tree, before, outcome, tally, may_be_old=mode == "other format", wiped=mode == "rebuild")
        rows.append(_row(mode, tally))
    return Table("SIGKILL at random moments", _COLUMNS, tuple(rows), "each row: runs of that kind over 60 files")


_BAD = ("lost", "torn", "not opened", "not equal to fresh", "not an error of ours")
_COLUMNS = ("run", "runs", "killed or failed", "ended before", "files committed", *_BAD, "bad")


def _row(name: str, tally: Counter[str]) -> tuple[str | int, ...]:
    ended = tally["ended before"]
    hit = tally["killed"] + tally["failed"]
    bad = [tally[each] for each in _BAD]
    return name, hit + ended, hit, ended, tally["committed"], *bad, sum(bad)


def _time_of(tree: Tree, mode: str) -> float:
    """Return how long a run of that kind takes when nobody kills it, so that moments spread over all of it."""
    longest = 0.0
    for _ in range(3):
        _prepare(tree, mode)
        began = time.monotonic()
        in_child(tree, rebuilding=mode in ("rebuild", "other format"), harm=lambda: None)
        longest = max(longest, time.monotonic() - began)
    return longest * 1.1


def _prepare(tree: Tree, mode: str) -> View:
    """Bring a tree and its index into the state before a run; return what the index says."""
    if mode == "cold":
        shutil.rmtree(tree.index, ignore_errors=True)
        tree.edit()
        return {}
    if not tree.index.exists():
        index_now(tree)
    with SqliteStore(tree.index) as store:
        before = view(store)
    tree.edit()
    if mode == "other format":
        data = data_folder(tree.index, read_mark(tree.index))
        with closing(sqlite3.connect(data / DATABASE_NAME)) as connection:
            connection.execute("PRAGMA user_version = 1")
            connection.commit()
    return before


def _judge(
    tree: Tree,
    before: View,
    outcome: Outcome,
    tally: Counter[str],
    *,
    may_be_old: bool = False,
    wiped: bool = False,
) -> None:
    """Open what a harmed run left, compare it with what must be there, and complete it.

    A file that was there before the run may be missing in one case: the run met it, could not read it and recorded it
    as unreadable. What the run itself committed has no excuse, nor has any file once an undisturbed run has ended.
    """
    wanted = fresh(tree)
    try:
        if tree.index.exists():
            with SqliteStore(tree.index) as store:
                found = view(store)
                recorded = {record.path for record in store.recorded() if record.reason == SkipReason.UNREADABLE}
            tally["torn"] += sum(said not in (before.get(path), wanted.get(path)) for path, said in found.items())
            lost = {path for path in outcome.committed if found.get(path) != wanted.get(path)}
            if not wiped and not may_be_old:
                excused = outcome.unreadable & recorded
                lost |= {path for path in before if path in wanted and path not in found and path not in excused}
            tally["lost"] += len(lost)
        else:
            tally["lost"] += len(outcome.committed)
    except IndexMismatch:
        tally["not opened"] += not may_be_old
    except TreemillError as error:
        print("not opened:", error, file=sys.stderr)
        tally["not opened"] += 1
    try:
        index_now(tree)
    except IndexMismatch:
        rebuild_now(tree)
    with SqliteStore(tree.index) as store:
        run = store.last_run()
        complete = run is not None and run.state is RunState.COMPLETE and run.known == len(wanted)
        left_out = [record.path for record in store.recorded() if record.status is not Status.INDEXED]
        if not complete or left_out or differences(view(store), wanted):
            print("not equal to fresh:", run, left_out, differences(view(store), wanted), file=sys.stderr)
            tally["not equal to fresh"] += 1


# ── system calls that fail ──

POINTS = {
    "ENOSPC on write": ("posix/io/rw/pwrite", errno.ENOSPC),
    "EIO on write": ("posix/io/rw/pwrite", errno.EIO),
    "short writes": ("posix/io/rw/pwrite/reduce", 0),
    "EIO on fdatasync": ("posix/io/sync/fdatasync", errno.EIO),
    "EIO on fsync": ("posix/io/sync/fsync", errno.EIO),
    "EIO on read": ("posix/io/rw/pread", errno.EIO),
    "EIO on read of files": ("posix/io/rw/read", errno.EIO),
    "ENOSPC on files": ("posix/io/rw/write", errno.ENOSPC),
    "EACCES on open": ("posix/io/oc/open", errno.EACCES),
    "EMFILE on open": ("posix/io/oc/open", errno.EMFILE),
    "EIO on truncate": ("posix/io/rw/ftruncate", errno.EIO),
    "EIO on rename": ("posix/io/dir/rename", errno.EIO),
}


def call_faults(home: Path, count: int, seed: int, points: Iterable[str] = tuple(POINTS)) -> Table:
    """Have one kind of system call fail now and then, from the first to the last of a run."""
    chance = random.Random(seed)
    rows = []
    for name in points:
        point, error = POINTS[name]
        tally: Counter[str] = Counter()
        tree = Tree(home / "calls", seed)
        for number in range(-(-count // len(POINTS))):
            mode = ("cold", "incremental", "rebuild")[number % 3]
            before = _prepare(tree, mode)
            probability = 10 ** chance.uniform(-3, -0.5)
            outcome = in_child(
                tree, rebuilding=mode == "rebuild", harm=lambda p=point, e=error, q=probability: arm(p, e, q)
            )
            tally["failed" if outcome.code else "ended before"] += 1
            tally["committed"] += len(outcome.committed)
            if outcome.code not in (0, 2, 6):
                print(name, outcome, file=sys.stderr)
                tally["not an error of ours"] += 1
            _judge(tree, before, outcome, tally, wiped=mode == "rebuild")
        rows.append(_row(name, tally))
    return Table("System calls that fail (libfiu)", _COLUMNS, tuple(rows), "probability of each call 0.1 % to 30 %")


def full_disk(home: Path, count: int, seed: int) -> Table:
    """Limit how large a file may grow, at every size that a run passes through."""
    tree = Tree(home / "full", seed)
    index_now(tree)
    data = data_folder(tree.index, read_mark(tree.index))
    largest = max(path.stat().st_size for path in data.iterdir()) * 4
    tally: Counter[str] = Counter()
    for number in range(count):
        mode = ("cold", "incremental", "rebuild")[number % 3]
        before = _prepare(tree, mode)
        limit = (number + 1) * largest // count
        outcome = in_child(tree, rebuilding=mode == "rebuild", harm=lambda bound=limit: _limit_files(bound))
        tally["failed" if outcome.code else "ended before"] += 1
        tally["committed"] += len(outcome.committed)
        if outcome.code not in (0, 6):
            print("full", outcome, file=sys.stderr)
            tally["not an error of ours"] += 1
        _judge(tree, before, outcome, tally, wiped=mode == "rebuild")
    return Table("No file may grow over a limit, at every size", _COLUMNS, (_row("RLIMIT_FSIZE", tally),))


def _limit_files(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


# ── bytes that changed ──


def flips(home: Path, count: int, seed: int) -> Table:
    """Flip and cut bytes of the database, its log, the segments and the cache; nothing may answer otherwise.

    A log that is cut or damaged may take what only it held: files are then as they were in the commit before.
    """
    rows = []
    kinds = [f"{what} {how}" for what in ("database", "log", "segment", "cache") for how in ("flipped", "cut")]
    for name in kinds:
        chance = random.Random(f"{seed} {name}")
        tree = Tree(home / "flips", seed)
        for number in range(2 * SMALL_TAIL_CONTENTS):
            (tree.root / f"more{number}.py").write_text(f"def more{number}():\n    return shared + {number}\n")
        keep = home / "keep"
        earlier = _written(tree, keep, with_log=name.startswith("log"))
        # Opening an index takes its log in, so what is kept is never opened itself.
        _put_back(tree, keep)
        with SqliteStore(tree.index) as store:
            wanted = view(store)
        tally: Counter[str] = Counter()
        for _ in range(-(-count // len(kinds))):
            _put_back(tree, keep)
            _harm(tree, name, chance)
            if name.startswith("cache"):
                shutil.rmtree(tree.index)
                index_now(tree)
            tally[_outcome(tree, wanted, earlier)] += 1
        rows.append((name, *(tally[each] for each in _ENDS)))
        shutil.rmtree(keep)
    note = "an older commit: whole files as they were before, as after a power failure that took the end of the log"
    return Table("Bytes that changed", ("harm", *_ENDS), tuple(rows), note)


_ENDS = ("answers as before", "refused with the next step", "an older commit", "WRONG")


def _written(tree: Tree, keep: Path, *, with_log: bool) -> View | None:
    """Index a tree and copy the index and the cache, with a write-ahead log that holds a part of it if asked for.

    Returns what the database says without its log, None where there is no log.
    """
    index_now(tree)
    # Pages that the log has as well would hide what becomes of those in the database.
    data = data_folder(tree.index, read_mark(tree.index))
    with closing(sqlite3.connect(data / DATABASE_NAME)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    if not with_log:
        _copy(tree, keep)
        return None
    with SqliteStore(tree.index) as store, store.snapshot():
        earlier = view(store)
        tree.edit()
        index_now(tree)
        _copy(tree, keep)
    return earlier


def _copy(tree: Tree, keep: Path) -> None:
    shutil.copytree(tree.index, keep / "index")
    shutil.copytree(tree.cache.folder, keep / "cache")


def _put_back(tree: Tree, keep: Path) -> None:
    for name, folder in (("index", tree.index), ("cache", tree.cache.folder)):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(keep / name, folder)


def _harm(tree: Tree, name: str, chance: random.Random) -> None:
    data = data_folder(tree.index, read_mark(tree.index))
    kind, how = name.split()
    folder = tree.cache.folder if kind == "cache" else data
    pattern = {
        "database": DATABASE_NAME,
        "log": f"{DATABASE_NAME}-wal",
        "segment": "*.segment",
        "cache": f"{CACHE_DATABASE}*",
    }
    paths = [path for path in folder.glob(pattern[kind]) if path.stat().st_size]
    path = chance.choice(paths)
    size = path.stat().st_size
    if how == "cut":
        os.truncate(path, chance.randrange(size))
        return
    with open(path, "r+b") as file:
        for _ in range(chance.choice((1, 1, 1, 8))):
            place = chance.randrange(size)
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ (1 << chance.randrange(8))]))


def _outcome(tree: Tree, wanted: View, earlier: View | None) -> str:
    try:
        with SqliteStore(tree.index) as store:
            found = view(store)
            list(store.recorded())
    except TreemillError as error:
        return "refused with the next step" if error.suggestion else "WRONG"
    if found == wanted:
        return "answers as before"
    if earlier is not None and all(
        found.get(path) in (wanted.get(path), earlier.get(path)) for path in _paths(found, wanted, earlier)
    ):
        return "an older commit"
    print("wrong:", differences(found, wanted)[:5], file=sys.stderr)
    return "WRONG"


def _paths(*views: View) -> set[str]:
    return {path for each in views for path in each}


if __name__ == "__main__":
    sys.exit(main())
