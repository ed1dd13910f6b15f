"""Definitions of a source file with their documentation: what the training pairs are made of.

`definitions(text, language)` gives each function, method, class and type with its code (documentation taken out) and
its documentation (markup still in). It reads more generously than the index does: bodies of functions are entered
where a language nests (JavaScript modules), and documentation that a header gives to a declaration is reported as a
`Declaration`, so that the pair can be made with the body in another file.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter

from treemill.languages import LANGUAGES

_FUNCTION, _TYPE = "function", "type"

_KINDS: dict[str, dict[str, str]] = {
    "python": {"function_definition": _FUNCTION, "class_definition": _TYPE},
    "javascript": {
        "function_declaration": _FUNCTION,
        "generator_function_declaration": _FUNCTION,
        "method_definition": _FUNCTION,
        "class_declaration": _TYPE,
        "variable_declarator": _FUNCTION,
        "assignment_expression": _FUNCTION,
        "pair": _FUNCTION,
        "public_field_definition": _FUNCTION,
        "field_definition": _FUNCTION,
        "interface_declaration": _TYPE,
        "abstract_class_declaration": _TYPE,
        "enum_declaration": _TYPE,
        "type_alias_declaration": _TYPE,
    },
    "go": {"function_declaration": _FUNCTION, "method_declaration": _FUNCTION, "type_spec": _TYPE},
    "rust": {
        "function_item": _FUNCTION,
        "macro_definition": _FUNCTION,
        "struct_item": _TYPE,
        "enum_item": _TYPE,
        "trait_item": _TYPE,
        "type_item": _TYPE,
    },
    "java": {
        "method_declaration": _FUNCTION,
        "constructor_declaration": _FUNCTION,
        "class_declaration": _TYPE,
        "interface_declaration": _TYPE,
        "enum_declaration": _TYPE,
        "record_declaration": _TYPE,
    },
    "c": {"function_definition": _FUNCTION, "preproc_function_def": _FUNCTION, "struct_specifier": _TYPE},
    "cpp": {
        "function_definition": _FUNCTION,
        "preproc_function_def": _FUNCTION,
        "class_specifier": _TYPE,
        "struct_specifier": _TYPE,
    },
    "csharp": {
        "method_declaration": _FUNCTION,
        "constructor_declaration": _FUNCTION,
        "property_declaration": _FUNCTION,
        "class_declaration": _TYPE,
        "struct_declaration": _TYPE,
        "interface_declaration": _TYPE,
        "record_declaration": _TYPE,
        "enum_declaration": _TYPE,
    },
    "ruby": {"method": _FUNCTION, "singleton_method": _FUNCTION, "class": _TYPE, "module": _TYPE},
    "php": {
        "method_declaration": _FUNCTION,
        "function_definition": _FUNCTION,
        "class_declaration": _TYPE,
        "interface_declaration": _TYPE,
        "trait_declaration": _TYPE,
    },
    "scala": {
        "function_definition": _FUNCTION,
        "class_definition": _TYPE,
        "object_definition": _TYPE,
        "trait_definition": _TYPE,
    },
    "kotlin": {"function_declaration": _FUNCTION, "class_declaration": _TYPE, "object_declaration": _TYPE},
    "haskell": {"function": _FUNCTION, "bind": _FUNCTION, "data_type": _TYPE, "newtype": _TYPE, "class": _TYPE},
    "lua": {"function_declaration": _FUNCTION},
    "elixir": {"call": _FUNCTION},
    "swift": {"function_declaration": _FUNCTION, "class_declaration": _TYPE, "protocol_declaration": _TYPE},
    "ocaml": {"value_definition": _FUNCTION, "type_definition": _TYPE, "module_definition": _TYPE},
    "bash": {"function_definition": _FUNCTION},
}
_KINDS["typescript"] = _KINDS["tsx"] = _KINDS["javascript"]

_WRAPPERS = frozenset(
    (
        "export_statement decorated_definition lexical_declaration variable_declaration expression_statement"
        " type_declaration template_declaration type_definition declaration linkage_specification"
    ).split()
)
_SKIPPED_BETWEEN = frozenset(["attribute_item", "attribute", "decorator", "annotation", "signature", "attribute_list"])
_FUNCTION_VALUES = frozenset(["arrow_function", "function_expression", "generator_function", "class"])
_ELIXIR_KEYWORDS = frozenset([b"def", b"defp", b"defmacro", b"defmodule", b"defprotocol", b"defguard"])
_LONGEST_DEFINITION = 60_000


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition: `code` without its documentation, `doc` as written (comment marks included), or ""."""

    name: str
    kind: str
    parents: tuple[str, ...]
    code: str
    doc: str
    start: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """A documented declaration without a body."""

    name: str
    doc: str


@cache
def _parser(language: str) -> tree_sitter.Parser:
    grammar = LANGUAGES[language].grammar
    if grammar is None:
        raise ValueError(f"no grammar is known for {language}")
    module = importlib.import_module(grammar.module)
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, grammar.function)()))


def definitions(data: bytes, language: str) -> Iterator[Definition | Declaration]:
    """Yield the definitions of a file in the order of their starts."""
    kinds = _KINDS[language]
    tree = _parser(language).parse(data)
    stack: list[tuple[tree_sitter.Node, tuple[str, ...]]] = [(tree.root_node, ())]
    while stack:
        node, parents = stack.pop()
        kind = kinds.get(node.type)
        name = _name(node, data, language) if kind else ""
        if kind and name and node.end_byte - node.start_byte <= _LONGEST_DEFINITION:
            yield _definition(node, data, language, name, kind, parents)
        elif (
            language in ("c", "cpp")
            and node.type in ("declaration", "field_declaration")
            and (head := _c_name(node, data))
        ):
            if doc := _comment_before(node, data):
                yield Declaration(head, doc)
            continue
        if (
            kind == _FUNCTION
            and name
            and (
                language not in ("javascript", "typescript", "tsx", "elixir") or node.end_byte - node.start_byte < 2000
            )
        ):
            continue
        inner = (*parents, name) if kind and name else parents
        stack.extend((child, inner) for child in reversed(node.named_children))


def _definition(
    node: tree_sitter.Node, data: bytes, language: str, name: str, kind: str, parents: tuple[str, ...]
) -> Definition:
    outer = node
    while outer.parent is not None and outer.parent.type in _WRAPPERS and outer.parent.named_child_count <= 3:
        outer = outer.parent
    start, end = outer.start_byte, outer.end_byte
    if language == "haskell":
        start, end = _haskell_range(node, data, name)
    doc = _comment_before(outer, data, language)
    code = data[start:end]
    if language == "python" and (inside := _docstring(node)) is not None:
        first, last = inside.start_byte - start, inside.end_byte - start
        doc = data[inside.start_byte : inside.end_byte].decode("utf-8", "replace")
        code = code[:first] + code[last:]
    return Definition(name, kind, parents, code.decode("utf-8", "replace"), doc, start)


def _name(node: tree_sitter.Node, data: bytes, language: str) -> str:
    """Return the name that a node defines, or "" where it defines none."""
    if language in ("c", "cpp"):
        return _c_name(node, data)
    if language == "elixir":
        return _elixir_name(node, data)
    if node.type in (
        "variable_declarator",
        "assignment_expression",
        "pair",
        "public_field_definition",
        "field_definition",
    ):
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        if value is None or value.type not in _FUNCTION_VALUES:
            return ""
        left = (
            node.child_by_field_name("name")
            or node.child_by_field_name("left")
            or node.child_by_field_name("key")
            or node.child_by_field_name("property")
        )
        return _last_part(data[left.start_byte : left.end_byte]) if left else ""
    named = node.child_by_field_name("name") or node.child_by_field_name("pattern")
    if named is None:
        candidates = (
            "identifier",
            "simple_identifier",
            "type_identifier",
            "value_name",
            "type_binding",
            "let_binding",
            "name",
            "word",
        )
        named = next((child for child in node.named_children if child.type in candidates), None)
    if named is None:
        return ""
    return _last_part(re.split(rb"[\s(<:=\[{]", data[named.start_byte : named.end_byte], maxsplit=1)[0])


def _last_part(name: bytes) -> str:
    text = re.split(rb"[.:#]+", name.strip(b"\"'`"))[-1].decode("utf-8", "replace")
    return text if re.fullmatch(r"[\w$!?'=]+", text) else ""


def _c_name(node: tree_sitter.Node, data: bytes) -> str:
    """Return the name of a C function, macro or struct with a body; of a declaration, that of its function."""
    if node.type in ("struct_specifier", "class_specifier"):
        named = node.child_by_field_name("name")
        body = node.child_by_field_name("body")
        return _last_part(data[named.start_byte : named.end_byte]) if named is not None and body is not None else ""
    if node.type == "preproc_function_def":
        named = node.child_by_field_name("name")
        return data[named.start_byte : named.end_byte].decode() if named is not None else ""
    inner = node.child_by_field_name("declarator")
    seen_function = False
    while inner is not None:
        seen_function = seen_function or inner.type == "function_declarator"
        if inner.type in ("identifier", "field_identifier", "qualified_identifier", "destructor_name", "operator_name"):
            return _last_part(data[inner.start_byte : inner.end_byte]) if seen_function else ""
        inner = inner.child_by_field_name("declarator") or next(
            (child for child in inner.named_children if "declarator" in child.type), None
        )
    return ""


def _elixir_name(node: tree_sitter.Node, data: bytes) -> str:
    target = node.child_by_field_name("target")
    if target is None or data[target.start_byte : target.end_byte] not in _ELIXIR_KEYWORDS:
        return ""
    match = re.match(rb"\s*\(?\s*([\w.?!]+)", data[target.end_byte : target.end_byte + 200])
    return _last_part(match[1]) if match else ""


def _docstring(node: tree_sitter.Node) -> tree_sitter.Node | None:
    body = node.child_by_field_name("body")
    first = body.named_children[0] if body is not None and body.named_children else None
    if first is not None and first.type == "expression_statement" and first.named_children:
        first = first.named_children[0]
    return first if first is not None and first.type == "string" else None


def _comment_before(node: tree_sitter.Node, data: bytes, language: str = "c") -> str:
    """Return the comments that end right above a node, as written."""
    pieces: list[str] = []
    previous = node.prev_named_sibling
    if previous is None and node.parent is not None and node.parent.start_byte == node.start_byte:
        previous = node.parent.prev_named_sibling
    below = node.start_point[0]
    while previous is not None:
        is_doc = "comment" in previous.type or previous.type == "haddock"
        if language == "elixir" and previous.type == "unary_operator":
            text = data[previous.start_byte : previous.end_byte]
            if text.startswith((b"@doc", b"@moduledoc")):
                return text.split(b" ", 1)[-1].decode("utf-8", "replace")
            previous = previous.prev_named_sibling
            continue
        if not is_doc and previous.type not in _SKIPPED_BETWEEN:
            break
        text = data[previous.start_byte : previous.end_byte].rstrip()
        end_row = previous.start_point[0] + text.count(b"\n")
        if below - end_row > 1:
            break
        if is_doc:
            pieces.append(text.decode("utf-8", "replace"))
        below = previous.start_point[0]
        previous = previous.prev_named_sibling
    return "\n".join(reversed(pieces))


def _haskell_range(node: tree_sitter.Node, data: bytes, name: str) -> tuple[int, int]:
    """Return the range of a function's signature and of all its equations."""
    start, end = node.start_byte, node.end_byte
    before = node.prev_named_sibling
    if before is not None and before.type == "signature" and data[before.start_byte :].startswith(name.encode()):
        start = before.start_byte
    after = node.next_named_sibling
    while after is not None and after.type == node.type and data[after.start_byte :].startswith(name.encode() + b" "):
        end, after = after.end_byte, after.next_named_sibling
    return start, end
