"""How definitions tell their names in the languages without braces, where the grammar has no field for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treemill.chunking.naming import Named

if TYPE_CHECKING:
    from tree_sitter import Node

_UPPER_CASE = re.compile(rb"_*[A-Z][A-Z0-9_]*\Z")


def python_assignment(node: Node, text: bytes) -> Named | None:
    """`LIMIT = 10` and `app = Flask()`; only plain names."""
    left = node.child_by_field_name("left")
    if left is None or left.type != "identifier":
        return None
    start, end = left.start_byte, left.end_byte
    return start, end, "constant" if _UPPER_CASE.match(text[start:end]) else "variable", b"", node


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
