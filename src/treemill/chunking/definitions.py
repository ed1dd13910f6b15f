"""What a file defines: functions, classes, methods, types, constants…, with name, kind, parents and documentation.

The walk goes down from definition to definition. Containers are looked at child by child; elsewhere it asks each node
for the child at the next cue (see `vocabulary`), so that it touches little more than the nodes around definitions. It
keeps its own stack: nesting of any depth is fine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from tree_sitter import Node, TreeCursor

from treemill.chunking.documentation import Range, comment_before, docstring, heredoc_before, opens_string
from treemill.chunking.naming import Finder, Named
from treemill.chunking.packing import pack_symbols, unpack_symbols
from treemill.chunking.syntax import grammar
from treemill.chunking.vocabularies import VOCABULARIES
from treemill.chunking.vocabulary import Vocabulary
from treemill.types import Symbol

__all__ = ["defines", "pack_symbols", "symbols", "unpack_symbols"]

# What a definition is to those in it: functions in types are methods, constants in functions are nobody's business.
_MODULE, _TYPE, _FUNCTION = range(3)
_SCOPES = {
    **dict.fromkeys(("function", "method", "constructor", "macro", "test"), _FUNCTION),
    **dict.fromkeys(("class", "struct", "interface", "trait", "enum", "record", "object", "protocol"), _TYPE),
    **dict.fromkeys(("extension", "union", "impl"), _TYPE),
    **dict.fromkeys(("module", "heading"), _MODULE),
}
_VALUES = frozenset(("constant", "variable"))
_UNSEEN = "impl"

_ERROR_KIND = 0xFFFF
_SIGNATURE_BYTES = 500
_SPACES = frozenset(b" \t\r\n")
_ANNOTATIONS = frozenset(b"@[#")
_EQUALS = ord("=")

# Half the cost of calling the class, which would check the number of fields and no more.
_new = tuple.__new__


class _Rule(NamedTuple):
    """What to do with a node: whether to look at all its children, to remember where it begins for the definition in
    it, and what it defines (nothing, if empty) under which name."""

    opens: bool
    wraps: bool = False
    kind: str = ""
    find: Finder | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """A vocabulary, compiled for a grammar's numbers."""

    vocabulary: Vocabulary
    rules: dict[int, _Rule]
    name: int
    body: int


# Where the walk stands: either the children still to look at, or a cursor on the node that is asked for its child at
# the next cue in [position, end), shared with the frame around or not; the names and the scope around; and where a
# wrapper of the next definition begins, or -1.
_Add = Callable[[Named, Node | None, int, int, int, tuple[str, ...], int], tuple[str, ...]]
_Frame = tuple[Iterator[Node] | None, TreeCursor, bool, int, int, tuple[str, ...], int, int]


@cache
def _table(language: str) -> _Table:
    """Compile a language's vocabulary.

    Raises:
        ParseError: the grammar cannot be loaded.
    """
    vocabulary = VOCABULARIES[language]
    numbers = grammar(language)
    rules: dict[int, _Rule] = {}
    for kind in range(numbers.node_kind_count):
        name = numbers.node_kind_for_id(kind)
        if name is None or not numbers.node_kind_is_named(kind):
            continue
        opens, wraps = name in vocabulary.opens, name in vocabulary.wraps
        defined = vocabulary.defines.get(name)
        if defined is not None:
            what, find = (defined, None) if isinstance(defined, str) else defined
            rules[kind] = _Rule(opens, False, what, find)
        elif opens or wraps:
            rules[kind] = _Rule(True, wraps)
    if "ERROR" in vocabulary.opens:
        rules[_ERROR_KIND] = _Rule(True)
    name_field, body_field = numbers.field_id_for_name("name"), numbers.field_id_for_name(vocabulary.body)
    return _Table(vocabulary, rules, name_field or 0, body_field or 0)


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
    found, add = _collector(text, table.vocabulary)
    _walk(text, root, table, add)
    found.sort(key=_start)
    return tuple(found)


def _walk(text: bytes, root: Node, table: _Table, add: _Add) -> None:
    """Go from definition to definition, outer before inner, and add each."""
    rule_of, name_field, body_field = table.rules.get, table.name, table.body
    cues = iter(table.vocabulary.cues(text))
    cue = next(cues)
    stack: list[_Frame] = []
    rule = rule_of(root.kind_id)
    nodes = iter(root.named_children) if rule is not None and rule.opens else None
    cursor, shared, position, end = root.walk(), False, 0, len(text)
    parents: tuple[str, ...] = ()
    scope, outer = _MODULE, -1
    while True:
        node = None
        if nodes is not None:
            for node in nodes:
                rule = rule_of(node.kind_id)
                if rule is not None:
                    break
                stop = node.end_byte
                if cue < stop:
                    start = node.start_byte
                    while cue < start:
                        cue = next(cues)
                    if cue < stop:
                        break
            else:
                node = None
        else:
            while cue < position:
                cue = next(cues)
            if cue < end and cursor.goto_first_child_for_byte(cue) is not None:
                node = cursor.node
        if node is None:
            if shared:
                cursor.goto_parent()
            if not stack:
                return
            nodes, cursor, shared, position, end, parents, scope, outer = stack.pop()
            continue
        start, stop = node.start_byte, node.end_byte
        if nodes is None:
            if start > cue:  # the cue is in a keyword or between two children
                cursor.goto_parent()
                position = cue + 1
                continue
            position = stop
            rule = rule_of(node.kind_id)

        inside, names, within, begin = node, parents, scope, start
        if rule is not None and rule.kind:
            _, _, kind, find = rule
            if find is not None:
                named = find(node, text)
            elif (name := node.child_by_field_id(name_field)) is not None:
                named = name.start_byte, name.end_byte, kind, b"", node
            else:
                named = None
            if named is not None:
                _, begin, kind, _, inside = named
            body = inside.child_by_field_id(body_field) if body_field else None
            if named is not None:
                names = add(named, body, start, stop, outer, parents, scope)
                outer = -1
            rule = None if body is None else rule_of(body.kind_id)
            if body is not None and rule is not None and rule.opens:
                inside = body
            else:
                if body is not None:
                    begin = body.start_byte
                rule = rule_of(inside.kind_id)
                if nodes is not None and cue >= stop and (rule is None or not rule.opens):
                    continue
            if named is not None:
                within = _SCOPES.get(kind, scope)
        if rule is not None and rule.opens:
            if nodes is None:
                cursor.goto_parent()
            stack.append((nodes, cursor, shared, position, end, parents, scope, outer))
            nodes, shared, position = iter(inside.named_children), False, 0
            parents, scope = names, within
            outer = (start if outer < 0 else outer) if rule.wraps else -1
            continue
        while cue < begin:
            cue = next(cues)
        if inside is not node:
            stop = inside.end_byte
        if cue < stop and inside.child_count:
            same = nodes is None and inside is node
            if nodes is None and not same:
                cursor.goto_parent()
            stack.append((nodes, cursor, shared, position, end, parents, scope, outer))
            if not same:
                cursor = inside.walk()
            nodes, shared, position, end, parents, scope, outer = None, same, begin, stop, names, within, -1
        elif nodes is None:
            cursor.goto_parent()


def _collector(text: bytes, vocabulary: Vocabulary) -> tuple[list[Symbol], _Add]:
    """Return a list, and the function that adds what the walk comes across to it."""
    found: list[Symbol] = []
    comments, group, quoted, merges = vocabulary.comments, vocabulary.group, vocabulary.quoted_doc, vocabulary.merges
    count_of, wide = text.count, b"\r" in text
    line, counted = 1, 0

    def add(
        named: Named, body: Node | None, start: int, stop: int, outer: int, parents: tuple[str, ...], scope: int
    ) -> tuple[str, ...]:
        """Add a definition at [start, stop), in a wrapper that begins at `outer`; return the names for those in it."""
        nonlocal line, counted
        at, until, kind, owner, _ = named
        name = text[at:until].decode("utf-8", "replace")
        around = (*parents, *owner.decode("utf-8", "replace").split(".")) if owner else parents
        if kind == "function":
            if scope == _TYPE:
                kind = "method"
        elif kind == _UNSEEN:
            return (*around, name)
        elif scope == _FUNCTION and kind in _VALUES:
            return parents
        while text[stop - 1] in _SPACES:
            stop -= 1
        if merges and found and found[-1].name == name and found[-1].parents == around:
            found[-1] = found[-1]._replace(end=stop)
            return (*around, name)
        head = start
        if outer >= 0 and not (group and group in text[outer:start]):
            if text.find(b"\n", outer, start) < 0:
                head = outer
            start = outer
        first = -1 if body is None else body.start_byte
        signature = _signature(text, head, at, until, stop, first)
        if comments is None:
            doc = None if body is None or not opens_string(text, first) else docstring(body)
        else:
            doc, start = comment_before(text, start, comments)
            if doc is None and quoted:
                doc = heredoc_before(text, start)
        low, high = (counted, at) if at >= counted else (at, counted)
        breaks = count_of(b"\n", low, high)
        if wide:
            breaks += count_of(b"\r", low, high) - count_of(b"\r\n", low, high)
        line += breaks if at >= counted else -breaks
        counted = at
        found.append(_new(Symbol, (name, kind, around, start, stop, line, signature, doc)))
        return (*around, name)

    return found, add


def _signature(text: bytes, start: int, at: int, until: int, stop: int, body: int) -> Range:
    """Return the range from a definition's beginning to its body, or to the end of its first line.

    Annotations in front of it are left out, as is the brace or equals sign behind it.
    """
    if text[start] in _ANNOTATIONS:
        line = text.rfind(b"\n", start, at) + 1
        start = max(start, line and at - len(text[line:at].lstrip()))
    if body <= until or body - start > _SIGNATURE_BYTES:
        body = text.find(b"\n", until, stop)
        if body < 0:
            body = stop
    end = until + len(text[until:body].rstrip(b" \t\r\n{"))
    if text[end - 1] == _EQUALS and text[end - 2] in _SPACES:
        end = until + len(text[until : end - 1].rstrip())
    return start, end


def _start(symbol: Symbol) -> int:
    return symbol.start
