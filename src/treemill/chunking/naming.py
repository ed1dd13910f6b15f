"""How a definition's node tells its name, where the grammar has no `name` field for it.

A finder takes the node and the text and returns a `Named`, or None where the node defines nothing after all: a C
declaration may declare a function or a number. Most finders read the text at the node's beginning, which costs less
than asking for its children.

The compiled half knows each finder by its name. A `TextFinder` needs no more of a node than where it begins and ends,
so that both halves ask the same one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from treemill.values import dataclass

if TYPE_CHECKING:
    from tree_sitter import Node

Named = tuple[int, int, str, bytes, "Node"]
"""Where the name begins and ends, what it names, the names in front of it, and the node that holds the body.

Not a named tuple: making one takes longer than asking a node for its name.
"""

NamedText = tuple[int, int, str, bytes]
"""The same without the node."""

Finder = Callable[["Node", bytes], Named | None]


@dataclass(frozen=True, slots=True)
class TextFinder:
    """Finds the name by `at(text, start, end)`, from where the node begins and ends. A text without `needs` in it has
    none, which is quicker to see."""

    at: Callable[[bytes, int, int], NamedText | None]
    needs: bytes = b""

    def __call__(self, node: Node, text: bytes) -> Named | None:
        """Find the name of what a node defines."""
        found = self.at(text, node.start_byte, node.end_byte)
        return None if found is None else (*found, node)


@dataclass(frozen=True, slots=True)
class NodeFinder:
    """A finder that takes a parameter, which the compiled half knows as `name` with `more`."""

    name: str
    more: Any
    find: Finder

    def __call__(self, node: Node, text: bytes) -> Named | None:
        """Find the name of what a node defines."""
        return self.find(node, text)


def by_text(pattern: bytes, kind: str, kinds: Mapping[bytes, str] | None = None, *, needs: bytes = b"") -> TextFinder:
    """Find the name by a pattern that matches from the node's beginning.

    Group `name` is the name, group `owner` what stands in front of it. Where there is a group `word`, `kinds` says
    what the word in it defines; a word that it does not know defines nothing. The pattern only matches text that has
    `needs` in it.
    """
    matching = re.compile(pattern).match
    has_owner = b"(?P<owner>" in pattern

    def at(text: bytes, start: int, end: int) -> NamedText | None:
        found = matching(text, start, end)
        if found is None:
            return None
        named = kind if kinds is None else kinds.get(found["word"].lower())
        if named is None:
            return None
        first, last = found.span("name")
        return (first, last, named, (found["owner"] or b"").rstrip(b".") if has_owner else b"")

    return TextFinder(at, needs)


def by_keyword(kinds: Mapping[bytes, str], kind: str) -> NodeFinder:
    """Take the `name` field, and the kind from the words in front of it."""

    def find(node: Node, text: bytes) -> Named | None:
        name = node.child_by_field_name("name")
        if name is None:
            return None
        start, end = name.start_byte, name.end_byte
        for word in text[max(node.start_byte, start - 80) : start].split():
            if word in kinds:
                return (start, end, kinds[word], b"", node)
        return (start, end, kind, b"", node)

    return NodeFinder("keyword", tuple(kinds.items()), find)


def qualified(kind: str, separators: bytes) -> NodeFinder:
    """Take the `name` field and split it at `::`, or at each of several bytes: the last part is the name, the others
    are its owner."""
    separator = re.compile(separators if separators == b"::" else b"[" + re.escape(separators) + b"]")

    def find(node: Node, text: bytes) -> Named | None:
        name = node.child_by_field_name("name")
        if name is None:
            return None
        start, end = name.start_byte, name.end_byte
        last = start
        for each in separator.finditer(text, start, end):
            last = each.end()
        return (last, end, kind, separator.sub(b".", text[start:last]).rstrip(b"."), node)

    return NodeFinder("qualified", separators, find)
