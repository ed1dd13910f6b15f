"""The compiled halves do what their namesakes in Python do, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill import native
from treemill.chunking.crossing import symbols_from_bytes_in_python, symbols_to_bytes_in_python
from treemill.chunking.packing import json_of
from treemill.native import compiled
from treemill.preparing import first_lines
from treemill.records import PreparedFile
from treemill.storage.rows import file_row
from treemill.storage.statements import Alike, own_values
from treemill.storage.sums import (
    FILE_COLUMNS,
    bulk_sum,
    bulk_sums,
    file_sum,
    file_sums,
    head_sums,
    sum_of_head,
)
from treemill.types import Symbol

WORDS = compiled("words")
PACKING = compiled("packing")
SUMS = compiled("sums")
BUILDING = compiled("building")
needs_words = pytest.mark.skipif(WORDS is None, reason="this installation has no compiled halves")


def test_the_environment_switches_the_compiled_halves_off():
    program = "from treemill.native import compiled; print(compiled('words'))"
    environment = {**os.environ, "TREEMILL_NATIVE": "off"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "None"


def test_halves_that_were_built_from_other_sources_are_left_out(tmp_path):
    package = Path(native.__file__).parent
    shutil.copytree(package, tmp_path / "native")
    (tmp_path / "native" / "words.c").write_text("/* another */")
    program = "import sys, native; sys.path.pop(0); print(native.compiled('words'))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "None"


def test_the_sources_are_known_by_all_that_is_in_them(tmp_path):
    assert native.sources_digest(str(tmp_path)) == ""
    (tmp_path / "a.c").write_text("1")
    one = native.sources_digest(str(tmp_path))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.h").write_text("2")
    assert "" != one != native.sources_digest(str(tmp_path))


@needs_words
@given(pieces=st.lists(st.text("ab\r\n", min_size=1), max_size=8))
def test_pieces_begin_on_the_same_lines(pieces):
    text = "".join(pieces).encode()
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    assert np.frombuffer(WORDS.first_lines(text, ends), "<u4").tolist() == first_lines(text, ends)


@needs_words
@pytest.mark.parametrize("ends", [[3], [2, 1], [-1], ["a"], 7])
def test_ends_that_are_none_are_refused(ends):
    with pytest.raises((TypeError, ValueError)):
        WORDS.first_lines(b"ab", ends)


texts = st.text(max_size=8) | st.text('"\\\n\r\t\b\f\0\x1f\x7f\u2028é', max_size=8)
numbers = st.integers(0, 1 << 40)
ranges = st.tuples(numbers, numbers)
symbols = st.builds(
    Symbol, texts, texts, st.lists(texts, max_size=3).map(tuple), numbers, numbers, numbers, ranges, ranges | st.none()
)


@needs_words
@given(st.lists(symbols, max_size=4))
def test_symbols_are_written_alike(some):
    assert PACKING.symbols_json(some) == json_of(some)


SYMBOL = Symbol("a", "class", ("b",), 0, 9, 1, (0, 3), None)


@needs_words
@pytest.mark.parametrize(
    "wrong",
    [
        7,
        [7],
        [("a",)],
        [SYMBOL._replace(name=b"a")],
        [SYMBOL._replace(kind=None)],
        [SYMBOL._replace(parents=["b"])],
        [SYMBOL._replace(parents=(7,))],
        [SYMBOL._replace(start="0")],
        [SYMBOL._replace(line=1 << 70)],
        [SYMBOL._replace(signature=())],
        [SYMBOL._replace(signature=[0, 3])],
        [SYMBOL._replace(doc=(0,))],
        [SYMBOL._replace(doc=7)],
        [SYMBOL, SYMBOL._replace(name="\udc80")],
    ],
)
def test_symbols_that_are_none_are_refused(wrong):
    with pytest.raises((TypeError, IndexError, OverflowError, UnicodeEncodeError)):
        PACKING.symbols_json(wrong)


NUMBERS = st.integers(-(2**63), 2**63 - 1)
PLAIN_ROWS = st.tuples(
    st.binary(), st.none() | NUMBERS, *[NUMBERS] * 5, st.sampled_from(("", "binary")), st.text('ab c."', max_size=9)
)
ODD = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.booleans()


@pytest.mark.skipif(SUMS is None, reason="this installation has no compiled halves")
@given(rows=st.lists(PLAIN_ROWS))
def test_rows_of_files_have_the_same_sums(rows):
    assert SUMS.file_sums(rows) == [file_sum(row) for row in rows]


@given(row=st.tuples(st.binary(), st.none() | NUMBERS, *[ODD] * 7), after=st.lists(ODD, max_size=2))
def test_a_row_with_odd_columns_has_the_sum_that_python_gives_it(row, after):
    assert len(row) == FILE_COLUMNS
    assert file_sums([(*row, *after)]) == [file_sum(row)]


PATHS = st.text("aé/\"'\\\n\t\udcff", min_size=1, max_size=9)


@given(st.lists(st.tuples(PATHS, *[NUMBERS] * 3, st.sampled_from((b"a" * 16, b"b" * 16))), max_size=5), NUMBERS)
def test_rows_of_indexed_files_have_the_values_that_any_row_has(drawn, seen_ns):
    #  files ─▶ path, content, size, stamps, sum ── the rest is the same in all
    files = [PreparedFile(path, size, stamp, key, None, changed) for path, size, stamp, changed, key in drawn]
    ids = {b"a" * 16: 7, b"b" * 16: 2**40}
    values = own_values(files, ids, Alike(seen_ns))
    expected = [
        file_row(
            file.path, ids[file.key], size=file.size, stamp=file.stamp, changed_ns=file.changed_ns, seen_ns=seen_ns
        )
        for file in files
    ]
    assert values == [each for row in expected for each in (bytearray(row[0]), *row[1:5], row[9])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("treemill.storage.sums._NATIVE", None)
        assert own_values(files, ids, Alike(seen_ns)) == values


def test_a_row_of_an_indexed_file_that_cannot_be_is_refused():
    file = PreparedFile("a.py", 1, 2, b"k" * 16, None, 3)
    with pytest.raises(KeyError):
        own_values([file], {}, Alike(5))
    with pytest.raises(UnicodeEncodeError):
        own_values([replace(file, path="\ud800")], {b"k" * 16: 1}, Alike(5))
    assert own_values([replace(file, size=2**70)], {b"k" * 16: 1}, Alike(5))[2] == 2**70
    with pytest.raises((TypeError, AttributeError)):
        own_values([7], {b"k" * 16: 1}, Alike(5))


def test_a_path_that_is_no_bytes_has_no_sum():
    with pytest.raises(TypeError):
        file_sums([("a.py", 1, 0, 0, 0, 0, 0, "", "")])


@given(st.lists(st.tuples(NUMBERS, st.binary(), st.none() | ODD, ODD, ODD, st.binary()), max_size=3))
def test_the_small_columns_of_contents_have_the_sums_that_python_gives_them(rows):
    assert head_sums(rows) == [sum_of_head(row[0], row[1:]) for row in rows]


@given(st.lists(st.tuples(NUMBERS, st.binary(), st.binary(max_size=3), st.binary()), max_size=3))
def test_the_bulk_columns_of_contents_have_the_sums_that_python_gives_them(rows):
    assert bulk_sums(rows) == [bulk_sum(*row) for row in rows]
    for other in (None, "text", 7):
        with pytest.raises(TypeError):
            bulk_sums([*rows, (1, b"", other)])


any_texts = texts | st.text(st.characters(categories=["Cs", "Lu"]), max_size=3)
offsets = st.integers(0, 2**32 - 2)
spans = st.tuples(offsets, offsets)
lineages = st.lists(any_texts, max_size=3).map(tuple)
crossing = st.lists(
    st.builds(Symbol, any_texts, texts, lineages, offsets, offsets, offsets, spans, spans | st.none()), max_size=5
).map(tuple)


@needs_words
@given(crossing)
def test_symbols_cross_to_another_process_alike(some):
    packed = BUILDING.symbols_to_bytes(some)
    assert packed == symbols_to_bytes_in_python(some)
    assert BUILDING.symbols_from_bytes(Symbol, packed) == symbols_from_bytes_in_python(packed) == some


@needs_words
def test_symbols_with_the_same_parents_share_them_on_the_other_side():
    """class b: a, c"""
    some = BUILDING.symbols_from_bytes(Symbol, BUILDING.symbols_to_bytes((SYMBOL, SYMBOL._replace(name="c"))))
    assert some[0].parents is some[1].parents
    assert some[0].kind is some[1].kind is SYMBOL.kind
    assert type(some[0]) is Symbol


@needs_words
@given(crossing, st.data())
def test_damaged_symbols_are_refused_or_are_symbols(some, data):
    packed = bytearray(BUILDING.symbols_to_bytes(some))
    for _ in range(data.draw(st.integers(0, 2)) if packed else 0):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(packed[: data.draw(st.integers(0, len(packed)))])
    try:
        expected = symbols_from_bytes_in_python(damaged)
    except (ValueError, MemoryError):
        with pytest.raises(ValueError):
            BUILDING.symbols_from_bytes(Symbol, damaged)
    else:
        assert BUILDING.symbols_from_bytes(Symbol, damaged) == expected


@needs_words
@pytest.mark.parametrize(
    "wrong",
    [
        7,
        (7,),
        (("a",),),
        (SYMBOL._replace(name=b"a"),),
        (SYMBOL._replace(kind=[]),),
        (SYMBOL._replace(parents=["b"]),),
        (SYMBOL._replace(parents=(7,)),),
        (SYMBOL._replace(start="0"),),
        (SYMBOL._replace(end=-1),),
        (SYMBOL._replace(line=2**32 - 1),),
        (SYMBOL._replace(line=1 << 70),),
        (SYMBOL._replace(signature=()),),
        (SYMBOL._replace(doc=(0,)),),
        (SYMBOL._replace(doc=7),),
    ],
)
def test_symbols_that_cannot_cross_are_refused(wrong):
    with pytest.raises((TypeError, OverflowError)):
        BUILDING.symbols_to_bytes(wrong)


@needs_words
@pytest.mark.parametrize("wrong", [(int, b""), (7, b""), (Symbol, ""), (Symbol,)])
def test_symbols_have_a_type_and_bytes(wrong):
    with pytest.raises(TypeError):
        BUILDING.symbols_from_bytes(*wrong)
