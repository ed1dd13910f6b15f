"""What a file defines: functions, classes, methods, types, constants…, with name, kind, parents and documentation.

The walk goes down from definition to definition. Containers are looked at child by child; elsewhere it asks each node
for the child at the next cue (see `vocabulary`), so that it touches little more than the nodes around definitions. It
keeps its own stack: nesting of any depth is fine.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from tree_sitter import Node, TreeCursor

from treemill.chunking.documentation import Range, comment_before, docstring, heredoc_before
from treemill.chunking.naming import Finder
from treemill.chunking.syntax import grammar
from treemill.chunking.vocabulary import VOCABULARIES, Vocabulary
from treemill.types import Symbol

_OPEN, _DEFINE, _WRAP = range(3)

# What a definition is to those in it. Constants in functions are nobody's business, functions in types are methods.
_MODULE, _TYPE, _FUNCTION, _FLAT = range(4)
_SCOPES = {
    **dict.fromkeys(("function", "method", "constructor", "macro", "test"), _FUNCTION),
    **dict.fromkeys(("class", "struct", "interface", "trait", "enum", "record", "object", "protocol"), _TYPE),
    **dict.fromkeys(("extension", "union", "impl"), _TYPE),
    **dict.fromkeys(("module", "heading"), _MODULE),
}
_UNSEEN_KINDS = frozenset(("impl",))
_VALUE_KINDS = frozenset(("constant", "variable"))

_ERROR_KIND = 0xFFFF
_NEVER = sys.maxsize
_SIGNATURE_BYTES = 500

_ANNOTATIONS = frozenset(b"@[#")
_BLANKS = frozenset(b" \t")
_SPACE = frozenset(b" \t\r\n")
_TRAILING = _SPACE | frozenset(b"{")


class _Rule(NamedTuple):
    """What to do with a node: how, what it defines, and how its name is found."""

    action: int
    opens: bool
    kind: str = ""
    find: Finder | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """A vocabulary, compiled for a grammar's numbers."""

    vocabulary: Vocabulary
    rules: dict[int, _Rule]
    name: int
    body: int
    words: tuple[bytes, ...]
    pattern: re.Pattern[bytes] | None

    def cues(self, text: bytes) -> list[int]:
        """Return offsets inside of definitions, ascending; the last is beyond any text."""
        cues = [0]
        for word in self.words:
            at = text.find(word)
            ahead = len(word) - 1
            while at >= 0:
                cues.append(at + ahead)
                at = text.find(word, at + ahead)
        if self.pattern is not None:
            cues += [found.end() - 1 for found in self.pattern.finditer(text)]
            if self.words:
                cues.sort()
        elif len(self.words) > 1:
            cues.sort()
        cues.append(_NEVER)
        return cues


@cache
def _table(language: str) -> _Table:
    """Compile a language's vocabulary.

    Raises:
        ParseError: the grammar cannot be loaded.
    """
    vocabulary = VOCABULARIES[language]
    symbols = grammar(language)
    rules: dict[int, _Rule] = {}
    for kind in range(symbols.node_kind_count):
        name = symbols.node_kind_for_id(kind)
        if name is None or not symbols.node_kind_is_named(kind):
            continue
        opens = name in vocabulary.opens
        if name in vocabulary.defines:
            rule = vocabulary.defines[name]
            what, find = (rule, None) if isinstance(rule, str) else rule
            rules[kind] = _Rule(_DEFINE, opens, what, find)
        elif name in vocabulary.wraps:
            rules[kind] = _Rule(_WRAP, True)
        elif opens:
            rules[kind] = _Rule(_OPEN, True)
    if "ERROR" in vocabulary.opens:
        rules[_ERROR_KIND] = _Rule(_OPEN, True)
    return _Table(
        vocabulary,
        rules,
        symbols.field_id_for_name("name") or 0,
        symbols.field_id_for_name(vocabulary.body) or 0,
        vocabulary.words,
        None if vocabulary.pattern is None else re.compile(vocabulary.pattern),
    )


def defines(language: str) -> bool:
    """Tell whether files of this language define symbols."""
    return language in VOCABULARIES


def symbols(text: bytes, root: Node, language: str) -> tuple[Symbol, ...]:
    """Return what a tree defines, in order of start; a definition inside another lies within its range.

    A symbol's `line` is that of its name. None for languages without definitions.
    """
    if language not in VOCABULARIES:
        return ()
    table = _table(language)
    return _finished(text, _walk(text, root, table), table.vocabulary)


class _Found(NamedTuple):
    """A definition as the walk leaves it."""

    name: str
    at: int
    kind: str
    parents: tuple[str, ...]
    start: int
    end: int
    signature: Range
    doc: Range | None


def _walk(text: bytes, root: Node, table: _Table) -> list[_Found]:
    """Go from definition to definition, outer before inner."""
    rules, vocabulary = table.rules, table.vocabulary
    group, documented = vocabulary.group, vocabulary.docstring
    found: list[_Found] = []
    cues = iter(table.cues(text))
    cue = next(cues)
    stack: list[_Frame] = []
    rule = rules.get(root.kind_id)
    # The frame: either the children still to look at, or a cursor on the node that is asked for its child at the next
    # cue in [position, end), borrowed if the frame around uses the same cursor; the names and the scope around; and
    # where a wrapper of the next definition begins, or -1.
    nodes = iter(root.named_children) if rule is not None and rule.opens else None
    cursor, borrowed, position, end = root.walk(), False, 0, len(text)
    parents: tuple[str, ...] = ()
    scope, outer = _MODULE, -1
    while True:
        if nodes is None:
            while cue < position:
                cue = next(cues)
            if cue >= end or cursor.goto_first_child_for_byte(cue) is None:
                node = None
            else:
                node = cursor.node
        else:
            node = next(nodes, None)
        if node is None:
            if borrowed:
                cursor.goto_parent()
            if not stack:
                return found
            nodes, cursor, borrowed, position, end, parents, scope, outer = stack.pop()
            continue
        start, stop = node.start_byte, node.end_byte
        if nodes is None:
            if start > cue:
                cursor.goto_parent()
                position = cue + 1
                continue
            position = stop

        rule = rules.get(node.kind_id)
        inside, within, begin = node, scope, start
        names = parents
        if rule is not None and rule.action == _DEFINE:
            named = _named(node, text, rule, table.name)
            if named is not None:
                at, until, kind, owner, inside = named
                name = text[at:until].decode("utf-8", "replace")
                names = (*parents, *owner.decode("utf-8", "replace").split(".")) if owner else parents
                if kind == "function" and scope == _TYPE:
                    kind = "method"
                body = inside.child_by_field_id(table.body) if table.body else None
                if kind not in _UNSEEN_KINDS and not (scope == _FUNCTION and kind in _VALUE_KINDS):
                    last = _trimmed(text, until, stop, _SPACE)
                    if vocabulary.merges and found and found[-1].name == name and found[-1].parents == names:
                        found[-1] = found[-1]._replace(end=last)
                    else:
                        first = start if outer < 0 or (group and group in text[outer:start]) else outer
                        head = first if text.find(b"\n", first, start) < 0 else start
                        signature = _signature(text, head, at, until, last, body)
                        doc = docstring(text, body) if documented and body is not None else None
                        found.append(_Found(name, at, kind, names, first, last, signature, doc))
                    names = (*names, name)
                else:
                    names = (*names, name) if kind in _UNSEEN_KINDS else parents
                outer = -1
                within = _SCOPES.get(kind, scope)
                begin = until
                rule = None
                if body is not None:
                    rule = rules.get(body.kind_id)
                    if rule is not None and rule.opens:
                        inside = body
                    else:
                        rule = None
                if rule is None:
                    rule = rules.get(inside.kind_id)
        if rule is not None and rule.opens:
            if nodes is None:
                cursor.goto_parent()
            stack.append((nodes, cursor, borrowed, position, end, parents, scope, outer))
            nodes, borrowed, parents, scope = iter(inside.named_children), False, names, within
            outer = (start if outer < 0 else outer) if rule.action == _WRAP else -1
            continue
        while cue < begin:
            cue = next(cues)
        stop = inside.end_byte
        if cue < stop:
            same = nodes is None and inside is node
            if nodes is None and not same:
                cursor.goto_parent()
            stack.append((nodes, cursor, borrowed, position, end, parents, scope, outer))
            if not same:
                cursor = inside.walk()
            nodes, borrowed, position, end, parents, scope, outer = None, same, begin, stop, names, within, -1
        elif nodes is None:
            cursor.goto_parent()


_Frame = tuple[Iterator[Node] | None, TreeCursor, bool, int, int, tuple[str, ...], int, int]


def _named(node: Node, text: bytes, rule: _Rule, field: int) -> tuple[int, int, str, bytes, Node] | None:
    """Find a definition's name: by the rule's finder, else in the grammar's `name` field."""
    if rule.find is not None:
        return rule.find(node, text)
    name = node.child_by_field_id(field)
    if name is None:
        return None
    at, until = name.start_byte, name.end_byte
    return None if at == until else (at, until, rule.kind, b"", node)


def _signature(text: bytes, start: int, at: int, until: int, stop: int, body: Node | None) -> Range:
    """Return the range from a definition's beginning to its body, or to the end of its first line.

    Annotations in front of it are left out, as is the brace behind it.
    """
    if text[start] in _ANNOTATIONS:
        line = text.rfind(b"\n", start, at) + 1
        while text[line] in _BLANKS:
            line += 1
        start = max(start, line)
    end = stop if body is None else body.start_byte
    if body is None or end <= until or end - start > _SIGNATURE_BYTES:
        line = text.find(b"\n", until, stop)
        end = stop if line < 0 else line
    end = _trimmed(text, until, end, _TRAILING)
    if text[end - 2 : end] == b" =":
        end = _trimmed(text, until, end - 2, _TRAILING)
    return start, end


def _trimmed(text: bytes, start: int, end: int, trailing: frozenset[int]) -> int:
    """Return the end of `text[start:end]` without these bytes behind it."""
    while end > start and text[end - 1] in trailing:
        end -= 1
    return end


def _finished(text: bytes, found: list[_Found], vocabulary: Vocabulary) -> tuple[Symbol, ...]:
    """Add lines and documentation."""
    result: list[Symbol] = []
    comments = vocabulary.comments
    commented = bool(comments.line or comments.block)
    wide = b"\r" in text
    line, counted = 1, 0
    for name, at, kind, parents, start, end, signature, doc in found:
        first, last = (counted, at) if at >= counted else (at, counted)
        breaks = text.count(b"\n", first, last)
        if wide:
            breaks += text.count(b"\r", first, last) - text.count(b"\r\n", first, last)
        line += breaks if at >= counted else -breaks
        counted = at
        if doc is None and commented:
            doc, start = comment_before(text, start, comments)
            if doc is None and vocabulary.quoted_doc:
                doc = heredoc_before(text, start)
        result.append(Symbol(name, kind, parents, start, end, line, signature, doc))
    result.sort(key=_start)
    return tuple(result)


def _start(symbol: Symbol) -> int:
    return symbol.start


def pack_symbols(symbols: tuple[Symbol, ...]) -> bytes:
    """Pack symbols as UTF-8 JSON: a list for each, `[name, kind, parents, start, length, line, head, doc]`.

    `head` and `doc` are ranges relative to `start`; no documentation is null. No symbols are no bytes.
    """
    if not symbols:
        return b""
    rows = [
        (
            each.name,
            each.kind,
            each.parents,
            each.start,
            each.end - each.start,
            each.line,
            (each.signature[0] - each.start, each.signature[1] - each.signature[0]),
            each.doc and (each.doc[0] - each.start, each.doc[1] - each.doc[0]),
        )
        for each in symbols
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def unpack_symbols(packed: bytes) -> tuple[Symbol, ...]:
    """Return what `pack_symbols` packed."""
    return tuple(
        Symbol(
            name,
            kind,
            tuple(parents),
            start,
            start + length,
            line,
            (start + head[0], start + head[0] + head[1]),
            doc and (start + doc[0], start + doc[0] + doc[1]),
        )
        for name, kind, parents, start, length, line, head, doc in (json.loads(packed) if packed else ())
    )
