"""How fast an index follows its tree: nothing changed, one edit, a switch of branches; as whole processes, and watched.

The tree is made of small Python files from a rule, so that its size can be asked for; corpora stand for files of
ordinary size: a checkout, of which a switch moves most, and folders of many packages in some twenty languages, evenly
taken, all of which it moves. A switch moves known files to other folders; its figure is a ratio to indexing those files
cold, in the same run. So is that of a copy, which stands for a clone or a new worktree. The delay of an edit counts
from the moment that `treemill watch` says it has noticed to the one at which it says the file is committed.
"""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpora import corpus, home, walk
from benchmarks.index_run import link
from benchmarks.measure import Spread, run_process, spread
from benchmarks.results import Run, Table, at_least, at_most
from benchmarks.staying import move, some_files, staying
from treemill.storage.location import locate
from treemill.storage.sqlite import SqliteStore

FOLDER_FILES = 20
FUNCTIONS = 8
EDITS = 10
BRANCH_FILES = 10_000
SPREAD = "languages"
SPREAD_OVER = 7
PATIENCE = 120.0

# What the design promises for trees of these sizes, in seconds.
UNCHANGED_SECONDS = {20_000: 1.0, 100_000: 4.0}
EDIT_SECONDS = 0.15
SWITCH_RATIO = 20.0
COPY_RATIO = 10.0


@dataclass(frozen=True, slots=True)
class Known:
    """What a tree's known files cost elsewhere: the seconds of a switch, of those files cold, and of a copy of them.

    `started` is what a run takes that has nothing to do: each of the others takes that too.
    """

    files: int
    switched: Spread
    cold: Spread
    copied: Spread
    started: Spread
    switched_staying: Spread
    cold_staying: Spread

    @property
    def ratios(self) -> tuple[float, float]:
        """How many times as fast as cold a switch and a copy are."""
        return self.cold.median / self.switched.median, self.cold.median / self.copied.median

    @property
    def ratios_without_start(self) -> tuple[float, float]:
        """The same of what each takes longer than a run that has nothing to do."""
        switched, copied = (max(each.median - self.started.median, 1e-3) for each in (self.switched, self.copied))
        cold = self.cold.median - self.started.median
        return cold / switched, cold / copied

    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """The rows of a table."""
        told = [
            f"s, whole process: {whole:.1f} ×, {work:.1f} × without its start"
            for whole, work in zip(self.ratios, self.ratios_without_start, strict=True)
        ]
        return (
            (f"{self.files:,} known files moved", str(self.switched), told[0]),
            (f"these {self.files:,} files cold", str(self.cold), "s, whole process"),
            (f"a copy of these {self.files:,}", str(self.copied), told[1]),
            ("nothing changed in one file", str(self.started), "s, whole process: its start"),
            (
                f"{self.files:,} known files moved, in a process that stays",
                str(self.switched_staying),
                f"s: {self.cold_staying.median / self.switched_staying.median:.1f} ×",
            ),
            (f"these {self.files:,} files cold, in it", str(self.cold_staying), "s"),
        )


def run(files: int, *, moved: int, rounds: int, name: str = "django") -> Run:
    """Measure a tree of so many files, of which a switch moves some, and the same of two corpora.

    Raises:
        CommandError: a command failed.
        CorpusError: the corpus cannot be made.
    """
    with fresh_place() as place:
        root, ordinary, many = place / "tree", place / name, place / SPREAD
        plant(root, files)
        shutil.copytree(
            checkout(corpus(name)), ordinary, copy_function=link, ignore=shutil.ignore_patterns(".treemill")
        )
        cold = index(root)
        come_to_rest(root)
        unchanged = spread(index(root) for _ in range(rounds))
        edited = spread(edit(root, number) for number in range(rounds))
        small = known_elsewhere(root, moved, rounds)
        index(ordinary)
        usual = known_elsewhere(ordinary, moved, rounds)
        lay_out(corpus(SPREAD), every_folder(corpus(SPREAD), SPREAD_OVER)[:moved], many)
        index(many)
        mixed = known_elsewhere(many, moved, rounds)
        noticed, whole = watched(root)
        branch = some_files(root, BRANCH_FILES)
        followed, missed = watched_switch(root, branch)
    rows = (
        ("cold", f"{cold:.2f} s", ""),
        ("nothing changed", str(unchanged), "s, whole process"),
        ("one edit", str(edited), "s, whole process"),
        *small.rows(),
        ("watch: noticed to committed", str(noticed), "s"),
        ("watch: written to committed", str(whole), "s"),
        (f"watch: a switch that moves {len(branch):,}", f"{followed:.2f} s", f"{missed:,} paths missed"),
    )
    checks = [
        at_most("watch: noticed to committed, s", noticed.median, EDIT_SECONDS),
        at_most("watch: paths missed in a switch", missed, 0),
    ]
    for what, known in (("small files", small), (name, usual), (SPREAD, mixed)):
        switch, copy = known.ratios
        checks.append(at_least(f"{what}: known files moved, times as fast as cold", switch, SWITCH_RATIO))
        work = known.ratios_without_start[0]
        checks.append(at_least(f"{what}: the same without the start of the process", work, SWITCH_RATIO))
        checks.append(at_least(f"{what}: a copy of an indexed tree, times as fast as cold", copy, COPY_RATIO))
    if files in UNCHANGED_SECONDS:
        checks.insert(0, at_most("nothing changed, s", unchanged.median, UNCHANGED_SECONDS[files]))
    columns = ("what", "median (least–greatest)", "")
    tables = (
        Table(f"A tree of {files:,} small files", columns, rows),
        Table(f"Files of ordinary size: {name}", columns, usual.rows()),
        Table(f"Files of many packages: {SPREAD}, every {SPREAD_OVER}th folder", columns, mixed.rows()),
    )
    return Run(f"incremental-{files}", tables, tuple(checks))


def run_unchanged(files: int, *, rounds: int) -> Run:
    """Measure how long it takes to see that nothing has changed in a tree of so many small files, and nothing else.

    Raises:
        CommandError: a command failed.
    """
    with fresh_place() as place:
        root = place / "tree"
        plant(root, files)
        cold = run_process(command_for(root))
        come_to_rest(root)
        runs = [run_process(command_for(root)) for _ in range(rounds)]
    unchanged = spread(run.seconds for run in runs)
    rows = (
        ("cold", f"{cold.seconds:.2f}", f"{cold.cpu_seconds:.2f}"),
        ("nothing changed", str(unchanged), str(spread(run.cpu_seconds for run in runs))),
    )
    table = Table(f"A tree of {files:,} small files", ("what", "s, whole process", "s of processor time"), rows)
    bound = UNCHANGED_SECONDS.get(files)
    checks = () if bound is None else (at_most("nothing changed, s", unchanged.median, bound),)
    return Run(f"unchanged-{files}", (table,), checks)


@contextmanager
def fresh_place() -> Iterator[Path]:
    """Give a folder of its own beside the corpora, in which this user's caches are meanwhile too."""
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix="run-") as place:
        # Caches start empty, and what a person has in theirs is neither used nor touched.
        os.environ["XDG_CACHE_HOME"] = str(Path(place, "cache"))
        # Modules are compiled once, as in an installed package, also where the environment would not have it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(place, "bytecode"))
        yield Path(place)


def come_to_rest(root: Path) -> None:
    """Have files read once more that were too young to be trusted: figures are about a tree that stands still."""
    time.sleep(2.5)
    index(root)


def known_elsewhere(root: Path, moved: int, rounds: int) -> Known:
    """Measure what so many files of an indexed tree cost when they move, cold, and in a copy.

    All are measured in each round, so that a machine that is faster for a while is so for all.
    """
    paths = some_files(root, moved)
    part, copy, lone = (root.parent / f"{root.name}-{name}" for name in ("part", "copy", "lone"))
    lay_out(root, paths, part)
    lay_out(root, paths[:1], lone)
    index(lone)
    come_to_rest(lone)
    stayed = staying(root, part, moved, rounds)
    passes = []
    for number in range(rounds):
        switched, cold = switch(root, paths, number), cold_part(part)
        shutil.rmtree(part / ".treemill")
        index(part)
        passes.append((switched, cold, copied(part, copy), index(lone)))
    switches, colds, copies, starts = (spread(found) for found in zip(*passes, strict=True))
    return Known(len(paths), switches, colds, copies, starts, *stayed)


def checkout(root: Path) -> Path:
    """Return a corpus as it is checked out: of one package, the folder of that."""
    inside = [path for path in root.iterdir() if path.name != ".treemill"]
    return inside[0] if len(inside) == 1 else root


def every_folder(root: Path, nth: int) -> list[Path]:
    """Return the files of every nth folder that holds any, relative to a tree and folder by folder."""
    folders: dict[Path, list[Path]] = {}
    for path in (path.relative_to(root) for path in sorted(walk(root))):
        if path.parts[0] != ".treemill":
            folders.setdefault(path.parent, []).append(path)
    return [path for folder in list(folders)[::nth] for path in folders[folder]]


def plant(root: Path, files: int) -> None:
    """Lay out a tree of files that all differ."""
    rng = random.Random(7)
    words = [f"word{number}" for number in range(5_000)]
    for number in range(files):
        path = path_of(root, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        body = [
            f"def {rng.choice(words)}_{number}_{each}(a, b):\n    return {rng.choice(words)}(a) + {rng.choice(words)}\n"
            for each in range(FUNCTIONS)
        ]
        path.write_text("".join(body))


def path_of(root: Path, number: int) -> Path:
    """Return where a file is planted."""
    folder = number // FOLDER_FILES
    return root / f"package{folder // FOLDER_FILES:03}" / f"module{folder % FOLDER_FILES:02}" / f"file{number:06}.py"


def index(root: Path, *options: str) -> float:
    """Return the wall seconds of `treemill index`."""
    return run_process(command_for(root, *options)).seconds


def command_for(root: Path, *options: str) -> list[str | Path]:
    """Return the command that brings the index of a tree up to date."""
    return [sys.executable, "-m", "treemill", "index", "--quiet", *options, root]


def edit(root: Path, number: int) -> float:
    """Edit a file and return how long it takes to index that."""
    path_of(root, 7).write_text(f"def edited_{number}(): ...\n")
    return index(root)


def switch(root: Path, paths: Sequence[Path], number: int) -> float:
    """Move some files to other folders (back, in every second round) and return how long it takes to index that."""
    move(root, paths, there=number % 2 == 0)
    return index(root)


def lay_out(root: Path, paths: Sequence[Path], part: Path) -> None:
    """Put some files of a tree into a tree of their own."""
    for path in paths:
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        link(str(root / path), str(part / path))


def cold_part(part: Path) -> float:
    """Return how long it takes to index a tree from nothing, with no cache to help."""
    shutil.rmtree(part / ".treemill", ignore_errors=True)
    return index(part, "--no-cache")


def copied(part: Path, copy: Path) -> float:
    """Return how long it takes to index a copy of a tree that is indexed, as a new worktree is."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(part, copy, ignore=shutil.ignore_patterns(".treemill"))
    return index(copy)


def watched(root: Path) -> tuple[Spread, Spread]:
    """Return how long edits take to be committed since they were noticed, and since they were written."""
    since_noticed, since_written = [], []
    with watch(root) as events:
        until(events, "watching")
        for number in range(EDITS):
            time.sleep(3.5)  # the look that follows an edit is over by then
            written = time.perf_counter()
            path_of(root, 11).write_text(f"def watched_{number}(): ...\n")
            noticed = until(events, "noticed", places=1)
            committed = until(events, "committed")
            since_noticed.append(committed - noticed)
            since_written.append(committed - written)
            until(events, "updated")
    return spread(since_noticed), spread(since_written)


def watched_switch(root: Path, paths: Sequence[Path]) -> tuple[float, int]:
    """Move files under a watch; return the seconds until the index has just the files that there are, and what differs.

    The seconds count from the moment that the last file is in its place.
    """
    with watch(root) as events:
        until(events, "watching")
        for path in paths:
            (root / "branch" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).rename(root / "branch" / path)
        began = time.perf_counter()
        there = {path.relative_to(root).as_posix() for path in walk(root)}
        there = {path for path in there if not path.startswith(".treemill/")}
        while time.perf_counter() < began + PATIENCE and (held := recorded(root)) != there:
            time.sleep(0.1)
        return time.perf_counter() - began, len(held ^ there)


def recorded(root: Path) -> set[str]:
    """Return the paths that the index of a tree has."""
    with SqliteStore(locate(root)) as store:
        return {record.path for record in store.recorded()}


@contextmanager
def watch(root: Path) -> Iterator[Iterator[dict[str, Any]]]:
    """Run `treemill watch` and give its events as they come; it never waits for who reads them."""
    command = [sys.executable, "-m", "treemill", "watch", "--json", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_pass_on, args=(process.stdout, lines))
        reader.start()
        try:
            yield map(json.loads, iter(lines.get, ""))
        finally:
            process.terminate()
            reader.join()


def _pass_on(stream: Iterable[str], lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def until(events: Iterator[dict[str, Any]], name: str, **fields: object) -> float:
    """Read events up to one of a name with these fields and return when it came.

    The look at everything that follows an edit also notices something, the stamp that was too young: at no place.
    """
    for event in events:
        if event["event"] == name and fields.items() <= event.items():
            return time.perf_counter()
    raise RuntimeError(f"the watch ended without {name}")
