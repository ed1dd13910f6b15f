"""The limit that everything is held against: parsing the same bytes with bare tree-sitter, and nothing else.

Bytes are in memory before the clock starts, there is one parser a language, one core, and each tree is let go of at
once. Files of languages without a grammar cannot be parsed; for those the budget is a constant a MB.

    python -m benchmarks.reference FOLDER
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Language, Parser

from benchmarks.measure import spread
from benchmarks.results import Run, Table, publish
from treemill.discovery import discover
from treemill.languages import LANGUAGES
from treemill.reading import ReadFile, read_file
from treemill.types import DiscoveredFile, Source

# What is given to a MB of text that has no grammar, in seconds: reading, cutting, words and the write.
SECONDS_A_MB_WITHOUT_GRAMMAR = 0.05


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that the default rules index, read."""

    file: DiscoveredFile
    source: Source

    @property
    def language(self) -> str | None:
        """The language if there is a grammar for it, else None."""
        entry = LANGUAGES.get(self.source.language or "")
        return entry.name if entry and entry.grammar else None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The raw parse of one language: files, bytes, seconds of one core."""

    language: str
    files: int
    bytes: int
    seconds: float

    @property
    def mb_per_second(self) -> float:
        """Source bytes in MB (10⁶) a second."""
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The raw parse of a selection: by language, most bytes first, and the bytes that have no grammar."""

    languages: tuple[Parsed, ...]
    bytes_without_grammar: int
    files_without_grammar: int

    @property
    def bytes(self) -> int:
        """The bytes that were parsed."""
        return sum(each.bytes for each in self.languages)

    @property
    def files(self) -> int:
        """The files that were parsed."""
        return sum(each.files for each in self.languages)

    @property
    def seconds(self) -> float:
        """Seconds of one core for all that has a grammar."""
        return sum(each.seconds for each in self.languages)

    @property
    def mb_per_second(self) -> float:
        """Parsed bytes in MB (10⁶) a second."""
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0

    @property
    def budget(self) -> float:
        """Seconds of the parse, and a constant for each MB that has no grammar."""
        return self.seconds + SECONDS_A_MB_WITHOUT_GRAMMAR * self.bytes_without_grammar / 1e6


def select(root: Path) -> list[SourceFile]:
    """Return what the default rules index below a folder, read: in order of path."""
    found = (each for each in discover(root) if isinstance(each, DiscoveredFile))
    read = ((file, read_file(file)) for file in found)
    return [SourceFile(file, got.source) for file, got in read if isinstance(got, ReadFile)]


def raw_parse(files: Iterable[SourceFile]) -> Reference:
    """Parse everything that has a grammar once, language by language, on this thread."""
    by_language: dict[str | None, list[Source]] = defaultdict(list)
    for each in files:
        by_language[each.language].append(each.source)
    without = by_language.pop(None, [])
    parsed = [_parse(language, sources) for language, sources in by_language.items() if language is not None]
    parsed.sort(key=lambda each: -each.bytes)
    return Reference(tuple(parsed), sum(len(source.data) for source in without), len(without))


def median_raw_parse(files: list[SourceFile], runs: int) -> Reference:
    """Parse several times and return the run whose seconds are the median (of an even number, the lower)."""
    ordered = sorted((raw_parse(files) for _ in range(runs)), key=lambda each: each.seconds)
    return ordered[(runs - 1) // 2]


def seconds_on_cores(files: list[SourceFile], cores: int) -> float:
    """Return the seconds in which so many processes together parse everything that has a grammar.

    They are forked with the bytes in their memory, the files dealt out by size, and start at one moment: the least time
    in which any program can parse these files on so many cores.
    """
    dealt = sorted(files, key=lambda each: -len(each.source.data))
    context = multiprocessing.get_context("fork")
    barrier, ends = context.Barrier(cores + 1), context.SimpleQueue()

    def parse(part: list[SourceFile]) -> None:
        barrier.wait()
        raw_parse(part)
        ends.put(time.perf_counter())

    children = [context.Process(target=parse, args=(dealt[number::cores],)) for number in range(cores)]
    for child in children:
        child.start()
    barrier.wait()
    start = time.perf_counter()
    last = max(ends.get() for _ in children)
    for child in children:
        child.join()
    return last - start


def _parse(language: str, sources: list[Source]) -> Parsed:
    entry = LANGUAGES[language].grammar
    if entry is None:
        raise ValueError(f"{language} has no grammar")
    parser = Parser(Language(getattr(importlib.import_module(entry.module), entry.function)()))
    start = time.perf_counter()
    for source in sources:
        parser.parse(source.data)
    seconds = time.perf_counter() - start
    return Parsed(language, len(sources), sum(len(source.data) for source in sources), seconds)


def table(reference: Reference) -> Table:
    """Show a reference by language."""
    rows = [
        (each.language, each.files, each.bytes / 1e6, each.seconds, each.mb_per_second) for each in reference.languages
    ]
    total = ("all with a grammar", reference.files, reference.bytes / 1e6, reference.seconds, reference.mb_per_second)
    rest = ("without", reference.files_without_grammar, reference.bytes_without_grammar / 1e6, None, None)
    columns = ("language", "files", "MB", "seconds", "MB/s")
    return Table("Raw tree-sitter parse, one core", columns, (*rows, total, rest))


def main(arguments: list[str] | None = None) -> int:
    """Parse what the default rules index below a folder and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description="Time the bare parse.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args(arguments)
    files = select(given.folder)
    runs = [raw_parse(files) for _ in range(given.runs)]
    middle = sorted(runs, key=lambda each: each.seconds)[(given.runs - 1) // 2]
    publish(Run("reference", (table(middle),)), write=False)
    print(f"seconds of {given.runs} runs: {spread(each.seconds for each in runs)}; budget {middle.budget:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
