"""How fast: indexing, chunking and encoding, beside the raw tree-sitter parse of the same files in the same run.

    python -m benchmarks.throughput index django
    python -m benchmarks.throughput chunking languages
    python -m benchmarks.throughput encoding languages
    python -m benchmarks.throughput incremental --files 20000
    python -m benchmarks.throughput unchanged --files 100000

Results are printed and, unless --no-write, kept in `benchmarks/runs/`. The exit code is 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import chunk_run, encoding_run, incremental_run, index_run
from benchmarks.corpora import MAKERS, CorpusError
from benchmarks.measure import CommandError
from benchmarks.results import Run, publish
from treemill.embedding.static import MODEL_PATH


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark and publish what it found."""
    given = _parser().parse_args(arguments)
    try:
        run = given.run(given)
    except (CorpusError, CommandError) as error:
        print(f"benchmarks.throughput: {error}", file=sys.stderr)
        return 2
    publish(run, write=given.write)
    return 0 if all(check.holds for check in run.checks) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description="Measure throughput.")
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK")
    index = _command(commands, "index", "django", "cold index, nothing changed, questions")
    index.add_argument("--workers", metavar="N", help="passed on to `treemill index`")
    index.add_argument("--executor", metavar="NAME", help="passed on to `treemill index`")
    index.set_defaults(run=_index)
    chunking = _command(commands, "chunking", "languages", "every executor, other chunk libraries, a streamed gigabyte")
    chunking.add_argument(
        "--rivals-mb", type=float, default=20, help="how much other libraries are given (default: 20)"
    )
    chunking.add_argument("--no-stream", dest="stream", action="store_false", help="leave the streamed gigabyte out")
    chunking.set_defaults(run=_chunking)
    encoding = _command(commands, "encoding", "languages", "the word pass and the static encoder, beside model2vec")
    encoding.add_argument("--model", type=Path, default=MODEL_PATH, help="another table of the same format")
    encoding.set_defaults(run=_encoding)
    incremental = commands.add_parser("incremental", help="nothing changed, an edit, a switch of branches, a watch")
    incremental.add_argument("--files", type=int, default=20_000, help="the size of the tree (default: 20,000)")
    incremental.add_argument("--moved", type=int, default=5_000, help="how many files a switch moves (default: 5,000)")
    incremental.add_argument("--corpus", default="django", choices=MAKERS, help="files of ordinary size: django")
    incremental.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    incremental.add_argument("--no-write", dest="write", action="store_false", help="print only")
    incremental.set_defaults(run=_incremental)
    unchanged = commands.add_parser("unchanged", help="nothing changed, and nothing else of `incremental`")
    unchanged.add_argument("--files", type=int, default=100_000, help="the size of the tree (default: 100,000)")
    unchanged.add_argument("--rounds", type=int, default=5, help="how often it is measured (default: 5)")
    unchanged.add_argument("--no-write", dest="write", action="store_false", help="print only")
    unchanged.set_defaults(run=_unchanged)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, corpus: str, summary: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary)
    command.add_argument("corpus", nargs="?", default=corpus, choices=MAKERS, help=f"default: {corpus}")
    command.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    command.add_argument("--no-write", dest="write", action="store_false", help="print only")
    return command


def _index(given: argparse.Namespace) -> Run:
    chosen = {"--workers": given.workers, "--executor": given.executor}
    options = [word for flag, value in chosen.items() if value for word in (flag, value)]
    return index_run.run(given.corpus, rounds=given.rounds, options=options)


def _chunking(given: argparse.Namespace) -> Run:
    return chunk_run.run(given.corpus, rounds=given.rounds, rivals_mb=given.rivals_mb, stream=given.stream)


def _incremental(given: argparse.Namespace) -> Run:
    return incremental_run.run(given.files, moved=given.moved, rounds=given.rounds, name=given.corpus)


def _unchanged(given: argparse.Namespace) -> Run:
    return incremental_run.run_unchanged(given.files, rounds=given.rounds)


def _encoding(given: argparse.Namespace) -> Run:
    return encoding_run.run(given.corpus, rounds=given.rounds, model=given.model)


if __name__ == "__main__":
    sys.exit(main())
