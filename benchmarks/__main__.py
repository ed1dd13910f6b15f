"""All measurements with one command: ours and peers in turn on the same files, the machine named, results dated.

    python -m benchmarks --peers VENV                       everything; hours
    python -m benchmarks --steps beside-django,limit --rounds 1 --minutes 10
    python -m benchmarks --resume …                         what was not measured at this revision yet

A step that fails is reported, and the others go on. The exit code is 1 where a bound is missed, 2 where a step failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.beside import VARIABLE
from benchmarks.corpora import CorpusError, corpus
from benchmarks.plan import STEPS, Ended, carry_out, chosen, line

_FAILED = ("failed", "out of time")


def main(arguments: list[str] | None = None) -> int:
    """Carry out the plan and say how each step ended."""
    given = _parser().parse_args(arguments)
    if given.list:
        for step in STEPS:
            needs = f"   needs --{step.needs}" if step.needs else ""
            print(f"{step.name:<20} at most {step.minutes:g} minutes: python -m {' '.join(step.words)}{needs}")
        return 0
    try:
        steps = chosen(given.steps, peers=given.peers, bench=given.bench, trees=given.trees, work=given.work)
        # Corpora are made before the time runs.
        for name in dict.fromkeys(word for step in steps for word in step.words if word in _CORPORA):
            print(f"corpus {name}: {corpus(name)}", flush=True)
    except (ValueError, CorpusError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    folder = given.logs or Path(tempfile.mkdtemp(prefix="benchmarks-"))
    ended = carry_out(
        steps,
        rounds=given.rounds,
        minutes=given.minutes,
        resume=given.resume,
        folder=folder,
        tell=lambda text: print(text, flush=True),
    )
    print("\nHow it went:", *map(line, ended), sep="\n")
    return exit_code(ended)


_CORPORA = ("django", "languages", "monorepo")


def exit_code(ended: list[Ended]) -> int:
    """Return 2 where a step failed, else 1 where a bound is missed, else 0."""
    ways = {each.how for each in ended}
    return 2 if ways & set(_FAILED) else 1 if "a bound is missed" in ways else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure everything.")
    parser.add_argument("--steps", default="", metavar="A,B", help="only these (--list names them)")
    parser.add_argument("--list", action="store_true", help="name the steps and end")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    parser.add_argument(
        "--minutes", type=float, default=240, help="begin nothing after, and end what runs (default: 240)"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what was measured at this revision already")
    parser.add_argument(
        "--peers", type=Path, default=os.environ.get(VARIABLE), help=f"environment with semble (default: ${VARIABLE})"
    )
    parser.add_argument("--bench", type=Path, help="folder with annotated questions, for `quality`")
    parser.add_argument("--trees", type=Path, help="the working trees of that folder")
    parser.add_argument("--work", type=Path, help="folder with the functions set aside, for `documented`")
    parser.add_argument("--logs", type=Path, help="folder for the output of each step (default: a temporary one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
