"""`chunk` decides which chunker cuts a file, holds the limits, and `build_chunks` makes objects of the result."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from treemill.chunking import chunk
from treemill.chunking.build import build_chunks
from treemill.chunking.governor import ChunkGovernor
from treemill.errors import (
    ASTDepthExceededError,
    ChunkingError,
    ChunkingTimeoutError,
    ChunkLimitExceededError,
    MemoryLimitExceededError,
)
from treemill.settings import ChunkerSettings, PerformanceSettings
from treemill.types import Chunking, CodeChunk, DiscoveredFile, Source


def source(text: str | bytes, language: str | None = "python", encoding: str = "utf-8", bom: bytes = b"") -> Source:
    data = text if isinstance(text, bytes) else text.encode(encoding)
    return Source(bom + data, b"", encoding, len(bom), language)


def governor(limit: int = 1800, overlap: int = 0, **performance: Any) -> ChunkGovernor:
    limits = PerformanceSettings(**performance)
    return ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=limit, overlap_tokens=overlap, performance=limits))


def chunks(one: Source, limits: ChunkGovernor | None = None) -> list[CodeChunk]:
    limits = limits or governor()
    return build_chunks(DiscoveredFile("a.py", None, one.language, len(one.data), 0), one, chunk(one, limits), limits)


NESTED = "[" * 300 + "]" * 300


# Who cuts


@pytest.mark.parametrize(
    ("language", "chunker"), [("python", "semantic"), ("perl", "delimiter"), (None, "fixed"), ("no such", "fixed")]
)
def test_the_best_chunker_that_knows_the_language_cuts(language, chunker):
    chunking = chunk(source("x = 1\n\n" * 500, language), governor())
    assert (chunking.source, chunking.fallback) == (chunker, None)


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"max_ast_depth": 100}, ASTDepthExceededError),
        ({"parse_timeout_seconds": 0.001}, ChunkingTimeoutError),
        ({"max_memory_mb_per_operation": 1}, MemoryLimitExceededError),
    ],
)
def test_a_limit_on_the_tree_hands_the_file_to_the_next_chunker_or_raises_when_strict(limits, error):
    one = source("x = " + NESTED + "\n" + "y = [1, 2, 3]\n" * 40_000)
    chunking = chunk(one, governor(**limits, max_chunks_per_file=10_000))
    assert (chunking.source, chunking.fallback, chunking.symbols) == ("delimiter", error.__name__, ())
    assert chunking.ends[-1] == len(one.data)
    with pytest.raises(error) as raised:
        chunk(one, governor(**limits), name="deep.py", strict=True)
    assert raised.value.path == "deep.py"
    assert str(raised.value).startswith("deep.py: ")
    assert raised.value.limit is not None
    assert raised.value.actual is not None
    assert raised.value.actual > raised.value.limit
    assert raised.value.unit
    assert raised.value.suggestion
    assert isinstance(pickle.loads(pickle.dumps(raised.value)), error)  # noqa: S301 what we pickled ourselves


def test_a_tree_that_outgrows_its_memory_while_it_is_parsed_is_given_up():
    one, limits = source("a;" * 550_000, "javascript"), governor(max_memory_mb_per_operation=50)
    chunking = chunk(one, limits)
    assert (chunking.source, chunking.fallback) == ("delimiter", "MemoryLimitExceededError")
    with pytest.raises(MemoryLimitExceededError, match=r"names\.js: the syntax tree would take about"):
        chunk(one, limits, name="names.js", strict=True)
    again = chunk(source("var x = 1;\n" * 500, "javascript"), limits)
    assert (again.source, again.fallback) == ("semantic", None)


WITHOUT_ITS_GRAMMAR = """
import sys
sys.modules["tree_sitter_python"] = None  # as where the package is not installed
from treemill.chunking import chunk
from treemill.chunking.governor import ChunkGovernor
from treemill.errors import ParseError
from treemill.reading import source_of
one = source_of(b"def f(): pass\\n", "python")
chunking = chunk(one, ChunkGovernor())
print(chunking.source, chunking.fallback)
try:
    chunk(one, ChunkGovernor(), name="a.py", strict=True)
except ParseError as error:
    print(error)
"""


@pytest.mark.parametrize("native", ["on", "off"])
def test_a_grammar_that_cannot_be_loaded_hands_the_file_to_the_next_chunker(native):
    environment = {**os.environ, "TREEMILL_NATIVE": native}
    command = [sys.executable, "-c", WITHOUT_ITS_GRAMMAR]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    first, second, *_ = done.stdout.splitlines()
    assert first == "delimiter ParseError"
    assert second.startswith("a.py: the grammar for python cannot be loaded")


def test_exactly_as_many_chunks_as_the_limit_pass_and_one_more_fails_the_file():
    one = source("value = 'twenty bytes'\n" * 10)
    count = len(chunk(one, governor(30)).ends)
    assert count == 10
    assert len(chunk(one, governor(30, max_chunks_per_file=count)).ends) == count
    with pytest.raises(ChunkLimitExceededError) as raised:
        chunk(one, governor(30, max_chunks_per_file=count - 1), name="a.py")
    assert (raised.value.limit, raised.value.actual, raised.value.path) == (count - 1, count, "a.py")


def test_a_fallback_is_still_held_to_the_number_of_chunks():
    one = source("x = " + NESTED + "\n" + "y = 1\n" * 1000)
    with pytest.raises(ChunkLimitExceededError):
        chunk(one, governor(64, max_ast_depth=10, max_chunks_per_file=5))


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\r\n", "\u3000\n", "\ufeff"])
def test_nothing_but_whitespace_makes_no_chunks(text):
    assert chunk(source(text), governor()) == Chunking((), (), "fixed")
    assert chunks(source(text)) == []


def test_one_line_makes_one_chunk():
    (only,) = chunks(source("x = 1"))
    assert (only.content, only.line_range, only.byte_range) == ("x = 1", (1, 1), (0, 5))


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("latin-1", b""), ("utf-8", b"\xef\xbb\xbf")],
)
def test_offsets_are_those_of_the_original_bytes(encoding, bom):
    text = "# Größe über alles\n" * 4 + "def größe(ä):\n    '''Maß.'''\n    return ä\n" * 3
    one = source(text, "python", encoding, bom)
    chunking = chunk(one, governor(100))
    assert chunking.source == "semantic"
    assert chunking.ends[-1] == len(one.data)
    for symbol in chunking.symbols:
        assert one.text(symbol.start, symbol.end) == "def größe(ä):\n    '''Maß.'''\n    return ä"
        assert one.text(*symbol.signature) == "def größe(ä):"
        assert symbol.doc is not None
        assert one.text(*symbol.doc) == "'''Maß.'''"
    assert "".join(each.content for each in chunks(one, governor(100))) == text


def test_characters_beyond_the_basic_plane_are_not_parted_in_utf_16():
    one = source("x = '" + "😀" * 200 + "'\n", "python", "utf-16-le", b"\xff\xfe")
    assert "".join(each.content for each in chunks(one, governor(50))) == one.text()


def test_bytes_that_are_not_utf_8_survive():
    data = b"x = '\xff\xfe\x80'\n" * 40
    found = chunks(source(data), governor(64))
    assert "".join(each.content for each in found).encode("utf-8", "surrogateescape") == data


# What the chunks say

SHOP = """\
class Shop:
    \"\"\"Sells.\"\"\"

    def open(self):
        a = 1
        b = 2
        c = 3
        return a + b + c

    def close(self):
        pass


LIMIT = 1
"""


def test_a_chunk_is_named_by_the_largest_definition_that_starts_in_it_else_by_the_one_it_continues():
    found = chunks(source(SHOP), governor(60))
    assert [(each.kind, each.qualified_name) for each in found] == [
        ("class", "Shop"),
        ("method", "Shop.open"),
        ("method", "Shop.open"),
        ("method", "Shop.close"),
    ]
    assert [symbol.name for each in found for symbol in each.symbols] == ["Shop", "open", "close", "LIMIT"]
    first = next(each for each in found if each.symbol == "open")
    assert (first.parents, first.kind) == (("Shop",), "method")


def test_a_chunk_behind_a_definition_has_no_symbol():
    found = chunks(source("def f():\n    pass\n" + "print(1)\n" * 20), governor(60))
    assert found[0].symbol == "f"
    assert (found[-1].symbol, found[-1].kind, found[-1].parents, found[-1].symbols) == (None, None, (), ())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_by_any_line_end(end):
    text = end.join(f"value_{i} = {i}" for i in range(12))
    lines = [each.line_range for each in chunks(source(text), governor(48))]
    assert lines[0][0] == 1
    assert lines[-1][1] == 12
    assert all(after[0] == before[1] + 1 for before, after in pairwise(lines))


def test_a_line_in_two_chunks_is_counted_once():
    found = chunks(source("x = '" + "y" * 100 + "'\nz = 1\n"), governor(64))
    assert [each.line_range for each in found] == [(1, 1), (1, 2)]


def test_equal_chunks_of_a_file_are_told_apart_by_their_ordinal_and_id():
    found = chunks(source("a = 'twenty byteslong'\n" * 4), governor(30))
    assert [each.ordinal for each in found] == [0, 1, 2, 3]
    assert len({each.id for each in found}) == 4
    assert len({each.content_hash for each in found}) == 1


def test_overlap_is_text_of_the_chunk_before_and_never_content():
    text = "".join(f"value_{i} = {i}\n" for i in range(400))
    plain, overlapping = chunks(source(text), governor(600)), chunks(source(text), governor(600, overlap=50))
    assert [each.content for each in overlapping] == [each.content for each in plain]
    assert {each.overlap_before for each in plain} == {""}
    assert overlapping[0].overlap_before == ""
    for before, after in pairwise(overlapping):
        assert 75 <= len(after.overlap_before) <= 150
        assert before.content.endswith(after.overlap_before)
        assert after.overlap_before.startswith("value_")


def test_overlap_parts_no_character():
    text = "x = '" + "日本" * 900 + "'\n"
    for each in chunks(source(text), governor(600, overlap=50))[1:]:
        assert 0 < len(each.overlap_before.encode()) <= 150


def test_chunks_survive_pickling():
    found = chunks(source(SHOP), governor(60))
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 what we pickled ourselves


def test_a_name_in_the_errors_does_not_change_their_fields():
    with pytest.raises(ChunkingError) as plain:
        chunk(source(NESTED), governor(max_ast_depth=5), strict=True)
    with pytest.raises(ChunkingError) as named:
        chunk(source(NESTED), governor(max_ast_depth=5), strict=True, name="n.py")
    assert without_path(vars(named.value)) == without_path(vars(plain.value))


def without_path(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name not in ("path", "message")}
