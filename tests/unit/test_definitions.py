"""What files define: golden listings that a person has read, the grammars' own queries, and the corners."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from tree_sitter import Query, QueryCursor

from treemill.chunking import chunk, definitions, syntax
from treemill.chunking.build import build_chunks
from treemill.chunking.governor import ChunkGovernor
from treemill.chunking.vocabularies import VOCABULARIES
from treemill.languages import language_of_name
from treemill.settings import ChunkerSettings
from treemill.types import DiscoveredFile, Source, Symbol

GOLDEN = Path(__file__).parents[1] / "golden" / "chunks"
SAMPLES = sorted(path for path in GOLDEN.iterdir() if path.suffix != ".golden")
LIMIT = 400

# Languages whose wheel carries the query that the grammar's authors tag definitions with.
WITH_TAGS = (
    *("c", "cpp", "elixir", "go", "java", "javascript", "lua", "ocaml", "php", "python", "ruby", "rust"),
    *("scala", "swift", "typescript"),
)


def render(path: Path) -> str:
    """List a file's chunks and, below each, the definitions that start in it."""
    data = path.read_bytes()
    source = Source(data, b"", "utf-8", 0, language_of_name(path.name))
    governor = ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=LIMIT))
    chunking = chunk(source, governor, strict=True)
    lines = []
    for each in build_chunks(DiscoveredFile(path.name, None, None, 0, 0), source, chunking, governor):
        lines.append(f"-- {each.line_range[0]}-{each.line_range[1]} {each.kind} {each.qualified_name}")
        lines += [f"{symbol.line:5} {describe(source, symbol)}" for symbol in each.symbols]
    return "\n".join(lines) + "\n"


def describe(source: Source, symbol: Symbol) -> str:
    head = " ".join(source.text(*symbol.signature).split())
    doc = "" if symbol.doc is None else f"  << {' '.join(source.text(*symbol.doc).split())}"
    size = source.text(symbol.start, symbol.end).count("\n") + 1
    return f"{symbol.kind} {symbol.qualified_name} [{size}]: {head}{doc}"


def symbols(text: str, language: str) -> tuple[Symbol, ...]:
    data = text.encode()
    return definitions.symbols(data, syntax.parse(data, language, 10).root_node, language)


def names(text: str, language: str) -> list[tuple[str, str]]:
    return [(each.kind, each.qualified_name) for each in symbols(text, language)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_cut_and_described_as_a_person_would(sample):
    assert render(sample) == sample.with_name(sample.name + ".golden").read_text()


def test_what_is_declared_globally_is_defined():
    """declare global { a function, an interface with a method, a variable, a namespace }, and one behind it"""
    text = (
        "export {};\ndeclare global {\n  function shout(): void;\n  interface Window { open(): void }\n"
        "  const LOUD: number;\n  namespace Inner { class Deep {} }\n}\ndeclare function quiet(): void;\n"
    )
    assert (
        names(text, "typescript")
        == names(text, "tsx")
        == [
            ("function", "shout"),
            ("interface", "Window"),
            ("method", "Window.open"),
            ("variable", "LOUD"),
            ("module", "Inner"),
            ("class", "Inner.Deep"),
            ("function", "quiet"),
        ]
    )
    source = Source(text.encode(), b"", "utf-8", 0, "typescript")
    assert chunk(source, ChunkGovernor()).symbols == symbols(text, "typescript")


def test_what_is_exported_as_the_whole_module_goes_by_its_own_name():
    """
    module.exports = function open() {…}        open
    exports = module.exports = class Shop {…}   Shop, and its method close
    module.exports = function () {…}            exports: it has no other
    exports.add = function plus() {…}           add: so it is called elsewhere
    """
    text = (
        "module.exports = function open() {};\nexports = module.exports = class Shop { close() {} };\n"
        "module.exports = function () {};\nexports.add = function plus() {};\n"
    )
    assert names(text, "javascript") == [
        ("function", "open"),
        ("class", "Shop"),
        ("method", "Shop.close"),
        ("function", "exports"),
        ("function", "add"),
    ]


def test_at_least_fifteen_languages_have_a_golden_listing():
    assert len({language_of_name(path.name) for path in SAMPLES}) >= 15


@pytest.mark.parametrize("language", WITH_TAGS)
def test_what_the_grammars_own_query_finds_in_the_samples_is_found(language):
    (sample,) = [path for path in SAMPLES if language_of_name(path.name) == language]
    data = sample.read_bytes()
    root = syntax.parse(data, language, 10).root_node
    wanted = set()
    for _, captures in QueryCursor(Query(syntax.grammar(language), tags(language))).matches(root):
        kinds = {name.partition(".")[2] for name in captures if name.startswith("definition.")}
        if kinds & {"function", "class", "method", "interface", "macro"}:
            wanted |= {(data[n.start_byte : n.end_byte].decode(), n.start_point.row + 1) for n in captures["name"]}
    found = {(each.name, each.line) for each in definitions.symbols(data, root, language)}
    assert wanted - found <= OTHERWISE.get(language, set())
    assert len(wanted) >= 2


# A class expression goes by the name of the variable that holds it; a subscript is not called after its parameter.
OTHERWISE = {"javascript": {("Named", 60)}, "swift": {("index", 30)}}


def tags(language: str) -> str:
    grammar = {"typescript": ("typescript", "javascript")}.get(language, (language,))
    return "".join((files(f"tree_sitter_{each}") / "queries" / "tags.scm").read_text() for each in grammar)


@pytest.mark.parametrize("language", sorted(VOCABULARIES))
def test_every_kind_of_node_that_a_vocabulary_names_is_in_the_grammar(language):
    vocabulary = VOCABULARIES[language]
    grammar = syntax.grammar(language)
    known = {grammar.node_kind_for_id(number) for number in range(grammar.node_kind_count)} | {"ERROR"}
    named = {*vocabulary.defines, *vocabulary.opens, *vocabulary.wraps}
    # JavaScript and TypeScript share a table; they call the fields of a class by two names.
    assert named - known <= {"field_definition", "public_field_definition"}


def test_a_definition_may_be_the_first_thing_in_a_file_and_the_only_one():
    assert names("def f(): pass", "python") == [("function", "f")]
    assert names("fn f() {}", "rust") == [("function", "f")]
    assert names("function f() {}", "javascript") == [("function", "f")]
    assert names("func f() {}", "go") == [("function", "f")]


def test_a_word_in_a_string_or_a_comment_defines_nothing():
    assert names('x = """\ndef f():\n    class C: pass\n"""\n# def g(): pass\n', "python") == [("variable", "x")]
    assert names("// function f() {}\nlet s = `\nfunction g() {}\n`;\n", "javascript") == [("variable", "s")]


def test_constants_in_functions_are_left_out_and_their_functions_are_not():
    text = "function f() {\n  const LIMIT = 1;\n  const g = () => LIMIT;\n}\n"
    assert names(text, "javascript") == [("function", "f"), ("function", "f.g")]


def test_a_minified_file_tells_its_methods():
    text = "var a={open(e){return e},close:function(){},b:1};class B{c(d){return d}}function e(){}"
    assert names(text, "javascript") == [
        *[("variable", "a"), ("function", "a.open"), ("function", "a.close")],
        *[("class", "B"), ("method", "B.c"), ("function", "e")],
    ]


def test_methods_of_an_object_are_found_where_they_say_what_they_return():
    text = "const a = () => ({\n  open(): void {\n  },\n  async read(n: number): Promise<string[]> {\n  },\n});\n"
    text += "f({\n  close(): number | null {\n  },\n  like(x ? (y): z) {\n  },\n});\n"
    assert [name for _, name in names(text, "typescript")][:4] == ["a", "a.open", "a.read", "close"]


def test_ten_thousand_nested_functions_are_all_found():
    depth = 10_000
    found = symbols("function f(){" * depth + "}" * depth, "javascript")
    assert len(found) == depth
    assert len(found[50].parents) == 50
    assert found[-1].parents == ("f",) * 100


def test_lines_are_counted_by_any_line_end():
    text = "a = 1\r\n\r\ndef f(): pass\n\n\ndef g(): pass\n"
    assert [each.line for each in symbols(text, "python")] == [1, 3, 6]


def test_a_blank_line_parts_a_comment_from_a_definition():
    attached, parted = symbols("package p\n// A.\nfunc A() {}\n\n// B.\n\nfunc B() {}\n", "go")
    assert attached.doc is not None
    assert parted.doc is None


def test_symbols_survive_packing():
    for sample in SAMPLES:
        found = symbols(sample.read_text(), language_of_name(sample.name) or "")
        assert definitions.unpack_symbols(definitions.pack_symbols(found)) == found
    assert definitions.pack_symbols(()) == b""
    assert definitions.unpack_symbols(b"") == ()


def test_a_language_without_definitions_has_none():
    assert not definitions.defines("json")
    assert symbols('{"a": 1}', "json") == ()


if __name__ == "__main__":  # write the listings anew; then read every one
    for each in SAMPLES:
        each.with_name(each.name + ".golden").write_text(render(each))


def test_externals_of_ocaml_are_found_in_the_modules_that_hold_them():
    text = 'module Shape = struct\n  external area : t -> int = "shape_area"\nend\n'
    assert names(text, "ocaml") == [("module", "Shape"), ("function", "Shape.area")]
    text = 'module Shape : sig\n  external area : t -> int = "shape_area"\nend\n'
    assert names(text, "ocaml-interface") == [("module", "Shape"), ("function", "Shape.area")]
