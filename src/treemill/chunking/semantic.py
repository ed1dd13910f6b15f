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

from treemill.chunking.spans import Reach, last_break
from treemill.chunking.syntax import grammar
from treemill.chunking.tree_memory import TreeMemory
from treemill.errors import ASTDepthExceededError

# What a node follows: nothing special, a comment (a blank line parts the two), the head of the node around.
_NONE, _COMMENT, _HEAD = range(3)

_LF, _CR = 10, 13

# Ranks at or over this are poor places to cut.
_POOR = 1 << 30

# A chunk is filled at least so far before rank counts: one part in this many of the limit.
_LEAST_FILL = 4

# Nodes of so many children are listed only if there is memory for them.
_LONG = 20_000

# How many of the best beginnings are looked at for one that stands at the beginning of a line.
_TRIES = 8

_LEADING = re.compile(r"comment|attribute_item|haddock|^signature$|^unary_operator$")
_BODY = re.compile(r"(^|_)(body|block|suite|list|statements|arguments|parameters|compound_statement)$")


def cut(
    text: bytes,
    root: Node,
    language: str,
    limit: int,
    max_depth: int,
    memory: TreeMemory | None = None,
    reach: Reach | None = None,
) -> list[int]:
    """Return the ends of chunks of at most `limit` bytes that tile the text.

    With `reach`, they are as long as it says, and `limit` is what it surely leaves room for.

    Raises:
        ASTDepthExceededError: the tree's named nodes are nested deeper than `max_depth`. Exact: a subtree is passed
            over only if it has too few nodes to be that deep.
        MemoryLimitExceededError: `memory` has no room for a node's children.
    """
    starts, ranks = _beginnings(text, root, language, limit, max_depth, memory)
    return _take(text, starts, ranks, limit, reach)


def leads(kind: str) -> bool:
    """Tell whether a kind of node leads up to the next one, as comments do."""
    return _LEADING.search(kind) is not None


def is_body(kind: str) -> bool:
    """Tell whether a kind of node is the body of a head."""
    return _BODY.search(kind) is not None


@cache
def _kinds(language: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the kinds of nodes that lead up to the next one, and those that are bodies of a head."""
    symbols = grammar(language)
    names = [(kind, symbols.node_kind_for_id(kind) or "") for kind in range(symbols.node_kind_count)]
    return frozenset(kind for kind, name in names if leads(name)), frozenset(
        kind for kind, name in names if is_body(name)
    )


def _beginnings(
    text: bytes, root: Node, language: str, limit: int, max_depth: int, memory: TreeMemory | None
) -> tuple[list[int], list[int]]:
    """Return where nodes begin that may begin a chunk, ascending, and the rank of each."""
    leading, bodies = _kinds(language)
    special = leading | bodies
    starts: list[int] = []
    ranks: list[int] = []
    stack: list[tuple[Iterator[Node], int]] = []
    nodes, end = iter((root,)), 0
    depth, led = 1, _NONE
    while True:
        room = max_depth - depth + 1
        for node in nodes:
            start, before, end = node.start_byte, end, node.end_byte
            large, rank = end - start > limit, depth
            if led or node.kind_id in special:
                kind = node.kind_id
                # No blank line behind a comment, or a comment on a line with code: they belong together.
                if led == _HEAD or kind in bodies or text.count(b"\n", before, start) <= led:
                    rank |= _POOR
                led = _COMMENT if kind in leading and (led or rank == depth) else _NONE
                # A body that fits alone but not with its head: better a head with most of it than a head alone.
                large = large or (kind in bodies and end - start > limit >> 1)
            starts.append(start)
            ranks.append(rank)
            if large:
                children = _children(node, memory)
                if children:
                    stack.append((nodes, end))
                    nodes, led = iter(children), _HEAD
                    end = start
                    break
            elif node.descendant_count > room:
                _check_depth(node, room, max_depth, memory)
                led = _NONE
        else:
            if not stack:
                return starts, ranks
            nodes, end = stack.pop()
            led = _NONE
        depth = len(stack) + 1
        if depth > max_depth:
            raise too_deep(max_depth)


def _check_depth(node: Node, room: int, max_depth: int, memory: TreeMemory | None) -> None:
    """Make sure that no more than `room` named nodes stand in one another, this one included.

    For nodes that are not cut; a third of those that the walk sees are in one, and nothing else is asked of them.
    """
    stack = [([node], room)]
    while stack:
        nodes, room = stack.pop()
        if not room:
            raise too_deep(max_depth)
        for each in [each for each in nodes if each.descendant_count > room]:
            children = _children(each, memory)
            if children:
                stack.append((children, room - 1))


def _children(node: Node, memory: TreeMemory | None) -> list[Node]:
    """Return the named children, if there is memory for the list.

    Raises:
        MemoryLimitExceededError: there is none.
    """
    if memory is not None and node.child_count > _LONG:
        memory.check_list(node.child_count)
    return node.named_children


def too_deep(max_depth: int) -> ASTDepthExceededError:
    """Return the error for a tree that is nested deeper than that."""
    return ASTDepthExceededError(
        f"the syntax tree is nested deeper than {max_depth} levels",
        limit=max_depth,
        actual=max_depth + 1,
        unit="levels",
        suggestion="Raise max_ast_depth, or leave the file out",
    )


def _take(text: bytes, starts: list[int], ranks: list[int], limit: int, reach: Reach | None) -> list[int]:
    """Take chunks from the left, each as far as the best-ranked beginning within its limit."""
    ends: list[int] = []
    size, position, first = len(text), 0, 0
    while (high := position + limit if reach is None else reach(position)) < size:
        first = bisect_right(starts, position, first)
        beyond = bisect_right(starts, high, first)
        filled = bisect_right(starts, position + (high - position) // _LEAST_FILL, first, beyond)
        if filled < beyond:
            position = _best(text, position, starts[filled:beyond], ranks[filled:beyond])
        else:
            position = _before_leaf(text, position, starts[first:beyond], ranks[first:beyond], high)
        ends.append(position)
    if size > position:
        ends.append(size)
    return ends


def _before_leaf(text: bytes, position: int, starts: list[int], ranks: list[int], high: int) -> int:
    """Return where to cut in front of, or in, something long that nothing is known of: a literal, a comment."""
    if starts and ranks[-1] < _POOR:
        line = _line_start(text, position, starts[-1])
        if line is not None:
            return line
    return last_break(text, position, high)


def _best(text: bytes, position: int, starts: list[int], ranks: list[int]) -> int:
    """Return where to cut: at the last of the best ranks that stands at the beginning of a line, if one does."""
    starts.reverse()
    ranks.reverse()
    best = ranks.index(min(ranks))
    if text.find(b"\n", position, starts[0]) < 0:
        return _whole(text, position, starts[best])
    chosen = best
    for _ in range(_TRIES):
        line = _line_start(text, position, starts[chosen])
        if line is not None:
            return line
        ranks[chosen] |= _POOR << 1
        chosen = ranks.index(min(ranks))
    return _whole(text, position, starts[best])


def _line_start(text: bytes, position: int, start: int) -> int | None:
    """Return the beginning of the line, if nothing but indentation stands between it and `start`."""
    line = text.rfind(b"\n", position, start) + 1
    return line if line > position and (line == start or text[line:start].isspace()) else None


def _whole(text: bytes, position: int, start: int) -> int:
    """Return `start`, or the offset in front of the CRLF that it would part."""
    return start - 1 if text[start] == _LF and text[start - 1] == _CR and start - 1 > position else start
