"""Learn the weights of ranking from annotated questions, and say what each signal is worth.

    python -m benchmarks.fit_ranking --bench FOLDER [--trees FOLDER] [--write] [--ablate] [--vectors FILE]

A listwise softmax (the probability that a candidate is the answer goes with the exponential of its score) with an L2
penalty on weights in units of each signal's spread; repositories count alike. It is convex, so Newton's method finds
the optimum in a few steps. "Left out" figures come from weights that were learned without the repositories of the
question's language.

With `--vectors`, trees are indexed with the static model in that file, weights are learned with and without meaning on
the same questions, and the difference is told with its 95 % interval; both tables are written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import treemill.ranking.weights
from benchmarks.quality import difference
from benchmarks.questions import Asked, Repository, ndcg, repositories
from treemill.embedding import EmbeddingProvider
from treemill.embedding.static import StaticEncoder
from treemill.indexing import index_tree
from treemill.ranking.model import BESIDE_THE_BEST, MESSAGE, SIGNALS, learned_as, values
from treemill.ranking.question import Question, analyse
from treemill.ranking.weights import WEIGHTS
from treemill.searching.candidates import Candidates, find_candidates
from treemill.searching.hits import Pages
from treemill.searching.meaning import Meant
from treemill.searching.moment import Moment
from treemill.searching.places import places_in
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

# Which signals are weighed for which kind of question. Those for names of definitions say nothing in a sentence.
SELECTED: dict[str, tuple[str, ...]] = {
    "symbol": (
        "passages",
        "length",
        "name recall",
        "asked names file",
        "definition",
        "definition in parent",
        "depth",
        "test",
        "prose",
        "aside",
    ),
    "sentence": (
        "passages",
        "passages" + BESIDE_THE_BEST,
        "best passage" + BESIDE_THE_BEST,
        "name recall",
        "name asked whole",
        "name likeness" + BESIDE_THE_BEST,
        "name meaning",
        "folders" + BESIDE_THE_BEST,
        "asked defined",
        "asked used",
        "asked names file",
        "depth",
        "test",
        "prose",
        "aside",
        "older version",
    ),
}

# What is weighed beside these where there are vectors.
MEANING: dict[str, tuple[str, ...]] = {
    "symbol": (),
    "sentence": tuple(name + BESIDE_THE_BEST for name in ("meaning", "file meaning", "path meaning")),
}

# Penalties that did best with languages left out; twice and half of them cost little.
PENALTY = {"symbol": 16.0, "sentence": 12.0}

_MOST_STEPS = 12
_NEWTON_ENOUGH = 1e-5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A question with the signals of its candidates (float64[files, signals]), and which of them answer.

    `added` (float64[files]) is what their scores have beside what is learned. `lines` are those that would be shown of
    each file that answers.
    """

    kind: str
    category: str
    language: str
    repository: str
    paths: Sequence[str]
    signals: Floats
    added: Floats
    answers: Floats
    lines: dict[str, tuple[int, int]]
    asked: Asked


def main() -> None:
    """Learn, report, and write the weights if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="folder with repos.json and annotations")
    parser.add_argument("--trees", type=Path, help="folder of the working trees (default: repos in the bench)")
    parser.add_argument("--write", action="store_true", help="write the weights into the package")
    parser.add_argument("--ablate", action="store_true", help="say what each signal is worth")
    parser.add_argument("--vectors", type=Path, metavar="FILE", help="learn with this static model too")
    arguments = parser.parse_args()
    examples, with_vectors = [], []
    for repository in repositories(arguments.bench, arguments.trees or arguments.bench / "repos"):
        provider = StaticEncoder(arguments.vectors) if arguments.vectors else None
        moment = indexed(repository, provider)
        examples += examples_of(repository, moment, None)
        with_vectors += examples_of(repository, moment, provider) if provider is not None else []
    left_out = scores_left_out(examples, SELECTED)
    report("left out", examples, left_out)
    weights = learned(examples, SELECTED)
    report("shipped", examples, scores_of(examples, SELECTED, weights))
    by_language(examples, left_out)
    if with_vectors:
        selected = {kind: (*names, *MEANING[kind]) for kind, names in SELECTED.items()}
        hybrid = scores_left_out(with_vectors, selected)
        report("left out, with vectors", with_vectors, hybrid)
        more = learned(with_vectors, selected)
        report("shipped, with vectors", with_vectors, scores_of(with_vectors, selected, more))
        by_language(with_vectors, hybrid)
        compare(examples, left_out, with_vectors, hybrid)
    if arguments.ablate:
        ablate(examples, left_out)
    if arguments.write:
        tables = {kind: named(SELECTED[kind], weights[kind]) for kind in SELECTED}
        if with_vectors:
            tables |= {f"{kind}, with vectors": named(selected[kind], more[kind]) for kind in SELECTED if MEANING[kind]}
        write({**WEIGHTS, **tables})


NAMES = (*SIGNALS, *(name + BESIDE_THE_BEST for name in SIGNALS))


def indexed(repository: Repository, provider: EmbeddingProvider | None) -> Moment:
    """Index a repository in memory."""
    store = MemoryStore()
    inline = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
    index_tree(repository.root, store, inline, provider=provider)
    return Moment(store.snapshot())


def examples_of(repository: Repository, moment: Moment, provider: EmbeddingProvider | None) -> list[Example]:
    """Work out the signals of all questions about a repository, with meaning where there is a provider."""
    examples = []
    for asked in repository.asked:
        question = analyse(asked.text)
        meant = None if provider is None else Meant(provider.embed_query(question.text), provider)
        found = find_candidates(moment, question, None, meant)
        if found is None:
            continue
        paths = [moment.files.paths[file] for file in found.files.tolist()]
        targets = {target.path for target in asked.targets}
        answers = np.array([path in targets for path in paths], np.float64)
        table = values(found.evidence, NAMES).astype(np.float64)
        # A dozen descriptions are too few to learn from: here they count as sentences.
        kind = "symbol" if learned_as(question) == "symbol" else "sentence"
        lines = {paths[place]: _lines(moment, found, place) for place in np.flatnonzero(answers).tolist()}
        examples.append(
            Example(
                kind,
                asked.category,
                repository.language,
                repository.name,
                paths,
                table,
                added_to(question, table),
                answers,
                lines,
                asked,
            )
        )
    return examples


def added_to(question: Question, table: Floats) -> Floats:
    """Return what is added to the scores of a message's candidates, whatever is learned: float64[files]."""
    verbatim = question.kind == "message" and table[:, NAMES.index("together")].any()
    added = MESSAGE if verbatim else {}
    return sum((weight * table[:, NAMES.index(name)] for name, weight in added.items()), np.zeros(len(table)))


def _lines(moment: Moment, found: Candidates, place: int) -> tuple[int, int]:
    """Return the lines that would be shown of a candidate."""
    unpacked = moment.unpacked(int(moment.row_of_file[found.files[place]]))
    return Pages(unpacked).lines(places_in(unpacked, found.evidence, place, 1)[0])


def columns(example: Example, names: Sequence[str]) -> Floats:
    """Return float64[files, names] of an example."""
    return example.signals[:, [NAMES.index(name) for name in names]]


def of_kind(examples: Sequence[Example], kind: str) -> list[Example]:
    """Return the examples of a kind."""
    return [example for example in examples if example.kind == kind]


def fit(
    examples: Sequence[Example],
    names: Sequence[str],
    penalty: float,
    start: Floats | None = None,
    known: Floats | None = None,
) -> Floats:
    """Return the weight of each signal: the optimum of the penalised likelihood of the answers.

    The penalty is on what weights differ from `known` ones, by default 0; a signal that says nothing here keeps its.
    """
    usable = [each for each in examples if each.answers.any()]
    counts = np.array([len(each.answers) for each in usable])
    starts, owner = np.cumsum(counts) - counts, np.repeat(np.arange(len(usable)), counts)
    table = np.concatenate([columns(each, names) for each in usable])
    spread = table.std(axis=0) + 1e-6
    table = table / spread
    questions = {each.repository: 0 for each in usable}
    for each in usable:
        questions[each.repository] += 1
    shares = np.array([1 / questions[each.repository] for each in usable])
    shares *= len(usable) / shares.sum()
    aims = np.concatenate([each.answers / each.answers.sum() for each in usable]) * shares[owner]
    aim = aims @ table
    prior = np.zeros(len(names)) if known is None else known * spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = table @ weights
        greatest = np.maximum.reduceat(scores, starts)
        odds = np.exp(scores - greatest[owner])
        sums = np.add.reduceat(odds, starts)
        total = float(shares @ (np.log(sums) + greatest) - aim @ weights)
        total += penalty * float((weights - prior) @ (weights - prior)) / 2
        return total, odds / sums[owner]

    weights = prior if start is None else start * spread
    now, chances = loss(weights)
    for _ in range(_MOST_STEPS):
        gradient = (chances * shares[owner]) @ table - aim + penalty * (weights - prior)
        means = np.add.reduceat(table * chances[:, None], starts)
        curvature = (table * (chances * shares[owner])[:, None]).T @ table - (means * shares[:, None]).T @ means
        step = np.linalg.solve(curvature + penalty * np.eye(len(names)), gradient)
        length = 1.0
        while (then := loss(weights - length * step))[0] > now and length > 1e-3:
            length /= 2
        weights = weights - length * step
        gained, (now, chances) = now - then[0], then
        if gained < _NEWTON_ENOUGH:
            break
    result: Floats = weights / spread
    return result


def scores_left_out(examples: Sequence[Example], selected: dict[str, tuple[str, ...]]) -> Floats:
    """Return the NDCG of each example under weights learned without its language."""
    result = np.zeros(len(examples))
    for kind, names in selected.items():
        mine = of_kind(examples, kind)
        start = fit(mine, names, PENALTY[kind])
        for language in sorted({each.language for each in mine}):
            weights = fit([each for each in mine if each.language != language], names, PENALTY[kind], start)
            for place, each in enumerate(examples):
                if each.kind == kind and each.language == language:
                    result[place] = quality(each, columns(each, names) @ weights)
    return result


def learned(examples: Sequence[Example], selected: dict[str, tuple[str, ...]]) -> dict[str, Floats]:
    """Return the weights of each kind of question, learned from all examples."""
    return {kind: fit(of_kind(examples, kind), names, PENALTY[kind]) for kind, names in selected.items()}


def scores_of(examples: Sequence[Example], selected: dict[str, tuple[str, ...]], weights: dict[str, Floats]) -> Floats:
    """Return the NDCG of each example under weights."""
    return np.array([quality(each, columns(each, selected[each.kind]) @ weights[each.kind]) for each in examples])


def quality(example: Example, scores: Floats) -> float:
    """Return the NDCG@10 of the files in the order of their scores; equal ones stand in order of path."""
    order = np.argsort(-np.round(scores + example.added, 6), kind="stable")[:10].tolist()
    shown = [(path, *example.lines.get(path, (0, 0))) for path in (example.paths[place] for place in order)]
    return ndcg(shown, example.asked.targets)


def mean_of_repositories(examples: Sequence[Example], scores: Floats) -> float:
    """Return the mean over repositories of the mean over their questions."""
    names = np.array([each.repository for each in examples])
    return float(np.mean([scores[names == name].mean() for name in sorted(set(names))]))


def report(title: str, examples: Sequence[Example], scores: Floats) -> None:
    """Print the quality over all, and by category."""
    categories = np.array([each.category for each in examples])
    parts = "  ".join(f"{name} {scores[categories == name].mean():.3f}" for name in sorted(set(categories)))
    print(f"{title:<44} {mean_of_repositories(examples, scores):.4f}   {parts}", flush=True)


def by_language(examples: Sequence[Example], scores: Floats) -> None:
    """Print the quality of each language."""
    languages = np.array([each.language for each in examples])
    print("  ".join(f"{name} {scores[languages == name].mean():.3f}" for name in sorted(set(languages))))


def compare(plain: Sequence[Example], without: Floats, meant: Sequence[Example], with_vectors: Floats) -> None:
    """Print what meaning adds, over all and by kind of question, with 95 % intervals over the questions of both."""
    scores = {each.asked.id: score for each, score in zip(plain, without.tolist(), strict=True)}
    both = [(each, scores[each.asked.id], score) for each, score in zip(meant, with_vectors.tolist(), strict=True)]
    for kind in ("", *SELECTED):
        pairs = [(first, second) for each, first, second in both if kind in ("", each.kind)]
        mean, low, high = difference([first for first, _ in pairs], [second for _, second in pairs])
        print(f"vectors, {kind or 'all'}: {mean:+.4f} ({low:+.4f} to {high:+.4f}) a question, of {len(pairs)}")


def ablate(examples: Sequence[Example], whole: Floats) -> None:
    """Print what taking each signal away costs, with a 95 % interval over questions."""
    random = np.random.default_rng(0)
    draws = random.integers(0, len(examples), (3000, len(examples)))
    everywhere = dict.fromkeys(name.removesuffix(BESIDE_THE_BEST) for names in SELECTED.values() for name in names)
    for signal in everywhere:
        left = {
            kind: tuple(name for name in names if name.removesuffix(BESIDE_THE_BEST) != signal)
            for kind, names in SELECTED.items()
        }
        without = scores_left_out(examples, left)
        low, high = np.percentile((whole - without)[draws].mean(axis=1), [2.5, 97.5])
        worth = mean_of_repositories(examples, whole) - mean_of_repositories(examples, without)
        print(f"| {signal} | {worth:+.4f} | {low:+.4f} to {high:+.4f} |", flush=True)


def named(names: Sequence[str], weights: Floats) -> dict[str, float]:
    """Return the weight of each signal by its name."""
    return dict(zip(names, weights.tolist(), strict=True))


def write(tables: Mapping[str, Mapping[str, float]]) -> None:
    """Write the weights into the package."""
    Path(treemill.ranking.weights.__file__).write_text(module_of(tables))


def module_of(tables: Mapping[str, Mapping[str, float]]) -> str:
    """Return the source of the module that ships the weights."""
    lines = [
        '"""What each signal counts for, by kind of question: learned by `python -m benchmarks.fit_ranking --write`,',
        "descriptions by `python -m benchmarks.fit_descriptions --write`.",
        "",
        "The reason behind a signal stands with its function in `treemill.ranking.signals`.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "",
        "WEIGHTS: Mapping[str, Mapping[str, float]] = {",
    ]
    for kind, weights in tables.items():
        lines.append(f'    "{kind}": {{')
        for name, weight in weights.items():
            reason = (SIGNALS[name.removesuffix(BESIDE_THE_BEST)].__doc__ or "").split("\n")[0].rstrip(".")
            lines += [f"        # {reason}", f'        "{name}": {weight:.3f},']
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    main()
