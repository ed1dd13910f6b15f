"""How fast a tree becomes searchable: `treemill index` as whole processes, beside the raw parse in the same run.

Each round parses the corpus bare and indexes it cold, one after the other, so that a noisy minute hits both; ratios are
taken within a round. Then, on the last index: again with nothing changed, questions as whole processes, questions in
this process.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import treemill
from benchmarks import reference
from benchmarks.corpora import corpus, home, walk
from benchmarks.measure import ProcessRun, Spread, run_process, spread
from benchmarks.reference import Reference, SourceFile
from benchmarks.results import Check, Run, Table, at_most
from treemill.records import Query

QUESTIONS = (
    "where are migrations applied",
    "QuerySet",
    "how is a failed file reported",
    "parse command line arguments",
    "HttpRequest.build_absolute_uri",
    "convert a camelCase name to snake_case",
    "open a connection to the database",
    "cache key prefix",
    "what happens when a template is missing",
    "render html to a string",
    "retry after timeout",
    "read a file as utf-8",
    "compile regular expression",
    "event listener removed",
    "validate an email address",
    "hash a password",
    "animation frame callback",
    "syntax tree visitor",
    "lock acquired twice",
    "middleware order",
)

# Questions whose answer is known: corpus → (question, path that must be found, among the first n files).
EXPECTED = {
    "django": (
        ("QuerySet", "django/db/models/query.py", 1),
        ("where are migrations applied", "django/db/migrations/executor.py", 5),
    )
}

# What the design promises on two cores; corpora without a line have no bounds.
BOUNDS = {"django": {"ratio": 1.0, "peak_mb": 350, "size": 1.1, "unchanged": 0.8, "question": 0.4, "p50_ms": 3}}


@dataclass(frozen=True, slots=True)
class Cold:
    """One round: the raw parse's budget in seconds, the run of `treemill index`, and the report that it printed."""

    budget: float
    run: ProcessRun
    report: dict[str, Any]

    @property
    def ratio(self) -> float:
        """Whole process over budget."""
        return self.run.seconds / self.budget


def run(name: str, *, rounds: int, options: Sequence[str] = ()) -> Run:
    """Measure a corpus; `options` go to every `treemill index`.

    Raises:
        CorpusError: the corpus cannot be made.
        CommandError: a command failed.
    """
    with own_copy(corpus(name)) as root:
        files = reference.select(root)
        references = [reference.raw_parse(files)]  # warms the page cache and the grammars too; not in any ratio
        colds: list[Cold] = []
        for _ in range(rounds):
            references.append(reference.raw_parse(files))
            colds.append(_cold(root, references[-1].budget, options))
        index_bytes = sum(path.stat().st_size for path in walk(root / ".treemill"))
        again = spread(_index(root, options).seconds for _ in range(rounds))
        asked = {
            "question, default": _ask_as_process(root, rounds),
            "question, --no-update": _ask_as_process(root, rounds, "--no-update"),
        }
        milliseconds = _ask_in_process(root)
        answers = [_place(root, *each) for each in EXPECTED.get(name, ())]
    middle = sorted(colds, key=lambda each: each.ratio)[(rounds - 1) // 2]
    middle_reference = sorted(references[1:], key=lambda each: each.seconds)[(rounds - 1) // 2]
    figures = _figures(colds, files, index_bytes, again, asked, milliseconds)
    tables = (
        reference.table(middle_reference),
        _cold_table(name, colds, middle_reference, files),
        _stage_table(middle),
        Table(
            "After that",
            ("figure", "median (least–greatest)"),
            tuple((key, str(each)) for key, each in figures.items()),
        ),
    )
    return Run(f"index-{name}", tables, (*_checks(name, figures), *answers))


@contextmanager
def own_copy(original: Path) -> Iterator[Path]:
    """Lay out a corpus anew, by hard links where the file system has them, and remove it in the end.

    So an index that somebody keeps beside the corpus is neither used nor touched.
    """
    with tempfile.TemporaryDirectory(dir=home(), prefix="run-") as folder:
        # Caches start empty, and what a person has in theirs is neither used nor touched.
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        root = Path(folder, original.name)
        shutil.copytree(original, root, copy_function=link, ignore=shutil.ignore_patterns(".treemill"))
        yield root


def link(source: str, target: str) -> None:
    """Put a file at another place, by a hard link where the file system has them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _cold(root: Path, budget: float, options: Sequence[str]) -> Cold:
    shutil.rmtree(root / ".treemill", ignore_errors=True)
    shutil.rmtree(root.parent / "cache", ignore_errors=True)
    done = _index(root, options)
    return Cold(budget, done, json.loads(done.stdout))


def _index(root: Path, options: Sequence[str]) -> ProcessRun:
    return run_process([sys.executable, "-m", "treemill", "index", root, "--json", *options])


def _ask_as_process(root: Path, rounds: int, *options: str) -> Spread:
    command = [sys.executable, "-m", "treemill", "search", "QuerySet", str(root), "--json", *options]
    return spread(run_process(command, expect=(0, 1)).seconds for _ in range(2 * rounds))


def _ask_in_process(root: Path) -> list[float]:
    """Ask every question several times on one handle; return the milliseconds, ascending. The first round warms."""
    taken: list[float] = []
    with treemill.open(root) as index:
        for number in range(6):
            for question in QUESTIONS:
                start = time.perf_counter()
                index.ask(Query(question))
                if number:
                    taken.append((time.perf_counter() - start) * 1e3)
    return sorted(taken)


def _place(root: Path, question: str, path: str, first: int) -> Check:
    """Check that a file is among the first few files that answer a question; the corpus' top folder does not count."""
    paths = list(dict.fromkeys(hit.path for hit in treemill.search(root, question, limit=4 * first)))
    rank = next((number for number, found in enumerate(paths, 1) if found.endswith(path)), 0)
    return Check(f"place of {path} for {question!r}", rank, f"1–{first}", 1 <= rank <= first)


def _figures(
    colds: list[Cold],
    files: list[SourceFile],
    index_bytes: int,
    again: Spread,
    asked: dict[str, Spread],
    milliseconds: list[float],
) -> dict[str, Spread]:
    source_bytes = sum(len(each.source.data) for each in files)
    share = index_bytes / source_bytes
    peaks = [each.run.peak_mb for each in colds if each.run.peak_mb is not None]
    p50, p95 = (milliseconds[int(len(milliseconds) * part)] for part in (0.5, 0.95))
    return {
        "cold, seconds": spread(each.run.seconds for each in colds),
        "cold, × the budget": spread(each.ratio for each in colds),
        **({"peak memory, summed PSS, MB": spread(peaks)} if peaks else {}),
        "index / source": Spread(share, share, share),
        "nothing changed, seconds": again,
        **{f"{key}, seconds": value for key, value in asked.items()},
        "question in process, ms, p50 (least–p95)": Spread(p50, milliseconds[0], p95),
    }


def _checks(name: str, figures: dict[str, Spread]) -> Iterator[Check]:
    bounds = BOUNDS.get(name)
    if bounds is None:
        return
    yield at_most("cold, × the budget", figures["cold, × the budget"].median, bounds["ratio"])
    peak = figures.get("peak memory, summed PSS, MB")
    if peak is not None:
        yield at_most("peak memory, MB", peak.median, bounds["peak_mb"])
    yield at_most("index / source", figures["index / source"].median, bounds["size"])
    yield at_most("nothing changed, seconds", figures["nothing changed, seconds"].median, bounds["unchanged"])
    yield at_most("question as a process, seconds", figures["question, default, seconds"].median, bounds["question"])
    p50 = figures["question in process, ms, p50 (least–p95)"].median
    yield at_most("question in process, ms", p50, bounds["p50_ms"])


def _cold_table(name: str, colds: list[Cold], middle: Reference, files: list[SourceFile]) -> Table:
    mb = sum(len(each.source.data) for each in files) / 1e6
    rows = tuple(
        (number, each.run.seconds, each.budget, each.ratio, each.run.cpu_seconds, mb / each.run.seconds,
         len(files) / each.run.seconds, each.run.peak_mb)
        for number, each in enumerate(colds, 1)
    )  # fmt: skip
    columns = ("round", "seconds", "budget", "× budget", "CPU s", "MB/s", "files/s", "peak MB")
    note = (
        f"{len(files):,} files, {mb:.1f} MB of text. The budget is the bare parse of what has a grammar on one core "
        f"({middle.seconds:.2f} s) and {reference.SECONDS_A_MB_WITHOUT_GRAMMAR} s for each MB without."
    )
    return Table(f"Cold `treemill index` of {name}, whole process", columns, rows, note)


def _stage_table(middle: Cold) -> Table:
    stats = middle.report["stats"]
    mb, files = stats["total_size"] / 1e6, stats["files_processed"]
    stages = sorted(stats["stages"].items(), key=lambda item: -item[1])
    rows = tuple((stage, seconds, mb / seconds, files / seconds) for stage, seconds in stages if seconds > 0)
    counted = f"{files:,} files, {stats['chunks_created']:,} chunks, {mb:.1f} MB; {stats['failed_files']:,} failed"
    return Table("By stage, seconds summed over workers", ("stage", "seconds", "MB/s", "files/s"), rows, counted)
