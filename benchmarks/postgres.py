"""The store on PostgreSQL: loading, replacing a file, questions beside SQLite's, and kills.

    PYTHONPATH=tests python -m benchmarks.postgres [--corpus small] [--chunks 20000 100000] [--kills 50]

A corpus is indexed on disk once. What it holds is put into both stores again and again, each time under another folder
and with its rare words changed, as another project of the same kind would have, until there are so many chunks. The
server is a real one on the loopback, started for this, and forces its log to disk.

- Loading: from finished contents, in batches and commits as a run makes them, to the last commit, segments (the text
  index) laid out. The vector index is built behind that, and timed apart.
- Replacing: one file with new contents, one commit, the vector index in place.
- Questions: names, paths, messages and words drawn from the corpus; the first question of each store warms it. Then
  each is asked of both stores, one after the other, and all of them once again. The first ten are compared as (path,
  lines). On a shared machine, compare the stores, and the processor's time.
- Kills: of client and server in turn, at random moments; whole files, and everything committed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import drawn
from benchmarks.corpora import corpus
from benchmarks.index_run import QUESTIONS
from benchmarks.measure import Spread
from benchmarks.results import Check, Run, at_least, at_most, figures_table, publish
from support.postgres_server import running_server
from support.postgres_writer import kill_again_and_again
from treemill.embedding.registry import make_provider
from treemill.indexing import index_tree
from treemill.ranking.postings import pack, unpack
from treemill.records import Content, PreparedFile, Query, Recipe, RunState
from treemill.searching import Index
from treemill.settings import Settings
from treemill.storage import IndexStore, Writer
from treemill.storage.postgres.store import PostgresStore
from treemill.storage.sqlite import SqliteStore

_FILES_A_PUT = 50
_CHUNKS_A_COMMIT = 2_000
_RARE = 40


def main() -> int:
    """Measure and print; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="small")
    parser.add_argument("--chunks", type=int, nargs="*", default=[20_000, 100_000])
    parser.add_argument("--questions", type=int, default=200, metavar="N")
    parser.add_argument("--replaced", type=int, default=40, metavar="N", help="files that are replaced")
    parser.add_argument("--kills", type=int, default=50, metavar="N")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    arguments = parser.parse_args()
    figures: dict[str, Spread] = {}
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as temporary, running_server(durable=True) as server:
        base = SqliteStore(Path(temporary, "base"), create=True)
        index_tree(corpus(arguments.corpus), base, Settings(), provider=make_provider(Settings().embedding))
        for chunks in arguments.chunks:
            place = Path(temporary, str(chunks))
            found = _at_scale(base, chunks, server.new_database(), place, arguments)
            figures |= found
            checks += _bounds(found, f"{chunks:,} chunks")
        if arguments.kills:
            done = kill_again_and_again(server, server.new_database(), arguments.kills, seed=1)
            figures["kills survived"] = _alone(done.client + done.server)
            checks.append(at_least("kills survived", done.client + done.server, arguments.kills))
    publish(Run("postgres", (figures_table(figures),), tuple(checks), figures=figures), write=arguments.write)
    return 0 if all(check.holds for check in checks) else 1


def _at_scale(
    base: SqliteStore, chunks: int, url: str, place: Path, arguments: argparse.Namespace
) -> dict[str, Spread]:
    """Measure one size; return its figures."""
    name = f"{chunks:,} chunks"
    recipe = base.recipe()
    assert recipe is not None
    sqlite, postgres = SqliteStore(place, create=True), PostgresStore(url, "benchmark", create=True)
    with sqlite, postgres:
        times = max(1, round(chunks / _chunk_count(base)))
        # Made beforehand, so that neither store is charged for it.
        files = list(_repeated(base, times))
        figures = {f"{name}: SQLite load, chunks/s": _alone(_load(sqlite, recipe, files)[0])}
        rate, index_seconds = _load(postgres, recipe, files)
        figures[f"{name}: load, chunks/s"] = _alone(rate)
        figures[f"{name}: vector index built, s"] = _alone(index_seconds)
        figures |= _questions(base, sqlite, postgres, arguments.questions, name)
        figures[f"{name}: replace a file, ms"] = _replaced(postgres, recipe, files, arguments.replaced)
    return figures


def _bounds(figures: dict[str, Spread], name: str) -> Iterator[Check]:
    yield at_least(f"{name}: load, chunks/s", figures[f"{name}: load, chunks/s"].median, 1_500)
    yield at_most(f"{name}: replace a file, ms", figures[f"{name}: replace a file, ms"].median, 50)
    yield at_most(f"{name}: question, p50 ms", figures[f"{name}: question, asked again, ms"].median, 15)
    yield at_least(f"{name}: same first ten, %", figures[f"{name}: same first ten, %"].median, 95)


def _load(store: IndexStore, recipe: Recipe, files: Sequence[PreparedFile]) -> tuple[float, float]:
    """Put files in; return chunks a second until the text index stands, and the seconds of the vector index."""
    total = sum(file.content.chunk_count for file in files if file.content)
    with store.writer() as writer:
        began = time.perf_counter()
        writer.begin_run(recipe)
        waiting = 0
        for start in range(0, len(files), _FILES_A_PUT):
            some = files[start : start + _FILES_A_PUT]
            assert not writer.put(some)
            waiting += sum(file.content.chunk_count for file in some if file.content)
            if waiting >= _CHUNKS_A_COMMIT:
                writer.commit()
                waiting = 0
        committed = time.perf_counter()
        writer.end_run(RunState.COMPLETE)
        ended = time.perf_counter()
        index_seconds = _index_seconds(writer)
    rest = ended - committed - index_seconds
    return total / (committed - began + rest), index_seconds


def _index_seconds(writer: Writer) -> float:
    return float(getattr(writer, "index_seconds", 0.0))


def _questions(base: SqliteStore, sqlite: IndexStore, postgres: IndexStore, most: int, name: str) -> dict[str, Spread]:
    """Ask both stores the same; return milliseconds of each, and the share of questions with the same first ten."""
    asked = [Query(text) for text in QUESTIONS]
    for kind in ("names", "paths", "messages"):
        asked += [Query(each.text) for each in drawn.KINDS[kind](base, "postgres", most // 3)]
    asked = asked[:most]
    provider = make_provider(Settings().embedding)
    figures: dict[str, Spread] = {}
    with Index(sqlite, provider) as one, Index(postgres, provider) as two:
        one.search("warm")
        began = time.perf_counter()
        two.search("warm")
        figures[f"{name}: first question, s"] = _alone(time.perf_counter() - began)
        for when in ("asked first", "asked again"):
            taken: dict[str, list[float]] = {"": [], "SQLite ": []}
            worked: dict[str, list[float]] = {"": [], "SQLite ": []}
            same = 0
            for query in asked:
                answers = []
                for kind, index in (("SQLite ", one), ("", two)):
                    clock, processor = time.perf_counter(), time.process_time()
                    hits = index.ask(query).hits
                    taken[kind].append((time.perf_counter() - clock) * 1000)
                    worked[kind].append((time.process_time() - processor) * 1000)
                    answers.append([(hit.path, hit.start_line, hit.end_line) for hit in hits])
                same += answers[0] == answers[1]
            for kind in taken:
                figures[f"{name}: {kind}question, {when}, ms"] = _spread(taken[kind])
                figures[f"{name}: {kind}question, {when}, processor ms of the client"] = _spread(worked[kind])
            figures[f"{name}: same first ten, %"] = _alone(100 * same / len(asked))
    figures[f"{name}: questions"] = _alone(len(asked))
    return figures


def _replaced(store: IndexStore, recipe: Recipe, files: Sequence[PreparedFile], most: int) -> Spread:
    """Replace files one by one, each with contents that are new; return the milliseconds to the commit of each."""
    taken = []
    with store.writer() as writer:
        writer.begin_run(recipe)
        several = [each for each in files if each.content and each.content.chunk_count > 1]
        for file in several[:: max(1, len(several) // most)][:most]:
            assert file.content is not None
            changed = _renamed(file, file.path, "replaced", file.content)
            began = time.perf_counter()
            assert not writer.put([changed])
            writer.commit()
            taken.append((time.perf_counter() - began) * 1000)
        writer.end_run(RunState.COMPLETE)
    return _spread(taken)


def _chunk_count(store: SqliteStore) -> int:
    with store.snapshot() as snapshot:
        return max(1, snapshot.coverage().chunks)


def _repeated(base: SqliteStore, times: int) -> Iterator[PreparedFile]:
    """Yield the files of an index again and again, from the second time on with other rare words."""
    with base.snapshot() as snapshot:
        table, segments = snapshot.files(), snapshot.segments()
        terms = np.concatenate([np.repeat(each.terms, np.diff(each.offsets)) for each in segments])
        words, counts = np.unique(terms, return_counts=True)
        rare = words[counts < _RARE]
        whole = {int(i): _whole(base, int(i)) for i in np.unique(table.contents)}
        for number in range(times):
            for path, content_id in zip(table.paths, table.contents.tolist(), strict=True):
                content = whole[content_id]
                file = PreparedFile(path, content.size, 1, content.key, content)
                if number:
                    file = _renamed(file, f"copy{number}/{path}", str(number), _other(content, rare, number))
                yield file


def _whole(base: SqliteStore, content_id: int) -> Content:
    """Return a content with its postings and vectors."""
    with base._reader.connection() as connection:
        postings, vectors = connection.execute(
            "SELECT postings, vectors FROM scans WHERE id = ?", (content_id,)
        ).fetchone()
    with base.snapshot() as snapshot:
        return replace(snapshot.content(content_id), postings=postings, vectors=vectors)


def _other(content: Content, rare: np.ndarray[tuple[int], np.dtype[np.uint32]], number: int) -> Content:
    """Return a content in which rare words are others."""
    postings = unpack(content.postings, content.chunk_count)
    terms = postings.terms.copy()
    changed = rare[np.minimum(np.searchsorted(rare, terms), len(rare) - 1)] == terms
    terms[changed] = terms[changed] * np.uint32(2 * number + 1) + np.uint32(number)
    if len(np.unique(terms)) != len(terms):
        return content
    order = np.argsort(terms, kind="stable")
    starts = np.concatenate(([0], np.cumsum(postings.counts, dtype=np.int64)))
    places = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order]) if len(order) else order
    return replace(
        content,
        postings=pack(
            postings._replace(
                terms=terms[order],
                counts=postings.counts[order],
                chunks=postings.chunks[places],
                weights=postings.weights[places],
            )
        ),
    )


def _renamed(file: PreparedFile, path: str, salt: str, content: Content) -> PreparedFile:
    """Return a file under another path and key, so that no store has its content."""
    key = hashlib.blake2b(content.key, salt=salt.encode()[:16], digest_size=16).digest()
    # Equal vectors share a node of the graph, which would make it small.
    other = content.vectors
    if other:
        vectors = np.frombuffer(other, np.int8).reshape(content.chunk_count, -1)
        other = np.roll(vectors, int.from_bytes(key[:2]), axis=1).tobytes()
    return replace(file, path=path, key=key, content=replace(content, key=key, vectors=other))


def _alone(value: float) -> Spread:
    return Spread(value, value, value)


def _spread(values: Sequence[float]) -> Spread:
    """Return the median, the least and the 95th percentile."""
    low, middle, high = np.percentile(values, [0, 50, 95])
    return Spread(float(middle), float(low), float(high))


if __name__ == "__main__":
    sys.exit(main())
