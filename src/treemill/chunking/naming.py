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

_FUNCTIONS = frozenset(
    ("arrow_function", "function_expression", "generator_function", "function", "function_definition")
)
_OWNER_OF_NOBODY = frozenset((b"exports", b"module.exports", b"module", b"this", b"self", b"window", b"global"))
_UPPER_CASE = re.compile(rb"_*[A-Z][A-Z0-9_]*\Z")
_QUOTES = b"\"'`"


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


def python_assignment(node: Node, text: bytes) -> Named | None:
    """`LIMIT = 10` and `app = Flask()`; only plain names."""
    left = node.child_by_field_name("left")
    if left is None or left.type != "identifier":
        return None
    start, end = left.start_byte, left.end_byte
    return start, end, "constant" if _UPPER_CASE.match(text[start:end]) else "variable", b"", node


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
    """`Shop.prototype.close = function …`, whose owner is Shop, and `exports.close = …`, which has none."""
    left, value = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or value is None:
        return None
    kind = _script_kind(value)
    if kind == "variable":
        return None
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
    function = False
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


def c_body(kind: str) -> Finder:
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

    return find


def c_macro(node: Node, text: bytes) -> Named | None:
    """A macro that stands for something; guards against including twice do not."""
    name = node.child_by_field_name("name")
    if name is None or node.child_by_field_name("value") is None:
        return None
    return (name.start_byte, name.end_byte, "macro", b"", node)


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


def lua_assignment(node: Node, text: bytes) -> Named | None:
    """`M.close = function …`."""
    names, values = node.named_child(0), node.named_child(1) if node.named_child_count > 1 else None
    value = values.named_child(0) if values is not None and values.named_child_count else None
    if names is None or value is None or value.type != "function_definition" or not names.named_child_count:
        return None
    name = names.named_child(0)
    assert name is not None
    start, end = name.start_byte, name.end_byte
    last = max(text.rfind(b".", start, end), text.rfind(b":", start, end)) + 1
    if last <= start:
        return (start, end, "function", b"", value)
    return (last, end, "function", text[start : last - 1], value)


def lua_field(node: Node, text: bytes) -> Named | None:
    """`close = function …` in a table."""
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None or value is None or value.type != "function_definition":
        return None
    return (name.start_byte, name.end_byte, "function", b"", value)


def haskell_equation(node: Node, text: bytes) -> Named | None:
    """A type signature or an equation; several of one name are one definition."""
    name = node.child_by_field_name("name")
    if name is None:
        infix = node.named_child(0)
        name = infix.child_by_field_name("operator") if infix is not None and infix.type == "infix" else None
        if name is None:
            return None
    start, end = name.start_byte, name.end_byte
    if text[start : start + 1] == b"(" and text[end - 1 : end] == b")" and end - start > 2:
        start, end = start + 1, end - 1
    kind = node.type
    constant = kind == "bind" or (kind == "signature" and b"->" not in text[end : node.end_byte])
    return (start, end, "constant" if constant else "function", b"", node)


_ML_NAME = re.compile(rb"(?P<name>\w[\w']*|\(\s*[^\s\w()]+\s*\))")


def ocaml_binding(node: Node, text: bytes) -> Named | None:
    """`let add a b = …` is a function, as is `let add = fun a b -> …`; other values are constants."""
    name = _ML_NAME.match(text, node.start_byte, node.end_byte)
    if name is None:
        return None
    second = node.named_child(1) if node.named_child_count > 1 else None
    function = second is not None and second.type in ("parameter", "fun_expression", "function_expression")
    if not function:
        body = node.child_by_field_name("body")
        function = body is not None and body.type in ("fun_expression", "function_expression")
    start, end = name.span()
    if text[start] == 0x28:
        inner = text[start:end]
        end -= len(inner) - len(inner[:-1].rstrip())
        start += len(inner) - len(inner[1:].lstrip())
    return (start, end, "function" if function else "constant", b"", node)


def heading(node: Node, text: bytes) -> Named | None:
    """A section of Markdown by its first heading, or a heading that is underlined."""
    if node.type == "section":
        first = node.named_child(0) if node.named_child_count else None
        if first is None or first.type != "atx_heading":
            return None
        name = first.child_by_field_name("heading_content")
    else:
        name = node.child_by_field_name("heading_content")
    if name is None:
        return None
    start, end = name.start_byte, name.end_byte
    words = text[start:end].rstrip()
    return (start, start + len(words), "heading", b"", node) if words else None
