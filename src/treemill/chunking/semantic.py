"""The semantic chunker: cut where the syntax tree says that something begins.

Only nodes over the chunk limit are entered, so the walk costs a few per cent of the parse. It leaves two parallel
lists: the offsets at which a node begins, ascending, and each one's rank, which is the depth of that node (a module's
statements before a class's methods before a method's statements). Then chunks are taken from the left: each ends at
the best-ranked offset that its limit allows, the last of those.

Some beginnings are poor places to cut, whatever their depth: between a comment and what it explains, between a head
and its body. Their rank is behind all others.

The walk is iterative and leaves early: nesting of any depth ends in an error or in a list, never in a crash.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from tree_sitter import Node

from treemill.chunking.spans import last_break
from treemill.chunking.syntax import grammar
from treemill.errors import ASTDepthExceededError

# What a node follows: nothing special, a comment (a blank line parts the two), the head of the node around.
_NONE, _COMMENT, _HEAD = range(3)

_LF, _CR = 10, 13

# Ranks at or over this are poor places to cut.
_POOR = 1 << 30

# A chunk is filled at least so far before rank counts: one part in this many of the limit.
_LEAST_FILL = 4

_LEADING = re.compile(r"comment|attribute_item|haddock|^signature$")
_BODY = re.compile(r"(^|_)(body|block|suite|list|statements|arguments|parameters|compound_statement)$")


def cut(text: bytes, root: Node, language: str, limit: int, max_depth: int) -> list[int]:
    """Return the ends of chunks of at most `limit` bytes that tile the text.

    Raises:
        ASTDepthExceededError: the tree's named nodes are nested deeper than `max_depth`. Exact: a subtree is passed
            over only if it has too few nodes to be that deep.
    """
    starts, ranks = _beginnings(text, root, language, limit, max_depth)
    return _take(text, starts, ranks, limit)


@cache
def _kinds(language: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the kinds of nodes that lead up to the next one (comments), and those that are bodies of a head."""
    symbols = grammar(language)
    names = [(kind, symbols.node_kind_for_id(kind) or "") for kind in range(symbols.node_kind_count)]
    leading = frozenset(kind for kind, name in names if _LEADING.search(name))
    return leading, frozenset(kind for kind, name in names if _BODY.search(name))


def _beginnings(text: bytes, root: Node, language: str, limit: int, max_depth: int) -> tuple[list[int], list[int]]:
    """Return where nodes begin that may begin a chunk, ascending, and the rank of each."""
    leading, bodies = _kinds(language)
    starts: list[int] = []
    ranks: list[int] = []
    last = 0  # the largest start so far: a first child begins where its parent does, and the parent's rank counts
    stack: list[tuple[Iterator[Node], int, bool]] = []
    nodes, end, over = iter((root,)), 0, True
    depth, led = 1, _NONE
    while True:
        room = max_depth - depth + 1
        for node in nodes:
            start, before, end = node.start_byte, end, node.end_byte
            if over:
                kind = node.kind_id
                rank = depth
                if led == _HEAD or kind in bodies:
                    rank |= _POOR
                elif (led or kind in leading) and text.count(b"\n", before, start) <= led:
                    # No blank line behind a comment, or a comment on a line with code: they belong together.
                    rank |= _POOR
                led = _COMMENT if kind in leading and (led or not rank & _POOR) else _NONE
                if start > last:
                    starts.append(start)
                    ranks.append(rank)
                    last = start
            if end - start > limit or node.descendant_count > room:
                children = node.named_children
                if children:
                    stack.append((nodes, end, over))
                    nodes, over, led = iter(children), over and end - start > limit, _HEAD
                    end = start
                    break
        else:
            if not stack:
                return starts, ranks
            nodes, end, over = stack.pop()
            led = _NONE
        depth = len(stack) + 1
        if depth > max_depth:
            raise _too_deep(max_depth)


def _too_deep(max_depth: int) -> ASTDepthExceededError:
    return ASTDepthExceededError(
        f"the syntax tree is nested deeper than {max_depth} levels",
        limit=max_depth,
        actual=max_depth + 1,
        unit="levels",
        suggestion="Raise max_ast_depth, or leave the file out",
    )


def _take(text: bytes, starts: list[int], ranks: list[int], limit: int) -> list[int]:
    """Take chunks from the left, each as far as the best-ranked beginning within its limit."""
    ends: list[int] = []
    size, position, first = len(text), 0, 0
    least = limit // _LEAST_FILL
    while size - position > limit:
        first = bisect_right(starts, position, first)
        beyond = bisect_right(starts, position + limit, first)
        filled = bisect_right(starts, position + least, first, beyond)
        if filled < beyond:
            within = ranks[filled:beyond]
            within.reverse()
            position = _line_start(text, position, starts[beyond - 1 - within.index(min(within))])
        elif first < beyond:
            position = _line_start(text, position, starts[beyond - 1])
        else:
            position = last_break(text, position, position + limit)
        ends.append(position)
    if size > position:
        ends.append(size)
    return ends


def _line_start(text: bytes, position: int, start: int) -> int:
    """Move a cut in front of the indentation of what begins there; behind `position` in any case."""
    line = text.rfind(b"\n", position, start) + 1
    if line > position and text[line:start].isspace():
        return line
    if text[start] == _LF and text[start - 1] == _CR and start - 1 > position:
        return start - 1
    return start
