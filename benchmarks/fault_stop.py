"""A writer that is stopped while it holds an index: what others are told meanwhile, and what they read.

The writer is a process of its own, which stops itself when it has first committed, as a debugger or a terminal would
have it. Thirty readers read the whole index once a second; who wants to write is refused, by name. When the writer goes
on, it completes what it had begun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.fault_lab import SETTINGS, Tree, View, differences, fresh, index_now, view
from benchmarks.results import Table
from treemill.errors import IndexLocked
from treemill.events import Committed, Event
from treemill.indexing import index_tree
from treemill.storage.sqlite import SqliteStore

READERS = 30


def stopped(home: Path, seconds: float, seed: int) -> Table:
    """Stop a writer for so long; the last column counts what must not be."""
    tree = Tree(home / "stopped", seed)
    index_now(tree)
    with SqliteStore(tree.index) as store:
        before = view(store)
    tree.edit()
    wanted = fresh(tree)
    writer = _stopped_writer(tree)
    try:
        refused = unclear = torn = 0
        took: list[float] = []
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(READERS) as readers:
            while time.monotonic() < until:
                began = time.monotonic()
                reads = [readers.submit(_read, tree, before, wanted) for _ in range(READERS)]
                said = _refusal(tree)
                refused += 1
                unclear += not (f"process {writer} is writing" in said and f"kill -CONT {writer}" in said)
                torn += sum(read.result()[1] for read in reads)
                took += [read.result()[0] for read in reads]
                time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
        os.kill(writer, signal.SIGCONT)
        ended_well = os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == 0
    except BaseException:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        raise
    with SqliteStore(tree.index) as store:
        unequal = int(not ended_well or bool(differences(view(store), wanted)))
    row = (f"{seconds:.0f} s", refused, len(took), f"{max(took, default=0.0):.2f}", unclear, torn, unequal)
    columns = ("stopped for", "refused", "reads", "longest read, s", "unclear", "torn", "not equal to fresh", "bad")
    return Table("SIGSTOP of a writer", columns, ((*row, unclear + torn + unequal),), f"{READERS} readers at a time")


def _stopped_writer(tree: Tree) -> int:
    """Return the id of a process that indexes a tree and has stopped behind its first commit."""

    def stop_once(event: Event) -> None:
        nonlocal running
        if running and isinstance(event, Committed):
            running = False
            os.kill(os.getpid(), signal.SIGSTOP)

    running = True
    pid = os.fork()
    if pid:
        os.waitpid(pid, os.WUNTRACED)
        return pid
    try:
        with SqliteStore(tree.index) as store:
            index_tree(tree.root, store, SETTINGS, listener=stop_once)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the parent is told by the exit code
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)


def _read(tree: Tree, before: View, wanted: View) -> tuple[float, int]:
    """Read all that an index says; return how long that took, and how many files are neither as before nor as now."""
    began = time.monotonic()
    with SqliteStore(tree.index) as store:
        found = view(store)
    torn = sum(said not in (before.get(path), wanted.get(path)) for path, said in found.items())
    return time.monotonic() - began, torn


def _refusal(tree: Tree) -> str:
    """Return what is said to somebody who wants to write; nothing where they may."""
    try:
        with SqliteStore(tree.index) as store, store.writer():
            return ""
    except IndexLocked as locked:
        return str(locked)
