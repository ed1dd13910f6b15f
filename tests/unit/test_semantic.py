"""The semantic chunker: where it cuts, what it keeps together, and how it ends on hostile trees."""

from __future__ import annotations

import time

import pytest

from treemill.chunking import semantic, syntax
from treemill.chunking.spans import tiles
from treemill.errors import ASTDepthExceededError, ChunkingTimeoutError, ParseError
from treemill.languages import LANGUAGES

DEEP = 1_000_000


def pieces(text: str, limit: int, language: str = "python", depth: int = DEEP) -> list[str]:
    data = text.encode()
    ends = semantic.cut(data, syntax.parse(data, language, 10).root_node, language, limit, depth)
    assert tiles(ends, len(data))
    starts = [0, *ends[:-1]]
    assert all(end - start <= limit for start, end in zip(starts, ends, strict=True))
    return [data[start:end].decode() for start, end in zip(starts, ends, strict=True)]


def test_functions_stay_whole_and_small_ones_together():
    first, second, third = (f"def f{i}():\n" + f"    call({i})\n" * 8 for i in range(3))
    assert pieces(first + "\n\n" + second + "\n\n" + third, 240) == [first + "\n\n" + second + "\n\n", third]


def test_a_class_is_cut_between_its_methods_and_not_inside_them():
    methods = [f"    def m{i}(self):\n" + f"        call({i})\n" * 6 + "\n" for i in range(6)]
    found = pieces("class C:\n" + "".join(methods), 320)
    assert "".join(found).count("def m") == 6
    assert all(each.lstrip().startswith(("class C", "def m")) for each in found)


def test_a_chunk_begins_with_its_indentation():
    methods = [f"    def m{i}(self):\n" + f"        call({i})\n" * 6 for i in range(6)]
    assert all(each.startswith(("class", "    def")) for each in pieces("class C:\n" + "".join(methods), 200))


def test_a_comment_goes_with_what_it_explains():
    block = "x = 1\n" * 20
    found = pieces(block + "\n# Explains f,\n# at length.\ndef f():\n" + "    call()\n" * 8, 160)
    assert found[-1].startswith("# Explains f")


def test_a_comment_on_a_line_with_code_stays_on_it():
    text = "".join(f"value_{i} = {i}  # the number {i}\n" for i in range(20))
    assert all(each.startswith("value") for each in pieces(text, 100))


def test_a_head_is_not_parted_from_its_body():
    text = "x = 1\n" * 30 + "def f(a, b):\n" + "    call(a)\n" * 30
    assert any(each.startswith("def f(a, b):\n    call(a)\n") for each in pieces(text, 200))


def test_a_function_slightly_over_the_limit_is_not_left_without_its_head():
    first, second = pieces("def f(a, b):\n" + "    call(a)\n" * 10, 120)
    assert first.startswith("def f(a, b):\n    call(a)\n    call(a)\n")
    assert second.startswith("    call")


def test_an_annotated_class_is_not_cut_in_the_line_that_names_it():
    text = (
        "class A {\n}\n" * 8
        + "@Deprecated\npublic class B<T> extends C implements D {\n"
        + "  void m() { call(); }\n" * 20
        + "}\n"
    )
    assert all(not each.startswith((" ", "{", "<")) or each.startswith("  void") for each in pieces(text, 200, "java"))


def test_a_long_literal_is_split_at_lines_and_then_at_characters():
    assert all(each.endswith("\n") for each in pieces('x = """' + "a line of it\n" * 50 + '"""\n', 100))
    assert "".join(pieces('x = "' + "é" * 500 + '"\n', 63)).count("é") == 500


def test_minified_code_is_cut_where_statements_begin():
    text = ";".join(f"function f{i}(a){{return a*{i}}}" for i in range(200))
    found = pieces(text, 100, "javascript")
    assert sum(each.startswith("function") for each in found) == len(found)


def test_a_text_within_the_limit_is_one_piece():
    assert pieces("x = 1\n", 6) == ["x = 1\n"]
    assert len(pieces("x = 1\n", 5)) == 2


def nested(levels: int) -> str:
    """An array in arrays; the tree is three levels deeper than that: the program, the statement, the number."""
    return "[" * levels + "0" + "]" * levels


@pytest.mark.parametrize("limit", [50, 5_000])
def test_a_tree_exactly_as_deep_as_the_limit_passes_and_one_deeper_does_not(limit):
    assert "".join(pieces(nested(97), limit, "javascript", depth=100)) == nested(97)
    with pytest.raises(ASTDepthExceededError) as raised:
        pieces(nested(98), limit, "javascript", depth=100)
    assert (raised.value.limit, raised.value.unit) == (100, "levels")
    assert "max_ast_depth" in (raised.value.suggestion or "")


def test_a_hundred_thousand_levels_end_quickly_whatever_the_limit():
    text = nested(100_000)
    data = text.encode()
    root = syntax.parse(data, "javascript", 60).root_node
    started = time.perf_counter()
    with pytest.raises(ASTDepthExceededError):
        semantic.cut(data, root, "javascript", 1800, 200)
    assert time.perf_counter() - started < 1
    ends = semantic.cut(data, root, "javascript", 1800, DEEP)
    assert tiles(ends, len(data))


def test_a_parse_is_stopped_from_inside_when_its_time_is_up():
    text = ("x = {" + "'key': [1, 2, 3], " * 200 + "}\n") * 400
    started = time.perf_counter()
    with pytest.raises(ChunkingTimeoutError) as raised:
        syntax.parse(text.encode(), "python", 0.02)
    assert time.perf_counter() - started < 0.5
    assert raised.value.limit == 0.02
    assert raised.value.actual > 0.02


def test_a_parser_that_was_stopped_starts_afresh():
    with pytest.raises(ChunkingTimeoutError):
        syntax.parse(("x = [" + "1, " * 100_000 + "]\n").encode(), "python", 0.001)
    root = syntax.parse(b"def f(): pass\n" * 2000, "python", 10).root_node
    assert (root.named_child_count, root.has_error) == (2000, False)


@pytest.mark.parametrize("size", [10, 8_192, 8_193, 65_536, 65_537, 200_000])
def test_texts_of_any_size_give_the_same_tree_in_either_form_of_the_parse(size):
    text = ("größe = 'é' * 3\n" * (size // 8))[: size // 2].encode()
    whole = syntax.grammar("python")
    tree = syntax.Parser(whole).parse(text)
    assert str(syntax.parse(text, "python", 60).root_node) == str(tree.root_node)


def test_a_grammar_that_is_not_installed_is_an_error_that_names_the_package(monkeypatch):
    entry = LANGUAGES["python"]
    broken = type(entry)("fable", grammar=type(entry.grammar)("tree_sitter_fable"))
    monkeypatch.setattr(syntax, "LANGUAGES", {"fable": broken})
    with pytest.raises(ParseError, match="pip install -U tree-sitter-fable"):
        syntax.grammar("fable")


def test_every_grammar_of_the_table_loads_and_parses():
    for language in (each.name for each in LANGUAGES.values() if each.grammar):
        assert syntax.parse(b"a\n", language, 10).root_node.end_byte >= 1


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("int f(void);\n", "c"),
        ('#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n', "c"),
        ("/* It is best\n   using the defaults, in a\n   class of its own. */\nint f(void);\n", "c"),
        ("#pragma once\nnamespace shop {\nint f();\n}\n", "cpp"),
        ("#pragma once\ntemplate <typename T>\nT f();\n", "cpp"),
        ("#pragma once\nclass Shape : public Base {\n};\n", "cpp"),
    ],
)
def test_a_header_is_parsed_as_what_it_is(text, dialect):
    assert syntax.dialect(text.encode(), "c") == dialect


@pytest.mark.parametrize(
    "text",
    [
        "- " * 5_000 + "a",
        "? " * 300 + "a",
        "- ? " * 300 + "a",
        "\n".join(" " * level + "a:" for level in range(300)),
        "\n".join("  " * level + "- a:" for level in range(300)),
    ],
    ids=["dashes", "keys", "both", "mappings", "lists"],
)
def test_yaml_that_would_crash_its_grammar_is_not_given_to_it(text):
    with pytest.raises(ParseError, match="levels"):
        syntax.parse(text.encode(), "yaml", 10)


@pytest.mark.parametrize(
    "text",
    [
        "- " * 59 + "a",
        "\n".join(" " * level + "a:" for level in range(110)),
        "\n".join(" " * level + "a:" for level in range(110)) + "\n" + " " * 115 + "- " * 55 + "a",
        "a: |\n" + " " * 300 + "far\n",
        "a:\n" + " " * 130 + "b: 1\n",
    ],
    ids=["dashes", "mappings", "both", "text", "far"],
)
def test_yaml_that_its_grammar_can_hold_is_parsed(text):
    assert syntax.parse(text.encode(), "yaml", 10).root_node.end_byte > 0


@pytest.mark.parametrize("language", ["python", "c", "ruby", "go"])
def test_text_that_keeps_a_grammar_busy_is_stopped(language):
    started = time.perf_counter()
    with pytest.raises(ChunkingTimeoutError):
        syntax.parse(b"<!--" * 2_000, language, 0.2)
    assert time.perf_counter() - started < 2
