"""Train the table: words that stand in a question and in the code that answers it come to point the same way.

    python training/train.py --work FOLDER [--write FILE]

Reads what `features.py` made, learns float rows by contrast (each question against the other code of its batch, and the
other way round; van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018), keeps the
state that does best on the packages set aside for validation, and writes it as a file of `table.py`'s format. The rows
start from a truncated singular value decomposition of the training code itself. Everything random comes from the seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from examples import Examples, load_examples  # noqa: E402
from judging import Judge, judged  # noqa: E402
from starting import decomposed, most_spread  # noqa: E402
from table import Table, quantised  # noqa: E402

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """What can be chosen. The defaults are what the table in the package was trained with."""

    seed: int = 20261125
    dimension: int = 128
    vocabulary: int = 55_000
    fallbacks: int = 4096
    # A term that stands n times counts (1 + saturation) · n / (n + saturation).
    saturation: float = 3.0
    batch: int = 1024
    block: int = 64
    epochs: float = 8.0
    rate: float = 4e-3
    # A term of the name that code defines counts as if it stood there so many times more: in training, and in the file
    # (on the validation packages 8 beats what it was trained with by .007 alone and .005 with words).
    names: int = 4
    names_in_file: int = 8
    # Cosines are multiplied by this before the softmax.
    sharpness: float = 20.0
    # How often a pair's code is shown without the name that it defines, and a question put as people ask.
    masked: float = 0.2
    framed: float = 0.2
    # In how many of the batches the words' own scores are given beside the cosines, so that the rows learn to say what
    # words alone do not; and how much they count there.
    beside: float = 0.5
    lexical: float = 0.6
    # How many of a text's and of code's terms are left out at random.
    dropped: float = 0.0
    start: str = "random"
    minutes: float = 80.0


def main() -> None:
    """Train, say how good it is on the validation packages, and write the table."""
    arguments, recipe = _arguments()
    started = time.monotonic()
    terms = (arguments.work / "terms.txt").read_text().split("\n")
    archive = np.load(arguments.work / "pairs.npz", allow_pickle=False)
    chosen = most_spread(archive, terms, recipe.vocabulary)
    counts = saturated_counts(recipe.saturation)
    examples = load_examples(archive, terms, chosen, recipe.fallbacks, counts, recipe.names)
    print(f"{examples.records:,} definitions, {examples.total:,} texts, {len(chosen):,} terms", flush=True)
    judge = Judge(judged(np.load(arguments.work / "validation.npz"), terms), terms)
    print(f"ready after {time.monotonic() - started:.0f} s; BM25 {judge.words_quality:.4f}", flush=True)
    rows = _starting_rows(examples, recipe)
    best, quality = train(examples, rows, recipe, judge, [terms[i] for i in chosen], counts, started)
    print(f"best: {json.dumps(quality)}; {time.monotonic() - started:.0f} s in all", flush=True)
    if arguments.write:
        data = best.to_bytes()
        arguments.write.write_bytes(data)
        print(f"wrote {arguments.write}: {len(data):,} bytes", flush=True)
        note = {"recipe": asdict(recipe), "validation": quality, "seconds": round(time.monotonic() - started)}
        arguments.write.with_suffix(".json").write_text(json.dumps(note, indent=1) + "\n")


def _arguments() -> tuple[argparse.Namespace, Recipe]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--write", type=Path, help="the file to write")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    given = parser.parse_args()
    return given, Recipe(**{field.name: getattr(given, field.name) for field in fields(Recipe)})


def saturated_counts(saturation: float, longest: int = 64) -> Floats:
    """Return float32[longest]: what a term counts that stands i times in a text."""
    numbers = np.arange(longest, dtype=np.float32)
    return (1 + saturation) * numbers / (numbers + saturation)


def _starting_rows(examples: Examples, recipe: Recipe) -> Floats:
    chooser = np.random.default_rng(recipe.seed)
    width = examples.code_and_unnamed.shape[1]
    rows = chooser.normal(0, 1, (width, recipe.dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if recipe.start == "svd":
        found = decomposed(examples.code, recipe.dimension, recipe.seed)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        # A little noise sets apart words of equal company: a word has to be found by itself, too.
        rows = np.where(lengths > 1e-6, found / np.maximum(lengths, 1e-6) + 0.5 * rows, rows)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows * (examples.idf / examples.idf.mean())[:, None]).astype(np.float32)


def train(
    examples: Examples,
    rows: Floats,
    recipe: Recipe,
    judge: Judge,
    terms: list[str],
    counts: Floats,
    started: float,
) -> tuple[Table, dict[str, Any]]:
    """Return the best table by the judge, and its quality."""
    chooser = np.random.default_rng(recipe.seed)
    learner = Learner(rows, recipe)
    steps = int(recipe.epochs * (len(examples.order(recipe.block, chooser)) // recipe.batch))
    every = max(1, steps // 10)
    best: tuple[Table, dict[str, Any]] | None = None
    running = 0.0
    quality = judge.judge(quantised(terms, learner.rows, counts, recipe.fallbacks, recipe.names_in_file))
    print(f"at the start: {quality['table']}, {quality['both']}", flush=True)
    for step, (texts, code) in enumerate(_batches(examples, recipe, chooser, steps), 1):
        elapsed = (time.monotonic() - started) / 60 / recipe.minutes
        left = max(0.0, 1 - max((step - 1) / steps, elapsed))
        given = words_scores(texts, code, examples.idf) if chooser.random() < recipe.beside else None
        loss = learner.step(texts, code, recipe.rate * left * min(1.0, step / 50), given)
        running = loss if step == 1 else 0.98 * running + 0.02 * loss
        if step % every == 0 or step == steps or elapsed >= 1:
            table = quantised(terms, learner.rows, counts, recipe.fallbacks, recipe.names_in_file)
            quality = judge.judge(table)
            report = {name: quality[name] for name in ("table", "centred", "both", "share")}
            print(f"{step}/{steps} loss {running:.3f} {report} {time.monotonic() - started:.0f} s", flush=True)
            if best is None or quality["both"] + quality["table"] > best[1]["both"] + best[1]["table"]:
                best = table, quality
        if elapsed >= 1:
            break
    if best is None:
        raise RuntimeError("nothing was trained: there are fewer definitions than one batch takes")
    return best


def _batches(
    examples: Examples, recipe: Recipe, chooser: np.random.Generator, steps: int
) -> Iterator[tuple[sparse.csr_matrix, sparse.csr_matrix]]:
    """Yield batches of texts and code, row by row a pair; a part of each batch is of one package, to be told apart."""
    done = 0
    while done < steps:
        order = examples.order(recipe.block, chooser)
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            yield examples.pairs(
                order[start : start + recipe.batch], recipe.masked, recipe.framed, recipe.dropped, chooser
            )
            done += 1
            if done == steps:
                return


def words_scores(texts: sparse.csr_matrix, code: sparse.csr_matrix, idf: Floats) -> Floats:
    """Return float32[texts, code]: the idf of the words that both have, by how often code has them; the best is 1."""
    weighed = sparse.csr_matrix((texts.data * idf[texts.indices], texts.indices, texts.indptr), texts.shape)
    scores = np.asarray((weighed @ code.T).todense(), np.float32)
    return scores / np.maximum(scores.max(axis=1, keepdims=True), np.float32(1e-6))


class Learner:
    """Rows and what Adam (Kingma and Ba, 2015) remembers of them; only the rows of a batch are touched by it."""

    def __init__(self, rows: Floats, recipe: Recipe) -> None:
        self.rows = rows * np.float32(1 / np.sqrt(recipe.dimension))
        self._first = np.zeros_like(self.rows)
        self._second = np.zeros_like(self.rows)
        self._sharpness = np.float32(recipe.sharpness)
        self._lexical = np.float32(recipe.lexical)
        self._steps = 0

    def step(
        self, texts: sparse.csr_matrix, code: sparse.csr_matrix, rate: float, given: Floats | None = None
    ) -> float:
        """Learn from one batch, `given` float32[pairs, pairs] scores by words; return its loss."""
        both = sparse.vstack((texts, code), format="csr")
        columns, local = np.unique(both.indices, return_inverse=True)
        inputs = sparse.csr_matrix((both.data, local, both.indptr), shape=(both.shape[0], len(columns)))
        sums = inputs @ self.rows[columns]
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        units = sums / lengths
        loss, change = self._contrast(units, texts.shape[0], given)
        change = (change - units * np.einsum("ij,ij->i", units, change)[:, None]) / lengths
        self._adam(columns, np.asarray(inputs.T @ change, np.float32), rate)
        return loss

    def _contrast(self, units: Floats, pairs: int, given: Floats | None) -> tuple[float, Floats]:
        texts, code = units[:pairs], units[pairs:]
        scores = texts @ code.T
        if given is not None:
            scores += self._lexical * given
        scores *= self._sharpness
        across = _softmax(scores, 1)
        down = _softmax(scores, 0)
        own = np.arange(pairs)
        loss = -float(np.log(across[own, own]).mean() + np.log(down[own, own]).mean()) / 2
        gradient = across + down
        gradient[own, own] -= 2
        gradient *= self._sharpness / (2 * pairs)
        return loss, np.concatenate((gradient @ code, gradient.T @ texts))

    def _adam(self, columns: npt.NDArray[np.int64], gradient: Floats, rate: float) -> None:
        self._steps += 1
        first = self._first[columns] * np.float32(0.9) + np.float32(0.1) * gradient
        second = self._second[columns] * np.float32(0.99) + np.float32(0.01) * gradient * gradient
        self._first[columns], self._second[columns] = first, second
        even = np.float32(rate * np.sqrt(1 - 0.99**self._steps) / (1 - 0.9**self._steps))
        self.rows[columns] -= even * first / (np.sqrt(second) + np.float32(1e-8))


def _softmax(scores: Floats, axis: int) -> Floats:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return np.maximum(powers / powers.sum(axis=axis, keepdims=True), np.float32(1e-12))


if __name__ == "__main__":
    main()
