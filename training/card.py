"""Write the model card: what the table in the package was made of, how, how good it is, and what it cannot do.

The manifest then says of each package whether it taught (how many pairs), judged, or was left unused.

    python training/card.py --work FOLDER --model FILE --judged FILE

FOLDER holds the pairs, FILE.json beside the model what `train.py` noted, and the last file what
`benchmarks.documentation --write` found on the held-out packages.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from table import read_table

HERE = Path(__file__).parent

_CARD = """\
# Model card: static-1

A table of words, trained for code search. It ships in the package (`treemill/embedding/static.model`), runs on numpy,
loads nothing from a network, and gives the same vector for the same bytes on every machine. How a vector is made stands
at the top of `training/table.py`.

| | |
| --- | --- |
| version | `{version}` |
| file | {size:,} bytes: {vocabulary:,} words, {fallbacks:,} rows for all others, int8[{dimension}] each |
| words | stems of identifier parts and of English, as the text index has them |
| licence | that of Treemill; it was trained on the packages below and on nothing else, starting from no other model |
| seed | {seed} |
| trained in | {minutes:.0f} minutes on two cores that were shared with other work |

## Data

{pairs:,} pairs of a text and the code that it belongs to, from {definitions:,} definitions in {packages:,} packages
of PyPI, npm and Debian. Every package, its version and its licence stand in `training/manifest.json`; licences are MIT,
BSD, Apache, ISC, PSF, MPL and alike, as metadata and licence file both say. Left out by name, address and vendored
folder are the repositories of a list by which answers are judged (SHA-256 of the list:
`{exclude}`).

Pairs by language: {languages}.

Pairs by kind of text: {kinds}. "doc" and "more" are the first and second sentence of documentation, "name" the words of
the definition's own name with the name masked in its code, "comment" a comment taken out of the body, "test" what a
test says it shows, "heading" what stands above an example in documentation, "change" a line of a changelog, "file" the
words of a path. A part of the texts is put as people ask ("where is … handled").

Licences: {licences}.

## Quality

Documentation → function: the first sentence of a function's documentation ranks every function of its package,
documentation taken out of all of them. The packages were drawn by seed {drawn_seed} before anything was trained
(`training/heldout.json`); none of their functions or queries is in a pair, which the benchmark checks. They were
judged once, when everything was chosen on the packages set aside for validation.

{judged}

## Limits

- One vector for a bag of words: order, structure and types say nothing to it.
- English. Other languages' words, and words no package uses, are known by their trigrams alone, which finds the same
  word again and little else.
- It was trained on well-documented open source and does best on code like it. It judges nothing but likeness.
- Words are those of `words-1` (`treemill.ranking.words`); split in another way, they have to be trained anew.

## Again

```sh
pip install -e . -r training/requirements.txt
python training/collect.py --work work --exclude exclude.txt   # an hour of downloads
python training/pairs.py --work work
python training/features.py --work work
python training/train.py --work work --write static.model && cp static.model src/treemill/embedding/
python -m benchmarks.documentation --work work --write
```
"""


def main() -> None:
    """Write docs/model-card.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--judged", type=Path, required=True)
    arguments = parser.parse_args()
    _mark_manifest(arguments.work)
    (HERE.parent / "docs" / "model-card.md").write_text(_CARD.format(**_facts(arguments)))


def _mark_manifest(work: Path) -> None:
    path = HERE / "manifest.json"
    manifest = json.loads(path.read_text())
    pairs = json.loads((work / "used.json").read_text())
    drawn = json.loads((HERE / "heldout.json").read_text())
    judges = {package: part for part in ("heldout", "validation") for package in drawn[part]}
    for package, entry in manifest["packages"].items():
        folder = work / "sources" / package.replace(":", "/", 1).replace("/", "+").replace("+", "/", 1)
        if folder.exists():
            entry["bytes"] = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        entry["pairs"] = pairs.get(package, 0)
        entry["use"] = judges.get(package) or ("training" if entry["pairs"] else "none")
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def _facts(arguments: argparse.Namespace) -> dict[str, Any]:
    table = read_table(arguments.model)
    note = json.loads(arguments.model.with_suffix(".json").read_text())
    pairs = json.loads((arguments.work / "pairs.json").read_text())
    manifest = json.loads((HERE / "manifest.json").read_text())
    used = [entry for entry in manifest["packages"].values() if entry.get("pairs")]
    licences = Counter(_family(entry["licence"]) for entry in used)
    judged = arguments.judged.read_text()
    return {
        "version": arguments.model.read_bytes()[28:44].hex(),
        "size": arguments.model.stat().st_size,
        "vocabulary": len(table.ids),
        "fallbacks": table.fallbacks,
        "dimension": table.dimension,
        "seed": note["recipe"]["seed"],
        "minutes": note["seconds"] / 60,
        "pairs": pairs["pairs"],
        "definitions": pairs["definitions"],
        "packages": pairs["packages"],
        "exclude": manifest["exclude_sha256"],
        "languages": _listed(pairs["by_language"]),
        "kinds": _listed(pairs["by_kind"]),
        "licences": _listed(dict(licences.most_common())),
        "drawn_seed": json.loads((HERE / "heldout.json").read_text())["seed"],
        "judged": judged[judged.index("| package") :].strip(),
    }


def _family(licence: str) -> str:
    names = ("Apache", "MPL", "BSD", "MIT", "Expat", "ISC", "PSF", "Zlib", "Boost", "PostgreSQL")
    found = re.search("|".join(names), licence, re.IGNORECASE)
    return found[0].upper().replace("EXPAT", "MIT").replace("APACHE", "Apache") if found else "others"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


if __name__ == "__main__":
    main()
