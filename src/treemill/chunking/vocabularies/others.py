"""What defines something in the languages that close bodies by a word, by indentation, or not at all."""

from __future__ import annotations

from dataclasses import replace

from treemill.chunking import cues
from treemill.chunking.naming import by_text, qualified
from treemill.chunking.vocabularies import other_names
from treemill.chunking.vocabulary import HASHES, Comments, Vocabulary

PYTHON = Vocabulary(
    {
        "function_definition": "function",
        "class_definition": "class",
        "assignment": ("variable", other_names.python_assignment),
        "type_alias_statement": ("type", by_text(rb"type\s+(?P<name>\w+)", "type")),
    },
    wraps=("decorated_definition",),
    decorated=True,
    cues=cues.finder(
        (b"def ", b"class "),
        # One pattern for values of modules and constants of classes: most lines are neither, by how they begin.
        (
            rb"\n(?=[A-Za-z_]|    [A-Z])"
            rb"(?:    [A-Z][A-Z0-9_]* ?|(?:type )?[A-Za-z_]\w*[ \t]*(?::[^=\n]+)?)=(?!=)",
        ),
        "python",
    ),
    comments=None,
)

RUBY = Vocabulary(
    {
        "class": ("class", qualified("class", b"::")),
        "module": ("module", qualified("module", b"::")),
        "method": "function",
        "singleton_method": "function",
        "alias": "function",
        "assignment": ("constant", by_text(rb"(?P<name>[A-Z]\w*)\s*=", "constant")),
    },
    cues=cues.finder((b"def ", b"class ", b"module ", b"alias "), (rb"\n[ \t]*[A-Z]\w*[ \t]*=(?![=~>])",)),
    comments=HASHES,
)
LUA = Vocabulary(
    {
        "function_declaration": ("function", qualified("function", b".:")),
        "assignment_statement": ("function", other_names.lua_assignment),
        "field": ("function", other_names.lua_field),
    },
    wraps=("variable_declaration",),
    climbs=("function_definition", "expression_list"),
    cues=cues.finder((b"function",), ()),
    comments=Comments((b"--",), b"", (b"--[[", b"]]")),
)
ELIXIR = Vocabulary(
    {
        "call": (
            "function",
            by_text(
                rb"(?P<word>def\w*)[ (]+(?P<name>[A-Za-z_][\w.]*[!?]?)",
                "",
                {
                    **dict.fromkeys((b"defmodule", b"defprotocol", b"defimpl"), "module"),
                    **dict.fromkeys((b"def", b"defp", b"defdelegate", b"defn", b"defnp"), "function"),
                    **dict.fromkeys((b"defmacro", b"defmacrop", b"defguard", b"defguardp"), "macro"),
                },
            ),
        ),
    },
    cues=cues.finder((), (rb"\n *def[a-z]*[ (]",)),
    comments=HASHES,
    quoted_doc=True,
)
JULIA = Vocabulary(
    {
        "module_definition": "module",
        "function_definition": (
            "function",
            by_text(rb"function\s+(?P<owner>(?:\w+\.)*):?\(?(?P<name>[^\s(){},;]+)", "function"),
        ),
        "macro_definition": ("macro", by_text(rb"macro\s+(?P<name>[^\s(]+)", "macro")),
        "struct_definition": ("struct", by_text(rb"(?:mutable\s+)?struct\s+(?P<name>\w+)", "struct")),
        "abstract_definition": ("type", by_text(rb"abstract\s+type\s+(?P<name>\w+)", "type")),
        "primitive_definition": ("type", by_text(rb"primitive\s+type\s+(?P<name>\w+)", "type")),
        "const_statement": ("constant", by_text(rb"const\s+(?P<name>\w+)", "constant")),
        "assignment": (
            "function",
            by_text(rb"(?P<owner>(?:\w+\.)*):?\(?(?P<name>[^\s(){},;=.:]+)\)?(?:\{[^}\n]*\})?\(", "function"),
        ),
    },
    cues=cues.finder(
        (b"function ", b"struct ", b"macro ", b"module ", b"abstract type ", b"primitive type ", b"const "),
        (rb"\)(?:::[\w{}., ]+)?(?: where [^=\n]+)? =(?!=)",),
    ),
    comments=HASHES,
    quoted_doc=True,
)
HASKELL = Vocabulary(
    {
        "data_type": "type",
        "newtype": "type",
        "type_synonym": "type",
        "type_family": "type",
        "class": "class",
        "instance": "impl",
        "signature": ("function", other_names.haskell_equation),
        "function": ("function", other_names.haskell_equation),
        "bind": ("constant", other_names.haskell_equation),
    },
    opens=("haskell", "declarations", "class_declarations", "instance_declarations", "ERROR"),
    comments=Comments((b"--",), b"", (b"{-", b"-}")),
    body="declarations",
    merges=True,
)
OCAML = Vocabulary(
    {
        "let_binding": ("function", other_names.ocaml_binding),
        "type_binding": "type",
        "module_binding": ("module", by_text(rb"(?P<name>\w+)", "module")),
        "module_type_definition": ("interface", by_text(rb"module\s+type\s+(?P<name>\w+)", "interface")),
        "class_binding": ("class", by_text(rb"(?:\[[^\]]*\]\s*)?(?P<name>\w+)", "class")),
        "class_type_binding": ("class", by_text(rb"(?:\[[^\]]*\]\s*)?(?P<name>\w+)", "class")),
        "method_definition": (
            "method",
            by_text(rb"method!?\s+(?:(?:private|virtual)\s+)*(?P<name>[\w']+)", "method"),
        ),
        "external": ("function", by_text(rb"external\s+(?P<name>\w[\w']*)", "function")),
        "value_specification": ("function", by_text(rb"val\s+\(?\s*(?P<name>\w[\w']*|[^\s\w()]+)", "function")),
        "exception_definition": ("type", by_text(rb"exception\s+(?P<name>\w+)", "type")),
    },
    wraps=("value_definition", "type_definition", "module_definition", "class_definition", "class_type_definition"),
    opens=("compilation_unit", "structure", "signature", "object_expression"),
    cues=cues.finder((b"let ", b"external "), ()),
    comments=Comments((), b"", (b"(*", b"*)")),
)
OCAML_INTERFACE = replace(OCAML, cues=cues.finder((b"val ", b"type ", b"module ", b"exception ", b"external "), ()))
BASH = Vocabulary(
    {
        "function_definition": "function",
        "declaration_command": ("constant", by_text(rb"(?:readonly|declare\s+-r)\s+(?P<name>\w+)", "constant")),
    },
    cues=cues.finder((b"()", b"( )", b"function ", b"\nreadonly ", b"\ndeclare -r"), ()),
    comments=HASHES,
)
SQL = Vocabulary(
    dict.fromkeys(
        (
            *("create_table", "create_view", "create_materialized_view", "create_index", "create_function"),
            *("create_procedure", "create_trigger", "create_type", "create_schema", "create_sequence"),
        ),
        (
            "table",
            by_text(
                rb"(?i)create\s+(?:or\s+replace\s+)?(?:(?:global|local|temp|temporary|unlogged|unique|materialized)\s+)*"
                rb"(?P<word>\w+)\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?[\"`\[]?(?P<name>[\w.]+)",
                "",
                {
                    word.encode(): word
                    for word in ("table", "view", "index", "function", "procedure", "trigger", "type", "schema")
                },
            ),
        ),
    ),
    opens=("program", "statement"),
    comments=Comments((b"--",), b"", (b"/*", b"*/")),
)
MARKDOWN = Vocabulary(
    {"section": ("heading", other_names.heading), "setext_heading": ("heading", other_names.heading)},
    opens=("document", "section"),
    comments=None,
)
