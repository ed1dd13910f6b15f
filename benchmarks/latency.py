"""How long questions take inside one process, at 100,000 and at 1,000,000 chunks.

    python -m benchmarks.latency [--corpus languages] [--chunks 100000 1000000] [--questions 20]

The corpus is indexed once on disk; larger indexes are made of it by laying its segments out again and again, each time
under other folders and with other rare words, as another project of the same kind would have: frequent words stay, so
that a common word stands in as large a share of the chunks as before.

Time is this process's CPU time, for a machine may be shared; questions are of words, names, paths and messages. Every
question is asked once to warm what an index keeps (and what the first question lays out), then measured.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import numpy as np

from benchmarks import drawn
from benchmarks.corpora import corpus
from benchmarks.index_run import QUESTIONS
from benchmarks.measure import Spread
from benchmarks.results import Run, figures_table, publish
from treemill.indexing import index_tree
from treemill.records import Content, Coverage, Query, RecordedFile
from treemill.searching import Index
from treemill.settings import Settings
from treemill.storage import FileTable, IndexStore, Segment, Snapshot
from treemill.storage.sqlite import SqliteStore

# A word in fewer chunks of the corpus than this is a project's own.
_RARE = 40

_ROUNDS = 3


class Repeated:
    """A snapshot that is another one several times over; only what questions need is there."""

    generation = 1

    def __init__(self, base: Snapshot, times: int) -> None:
        self._base = base
        self._times = times
        self.recipe = base.recipe
        files = base.files()
        step = int(max(files.contents, default=0)) + 1
        self._step = step
        paths = [f"copy{number:03}/{path}" for number in range(times) for path in files.paths]
        contents = np.concatenate([files.contents + number * step for number in range(times)])
        self._files = FileTable(paths, contents, list(files.languages) * times)
        self._segments = [_renamed(segment, number, step) for number in range(times) for segment in base.segments()]

    def files(self) -> FileTable:
        """All files of all copies."""
        return self._files

    def segments(self) -> Sequence[Segment]:
        """All segments of all copies."""
        return self._segments

    def content(self, content_id: int) -> Content:
        """The content that this one is a copy of."""
        return self._base.content(content_id % self._step)

    def file(self, path: str) -> RecordedFile | None:
        """What is recorded of the file that this one is a copy of."""
        return self._base.file(path.partition("/")[2])

    def coverage(self) -> Coverage:
        """All of them, complete."""
        found = self._base.coverage()
        known = found.searchable * self._times
        return replace(found, searchable=known, known=known, chunks=found.chunks * self._times)

    def close(self) -> None:
        """Nothing to release: the base is another's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Standing:
    """A store that has one snapshot and nothing else."""

    def __init__(self, snapshot: Repeated) -> None:
        self._snapshot = snapshot

    def snapshot(self) -> Repeated:
        """Return the snapshot."""
        return self._snapshot

    def generation(self) -> int:
        """Return the snapshot's."""
        return self._snapshot.generation

    def close(self) -> None:
        """Nothing to release."""


def _renamed(segment: Segment, number: int, step: int) -> Segment:
    """Return a copy of a segment with contents of its own, its rare words changed, its terms in order."""
    counts = np.diff(segment.offsets)
    terms = segment.terms.astype(np.uint32)
    if number:
        other = terms * np.uint32(2 * number + 1) + np.uint32(0x9E37_79B9 * number % (1 << 32))
        terms = np.where(counts < _RARE, other, terms)
    order = np.argsort(terms, kind="stable")
    sizes = counts[order]
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    takes = np.repeat(segment.offsets[:-1][order] - offsets[:-1], sizes) + np.arange(offsets[-1])
    return segment._replace(
        contents=segment.contents + number * step,
        terms=terms[order],
        offsets=offsets,
        chunks=segment.chunks[takes],
        weights=segment.weights[takes],
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="languages")
    parser.add_argument("--index", type=Path, help="keep the corpus's index here, and use it if it is there")
    parser.add_argument("--chunks", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--questions", type=int, default=20, metavar="N", help="questions of each kind")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    arguments = parser.parse_args()
    figures: dict[str, Spread] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.index or Path(temporary, "index")
        store = SqliteStore(folder, create=True)
        if store.generation() == 0:
            index_tree(corpus(arguments.corpus), store, Settings())
        questions = _questions(store, arguments.questions)
        with store.snapshot() as base:
            for chunks in arguments.chunks:
                times = max(1, round(chunks / max(1, base.coverage().chunks)))
                figures |= _measure(base, times, questions)
    publish(Run(f"latency-{arguments.corpus}", (figures_table(figures),), figures=figures), write=arguments.write)


def _questions(store: SqliteStore, most: int) -> dict[str, list[Query]]:
    """Return questions of each kind."""
    asked = {"words": [Query(text) for text in QUESTIONS[:most]]}
    for kind in ("names", "paths", "messages"):
        asked[kind] = [Query(each.text) for each in drawn.KINDS[kind](store, "latency", most)]
    return asked


def _measure(base: Snapshot, times: int, questions: dict[str, list[Query]]) -> dict[str, Spread]:
    """Print what questions take, and return the median, the least and the 95th percentile of each kind."""
    repeated = Repeated(base, times)
    figures: dict[str, Spread] = {}
    with Index(cast("IndexStore", Standing(repeated))) as handle:
        started = time.process_time()
        handle.search("warm")
        print(
            f"\n{repeated.coverage().chunks:,} chunks of {len(repeated.files().paths):,} files; "
            f"first question {time.process_time() - started:.2f} s"
        )
        every: list[float] = []
        for kind, asked in questions.items():
            found = []
            for query in asked:
                handle.ask(query)
                for _ in range(_ROUNDS):
                    started = time.process_time()
                    handle.ask(query)
                    found.append((time.process_time() - started) * 1000)
            every += found
            figures[f"{repeated.coverage().chunks:,} chunks, {kind}, ms"] = _spread(found)
            print(f"  {kind:<10}" + _line(found))
        print(f"  {'all':<10}" + _line(every), flush=True)
        figures[f"{repeated.coverage().chunks:,} chunks, all questions, ms"] = _spread(every)
    return figures


def _spread(milliseconds: Sequence[float]) -> Spread:
    low, middle, high = np.percentile(milliseconds, [0, 50, 95])
    return Spread(float(middle), float(low), float(high))


def _line(milliseconds: Sequence[float]) -> str:
    middle, high = np.percentile(milliseconds, [50, 95])
    return f"p50 {middle:7.2f} ms   p95 {high:7.2f} ms"


if __name__ == "__main__":
    main()
