"""What a file defines: functions, classes, methods, types, constants…, with name, kind, parents and documentation.

In two passes. The first finds the nodes: the tree is asked for the smallest node around each cue (see `vocabulary`),
and containers are looked at child by child, so that little more than the definitions is touched. The second puts them
in order, and a stack of those still open tells the parents of each. Neither goes down the tree by itself: nesting of
any depth is fine.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from tree_sitter import Node

from treemill.chunking.documentation import Range, comment_before, docstring, heredoc_before, opens_string
from treemill.chunking.naming import Finder
from treemill.chunking.packing import pack_symbols, unpack_symbols
from treemill.chunking.syntax import grammar
from treemill.chunking.vocabularies import VOCABULARIES
from treemill.chunking.vocabulary import Vocabulary
from treemill.sources import Symbol
from treemill.values import dataclass

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

# Deeper than this, names add nothing but length.
_MOST_PARENTS = 100

# How far back a decorator or a word like `export` is looked for.
_LINE_BYTES = 200

# Half the cost of calling the class, which would check the number of fields and no more.
_new = tuple.__new__


class _Rule(NamedTuple):
    """What to do with a node: whether to look at its children, whether it lends its beginning to a definition among
    them, whether its parent may be the definition, and what it defines (nothing, if empty) under which name."""

    opens: bool
    wraps: bool
    climbs: bool
    kind: str = ""
    find: Finder | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """A vocabulary, compiled for a grammar's numbers."""

    vocabulary: Vocabulary
    rules: dict[int, _Rule]
    blocks: frozenset[int]
    name: int
    body: int


_Found = tuple[int, int, int, int, str, bytes, int, int, Range | None]
"""Start, the negative of the end, beginning and end of the name, kind, owner, where the signature begins, where the
body begins or -1, and the docstring. In order, the outer stand before the inner."""


@cache
def _table(language: str) -> _Table:
    """Compile a language's vocabulary.

    Raises:
        ParseError: the grammar cannot be loaded.
    """
    vocabulary = VOCABULARIES[language]
    numbers = grammar(language)
    rules: dict[int, _Rule] = {}
    blocks = set()
    for kind in range(numbers.node_kind_count):
        name = numbers.node_kind_for_id(kind)
        if name is None or not numbers.node_kind_is_named(kind):
            continue
        if name in vocabulary.blocks:
            blocks.add(kind)
        opens, wraps, climbs = (name in each for each in (vocabulary.opens, vocabulary.wraps, vocabulary.climbs))
        defined = vocabulary.defines.get(name)
        if defined is not None:
            what, find = (defined, None) if isinstance(defined, str) else defined
            rules[kind] = _Rule(opens, False, climbs, what, find)
        elif opens or wraps or climbs:
            rules[kind] = _Rule(opens or wraps, wraps, climbs)
    if "ERROR" in vocabulary.opens:
        rules[_ERROR_KIND] = _Rule(True, False, False)
    name_field, body_field = numbers.field_id_for_name("name"), numbers.field_id_for_name(vocabulary.body or "-")
    return _Table(vocabulary, rules, frozenset(blocks), name_field or 0, body_field or 0)


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
    finder = _Finder(text, root, table)
    rule = table.rules.get(root.kind_id)
    if rule is not None and rule.opens:
        finder.look_at_children(root)
    finder.look_at_cues()
    return _described(text, sorted(finder.found), table.vocabulary)


class _Finder:
    """The first pass: finds the nodes that define something."""

    __slots__ = ("_blocks", "_body_field", "_name_field", "_root", "_rule_of", "_seen", "_text", "_vocabulary", "found")

    def __init__(self, text: bytes, root: Node, table: _Table) -> None:
        self._text, self._root, self._vocabulary = text, root, table.vocabulary
        self._rule_of, self._name_field, self._body_field = table.rules.get, table.name, table.body
        self._blocks = table.blocks
        self._seen: set[int] = set()
        self.found: list[_Found] = []

    def look_at_cues(self) -> None:
        """Find the definitions that have a cue in their text."""
        rule_of, text, seen = self._rule_of, self._text, self._seen
        wrapped, decorated = bool(self._vocabulary.wraps), self._vocabulary.decorated
        ends, around, last = [len(text) + 1], [self._root], 0
        for cue in self._vocabulary.cues(text):
            while cue >= ends[-1]:
                ends.pop()
                around.pop()
            node = around[-1].descendant_for_byte_range(cue - 1, cue + 2)
            if node is None or (rule := rule_of(node.kind_id)) is None:
                continue
            if node.id in seen:
                ends.append(node.end_byte)
                around.append(node)
                continue
            if rule.climbs:
                node, rule = self._climbed(node, rule)
            start = node.start_byte
            outer = start
            if wrapped and start and text[start - 1] in _SPACES:
                # No definition stands in a decorator: since the one before there has to be the sign of this one's.
                if not decorated or text.find(b"@", min(last, start), start) >= 0:
                    outer = self._wrapped(node, start)
                last = start
            if not rule.kind:
                if rule.opens:
                    self.look_at_children(node, outer if rule.wraps else -1)
                continue
            container = self._add(node, rule, start, outer)
            if container is not None:
                self.look_at_children(container)
            ends.append(node.end_byte)
            around.append(node)

    def look_at_children(self, node: Node, outer: int = -1) -> None:
        """Find the definitions among the children of a container, and of the containers in it.

        Where the container is a wrapper, `outer` is where it begins.
        """
        rule_of, add, text, group = self._rule_of, self._add, self._text, self._vocabulary.group
        stack = [(iter(node.named_children), outer)]
        while stack:
            nodes, outer = stack[-1]
            for child in nodes:
                rule = rule_of(child.kind_id)
                if rule is None:
                    if outer >= 0 and child.kind_id in self._blocks:
                        stack.append((iter(child.named_children), -1))
                        break
                    continue
                start = child.start_byte
                first = start if outer < 0 or (group and group in text[outer:start]) else outer
                if rule.kind:
                    container = add(child, rule, start, first)
                    outer = -1
                    if container is None:
                        continue
                elif rule.opens:
                    container = child
                else:
                    continue
                stack[-1] = nodes, outer
                stack.append((iter(container.named_children), first if rule.wraps else -1))
                break
            else:
                stack.pop()

    def _climbed(self, node: Node, rule: _Rule) -> tuple[Node, _Rule]:
        """Return what a value is given to, where that is a definition; else the value."""
        parent = node.parent
        while parent is not None:
            outer = self._rule_of(parent.kind_id)
            if outer is None:
                break
            if outer.kind:
                return parent, outer
            if not outer.climbs:
                break
            parent = parent.parent
        return node, rule

    def _wrapped(self, node: Node, start: int) -> int:
        """Return where a definition begins with its decorators, or with words like `export`."""
        before = self._text[max(0, start - _LINE_BYTES) : start].rstrip()
        last = before[-1:]
        if last.isalnum():
            if self._vocabulary.decorated and not before[before.rfind(b"\n") + 1 :].lstrip().startswith(b"@"):
                return start
        elif last not in (b")", b">"):
            return start
        outer, parent = start, node.parent
        while parent is not None and (rule := self._rule_of(parent.kind_id)) is not None and rule.wraps:
            outer = parent.start_byte
            parent = parent.parent
        group = self._vocabulary.group
        return start if group and group in self._text[outer:start] else outer

    def _add(self, node: Node, rule: _Rule, start: int, outer: int) -> Node | None:
        """Take down a definition; return the container that holds more, if it has one and is new."""
        _, _, _, kind, find = rule
        if node.id in self._seen:
            return None
        self._seen.add(node.id)
        inside, at = node, -1
        if find is not None:
            named = find(node, self._text)
            if named is not None:
                at, until, kind, owner, inside = named
        else:
            name = node.child_by_field_id(self._name_field)
            if name is not None:
                at, until, owner = name.start_byte, name.end_byte, b""
        body = self._body_of(inside)
        first = -1 if body is None else body.start_byte
        if at >= 0 and at < until:
            text = self._text
            head = outer if outer < start and text.find(b"\n", outer, start) < 0 else start
            doc = None
            if body is not None and self._vocabulary.comments is None and opens_string(text, first):
                doc = docstring(body)
            self.found.append((outer, -node.end_byte, at, until, kind, owner, head, first, doc))
        if body is not None:
            opened = self._rule_of(body.kind_id)
            if (opened is not None and opened.opens) or kind == "module":
                return body
        if inside is not node:
            rule = self._rule_of(inside.kind_id) or rule
        return inside if rule.opens else None

    def _body_of(self, node: Node) -> Node | None:
        """Return what comes after a definition's signature: the grammar's field for it, or the last child."""
        if self._body_field:
            return node.child_by_field_id(self._body_field)
        if self._vocabulary.body:
            return None
        count = node.named_child_count
        last = node.named_child(count - 1) if count else None
        return last if last is not None and last.type in self._vocabulary.bodies else None


def _described(text: bytes, found: list[_Found], vocabulary: Vocabulary) -> tuple[Symbol, ...]:
    """The second pass: tell parents, lines, signatures and documentation. `found` is in order."""
    if not found:
        return ()
    comments, quoted, merges = vocabulary.comments, vocabulary.quoted_doc, vocabulary.merges
    count_of, wide = text.count, b"\r" in text
    line, counted = 1, 0
    ends: list[int] = [len(text) + 1]
    around: list[tuple[str, ...]] = [()]
    scopes: list[int] = [_MODULE]
    symbols: list[Symbol] = []
    followers = [each[0] for each in found[1:]]
    followers.append(ends[0])
    for (start, minus_end, at, until, kind, owner, head, body, doc), follower in zip(found, followers, strict=True):
        while start >= ends[-1]:
            ends.pop()
            around.pop()
            scopes.pop()
        end, parents, scope = -minus_end, around[-1], scopes[-1]
        if scope == _FUNCTION and kind in _VALUES:
            continue
        name = text[at:until].decode("utf-8", "replace")
        if owner:
            parents = (*parents, *owner.decode("utf-8", "replace").split("."))
        if kind == "function" and scope == _TYPE:
            kind = "method"
        if follower < end:  # most have nothing in them
            ends.append(end)
            around.append((*parents, name) if len(parents) < _MOST_PARENTS else parents)
            scopes.append(_SCOPES.get(kind, scope))
        if kind == _UNSEEN:
            continue
        while text[end - 1] in _SPACES:
            end -= 1
        if merges and symbols and symbols[-1].name == name and symbols[-1].parents == parents:
            symbols[-1] = symbols[-1]._replace(end=end)
            continue
        signature = _signature(text, head, at, until, end, body)
        if comments is not None:
            doc, start = comment_before(text, start, comments)
            if doc is None and quoted:
                doc = heredoc_before(text, start)
        low, high = (counted, at) if at >= counted else (at, counted)
        breaks = count_of(b"\n", low, high)
        if wide:
            breaks += count_of(b"\r", low, high) - count_of(b"\r\n", low, high)
        line += breaks if at >= counted else -breaks
        counted = at
        symbols.append(_new(Symbol, (name, kind, parents, start, end, line, signature, doc)))
    return tuple(symbols)


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
