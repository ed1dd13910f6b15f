"""A small writer of SVG pictures: text, bars, lines and dots, in colours that change with the reader's scheme.

Colours are classes, and their values stand in one style sheet inside the picture: a light set, and a dark one behind
`prefers-color-scheme`. A picture has its own background, so that it can be read on any page, and a title and a
description for those who do not see it.
"""

from __future__ import annotations

from html import escape

_STYLE = """
svg { --back: #ffffff; --text: #1f2328; --soft: #59636e; --line: #d1d9e0; --ours: #1558c0; --peer: #b35900; --limit: #8c959f }
@media (prefers-color-scheme: dark) {
  svg { --back: #0d1117; --text: #f0f6fc; --soft: #9198a1; --line: #3d444d; --ours: #79b0ff; --peer: #f0a35c; --limit: #7d8590 }
}
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--text) }
.title { font-size: 16px; font-weight: 600 } .soft { fill: var(--soft); font-size: 12px }
.back { fill: var(--back) } .axis { stroke: var(--line); stroke-width: 1 }
.ours { fill: var(--ours); stroke: var(--ours) } .peer { fill: var(--peer); stroke: var(--peer) }
.limit { fill: var(--limit); stroke: var(--limit) } .path { fill: none; stroke-width: 2 }
.bar { stroke: none } .whisker { stroke: var(--text); stroke-width: 1.5 }
"""  # noqa: E501


class Picture:
    """A picture of a size in pixels; what is drawn later lies above."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self.width = width
        self.height = height
        self._title = title
        self._description = description
        self._parts: list[str] = []
        self.text(16, 28, title, "title")

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Write words with their base line at y; `anchor` is start, middle or end."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Fill a rectangle."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect {place} rx="2" class="{kind} bar"/>')

    def line(self, points: list[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{places}" class="{kind} path"/>')

    def rule(self, x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> None:
        """Draw a straight line of an axis or a spread."""
        self._parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def dot(self, x: float, y: float, kind: str) -> None:
        """Draw a dot."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="{kind}"/>')

    def __str__(self) -> str:
        """Return the picture as a file's text."""
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-labelledby="title description">\n'
            f'<title id="title">{escape(self._title)}</title>\n'
            f'<desc id="description">{escape(self._description)}</desc>\n'
            f"<style>{_STYLE}</style>\n"
            f'<rect width="{self.width}" height="{self.height}" rx="6" class="back"/>\n{body}\n</svg>\n'
        )
