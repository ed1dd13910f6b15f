"""How good answers are: annotated questions beside other ways to search, and questions that were drawn from the answer.

    python -m benchmarks.quality --bench FOLDER [--trees FOLDER] [--drawn 60] [--beside words,windows,semble]

Annotated: NDCG@10 as the mean of repositories, by category and by language, through the same door that users take, and
the paired difference to each peer (`benchmarks.peers`) on the same questions, with its 95 % interval.
Drawn (`benchmarks.drawn`): in how many the first result, or one of the first ten, answers.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import drawn
from benchmarks.measure import Spread, spread
from benchmarks.peers import Result, Searcher, Semble, Treemill, Windows, Words
from benchmarks.questions import Repository, ndcg, repositories
from benchmarks.results import Run, at_least, figures_table, publish
from treemill.searching import Index

_MOST_RESULTS = 10
_PEERS: dict[str, type[Searcher]] = {"words": Words, "windows": Windows, "semble": Semble}
_RESAMPLED = 5_000

NDCG_BOUND = 0.88

Floats = npt.NDArray[np.float64]


@dataclass
class Scores:
    """What the questions of all repositories came to, in order: where each is from, and NDCG@10 by searcher."""

    repositories: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    found: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def mean_of_repositories(self, searcher: str) -> float:
        """Return the mean over repositories of the mean over their questions."""
        scores, names = np.array(self.found[searcher]), np.array(self.repositories)
        return float(np.mean([scores[names == name].mean() for name in sorted(set(names.tolist()))]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="folder with repos.json and annotations")
    parser.add_argument("--trees", type=Path, help="folder of the working trees (default: repos in the bench)")
    parser.add_argument("--drawn", type=int, default=60, metavar="N", help="questions of a kind from each repository")
    parser.add_argument("--beside", default="", metavar="PEERS", help=f"any of {','.join(_PEERS)}")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    arguments = parser.parse_args()
    peers = {name: _PEERS[name]() for name in arguments.beside.split(",") if name}
    scores = Scores()
    hits: defaultdict[str, defaultdict[str, list[tuple[bool, bool]]]] = defaultdict(lambda: defaultdict(list))
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    indexed: defaultdict[str, list[float]] = defaultdict(list)
    for repository in repositories(arguments.bench, arguments.trees or arguments.bench / "repos"):
        ours = Treemill()
        for name, searcher in {"treemill": ours, **peers}.items():
            started = time.process_time()
            searcher.index(repository.root)
            indexed[name].append(time.process_time() - started)
            scores.found[name] += _asked(searcher, repository, seconds[name])
        scores.repositories += [repository.name] * len(repository.asked)
        scores.languages += [repository.language] * len(repository.asked)
        scores.categories += [asked.category for asked in repository.asked]
        for kind, draw in drawn.KINDS.items():
            questions = draw(ours.store, repository.name, arguments.drawn)
            hits[kind][repository.language] += [_answered(ours.handle, question) for question in questions]
    _print_annotated(scores, seconds["treemill"])
    for peer in peers:
        _print_beside(scores, peer)
    _print_drawn(hits)
    figures = dict(_figures(scores, seconds, indexed))
    bound = at_least("NDCG@10, treemill", figures["NDCG@10, treemill"].median, NDCG_BOUND)
    publish(Run("quality", (figures_table(figures),), (bound,), figures), write=arguments.write)


def _figures(
    scores: Scores, seconds: dict[str, list[float]], indexed: dict[str, list[float]]
) -> Iterator[tuple[str, Spread]]:
    """Yield what each searcher came to: the mean of repositories, the processor's time to index, a question's time."""
    for name, found in seconds.items():
        mean = scores.mean_of_repositories(name)
        yield f"NDCG@10, {name}", Spread(mean, mean, mean)
        yield f"CPU seconds to index all repositories, {name}", spread([sum(indexed[name])])
        middle, low, high = np.percentile(found, [50, 5, 95]) * 1000
        yield f"milliseconds a question, {name}", Spread(float(middle), float(low), float(high))


def _asked(searcher: Searcher, repository: Repository, seconds: list[float]) -> list[float]:
    """Return the NDCG@10 of each question; add how long each took."""
    found = []
    for asked in repository.asked:
        started = time.perf_counter()
        results = searcher.search(asked.text, _MOST_RESULTS)
        seconds.append(time.perf_counter() - started)
        found.append(ndcg([_inside(result, repository.root) for result in results], asked.targets))
    return found


def _inside(result: Result, root: Path) -> Result:
    path, first, last = result
    return (os.path.relpath(path, root) if os.path.isabs(path) else path), first, last


def _answered(handle: Index, question: drawn.Drawn) -> tuple[bool, bool]:
    """Return whether the first result answers, and whether one of the first ten does."""
    hits = handle.search(question.text, limit=_MOST_RESULTS, mode=question.mode)
    good = [question.answered(hit.path, hit.start_line, hit.end_line) for hit in hits]
    return any(good[:1]), any(good)


def difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of second - first over questions, and its 95 % interval (paired bootstrap)."""
    delta = np.array(second) - np.array(first)
    draws = np.random.default_rng(0).integers(0, len(delta), (_RESAMPLED, len(delta)))
    low, high = np.percentile(delta[draws].mean(axis=1), [2.5, 97.5])
    return float(delta.mean()), float(low), float(high)


def _print_annotated(scores: Scores, seconds: Sequence[float]) -> None:
    repositories_seen = len(set(scores.repositories))
    print(f"NDCG@10, mean of {repositories_seen} repositories: {scores.mean_of_repositories('treemill'):.4f}")
    found = np.array(scores.found["treemill"])
    for title, labels in (("category", scores.categories), ("language", scores.languages)):
        groups = np.array(labels)
        means = (f"{name} {found[groups == name].mean():.3f}" for name in sorted(set(labels)))
        print(f"by {title}: " + "  ".join(means))
    middle, high = np.percentile(seconds, [50, 95]) * 1000
    print(f"milliseconds a question: p50 {middle:.1f}, p95 {high:.1f}")


def _print_beside(scores: Scores, peer: str) -> None:
    """Print the paired difference to a peer, over all and by language."""
    mean, low, high = difference(scores.found[peer], scores.found["treemill"])
    print(
        f"\nbeside {peer} ({scores.mean_of_repositories(peer):.4f} as the mean of repositories): "
        f"{mean:+.4f} ({low:+.4f} to {high:+.4f}) a question"
    )
    languages = np.array(scores.languages)
    ours, theirs = np.array(scores.found["treemill"]), np.array(scores.found[peer])
    for language in sorted(set(scores.languages)):
        mine = languages == language
        mean, low, high = difference(theirs[mine].tolist(), ours[mine].tolist())
        verdict = "  SIGNIFICANTLY BELOW" if high < 0 else ""
        print(
            f"  {language:<12}{theirs[mine].mean():.3f} -> {ours[mine].mean():.3f}  {mean:+.3f} "
            f"({low:+.3f} to {high:+.3f}){verdict}"
        )


def _print_drawn(hits: dict[str, defaultdict[str, list[tuple[bool, bool]]]]) -> None:
    for kind, languages in hits.items():
        every = np.array([each for group in languages.values() for each in group])
        if not len(every):
            continue
        print(f"\n{kind}: first {every[:, 0].mean():.3f}, first ten {every[:, 1].mean():.3f}, of {len(every)}")
        firsts = ((name, np.mean([first for first, _ in found])) for name, found in sorted(languages.items()) if found)
        print("  first, by language: " + "  ".join(f"{name} {mean:.3f}" for name, mean in firsts))


if __name__ == "__main__":
    main()
