"""Annotated questions: a folder with `repos.json`, `annotations/NAME.json` and a working tree for each repository.

A question's targets are the files that answer it, each perhaps with the lines in which it must be hit.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """A file, relative to the indexed root, that answers; `lines` are those one must hit, or None."""

    path: str
    lines: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its targets, and its category ("semantic", "architecture", "symbol")."""

    id: str
    text: str
    category: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with its questions; `root` is the folder to index."""

    name: str
    language: str
    root: Path
    asked: tuple[Asked, ...]


def repositories(bench: Path, trees: Path) -> Iterator[Repository]:
    """Yield the repositories whose working tree is there, with the questions whose targets are."""
    status_file = bench / "checkout_status.json"
    status = json.loads(status_file.read_text()) if status_file.exists() else {}
    for entry in json.loads((bench / "repos.json").read_text()):
        tree, notes = trees / entry["name"], bench / "annotations" / f"{entry['name']}.json"
        inside = entry.get("benchmark_root") or "."
        if not (tree / inside).is_dir() or not notes.exists():
            continue
        # Line numbers hold at the pinned revision alone; elsewhere the whole file is the target.
        exact = status.get(entry["name"], {}).get("state", "pinned") == "pinned"
        asked = []
        for number, item in enumerate(json.loads(notes.read_text())):
            raw = [*item.get("relevant", []), *item.get("secondary", [])]
            targets = tuple(_target(each, tree, inside, exact=exact) for each in raw)
            if targets and all((tree / inside / target.path).is_file() for target in targets):
                asked.append(Asked(f"{entry['name']}#{number}", item["query"], item.get("category", ""), targets))
        yield Repository(entry["name"], entry["language"], (tree / inside).resolve(), tuple(asked))


def _target(raw: str | dict[str, object], tree: Path, inside: str, *, exact: bool) -> Target:
    """Return a target relative to the indexed root; some are written relative to it, most to the repository."""
    values = {"path": raw} if isinstance(raw, str) else raw
    path = os.path.normpath(str(values["path"]))
    if (tree / path).is_file():
        path = os.path.relpath(tree / path, tree / inside)
    first, last = values.get("start_line"), values.get("end_line")
    lines = (int(str(first)), int(str(last))) if exact and first is not None and last is not None else None
    return Target(path, lines)


def ndcg(results: Sequence[tuple[str, int, int]], targets: Sequence[Target], most: int = 10) -> float:
    """Return NDCG of the first `most` results (path, first line, last line), with gains of 0 and 1.

    A target counts at the rank of the first result in it; two targets at one rank count once.
    """
    ranks = {rank for target in targets if (rank := _rank(results[:most], target))}
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(most, len(targets)) + 1))
    return sum(1 / math.log2(rank + 1) for rank in ranks) / ideal


def _rank(results: Sequence[tuple[str, int, int]], target: Target) -> int | None:
    for rank, (path, start, end) in enumerate(results, 1):
        if path == target.path and (target.lines is None or (start <= target.lines[1] and end >= target.lines[0])):
            return rank
    return None
