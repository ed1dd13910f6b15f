r"""What defines something, language by language: the table behind `definitions`.

A definition is reached in one of two ways. Containers (`opens`) are looked at child by child: a Java class has its
methods there and nowhere else. Everything else is entered only where its text holds a *cue*, an offset that `words`
or `pattern` found: in Python the walk goes from one `def` to the next and sees nothing in between. A cue too many
costs a microsecond, a cue too few a definition; so patterns lean to too many. They begin with a line feed where the
language puts definitions on their own lines, because a pattern with a literal in front is searched ten times faster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from treemill.chunking import naming
from treemill.chunking.naming import Finder, by_keyword, by_text, qualified

_Defines = Mapping[str, str | tuple[str, Finder]]


@dataclass(frozen=True, slots=True)
class Comments:
    """How a language comments: `line` in front of each line, `block` around several, `attribute` in front of a line
    between comment and definition that belongs to the definition."""

    line: tuple[bytes, ...] = ()
    block: tuple[bytes, bytes] | None = None
    attribute: bytes | None = None


SLASHES = Comments((b"//",), (b"/*", b"*/"))
HASHES = Comments((b"#",))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The definitions of one language.

    `defines` maps kinds of nodes to what they define, with a finder where the grammar has no `name` field; nodes of
    the `wraps` kinds lend their beginning to the definition in them. `docstring` tells where documentation stands:
    in the body, or in front as a comment. `body` is the grammar's field for what comes after the signature. Where
    `group` stands between a wrapper and a definition, the wrapper holds several. With `merges`, neighbours of one name
    are one definition.
    """

    defines: _Defines
    opens: tuple[str, ...] = ()
    wraps: tuple[str, ...] = ()
    words: tuple[bytes, ...] = ()
    pattern: bytes | None = None
    comments: Comments = field(default=SLASHES)
    docstring: bool = False
    quoted_doc: bool = False
    body: str = "body"
    group: bytes | None = None
    merges: bool = False


PYTHON = Vocabulary(
    {
        "function_definition": "function",
        "class_definition": "class",
        "expression_statement": ("variable", naming.python_assignment),
        "type_alias_statement": ("type", by_text(rb"type\s+(?P<name>\w+)", "type")),
    },
    wraps=("decorated_definition",),
    pattern=rb"\n(?:[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]|[A-Za-z_]\w*[ \t]*(?::[^=\n]+)?=(?!=)"
    rb"|[ \t]+[A-Z][A-Z0-9_]+[ \t]*(?::[^=\n]+)?=(?!=)|type[ \t]+\w)",
    docstring=True,
    comments=Comments(),
)

_SCRIPT: _Defines = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "function_expression": "function",
    "generator_function": "function",
    "class_declaration": "class",
    "class": "class",
    "method_definition": "function",
    "variable_declarator": ("variable", naming.script_variable),
    "pair": ("function", naming.script_pair),
    "field_definition": ("function", naming.script_pair),
    "public_field_definition": ("function", naming.script_pair),
    "assignment_expression": ("function", naming.script_assignment),
}
_ARGUMENTS = rb"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_SCRIPT_PATTERN = (
    rb"[=:][ \t\n]*(?:async\b[ \t]*)?(?:function\b|class\b|(?:" + _ARGUMENTS + rb"|[\w$]+)(?:[ \t]*:[^={;,]+)?[ \t]*=>)"
    rb"|function\b[ \t]*\*?[ \t]*[\w$]|class[ \t]+[\w$]"
    rb"|[\n,{][ \t]*(?:(?:async|get|set|static)[ \t]+)*\*?[ \t]*"
    rb"(?!if\b|for\b|while\b|switch\b|catch\b|with\b|function\b|return\b)[#\w$]+[ \t]*" + _ARGUMENTS + rb"[ \t]*\{"
    rb"|\n(?:export[ \t]+)?(?:const|let|var)[ \t]+[\w$]"
)
JAVASCRIPT = Vocabulary(
    _SCRIPT,
    opens=("class_body",),
    wraps=("export_statement", "lexical_declaration", "variable_declaration"),
    pattern=_SCRIPT_PATTERN,
)
TYPESCRIPT = Vocabulary(
    {
        **_SCRIPT,
        "function_signature": "function",
        "method_signature": "function",
        "abstract_method_signature": "function",
        "abstract_class_declaration": "class",
        "interface_declaration": "interface",
        "enum_declaration": "enum",
        "type_alias_declaration": "type",
        "internal_module": ("module", naming.script_module),
        "module": ("module", naming.script_module),
    },
    opens=("class_body", "interface_body", "object_type"),
    wraps=("export_statement", "lexical_declaration", "variable_declaration", "ambient_declaration"),
    pattern=_SCRIPT_PATTERN
    + rb"|\n[ \t]*(?:(?:export|declare|default|const|abstract)[ \t]+)*(?:interface|enum|namespace|module|type)[ \t]+[\w$\"']"
    rb"|\{\n[ \t]*(?:readonly[ \t]+)?[\w$]+\??(?:<[^>]*>)?\(",
)
JAVA = Vocabulary(
    {
        "class_declaration": "class",
        "interface_declaration": "interface",
        "enum_declaration": "enum",
        "record_declaration": "record",
        "annotation_type_declaration": "interface",
        "method_declaration": "method",
        "constructor_declaration": "constructor",
        "compact_constructor_declaration": "constructor",
        "annotation_type_element_declaration": "method",
        "field_declaration": (
            "constant",
            by_text(rb"(?=[^=;(]*\bstatic\b)(?=[^=;(]*\bfinal\b)[^=;]*?(?P<name>\w+)\s*=", "constant"),
        ),
    },
    opens=(
        *("program", "class_body", "interface_body", "enum_body", "enum_body_declarations", "annotation_type_body"),
        "ERROR",
    ),
    words=(b"class ", b"interface ", b"enum ", b"record "),
    pattern=rb"new [\w.<>,? \[\]]+\([^;{}]*\)\s*\{",
)
_C: _Defines = {
    "function_definition": ("function", naming.c_function),
    "declaration": ("function", naming.c_function),
    "struct_specifier": ("struct", naming.c_body("struct")),
    "union_specifier": ("union", naming.c_body("union")),
    "enum_specifier": ("enum", naming.c_body("enum")),
    "type_definition": ("type", naming.c_typedef),
    "preproc_def": ("macro", naming.c_macro),
    "preproc_function_def": ("macro", naming.c_macro),
}
_C_OPENS = (
    *("translation_unit", "preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif", "preproc_elifdef"),
    *("declaration_list", "linkage_specification", "ERROR"),
)
C = Vocabulary(_C, opens=_C_OPENS, pattern=rb"(?:struct|union|enum)\s+\w+\s*\{")
CPP = Vocabulary(
    {
        **_C,
        "field_declaration": ("function", naming.c_function),
        "class_specifier": ("class", naming.c_body("class")),
        "namespace_definition": "module",
        "alias_declaration": "type",
        "concept_definition": "type",
    },
    opens=(*_C_OPENS, "field_declaration_list"),
    wraps=("template_declaration",),
    pattern=rb"(?:struct|union|enum|class)\s+[\w:\s]+(?:<[^;{}()]*>\s*)?(?::[^;{}()]*)?\{",
)
CSHARP = Vocabulary(
    {
        "class_declaration": "class",
        "interface_declaration": "interface",
        "struct_declaration": "struct",
        "enum_declaration": "enum",
        "record_declaration": "record",
        "method_declaration": "method",
        "constructor_declaration": "constructor",
        "destructor_declaration": "method",
        "property_declaration": "property",
        "delegate_declaration": "type",
        "namespace_declaration": "module",
        "file_scoped_namespace_declaration": "module",
        "operator_declaration": ("method", by_text(rb"[^(]*?\boperator\s*(?P<name>[^\s(]+)\s*\(", "method")),
        "field_declaration": ("constant", by_text(rb"(?:\w+\s+)*?const\s+[^=;]*?(?P<name>\w+)\s*=", "constant")),
    },
    opens=(
        "compilation_unit",
        "declaration_list",
        "preproc_if",
        "preproc_else",
        "preproc_elif",
        "preproc_region",
        "ERROR",
    ),
)
GO = Vocabulary(
    {
        "function_declaration": "function",
        "method_declaration": ("method", naming.go_method),
        "type_spec": ("type", naming.go_type),
        "type_alias": "type",
        "method_elem": "method",
        "const_spec": "constant",
        "var_spec": "variable",
    },
    opens=(*("const_declaration", "var_declaration", "var_spec_list", "type_declaration", "interface_type"),),
    wraps=("const_declaration", "var_declaration", "type_declaration"),
    words=(b"\nfunc ", b"\ntype ", b"\nconst ", b"\nvar ", b"\ttype "),
    group=b"(",
)
RUST = Vocabulary(
    {
        "function_item": "function",
        "function_signature_item": "function",
        "struct_item": "struct",
        "enum_item": "enum",
        "union_item": "union",
        "trait_item": "trait",
        "mod_item": "module",
        "type_item": "type",
        "associated_type": "type",
        "const_item": "constant",
        "static_item": "constant",
        "macro_definition": "macro",
        "impl_item": (
            "impl",
            by_text(
                rb"(?:unsafe\s+)?impl\b\s*(?:<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>|->)*>\s*)?(?:[^{;]*?\bfor\s+)?"
                rb"(?:&\s*)?(?:'\w+\s+)?(?:mut\s+)?(?:dyn\s+)?(?:\w+::)*(?P<name>\w+)",
                "impl",
            ),
        ),
    },
    pattern=rb"\n[ \t]*(?:pub\b(?:\([^)\n]*\))?[ \t]*)?(?:(?:async|unsafe|default|const|extern(?:[ \t]+\"[^\"\n]*\")?)[ \t]+)*"
    rb"(?:fn|struct|enum|union|trait|mod|type|const|static(?:[ \t]+mut)?|macro_rules!)[ \t]+\w",
    comments=Comments((b"//",), (b"/*", b"*/"), b"#["),
)
RUBY = Vocabulary(
    {
        "class": ("class", qualified("class", re.compile(rb"::"))),
        "module": ("module", qualified("module", re.compile(rb"::"))),
        "method": "function",
        "singleton_method": "function",
        "alias": "function",
        "assignment": ("constant", by_text(rb"(?P<name>[A-Z]\w*)\s*=", "constant")),
    },
    words=(b"def ", b"class ", b"module ", b"alias "),
    pattern=rb"\n[ \t]*[A-Z]\w*[ \t]*=[^=~>]",
    comments=HASHES,
)
PHP = Vocabulary(
    {
        "namespace_definition": "module",
        "interface_declaration": "interface",
        "trait_declaration": "trait",
        "class_declaration": "class",
        "enum_declaration": "enum",
        "function_definition": "function",
        "method_declaration": "function",
        "const_element": ("constant", by_text(rb"(?P<name>\w+)\s*=", "constant")),
    },
    opens=("const_declaration",),
    wraps=("const_declaration",),
    words=(b"function ", b"class ", b"interface ", b"trait ", b"enum ", b"const ", b"namespace "),
    comments=Comments((b"//", b"# "), (b"/*", b"*/"), b"#["),
)
KOTLIN = Vocabulary(
    {
        "class_declaration": ("class", by_keyword({b"interface": "interface", b"enum": "enum"}, "class")),
        "object_declaration": "object",
        "function_declaration": "function",
        "secondary_constructor": ("constructor", by_text(rb"[^(]*?(?P<name>constructor)", "constructor")),
        "type_alias": ("type", by_text(rb"[^=]*?typealias\s+(?P<name>\w+)", "type")),
        "property_declaration": (
            "constant",
            by_text(rb"[^=\n]*?\b(?P<word>val|var)\s+(?P<name>\w+)", "", {b"val": "constant", b"var": "variable"}),
        ),
    },
    words=(b"fun ", b"class ", b"interface ", b"object ", b"typealias ", b"constructor(", b"const val ", b"\nval "),
)
SWIFT = Vocabulary(
    {
        "class_declaration": (
            "class",
            by_keyword({b"struct": "struct", b"enum": "enum", b"extension": "extension", b"actor": "class"}, "class"),
        ),
        "protocol_declaration": "protocol",
        "function_declaration": "function",
        "protocol_function_declaration": "function",
        "init_declaration": ("constructor", by_text(rb"[^({]*?\b(?P<name>init)\b", "constructor")),
        "deinit_declaration": ("method", by_text(rb"[^({]*?\b(?P<name>deinit)\b", "method")),
        "subscript_declaration": ("method", by_text(rb"[^({]*?\b(?P<name>subscript)\b", "method")),
        "typealias_declaration": "type",
        "property_declaration": ("constant", by_text(rb"[^=\n{]*?\blet\s+(?P<name>\w+)", "constant")),
    },
    words=(
        *(b"func ", b"class ", b"struct ", b"enum ", b"protocol ", b"extension ", b" init(", b" init?(", b" init<"),
        *(b"deinit", b"subscript(", b"typealias ", b"actor ", b"\nlet ", b"static let "),
    ),
)
SCALA = Vocabulary(
    {
        "trait_definition": "trait",
        "class_definition": "class",
        "object_definition": "object",
        "enum_definition": "enum",
        "simple_enum_case": "class",
        "full_enum_case": "class",
        "function_definition": "function",
        "function_declaration": "function",
        "type_definition": "type",
        "given_definition": "constant",
        "val_definition": ("constant", by_text(rb"[^=\n]*?\bval\s+(?P<name>[A-Z]\w*)", "constant")),
    },
    opens=("enum_body", "enum_case_definitions"),
    words=(b"def ", b"class ", b"object ", b"trait ", b"enum ", b"type ", b"given "),
    pattern=rb"\n[ \t]*(?:(?:final|lazy|private|protected|override|implicit)[ \t]+)*val[ \t]+[A-Z]",
)
LUA = Vocabulary(
    {
        "function_declaration": ("function", qualified("function", re.compile(rb"[.:]"))),
        "assignment_statement": ("function", naming.lua_assignment),
        "field": ("function", naming.lua_field),
    },
    wraps=("variable_declaration",),
    words=(b"function",),
    comments=Comments((b"--",), (b"--[[", b"]]")),
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
    pattern=rb"(?:\n|do:)[ \t]*def[a-z]*[ \t(]",
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
    words=(b"function ", b"struct ", b"macro ", b"module ", b"abstract type ", b"primitive type ", b"const "),
    pattern=rb"\n[ \t]*(?:@\w+[ \t]+)*(?:\w+\.)*:?\(?[^\s(){},;=.:\"#\[\]]+\)?(?:\{[^}\n]*\})?\([^\n]*\)(?:::[^=\n]+)?[ \t]*"
    rb"(?:where[^=\n]+)?=[^=>]",
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
        "signature": ("function", naming.haskell_equation),
        "function": ("function", naming.haskell_equation),
        "bind": ("constant", naming.haskell_equation),
    },
    opens=("haskell", "declarations", "class_declarations", "instance_declarations", "ERROR"),
    comments=Comments((b"--",), (b"{-", b"-}")),
    body="declarations",
    merges=True,
)
OCAML = Vocabulary(
    {
        "let_binding": ("function", naming.ocaml_binding),
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
    words=(
        b"let ",
        b"let%",
        b"and ",
        b"module ",
        b"type ",
        b"method ",
        b"external ",
        b"exception ",
        b"class ",
        b"val ",
    ),
    comments=Comments((), (b"(*", b"*)")),
)
ZIG = Vocabulary(
    {
        "function_declaration": "function",
        "variable_declaration": (
            "constant",
            by_text(
                rb"(?:\w+\s+)*?(?:const|var)\s+(?P<name>\w+)[^=;]*=\s*(?=\S)(?!@import)(?:(?:packed|extern)\s+)?"
                rb"(?P<word>struct|enum|union|opaque|error(?=\s*\{)|)",
                "constant",
                {
                    b"struct": "struct",
                    b"enum": "enum",
                    b"union": "union",
                    b"opaque": "type",
                    b"error": "enum",
                    b"": "constant",
                },
            ),
        ),
        "test_declaration": ("test", by_text(rb"test\s+\"?(?P<name>[^\"\n{]*[^\"\n{\s])", "test")),
    },
    words=(b"fn ", b"\ntest ", b"= struct", b"= enum", b"= union", b"= packed", b"= extern", b"= error", b"= opaque"),
    pattern=rb"\n(?:pub )?(?:const|var) ",
)
BASH = Vocabulary(
    {
        "function_definition": "function",
        "declaration_command": ("constant", by_text(rb"(?:readonly|declare\s+-r)\s+(?P<name>\w+)", "constant")),
    },
    pattern=rb"\n[ \t]*(?:function[ \t]+[^\s(){}]|[\w:.@+-]+[ \t]*\([ \t]*\)|readonly[ \t]|declare[ \t]+-r)",
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
    comments=Comments((b"--",), (b"/*", b"*/")),
)
MARKDOWN = Vocabulary(
    {"section": ("heading", naming.heading), "setext_heading": ("heading", naming.heading)},
    opens=("document", "section"),
    comments=Comments(),
)

VOCABULARIES: Mapping[str, Vocabulary] = {
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "tsx": TYPESCRIPT,
    "java": JAVA,
    "c": C,
    "cpp": CPP,
    "csharp": CSHARP,
    "go": GO,
    "rust": RUST,
    "ruby": RUBY,
    "php": PHP,
    "kotlin": KOTLIN,
    "swift": SWIFT,
    "scala": SCALA,
    "lua": LUA,
    "elixir": ELIXIR,
    "julia": JULIA,
    "haskell": HASKELL,
    "ocaml": OCAML,
    "ocaml-interface": OCAML,
    "zig": ZIG,
    "bash": BASH,
    "sql": SQL,
    "markdown": MARKDOWN,
}
"""Languages that define symbols; in HTML, CSS, JSON, YAML and TOML nothing has a name to ask for."""
