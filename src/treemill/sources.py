"""A file's bytes, and what they define: all that answers need of `treemill.types`, where it belongs to the rest."""

from __future__ import annotations

from typing import NamedTuple

from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes as they were read, once, and what they are.

    `digest` is the BLAKE2b-128 of `data`. `encoding` is a Python codec that round-trips `data` behind the BOM:
    "utf-8" (with `errors="surrogateescape"`), "utf-16-le", "utf-16-be" or "latin-1". `bom` is the BOM's length in
    bytes. `language` is the name's, or the shebang's where the name says nothing.
    """

    data: bytes
    digest: bytes
    encoding: str
    bom: int
    language: str | None

    def text(self, start: int = 0, end: int | None = None) -> str:
        """Decode a byte range; a BOM inside it is left out."""
        piece = self.data[max(start, self.bom) : len(self.data) if end is None else end]
        return piece.decode(self.encoding, "surrogateescape" if self.encoding == "utf-8" else "strict")


class Symbol(NamedTuple):
    """A definition: function, class, method, type, constant… A tuple, because a file may hold thousands.

    `start` and `end` are the byte range of the whole definition, decorators included; `signature` the range of its
    first line or head; `doc` the range of its documentation comment or docstring, where it has one. `parents` are
    the names of the definitions around it, outermost first.
    """

    name: str
    kind: str
    parents: tuple[str, ...]
    start: int
    end: int
    line: int
    signature: tuple[int, int]
    doc: tuple[int, int] | None = None

    @property
    def qualified_name(self) -> str:
        """The name behind those of its parents, joined by dots."""
        return ".".join((*self.parents, self.name))
