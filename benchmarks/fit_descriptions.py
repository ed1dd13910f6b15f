"""Learn what counts for descriptions from documentation: sentences about functions, of packages set aside.

    python -m benchmarks.fit_descriptions --work FOLDER [--write]

FOLDER is what `training/pairs.py` made. Every third documented function of the validation packages is asked for by the
first sentence of its documentation, which is taken out, in two layouts: each function a file whose name says nothing,
and the functions in their files. What is learned is how weights differ from those of other sentences, so that signals
which these packages do not have, such as tests and older versions, keep theirs. "Left out" figures come from weights
that were learned without the package. The held-out packages of `benchmarks.documented` are not read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.documentation import interval
from benchmarks.documented import Place, Store, apart, as_they_were, packages_of
from benchmarks.fit_ranking import (
    MEANING,
    NAMES,
    PENALTY,
    SELECTED,
    Example,
    Floats,
    columns,
    fit,
    named,
    quality,
    write,
)
from benchmarks.questions import Asked, Target
from treemill.embedding import EmbeddingProvider
from treemill.embedding.registry import make_provider
from treemill.ranking.model import BESIDE_THE_BEST, learned_as, values
from treemill.ranking.question import analyse
from treemill.ranking.weights import WEIGHTS
from treemill.searching.candidates import find_candidates
from treemill.searching.meaning import Meant
from treemill.searching.moment import Moment
from treemill.settings import EmbeddingSettings

KIND = "description"

# Beside what is weighed for other sentences.
NAMED = ("defined likeness", "defined likeness" + BESIDE_THE_BEST)
_SHARE = 3


def main() -> None:
    """Learn, report, and write the weights if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder with the packages set aside")
    parser.add_argument("--write", action="store_true", help="write the weights into the package")
    arguments = parser.parse_args()
    provider = make_provider(EmbeddingSettings(provider="static"))
    assert provider is not None
    plain: list[Example] = []
    meant: list[Example] = []
    for name, records in packages_of(arguments.work / "validation.jsonl.gz"):
        for layout, laid in (("apart", apart(records, provider)), ("files", as_they_were(records, provider))):
            plain += _examples(name, layout, laid, [record["query"] for record in records], None)
            meant += _examples(name, layout, laid, [record["query"] for record in records], provider)
        print(name, len(plain), flush=True)
    words, more = (*SELECTED["sentence"], *NAMED), (*SELECTED["sentence"], *NAMED, *MEANING["sentence"])
    tables = {KIND: _learned(plain, words, "sentence")}
    tables[f"{KIND}, with vectors"] = _learned(meant, more, "sentence, with vectors")
    if arguments.write:
        write({**WEIGHTS, **tables})


def _examples(
    package: str, layout: str, laid: Store, queries: Sequence[str], provider: EmbeddingProvider | None
) -> list[Example]:
    """Work out the signals of every third question about a package that is a description."""
    store, places = laid
    moment = Moment(store.snapshot())
    asked = [(query, place) for query, place in zip(queries, places, strict=True) if query]
    return list(_of_descriptions(package, layout, moment, list(islice(asked, 0, None, _SHARE)), provider))


def _of_descriptions(
    package: str,
    layout: str,
    moment: Moment,
    asked: Sequence[tuple[str, Place]],
    provider: EmbeddingProvider | None,
) -> Iterator[Example]:
    for number, (text, place) in enumerate(asked):
        question = analyse(text)
        if learned_as(question) != KIND or not question.terms:
            continue
        meaning = None if provider is None else Meant(provider.embed_query(question.text), provider)
        found = find_candidates(moment, question, None, meaning)
        if found is None:
            continue
        paths = [moment.files.paths[file] for file in found.files.tolist()]
        table = values(found.evidence, NAMES).astype(np.float64)
        answers = np.array([path == place.path for path in paths], np.float64)
        target = Asked(f"{package}#{number}", text, layout, (Target(place.path, None),))
        nothing = np.zeros(len(paths))
        yield Example(KIND, layout, package, package, paths, table, nothing, answers, {}, target)


def _learned(examples: Sequence[Example], names: tuple[str, ...], other: str) -> dict[str, float]:
    """Return the weights learned from all examples; print the quality under those of another kind, and left out."""
    known = np.array([WEIGHTS[other].get(name, 0.0) for name in names])
    _report(f"as for {other}", examples, np.array([quality(each, columns(each, names) @ known) for each in examples]))
    whole = _left_out(examples, names, known)
    _report(f"left out, as {other}", examples, whole)
    kept = [place for place, name in enumerate(names) if name not in NAMED]
    gained = whole - _left_out(examples, [names[place] for place in kept], known[kept])
    low, high = interval(gained)
    print(f"{NAMED[0]}: {gained.mean():+.4f} ({low:+.4f} to {high:+.4f})", flush=True)
    return named(names, fit(examples, names, PENALTY["sentence"], known=known))


def _left_out(examples: Sequence[Example], names: Sequence[str], known: Floats) -> Floats:
    """Return the NDCG of each example under weights learned without its package."""
    result = np.zeros(len(examples))
    for package in sorted({each.language for each in examples}):
        others = [each for each in examples if each.language != package]
        weights = fit(others, names, PENALTY["sentence"], known=known)
        for place, each in enumerate(examples):
            if each.language == package:
                result[place] = quality(each, columns(each, names) @ weights)
    return result


def _report(title: str, examples: Sequence[Example], scores: Floats) -> None:
    layouts = np.array([each.category for each in examples])
    parts = "  ".join(f"{name} {scores[layouts == name].mean():.4f}" for name in sorted(set(layouts)))
    print(f"{title:<44} {parts}   of {len(examples)}", flush=True)


if __name__ == "__main__":
    main()
