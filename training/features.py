"""Texts and code as terms: the product's own words, counted, in compressed rows.

    python training/features.py --work FOLDER

Turns pairs.jsonl.gz, validation.jsonl.gz and heldout.jsonl.gz into .npz files of the same names, so that training and
evaluation run on arrays. Terms are `treemill.ranking.words`: what the encoder sees here is what it sees in an index.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from treemill.ranking.words import name_terms, terms_of  # noqa: E402

_TOKEN = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff]+")
_LONGEST_TOKEN = 80


class Terms:
    """term → number, growing; remembers the terms of each token."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._of_token: dict[str, tuple[int, ...]] = {}

    def number(self, term: str) -> int:
        return self.numbers.setdefault(term, len(self.numbers))

    def of_token(self, token: str) -> tuple[int, ...]:
        known = self._of_token.get(token)
        if known is None:
            terms = terms_of(token) if len(token) <= _LONGEST_TOKEN else []
            known = self._of_token[token] = tuple(self.number(term) for term in terms)
        return known

    def of_text(self, text: str) -> Counter[int]:
        counted: Counter[int] = Counter()
        for token, count in Counter(_TOKEN.findall(text)).items():
            for term in self.of_token(token):
                counted[term] += count
        return counted

    def of_name(self, name: str) -> list[int]:
        return [self.number(term) for term in dict.fromkeys(name_terms(name))] if name else []


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of (term, count): those of row i stand at `offsets[i] : offsets[i + 1]`."""

    offsets: npt.NDArray[np.int64]
    terms: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint16]


class RowsBuilder:
    def __init__(self) -> None:
        self._offsets = array("q", [0])
        self._terms = array("i")
        self._counts = array("H")

    def add(self, counted: Iterable[tuple[int, int]]) -> None:
        for term, count in counted:
            self._terms.append(term)
            self._counts.append(min(count, 65535))
        self._offsets.append(len(self._terms))

    def arrays(self, prefix: str) -> dict[str, Any]:
        return {
            f"{prefix}_offsets": np.array(self._offsets, np.int64),
            f"{prefix}_terms": np.array(self._terms, np.int32),
            f"{prefix}_counts": np.array(self._counts, np.uint16),
        }


def rows(archive: Any, prefix: str) -> Rows:
    """Return the rows that `RowsBuilder.arrays` put under a prefix of an archive."""
    return Rows(archive[f"{prefix}_offsets"], archive[f"{prefix}_terms"], archive[f"{prefix}_counts"])


def read_records(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        yield from map(json.loads, file)


def _numbers(values: Sequence[str]) -> tuple[npt.NDArray[np.int32], list[str]]:
    names = sorted(set(values))
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[value] for value in values], np.int32), names


def build(records: Iterable[dict[str, Any]], terms: Terms) -> dict[str, Any]:
    """Return the arrays of one file of records.

    Rows `code` and `name` (terms of the definition's name; the count is how often the name stands in the code) are by
    record; rows `text` by text, with `text_record` and `text_kind` beside them.
    """
    code, name, text = RowsBuilder(), RowsBuilder(), RowsBuilder()
    packages, languages, kinds, files = [], [], [], []
    text_record = array("i")
    for place, record in enumerate(records):
        packages.append(record["package"])
        languages.append(record["language"])
        files.append(f"{record['package']}/{record['file']}")
        code.add(terms.of_text(record["code"]).items())
        occurrences = (
            len(re.findall(rf"(?<!\w){re.escape(record['name'])}(?!\w)", record["code"])) if record["name"] else 0
        )
        name.add((term, occurrences) for term in terms.of_name(record["name"]))
        texts = [("query", record["query"])] if record.get("query") else record["texts"]
        for kind, said in texts:
            text.add(terms.of_text(said).items())
            text_record.append(place)
            kinds.append(kind)
    package_numbers, package_names = _numbers(packages)
    language_numbers, language_names = _numbers(languages)
    kind_numbers, kind_names = _numbers(kinds)
    return {
        **code.arrays("code"), **name.arrays("name"), **text.arrays("text"),
        "text_record": np.array(text_record, np.int32), "text_kind": kind_numbers, "kinds": kind_names,
        "package": package_numbers, "packages": package_names,
        "language": language_numbers, "languages": language_names,
        "file_number": _numbers(files)[0],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    terms = Terms()
    for part in ("pairs", "validation", "heldout"):
        arrays = build(read_records(work / f"{part}.jsonl.gz"), terms)
        np.savez(work / f"{part}.npz", **arrays)
        print(f"{part}: {len(arrays['package']):,} definitions, {len(arrays['text_record']):,} texts", flush=True)
    (work / "terms.txt").write_text("\n".join(terms.numbers))
    print(f"{len(terms.numbers):,} terms")


if __name__ == "__main__":
    main()
