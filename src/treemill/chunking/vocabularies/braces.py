"""What defines something in the languages that put bodies in braces."""

from __future__ import annotations

from treemill.chunking import cues
from treemill.chunking.naming import by_keyword, by_text
from treemill.chunking.vocabularies import brace_names
from treemill.chunking.vocabulary import Comments, Defines, Vocabulary

_SCRIPT: Defines = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "function_expression": "function",
    "generator_function": "function",
    "class_declaration": "class",
    "class": "class",
    "method_definition": "function",
    "variable_declarator": ("variable", brace_names.script_variable),
    "pair": ("function", brace_names.script_pair),
    "field_definition": ("function", brace_names.script_pair),
    "public_field_definition": ("function", brace_names.script_pair),
    "assignment_expression": ("function", brace_names.script_assignment),
}
_VALUES = ("arrow_function", "function_expression", "generator_function", "class")
JAVASCRIPT = Vocabulary(
    _SCRIPT,
    opens=("program", "class_body"),
    wraps=("export_statement", "lexical_declaration", "variable_declaration"),
    climbs=_VALUES,
    cues=cues.script,
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
        "type_alias_declaration": ("type", brace_names.script_type),
        "internal_module": ("module", brace_names.script_module),
        "module": ("module", brace_names.script_module),
    },
    opens=("program", "expression_statement", "class_body", "interface_body", "object_type"),
    wraps=("export_statement", "lexical_declaration", "variable_declaration", "ambient_declaration"),
    blocks=("statement_block",),  # of `declare global`
    climbs=_VALUES,
    cues=cues.script,
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
            by_text(rb"(?=[^=;(]*\bstatic\b)(?=[^=;(]*\bfinal\b)[^=;]*?(?P<name>\w+)\s*=", "constant", needs=b"static"),
        ),
    },
    opens=(
        *("program", "class_body", "interface_body", "enum_body", "enum_body_declarations", "annotation_type_body"),
        *("enum_constant", "object_creation_expression", "ERROR"),
    ),
    cues=cues.finder((b"class ",), (rb"new [\w.<>,? \[\]]+\([^;{}]*\)\s*\{",)),
)
_C: Defines = {
    "function_definition": ("function", brace_names.c_function),
    "declaration": ("function", brace_names.c_function),
    "function_declarator": ("function", brace_names.c_function),
    "struct_specifier": ("struct", brace_names.c_body("struct")),
    "union_specifier": ("union", brace_names.c_body("union")),
    "enum_specifier": ("enum", brace_names.c_body("enum")),
    "type_definition": ("type", brace_names.c_typedef),
    "preproc_def": ("macro", brace_names.c_macro),
    "preproc_function_def": ("macro", brace_names.c_macro),
}
_C_OPENS = (
    *("translation_unit", "preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif", "preproc_elifdef"),
    *("declaration_list", "linkage_specification", "ERROR"),
)
C = Vocabulary(
    _C,
    opens=_C_OPENS,
    cues=cues.finder((), (rb"struct \w+\s*\{", rb"union \w+\s*\{", rb"enum \w+\s*\{")),
)
_CPP_HEAD = rb"[\w:\s]+(?:<[^;{}()]*>\s*)?(?::[^;{}()]*)?\{"
CPP = Vocabulary(
    {
        **_C,
        "field_declaration": ("function", brace_names.c_function),
        "class_specifier": ("class", brace_names.c_body("class")),
        "namespace_definition": "module",
        "alias_declaration": "type",
        "concept_definition": "type",
    },
    opens=(*_C_OPENS, "field_declaration_list"),
    wraps=("template_declaration",),
    cues=cues.finder((), tuple(word + _CPP_HEAD for word in (b"struct ", b"class ", b"union ", b"enum "))),
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
        "field_declaration": (
            "constant",
            by_text(rb"(?:\w+\s+)*?const\s+[^=;]*?(?P<name>\w+)\s*=", "constant", needs=b"const"),
        ),
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
        "method_declaration": ("method", brace_names.go_method),
        "type_spec": ("type", brace_names.go_type),
        "type_alias": "type",
        "method_elem": "method",
        "const_spec": "constant",
        "var_spec": "variable",
    },
    opens=(
        *("source_file", "const_declaration", "var_declaration", "var_spec_list", "type_declaration", "interface_type"),
        "ERROR",
    ),
    wraps=("const_declaration", "var_declaration", "type_declaration"),
    cues=cues.finder((b"\ttype ",), ()),
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
    opens=("source_file", "declaration_list", "foreign_mod_item", "ERROR"),
    cues=cues.finder((b"fn ", b"struct "), ()),
    comments=Comments((b"//",), b"#[", (b"/*", b"*/")),
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
    opens=("program", "const_declaration", "declaration_list", "enum_declaration_list"),
    wraps=("const_declaration",),
    cues=cues.finder((b"function ", b"class "), ()),
    comments=Comments((b"//", b"# "), b"#[", (b"/*", b"*/")),
)
KOTLIN = Vocabulary(
    {
        "class_declaration": ("class", by_keyword({b"interface": "interface", b"enum": "enum"}, "class")),
        "object_declaration": "object",
        "function_declaration": "function",
        "secondary_constructor": ("constructor", by_text(rb"[^(]*?(?P<name>constructor)", "constructor")),
        "type_alias": ("type", by_text(rb"[^=]*?typealias\s+(?P<name>\w+)", "type")),
        "property_declaration": ("constant", brace_names.kotlin_constant),
    },
    opens=("source_file", "class_body", "enum_class_body", "companion_object"),
    cues=cues.finder((b"fun ", b"class ", b"object "), ()),
    body="",
    bodies=("class_body", "enum_class_body", "function_body", "block"),
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
        "property_declaration": ("constant", brace_names.swift_constant),
    },
    opens=("source_file", "class_body", "protocol_body", "enum_class_body"),
    cues=cues.finder((b"func ", b"class ", b"struct "), ()),
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
    opens=(
        *("compilation_unit", "package_clause", "template_body", "with_template_body", "enum_body"),
        "enum_case_definitions",
    ),
    cues=cues.finder((b"def ", b"class "), ()),
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
    climbs=(
        "struct_declaration",
        "enum_declaration",
        "union_declaration",
        "opaque_declaration",
        "error_set_declaration",
    ),
    cues=cues.finder(
        (b"fn ", b"\ntest ", b"= struct", b"= enum", b"= union", b"= packed", b"= extern", b"= error", b"= opaque"),
        (rb"\n(?:pub )?(?:const|var) ",),
    ),
)
