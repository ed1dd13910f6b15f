"""Which share of a corpus' functions, classes and methods become symbols: beside what the grammars' own queries find.

    python -m benchmarks.recall [CORPUS] [--mb N]

Most grammars come with a query for definitions (`tags.scm`), written by whoever wrote the grammar; for the others a
query made of their node types stands below. A definition counts as found if a symbol has its name on its line; of a
qualified name the last part counts. An even sample of at most so many MB of each language is looked at.

In C and C++ the queries also find what defines nothing: `class Later;`, and `std::lock_guard lock(mutex);` in a
function, which looks like the declaration of one. The bound is held against all that they find; the last column leaves
those out.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tree_sitter import Node, Query, QueryCursor, Tree

from benchmarks import reference
from benchmarks.corpora import MAKERS, corpus
from benchmarks.reference import SourceFile
from benchmarks.results import Cell, Check, Run, Table, at_least, publish
from treemill import ChunkerSettings, ChunkGovernor, PerformanceSettings, chunk
from treemill.chunking import definitions, recoding, syntax
from treemill.chunking.vocabularies import VOCABULARIES
from treemill.languages import LANGUAGES
from treemill.types import Source

COUNTED = ("function", "method", "class")

# Whatever a file of the corpus takes, its tree is to be looked at.
GOVERNOR = ChunkGovernor(
    settings=ChunkerSettings(
        performance=PerformanceSettings(
            max_file_size_mb=100,
            parse_timeout_seconds=60,
            max_memory_mb_per_operation=4000,
            max_chunks_per_file=1_000_000,
        )
    )
)

# Queries of grammars that bring none, or none for definitions; node types as their grammars name them.
OWN = {
    "bash": "(function_definition name: (word) @name) @definition.function",
    "haskell": """
        (haskell (declarations (function name: (_) @name) @definition.function))
        (class name: (_) @name) @definition.class
    """,
    "julia": """
        (function_definition (signature (call_expression . (identifier) @name))) @definition.function
        (struct_definition (type_head (identifier) @name)) @definition.class
        (macro_definition (signature (call_expression . (identifier) @name))) @definition.function
    """,
    "kotlin": """
        (function_declaration name: (identifier) @name) @definition.function
        (class_declaration name: (identifier) @name) @definition.class
        (object_declaration name: (identifier) @name) @definition.class
    """,
    "zig": """
        (function_declaration name: (identifier) @name) @definition.function
        (variable_declaration (identifier) @name (struct_declaration)) @definition.class
        (variable_declaration (identifier) @name (enum_declaration)) @definition.class
    """,
}

# What the parts of a qualified name stand between.
_SEPARATORS = re.compile(rb"::|[.:]")


@dataclass(slots=True)
class Counted:
    """What one language came to: files, bytes, definitions by kind, those that are symbols, and those missed.

    `nothing` counts those missed that define nothing.
    """

    files: int = 0
    bytes: int = 0
    there: Counter[str] = field(default_factory=Counter)
    nothing: int = 0
    found: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)


@cache
def definitions_query(language: str) -> Query | None:
    """Return the query for a language's definitions, or None where nobody wrote one."""
    texts = [OWN[language]] if language in OWN else _tags(language)
    return Query(syntax.grammar(language), "\n".join(texts)) if texts else None


def _tags(language: str) -> list[str]:
    """Return the texts of the queries that come with a grammar; TypeScript's adds to JavaScript's."""
    names = ["javascript", language] if language in ("typescript", "tsx") else [language]
    found = []
    for name in names:
        entry = LANGUAGES[name].grammar
        home = None if entry is None else importlib.import_module(entry.module).__file__
        path = Path(home or "").parent / "queries" / "tags.scm"
        if home and path.exists():
            found.append(path.read_text("utf-8"))
    return found


def defined(tree: Tree, query: Query) -> dict[tuple[str, bytes, int], bool]:
    """Return what a query finds: kind, last part of the name, its line (1-based); and whether it defines anything."""
    found = {}
    for _, captures in QueryCursor(query).matches(tree.root_node):
        names = captures.get("name", [])
        for capture, nodes in captures.items():
            what, _, kind = capture.partition(".")
            if what == "definition" and kind in COUNTED and names and names[0].text:
                last = _SEPARATORS.split(names[0].text)[-1].strip()
                found[kind, last, names[0].end_point.row + 1] = _defines(nodes[0])
    return found


def _defines(node: Node) -> bool:
    """Tell whether what a query of C or C++ finds is more than the mention of a type or a local variable."""
    if node.type.endswith("_specifier"):
        return node.child_by_field_name("body") is not None
    around = node.parent if node.type == "function_declarator" else None
    while around is not None and around.type not in ("function_definition", "field_declaration_list"):
        if around.type == "compound_statement":
            return False
        around = around.parent
    return True


def look_at(file: SourceFile, counted: dict[str, Counted]) -> None:
    """Hold the symbols of a file against what the query finds in it."""
    text, name = recoding.utf8(file.source), str(file.language)
    if b"\r" in text.replace(b"\r\n", b""):
        return  # a parser's lines end with LF alone, ours with CR too
    dialect = syntax.dialect(text, name)
    query = definitions_query(dialect) if definitions.defines(dialect) else None
    if query is None:
        return
    there = defined(syntax.parse(text, dialect, 60), query)
    source = Source(text, file.source.digest, "utf-8", 0, name)
    symbols = chunk(source, GOVERNOR).symbols
    names = {(symbol.name.encode(), symbol.line) for symbol in symbols}
    if VOCABULARIES[dialect].merges:  # equations of one name, and its signature, are one definition
        names |= {(s.name.encode(), s.line + n) for s in symbols for n in range(text.count(b"\n", s.start, s.end) + 1)}
    row = counted[dialect if dialect == name else f"{dialect} in files named as {name}"]
    row.files += 1
    row.bytes += len(text)
    for (kind, called, line), defines in sorted(there.items()):
        row.there[kind] += 1
        if (called, line) in names:
            row.found[kind] += 1
        else:
            row.nothing += not defines
            row.missed.append(f"{file.file.name}:{line} {kind} {called.decode('utf-8', 'replace')}")


def sample(files: list[SourceFile], megabytes: float) -> list[SourceFile]:
    """Return an even sample of each language, of at most about that many MB."""
    by_language: dict[str, list[SourceFile]] = defaultdict(list)
    for each in files:
        if each.language is not None:
            by_language[each.language].append(each)
    chosen: list[SourceFile] = []
    for group in by_language.values():
        size = sum(len(each.source.data) for each in group) / 1e6
        chosen += group[:: max(1, -int(-size // megabytes))]
    return chosen


def table(counted: dict[str, Counted]) -> tuple[Table, Check]:
    """Show the shares by language, and hold all together against the bound."""
    rows: list[tuple[Cell, ...]] = []
    for language, each in sorted(counted.items(), key=lambda item: -item[1].there.total()):
        kinds = [each.found[kind] / each.there[kind] if each.there[kind] else None for kind in COUNTED]
        total = each.there.total()
        share = each.found.total() / total if total else None
        without = each.found.total() / (total - each.nothing) if total > each.nothing else None
        rows.append((language, each.files, each.bytes / 1e6, total, *kinds, share, without))
    there = sum(each.there.total() for each in counted.values())
    overall = sum(each.found.total() for each in counted.values()) / max(1, there)
    nothing = sum(each.nothing for each in counted.values())
    without = overall * there / max(1, there - nothing)
    rows.append(
        ("all", sum(each.files for each in counted.values()), None, there, *(None,) * len(COUNTED), overall, without)
    )
    columns = (
        "language",
        "files",
        "MB",
        "definitions",
        *(f"{kind}, share" for kind in COUNTED),
        "share",
        "of what defines",
    )
    check = at_least("functions, classes and methods that are symbols, share", overall, 0.95)
    return Table("What the grammars' queries find, and we find too", columns, tuple(rows)), check


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall", description="Measure what becomes a symbol.")
    parser.add_argument("corpus", nargs="?", default="languages", choices=MAKERS, help="default: languages")
    parser.add_argument("--mb", type=float, default=2.0, help="at most so many MB of each language (default: 2)")
    parser.add_argument("--missed", type=int, default=0, help="print so many missed definitions of each language")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    counted: dict[str, Counted] = defaultdict(Counted)
    for file in sample(reference.select(corpus(given.corpus)), given.mb):
        look_at(file, counted)
    shown, check = table(counted)
    for language, each in counted.items():
        for line in each.missed[: given.missed and None : max(1, len(each.missed) // max(1, given.missed))]:
            print(f"{language}: {line}", file=sys.stderr)
    publish(Run(f"recall-{given.corpus}", (shown,), (check,)), write=given.write)
    return 0 if check.holds else 1


if __name__ == "__main__":
    sys.exit(main())
