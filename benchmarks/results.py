"""Results: tables on the terminal, and dated files that name the machine.

A benchmark ends with one `Run`: its tables, what it was measured on and when. It is printed, and written twice below
`benchmarks/runs/`: as markdown for people, as JSON for the scripts that draw charts and fill in the README.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.measure import Spread, machine, versions

# Where run files are kept.
RUNS = Path(os.environ.get("TREEMILL_BENCH_RUNS") or Path(__file__).with_name("runs"))

VERSIONS_OF_INTEREST = ("treemill", "tree-sitter", "numpy")

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of figures: a title, column names, rows of cells. A cell is None where nothing was measured."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A bound that a figure is held against: `name`, what was measured, the bound, and whether it holds."""

    name: str
    measured: float
    bound: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Run:
    """What one benchmark found. `figures` are what charts and pages take from it, by name."""

    name: str
    tables: tuple[Table, ...]
    checks: tuple[Check, ...] = ()
    figures: Mapping[str, Spread] = field(default_factory=dict)
    extra_versions: Mapping[str, str] = field(default_factory=dict)
    when: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H%MZ"))


def at_most(name: str, measured: float, bound: float) -> Check:
    """Hold a figure against an upper bound."""
    return Check(name, measured, f"≤ {bound:g}", measured <= bound)


def at_least(name: str, measured: float, bound: float) -> Check:
    """Hold a figure against a lower bound."""
    return Check(name, measured, f"≥ {bound:g}", measured >= bound)


def figures_table(figures: Mapping[str, Spread]) -> Table:
    """Show figures, each with its least and greatest."""
    rows = tuple((name, each.median, each.low, each.high) for name, each in figures.items())
    return Table("Figures", ("figure", "median", "least", "greatest"), rows)


def publish(run: Run, *, write: bool = True) -> list[Path]:
    """Print a run and, on request, write its two files; return their paths."""
    console = Console(width=160)
    for table in (*run.tables, *_checks(run.checks)):
        console.print(_rich(table))
        if table.note:
            console.print(table.note, style="dim")
    if not write:
        return []
    RUNS.mkdir(parents=True, exist_ok=True)
    stem = RUNS / f"{run.when}-{run.name}"
    written = [stem.with_suffix(".md"), stem.with_suffix(".json")]
    written[0].write_text(markdown(run), "utf-8")
    facts = {"machine": machine(), "versions": _versions(run), "revision": revision(), **asdict(run)}
    written[1].write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    for path in written:
        console.print(f"wrote {path}", style="dim")
    return written


def markdown(run: Run) -> str:
    """Render a run as a page of markdown."""
    about = [f"- {name}: {value}" for name, value in {**machine(), **_versions(run), "revision": revision()}.items()]
    tables = [_markdown_table(table) for table in (*run.tables, *_checks(run.checks))]
    return "\n\n".join([f"# {run.name}, {run.when}", "\n".join(about), *tables]) + "\n"


def revision() -> str:
    """Return the commit that was measured, with a mark where the package's files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return "unknown"
    changes = subprocess.run([*git, "status", "--porcelain", "../src"], capture_output=True, text=True, check=False)
    return head.stdout.strip() + (" with changes" if changes.stdout.strip() else "")


def _versions(run: Run) -> dict[str, str]:
    return {**versions(*VERSIONS_OF_INTEREST), **run.extra_versions}


def _checks(checks: Sequence[Check]) -> list[Table]:
    if not checks:
        return []
    rows = tuple((each.name, each.measured, each.bound, "holds" if each.holds else "MISSED") for each in checks)
    return [Table("Bounds", ("figure", "measured", "bound", ""), rows)]


def _rich(table: Table) -> RichTable:
    drawn = RichTable(*table.columns, title=table.title, title_justify="left")
    for row in table.rows:
        drawn.add_row(*map(shown, row))
    return drawn


def _markdown_table(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    body = "\n".join("| " + " | ".join(shown(cell) for cell in line) + " |" for line in lines)
    return "\n\n".join(part for part in (f"## {table.title}", body, table.note) if part)


def shown(cell: Cell) -> str:
    """Return a cell as people read it."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.1f}" if abs(cell) >= 100 else f"{cell:.3g}" if abs(cell) < 0.1 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
