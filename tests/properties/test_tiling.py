"""Whatever the bytes, the language, the encoding and the limit: chunks tile the file and none is over the limit."""

from __future__ import annotations

import hashlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from support.words import WORDS
from treemill.chunking import chunk
from treemill.chunking.build import build_chunks
from treemill.chunking.governor import ChunkGovernor
from treemill.chunking.spans import hard_split, is_blank, merge, tiles, within
from treemill.languages import LANGUAGES
from treemill.settings import ChunkerSettings
from treemill.types import DiscoveredFile, Source

TEXTS = st.lists(st.sampled_from(WORDS), max_size=120).map("".join)
GRAMMARS = sorted(each.name for each in LANGUAGES.values() if each.grammar)
LIMITS = st.integers(16, 200)


def source(data: bytes, language: str | None, encoding: str = "utf-8", bom: int = 0) -> Source:
    return Source(data, hashlib.blake2b(data, digest_size=16).digest(), encoding, bom, language)


def governor(limit: int) -> ChunkGovernor:
    return ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=limit))


def assert_whole(one: Source, limits: ChunkGovernor) -> None:
    """The chunks are the file, in order; their text is within the limit; their lines are those of the file."""
    chunking = chunk(one, limits)
    chunks = build_chunks(DiscoveredFile("a", None, one.language, len(one.data), 0), one, chunking, limits)
    text = one.text()
    if not text.strip():
        assert chunks == []
        return
    assert tiles(chunking.ends, len(one.data))
    assert "".join(each.content for each in chunks) == text
    codec = "utf-8" if one.encoding == "utf-8" else one.encoding
    before = 0
    for each in chunks:
        start, end = each.byte_range
        assert len(each.content.encode("utf-8", "surrogateescape")) <= limits.max_chunk_bytes
        assert each.content.encode(codec, "surrogateescape") == one.data[max(start, one.bom) : end]
        # A line is over where the file's next character begins another one.
        assert each.line_range == (line_of(text, before), line_of(text, before + len(each.content) - 1))
        before += len(each.content)
    for symbol in chunking.symbols:
        assert 0 <= symbol.start < symbol.end <= len(one.data)
        assert symbol.start <= symbol.signature[0] < symbol.signature[1] <= symbol.end
    assert list(chunking.symbols) == sorted(chunking.symbols, key=lambda symbol: symbol.start)


def line_of(text: str, offset: int) -> int:
    """Count lines the slow way."""
    line = 1
    for i in range(offset):
        line += text[i] == "\n" or (text[i] == "\r" and text[i + 1 : i + 2] != "\n")
    return line


@given(TEXTS, st.sampled_from(GRAMMARS), LIMITS)
@settings(max_examples=300, deadline=None)
def test_chunks_of_any_text_in_any_grammar_are_the_file(text, language, limit):
    assert_whole(source(text.encode(), language), governor(limit))


@given(st.binary(max_size=600).map(lambda data: data.replace(b"\0", b"0")), st.sampled_from(GRAMMARS), LIMITS)
@settings(max_examples=150, deadline=None)
def test_chunks_of_any_bytes_are_the_file(data, language, limit):
    bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    assert_whole(source(data, language, bom=bom), governor(limit))


@given(TEXTS, st.sampled_from(["utf-16-le", "utf-16-be"]), st.sampled_from([*GRAMMARS, "perl", None]), LIMITS)
@settings(max_examples=150, deadline=None)
def test_chunks_of_utf_16_are_the_file(text, encoding, language, limit):
    bom = "\ufeff".encode(encoding)
    assert_whole(source(bom + text.encode(encoding), language, encoding, len(bom)), governor(limit))


@given(TEXTS, st.sampled_from([*GRAMMARS, "perl", None]), LIMITS)
@settings(max_examples=80, deadline=None)
def test_chunks_of_latin_1_are_the_file(text, language, limit):
    assert_whole(source(text.encode("latin-1", "replace"), language, "latin-1"), governor(limit))


@given(TEXTS, st.sampled_from(GRAMMARS), LIMITS)
@settings(max_examples=80, deadline=None)
def test_a_byte_order_mark_belongs_to_the_first_chunk_and_changes_nothing_else(text, language, limit):
    assert_whole(source(b"\xef\xbb\xbf" + text.encode(), language, bom=3), governor(limit))


@given(st.one_of(st.binary(max_size=300), TEXTS.map(str.encode)), st.integers(4, 60))
def test_a_hard_split_tiles_within_the_limit_and_parts_no_character(data, limit):
    ends = hard_split(data, 0, len(data), limit)
    assert tiles(ends, len(data))
    assert all(b - a <= limit for a, b in zip([0, *ends], ends, strict=False))
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    for end in ends:
        data[:end].decode()
        assert data[end - 1 : end + 1] != b"\r\n"


@given(st.sets(st.integers(1, 500), min_size=1), st.integers(1, 80))
def test_merging_joins_only_what_fits_together(cuts, limit):
    ends = sorted(cuts)
    merged = merge(ends, limit)
    assert set(merged) <= set(ends)
    assert merged[-1] == ends[-1]
    pieces = list(zip([0, *merged], merged, strict=False))
    for start, end in pieces:
        assert end - start <= limit or not any(start < each < end for each in ends)
    for (start, _), (_, end) in pairwise(pieces):
        following = min(each for each in ends if each > start)
        assert end - start > limit or following - start > limit


@given(st.binary(min_size=1, max_size=300), st.integers(4, 40))
def test_pieces_over_the_limit_are_split_and_the_others_kept(data, limit):
    ends = sorted({len(data) // 3, len(data) // 2, len(data)} - {0})
    cut = within(data, ends, limit)
    assert tiles(cut, len(data))
    assert all(b - a <= limit for a, b in zip([0, *cut], cut, strict=False))
    assert set(ends) <= set(cut)


@given(st.text(" \t\r\n\x0b\x0c\u3000\u00a0\ufeff", max_size=50), st.text("a é", max_size=3))
def test_blank_is_what_holds_only_whitespace(blank, rest):
    text = blank.replace("\ufeff", "") + rest
    assert is_blank(text.encode()) == (not text.strip())
