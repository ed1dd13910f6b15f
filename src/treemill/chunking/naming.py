"""How a definition's node tells its name, where the grammar has no `name` field for it.

A finder takes the node and the text and returns a `Named`, or None where the node defines nothing after all: a C
declaration may declare a function or a number. Most finders read the text at the node's beginning, which costs less
than asking for its children.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tree_sitter import Node

Named = tuple[int, int, str, bytes, Node]
"""Where the name begins and ends, what it names, the names in front of it, and the node that holds the body.

Not a named tuple: making one takes longer than asking a node for its name.
"""

Finder = Callable[[Node, bytes], Named | None]


def by_text(pattern: bytes, kind: str, kinds: Mapping[bytes, str] | None = None) -> Finder:
    """Find the name by a pattern that matches from the node's beginning.

    Group `name` is the name, group `owner` what stands in front of it. Where there is a group `word`, `kinds` says
    what the word in it defines; a word that it does not know defines nothing.
    """
    matching = re.compile(pattern).match
    has_owner = b"(?P<owner>" in pattern

    def find(node: Node, text: bytes) -> Named | None:
        found = matching(text, node.start_byte, node.end_byte)
        if found is None:
            return None
        named = kind if kinds is None else kinds.get(found["word"].lower())
        if named is None:
            return None
        start, end = found.span("name")
        return (start, end, named, (found["owner"] or b"").rstrip(b".") if has_owner else b"", node)

    return find


def by_keyword(kinds: Mapping[bytes, str], kind: str) -> Finder:
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

    return find


def qualified(kind: str, separator: re.Pattern[bytes]) -> Finder:
    """Take the `name` field and split it: the last part is the name, the others are its owner."""

    def find(node: Node, text: bytes) -> Named | None:
        name = node.child_by_field_name("name")
        if name is None:
            return None
        start, end = name.start_byte, name.end_byte
        last = start
        for each in separator.finditer(text, start, end):
            last = each.end()
        return (last, end, kind, separator.sub(b".", text[start:last]).rstrip(b"."), node)

    return find
