"""How definitions tell their names in the languages with braces, where the grammar has no field for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treemill.chunking.naming import Named, NamedText, NodeFinder, TextFinder

if TYPE_CHECKING:
    from tree_sitter import Node

_FUNCTIONS = frozenset(
    ("arrow_function", "function_expression", "generator_function", "function", "function_definition")
)
_OWNER_OF_NOBODY = frozenset((b"exports", b"module.exports", b"module", b"this", b"self", b"window", b"global"))
_EXPORTS = frozenset((b"exports", b"module.exports"))
_LF = ord("\n")
_QUOTES = b"\"'`"


def script_variable(node: Node, text: bytes) -> Named | None:
    """`const add = (a, b) => …`, `const Shop = class …`, and other variables, but those that import."""
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    if name is None or name.type != "identifier":
        return None
    kind = "variable" if value is None else _script_kind(value)
    start, end = name.start_byte, name.end_byte
    if kind == "variable" and value is not None:
        if text.startswith((b"require(", b"await import("), value.start_byte):
            return None
        if text[max(0, start - 6) : start].startswith(b"const"):
            kind = "constant"
    return (start, end, kind, b"", value or node)


def script_pair(node: Node, text: bytes) -> Named | None:
    """`close: function () …` in an object, and `close = () => …` in a class."""
    name = node.child_by_field_name("key") or node.child_by_field_name("property") or node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    if name is None or value is None:
        return None
    kind = _script_kind(value)
    return None if kind == "variable" else (*_unquoted(text, name), kind, b"", value)


def script_assignment(node: Node, text: bytes) -> Named | None:
    """`Shop.prototype.close = function …`, whose owner is Shop, and `exports.close = …`, which has none.

    What is exported as the whole module goes by its own name, if it has one: `module.exports = function close …`.
    """
    left, value = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or value is None:
        return None
    kind = _script_kind(value)
    if kind == "variable":
        return None
    own = value.child_by_field_name("name")
    if own is not None and text[left.start_byte : left.end_byte] in _EXPORTS:
        return (own.start_byte, own.end_byte, kind, b"", value)
    if left.type == "identifier":
        return (left.start_byte, left.end_byte, kind, b"", value)
    name, scope = left.child_by_field_name("property"), left.child_by_field_name("object")
    if name is None or scope is None:
        return None
    owner = text[scope.start_byte : scope.end_byte].removesuffix(b".prototype")
    if owner in _OWNER_OF_NOBODY or not re.fullmatch(rb"[\w$.]+", owner):
        owner = b""
    return (name.start_byte, name.end_byte, "method" if owner and kind == "function" else kind, owner, value)


def _script_kind(value: Node) -> str:
    """Tell what a value makes of the variable that holds it."""
    kind = value.type
    if kind in _FUNCTIONS:
        return "function"
    return "class" if kind == "class" else "variable"


def _unquoted(text: bytes, name: Node) -> tuple[int, int]:
    start, end = name.start_byte, name.end_byte
    return (start + 1, end - 1) if end - start > 2 and text[start] in _QUOTES else (start, end)


def script_type(node: Node, text: bytes) -> Named | None:
    """`type Shape = { area(): number }`, whose methods stand in the value."""
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None:
        return None
    return (name.start_byte, name.end_byte, "type", b"", value or node)


def script_module(node: Node, text: bytes) -> Named | None:
    """`namespace Geometry` and `declare module "geometry"`."""
    name = node.child_by_field_name("name")
    return None if name is None else (*_unquoted(text, name), "module", b"", node)


def c_function(node: Node, text: bytes) -> Named | None:
    """A function, defined or declared; in C++ with what qualifies it as its owner."""
    declarator = node.child_by_field_name("declarator")
    function = node.type == "function_declarator"  # on its own, where macros have confused the parser
    while declarator is not None:
        kind = declarator.type
        if kind == "function_declarator":
            function = True
        elif kind == "qualified_identifier":
            return _c_qualified(node, declarator, text)
        elif kind.endswith(("identifier", "_name")) or kind in ("operator_cast", "template_function"):
            break
        elif kind in ("parenthesized_declarator", "init_declarator", "array_declarator"):
            return None
        inner = declarator.child_by_field_name("declarator")
        if inner is None and kind in ("reference_declarator", "attributed_declarator"):
            inner = declarator.named_child(declarator.named_child_count - 1)
        declarator = inner
    if declarator is None or not (function or declarator.type == "operator_cast"):
        return None
    return (declarator.start_byte, _c_name_end(declarator, text), "function", b"", node)


def _c_qualified(node: Node, declarator: Node, text: bytes) -> Named | None:
    """Split `shop::Shape<int>::area` into its owner, without template arguments, and its name."""
    owners: list[bytes] = []
    while declarator.type == "qualified_identifier":
        scope, name = declarator.child_by_field_name("scope"), declarator.child_by_field_name("name")
        if name is None:
            return None
        if scope is not None:
            owners.append(text[scope.start_byte : scope.end_byte].partition(b"<")[0].strip())
        declarator = name
    end = _c_name_end(declarator, text)
    return (declarator.start_byte, end, "method", b".".join(owners), node)


def _c_name_end(name: Node, text: bytes) -> int:
    """Leave template arguments and a conversion's parameters out of a name."""
    if name.type == "template_function":
        name = name.child_by_field_name("name") or name
    if name.type == "operator_cast":
        paren = text.find(b"(", name.start_byte, name.end_byte)
        return paren if paren > 0 else name.end_byte
    return name.end_byte


def c_typedef(node: Node, text: bytes) -> Named | None:
    """The name that a typedef gives, a struct's if it gives it to one."""
    name = node.child_by_field_name("declarator")
    while name is not None and name.type != "type_identifier":
        inner = name.child_by_field_name("declarator")
        name = inner if inner is not None or name.type != "parenthesized_declarator" else name.named_child(0)
    if name is None:
        return None
    return (name.start_byte, name.end_byte, "type", b"", node)


def c_body(kind: str) -> NodeFinder:
    """A struct, union, class or enum that has a body here; a mere mention defines nothing."""

    def find(node: Node, text: bytes) -> Named | None:
        name = node.child_by_field_name("name")
        if name is None or node.child_by_field_name("body") is None:
            return None
        end = name.end_byte
        owner = b""
        start = name.start_byte
        if name.type != "type_identifier":
            start = max(start, text.rfind(b"::", start, end) + 2 if b"::" in text[start:end] else start)
            owner = text[name.start_byte : start].replace(b"::", b".").rstrip(b".")
            arguments = text.find(b"<", start, end)
            end = arguments if arguments > start else end
        return (start, end, kind, owner, node)

    return NodeFinder("c_body", None, find)


def c_macro(node: Node, text: bytes) -> Named | None:
    """A macro that stands for something; guards against including twice do not."""
    name = node.child_by_field_name("name")
    if name is None or node.child_by_field_name("value") is None:
        return None
    return (name.start_byte, name.end_byte, "macro", b"", node)


def _constant(pattern: bytes, mark: bytes, needs: bytes) -> TextFinder:
    """Find what is constant by itself: values at the beginning of a line, and in types those that have a mark."""
    matching = re.compile(pattern).match

    def at(text: bytes, start: int, end: int) -> NamedText | None:
        found = matching(text, start, end)
        if found is None or (start and text[start - 1] != _LF and mark not in found[0]):
            return None
        return found.start(1), found.end(1), "constant", b""

    return TextFinder(at, needs)


swift_constant = _constant(rb"[^=\n{]*?\blet\s+(\w+)", b"static ", b"let")
kotlin_constant = _constant(rb"[^=\n{]*?\bval\s+(\w+)", b"const ", b"val")


_RECEIVER = re.compile(rb"(\w+)\s*(?:\[[^\]]*\])?\s*\)\Z")


def go_method(node: Node, text: bytes) -> Named | None:
    """A method, owned by its receiver's type."""
    name, receiver = node.child_by_field_name("name"), node.child_by_field_name("receiver")
    if name is None or receiver is None:
        return None
    owner = _RECEIVER.search(text, receiver.start_byte, receiver.end_byte)
    return (name.start_byte, name.end_byte, "method", owner[1] if owner else b"", node)


def go_type(node: Node, text: bytes) -> Named | None:
    """A type, by what it is."""
    name, what = node.child_by_field_name("name"), node.child_by_field_name("type")
    if name is None or what is None:
        return None
    kind = {"struct_type": "struct", "interface_type": "interface"}.get(what.type, "type")
    return (name.start_byte, name.end_byte, kind, b"", what if kind == "interface" else node)
