"""The delimiter chunker: where it cuts the families, and what settings can add."""

from __future__ import annotations

import logging

import pytest

from treemill.chunking import delimiter
from treemill.chunking.delimiter import MAX_CUSTOM_INSTRUCTIONS, split
from treemill.chunking.families import FAMILIES, LOOKAHEAD, boundaries
from treemill.settings import ChunkerSettings, CustomLanguage

SETTINGS = ChunkerSettings()


def pieces(text: str, language: str | None, limit: int, settings: ChunkerSettings = SETTINGS) -> list[str]:
    data = text.encode()
    ends = split(data, language, limit, settings)
    assert ends is not None
    return [data[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def first_lines(text: str, language: str, limit: int, settings: ChunkerSettings = SETTINGS) -> list[str]:
    return [piece.splitlines()[0].strip() for piece in pieces(text, language, limit, settings)]


@pytest.fixture(autouse=True)
def _forget_what_was_said():
    """Warnings are given once a process; each test wants its own."""
    for cached in (delimiter._compiled, delimiter._tell):
        cached.cache_clear()


# A part of every family, and how often it is repeated: each chunk must begin with its first line.
PARTS = {
    "dart": "void greet(String name) {\n  print(name);\n  if (name) {\n    stop();\n  }\n}\n",
    "verilog": "module adder(input a);\n  wire b;\n  assign b = a;\nendmodule\n",
    "crystal": "def greet(name)\n  puts name\n  if name\n    stop\n  end\nend\n",
    "nim": "proc greet(name: string) =\n  echo name\n  if name:\n    stop()\n",
    "clojure": "(defn greet [name]\n  (println name)\n  (if name\n    (stop)))\n",
    "fsharp": "let greet name =\n    printfn name\n    name + 1\n",
    "erlang": "-spec greet(atom()) -> ok.\ngreet(Name) ->\n    io:format(Name),\n    ok.\n",
    "assembly": "greet:\n    mov eax, 1\n    add eax, 2\n    ret\n",
    "rst": "Greeting\n========\n\nHow to greet people\nin the morning.\n",
    "gettext": '#: greet.c:12\nmsgid "hello"\nmsgstr "hallo"\n\n',
    "vue": "<section>\n  text\n  more text\n</section>\n",
    "ini": "; the first\n[greeting]\nname = hello\nvolume = 11\n",
    "makefile": "# greets\ngreet: hello.o world.o\n\tcc -o greet\n\tstrip greet\n",
    "dockerfile": "# stage\nFROM alpine AS greet\n",
    "diff": "diff --git a/greet b/greet\nindex 1..2\n--- a/greet\n+++ b/greet\n@@ -1 +1 @@\n-a\n+b\n",
    "json5": '{"greeting": {\n    "name": "hello",\n    "volume": 11\n}}\n',
    "csv": "greet,hello,11\n",
    "protobuf": "// A greeting.\nmessage Greeting {\n  string name = 1;\n  int32 volume = 2;\n}\n",
    "graphql": '"""A greeting"""\ntype Greeting {\n  name: String\n  volume: Int\n}\n',
    "hcl": 'resource "greeting" "hello" {\n  volume = 11\n  loud   = true\n}\n',
    "objective-c": "// Greets.\n@implementation Greeter\n- (void)greet {\n  stop();\n}\n",
    "perl": "# Greets.\nsub greet {\n  my $name = shift;\n  print $name;\n}\n",
    "fortran": "subroutine greet(name)\n  print *, name\n  call stop()\nend subroutine\n",
    "latex": "\\section{Greeting}\nHow to greet people\nin the morning.\n",
    "org": "* Greeting\nHow to greet people\nin the morning.\n",
    "robot-framework": "*** Test Cases ***\nGreet\n    Log    hello\n    Stop\n",
    "cmake": "# Greets.\nfunction(greet name)\n  message(${name})\n  stop()\nendfunction()\n",
    "gherkin": "Feature: greeting\n  A greeter\n  greets people\n",
    "vim": "function! Greet(name)\n  echo a:name\n  call Stop()\nendfunction\n",
}


@pytest.mark.parametrize(("language", "part"), PARTS.items())
def test_chunks_begin_where_the_language_begins_something(language: str, part: str):
    assert set(first_lines(part * 40, language, 4 * len(part) + 7)) == {part.splitlines()[0]}


@pytest.mark.parametrize(("language", "part"), PARTS.items())
def test_carriage_returns_change_nothing_about_it(language: str, part: str):
    windows = part.replace("\n", "\r\n")
    assert set(first_lines(windows * 40, language, 4 * len(windows) + 7)) == {part.splitlines()[0]}
    old_mac = part.replace("\n", "\r")
    assert set(first_lines(old_mac * 40, language, 4 * len(part) + 7)) == {part.splitlines()[0]}


def test_chunks_are_near_the_limit():
    part = PARTS["dart"]
    lengths = [len(piece) for piece in pieces(part * 100, "dart", 1000)]
    assert all(len(part) * 11 <= length <= 1000 for length in lengths[:-1])


def test_a_definition_keeps_the_comment_and_the_annotation_above_it():
    part = "/**\n * Greets.\n */\n@override\nvoid greet() {\n  stop();\n}\n\n"
    assert set(first_lines(part * 30, "dart", 300)) == {"/**"}


def test_the_end_of_a_long_comment_stays_with_the_comment():
    comment = "/*\n" + "   words about the greeting\n" * 20 + "*/\n"
    chunks = first_lines(comment + "struct greeting {\n" + "  int volume;\n" * 40 + "};\n", "dart", 700)
    assert chunks[1] == "struct greeting {"


def test_a_method_is_a_better_place_than_a_line_of_its_body():
    method = "    public void greet() {\n        print();\n        print();\n    }\n"
    chunks = first_lines("class A {\n" + method * 20 + "}\n", "groovy", 260)
    assert set(chunks[1:]) == {"public void greet() {"}


def test_a_closing_bracket_begins_no_chunk_where_another_line_can():
    text = ("call(\n" + "    argument,\n" * 12 + ")\n") * 20
    assert ")" not in first_lines(text, "dart", 190)


def test_a_long_line_is_cut_behind_a_statement():
    chunks = pieces("var a=1;" * 500, "dart", 100)
    assert set(chunks) == {"var a=1;" * 12, "var a=1;" * 8}


def test_a_long_word_is_cut_at_the_limit():
    assert [len(piece) for piece in pieces("x" * 250, "dart", 100)] == [100, 100, 50]


def test_exactly_the_limit_is_one_chunk_and_one_byte_more_is_two():
    text = "ab;\n" * 25
    assert len(pieces(text, "dart", 100)) == 1
    assert len(pieces(text, "dart", 99)) == 2


def test_an_empty_text_has_no_chunks():
    assert split(b"", "dart", 100, SETTINGS) == []


@pytest.mark.parametrize("language", [None, "a language nobody knows"])
def test_a_language_without_family_or_delimiters_is_left_to_the_next_chunker(language: str | None):
    assert split(b"text", language, 100, SETTINGS) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_an_expression_whose_groups_are_the_ranks(family: str):
    assert boundaries(family).groups == 5


def test_a_custom_delimiter_begins_chunks_before_anything_else():
    settings = ChunkerSettings(custom_delimiters={"dart": (r"^==+ \w+",)})
    text = "== one\nclass A {\n}\n\nclass B {\n}\n\n"
    assert set(first_lines(text * 20, "dart", 100, settings)) == {"== one"}


def test_custom_delimiters_alone_make_an_unknown_language_known():
    settings = ChunkerSettings(custom_delimiters={"maze": ("^room ", "^door ")})
    text = "room a\n  wall\n  wall\ndoor b\n  handle\n  handle\n"
    assert set(first_lines(text * 20, "maze", 40, settings)) == {"room a", "door b"}


def test_a_custom_delimiter_may_stand_inside_a_line():
    settings = ChunkerSettings(custom_delimiters={"edi": ("UNH[+]",)})
    chunks = pieces("UNH+1+order'LIN+1'UNT+3'" * 50, "edi", 100, settings)
    assert all(chunk.startswith("UNH+") for chunk in chunks)


def test_a_custom_delimiter_may_hold_any_character():
    settings = ChunkerSettings(custom_delimiters={"legal": ("^§ [0-9]+",)})
    assert all(
        line.startswith("§") for line in first_lines("§ 12\nWörter, viele Wörter\n" * 50, "legal", 100, settings)
    )


def test_a_custom_language_may_use_a_family():
    settings = ChunkerSettings(custom_languages=(CustomLanguage(name="maze", suffixes=(".maze",), family="lisp"),))
    part = PARTS["clojure"]
    assert set(first_lines(part * 40, "maze", 4 * len(part) + 7, settings)) == {part.splitlines()[0]}


def test_a_custom_language_may_bring_delimiters_of_its_own():
    settings = ChunkerSettings(custom_languages=(CustomLanguage(name="maze", delimiters=("^room ",)),))
    assert set(first_lines("room a\n  wall\n\n" * 40, "maze", 50, settings)) == {"room a"}


def test_a_custom_language_with_an_unknown_family_says_which_there_are(caplog: pytest.LogCaptureFixture):
    settings = ChunkerSettings(custom_languages=(CustomLanguage(name="maze", family="curly"),))
    with caplog.at_level(logging.WARNING):
        assert split(b"text", "maze", 100, settings) is None
        assert split(b"text", "maze", 100, settings) is None
    [message] = caplog.messages
    assert "'curly'" in message
    assert "brace" in message


@pytest.mark.parametrize(
    "bad",
    ["(", "[a", r"(a)\1", "(?=a)b", "a{2000}", "(((a{100}){100}){100})", "(?x) a", r"\Qabc", "*", "a" * 2000 + "["],
)
def test_a_bad_custom_delimiter_disables_itself_once_and_not_its_language(bad: str, caplog: pytest.LogCaptureFixture):
    settings = ChunkerSettings(custom_delimiters={"maze": (bad, "^room ")})
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert set(first_lines("room a\n  wall\n\n" * 40, "maze", 50, settings)) == {"room a"}
    [message] = caplog.messages
    assert "left out" in message


def test_a_bad_custom_delimiter_leaves_a_known_language_its_family():
    settings = ChunkerSettings(custom_delimiters={"dart": ("(",)})
    part = PARTS["dart"]
    assert set(first_lines(part * 40, "dart", 4 * len(part) + 7, settings)) == {part.splitlines()[0]}


def test_nothing_but_bad_custom_delimiters_is_as_good_as_none():
    assert split(b"text", "maze", 100, ChunkerSettings(custom_delimiters={"maze": ("(",)})) is None


@pytest.mark.parametrize("empty", ["", "a*", "(?:)", "|x", "^"])
def test_a_custom_delimiter_that_matches_nothing_at_all_is_left_out(empty: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert split(b"text", "maze", 100, ChunkerSettings(custom_delimiters={"maze": (empty,)})) is None
    assert "empty text" in caplog.text


def test_custom_delimiters_too_large_together_are_left_out_where_they_do_not_fit(caplog: pytest.LogCaptureFixture):
    large = "never" * (MAX_CUSTOM_INSTRUCTIONS // 8)
    settings = ChunkerSettings(custom_delimiters={"maze": (large, large, "^room ")})
    with caplog.at_level(logging.WARNING):
        assert set(first_lines("room a\n  wall\nb\n" * 40, "maze", 30, settings)) == {"room a"}
    [message] = caplog.messages
    assert f"more than {MAX_CUSTOM_INSTRUCTIONS:,} instructions" in message
    assert len(message) < 300


def test_without_its_engine_custom_delimiters_are_left_out_and_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(delimiter, "_ENGINE", "an_engine_that_is_not_installed")
    settings = ChunkerSettings(custom_delimiters={"dart": ("^never",)})
    part = PARTS["dart"]
    with caplog.at_level(logging.WARNING):
        assert set(first_lines(part * 40, "dart", 4 * len(part) + 7, settings)) == {part.splitlines()[0]}
    assert "pip install 'treemill[delimiters]'" in caplog.text


def test_the_most_lookahead_is_enough_for_the_longest_head():
    text = "a;\n" * 100 + "struct " + "x" * (LOOKAHEAD - 60) + " {\n" + "b;\n" * 100
    assert any(line.startswith("struct") for line in first_lines(text, "dart", 400))
