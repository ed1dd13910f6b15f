"""What pages about runs are made of: the frame, sections, tiles and tables. Whatever they are given is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import datetime
from string import Template

from treemill.cli.page_style import STYLE
from treemill.cli.words import printable

MOST_ROWS = 200
"""How many rows a table shows unless it is told otherwise."""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Indexing $root</title>
<style>$style</style>
</head>
<body>
<header>
<h1>Indexing <code>$root</code></h1>
<p>$verdict</p>
<p class="quiet">$when</p>
</header>
<main>
$sections
</main>
</body>
</html>
""")


def framed(root: str, verdict: str, ended: float, sections: Iterable[str]) -> str:
    """Return a page about indexing something, which ended at a wall clock time; empty sections are left out."""
    return _PAGE.substitute(
        style=STYLE,
        root=text(root),
        when=text(datetime.fromtimestamp(ended).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")),
        verdict=text(verdict),
        sections="\n".join(section for section in sections if section),
    )


def tiles(shown: Iterable[tuple[str, str, str]]) -> str:
    """Return a row of large figures: value, what it counts, and "bad" where it is bad news."""
    cells = "".join(
        f'<div class="tile {kind}"><b>{text(value)}</b><span>{text(name)}</span></div>' for value, name, kind in shown
    )
    return f'<section class="tiles">{cells}</section>'


def section(title: str, body: str, note: str = "") -> str:
    """Return a section, or nothing where there is nothing to show. The body is HTML, the rest is text."""
    if not body:
        return ""
    told = f'<p class="quiet">{text(note)}</p>' if note else ""
    return f"<section><h2>{text(title)}</h2>{told}{body}</section>"


def table(names: Sequence[str], rows: Sequence[Sequence[str]], most: int = MOST_ROWS) -> str:
    """Return a table, or nothing without rows; what is too much for a page is counted."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    body = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows[:most])
    more = f'<p class="quiet">and {len(rows) - most:,} more</p>' if len(rows) > most else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'


def bars(shown: Sequence[tuple[str, float, str]]) -> str:
    """Return a table of bars: name, length and what is written beside it. Nothing without rows."""
    if not shown:
        return ""
    most = max(length for _, length, _ in shown) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td class="bar"><i style="width:{length / most * 100:.1f}%"></i></td>'
        f'<td class="number">{text(told)}</td></tr>'
        for name, length, told in shown
    )
    return f"<table>{rows}</table>"


def text(value: str) -> str:
    """Return text that is safe in an element and in an attribute, whatever it holds."""
    return html.escape(printable(value), quote=True)
