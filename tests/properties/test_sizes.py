"""Sizes in bytes, characters and tokens: whatever the unit, chunks tile the file and none is over the limit in it."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.words import WORDS
from treemill.chunking import chunk
from treemill.chunking.governor import ChunkGovernor, Tokenizer
from treemill.chunking.spans import tiles
from treemill.languages import LANGUAGES
from treemill.parallel import chunk_files_parallel_dict
from treemill.ranking.identifiers import count_parts
from treemill.settings import ChunkerSettings
from treemill.types import DiscoveredFile, Source

# Characters of many bytes, and runs that a tokenizer takes for one token or for none.
LONG = ("parseHTTPHeader_v2", "👩‍👩‍👧‍👦", "e\u0301", "\ufb01", "x" * 90, " " * 70, "\n" * 40, "a1" * 30, ";" * 60)
TEXTS = st.lists(st.sampled_from((*WORDS, *LONG)), max_size=120).map("".join)
BYTES = st.one_of(TEXTS.map(str.encode), st.binary(max_size=500).map(lambda data: data.replace(b"\0", b"0")))
LANGUAGE = st.sampled_from([*sorted(each.name for each in LANGUAGES.values() if each.grammar), "perl", "cobol", None])
LIMITS = st.integers(16, 120)


def whole_words(text: str) -> list[str]:
    """Tokens as a tokenizer may have them: words, runs of blanks, single signs."""
    return re.findall(r"\w+|\s+|[^\w\s]", text)


def contrary(text: str) -> int:
    """Count so that a longer text may have fewer tokens than a shorter one."""
    return len(text) // 3 + zlib.crc32(text.encode("utf-8", "surrogatepass")) % 7


def source(data: bytes, language: str | None) -> Source:
    bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    return Source(data, hashlib.blake2b(data, digest_size=16).digest(), "utf-8", bom, language)


def governor(tokenizer: Tokenizer | None = None, **limits: int) -> ChunkGovernor:
    return ChunkGovernor(settings=ChunkerSettings(**limits), tokenizer=tokenizer)  # type: ignore[arg-type]


def pieces(one: Source, limits: ChunkGovernor) -> list[str]:
    """Cut a text, make sure that the cutting tiles it and parts no character, and return the pieces."""
    ends = chunk(one, limits).ends
    if not one.text().strip():
        assert ends == ()
        return []
    assert tiles(ends, len(one.data))
    cut = [one.data[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    if is_utf8(one.data):
        assert all(is_utf8(each) for each in cut)
    return [each.decode("utf-8", "surrogateescape") for each in cut]


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(BYTES, LANGUAGE, LIMITS)
@settings(max_examples=200, deadline=None)
def test_no_chunk_has_more_characters_than_the_limit(data, language, limit):
    assert all(len(each) <= limit for each in pieces(source(data, language), governor(max_chunk_characters=limit)))


@given(BYTES, LANGUAGE, LIMITS, st.sampled_from([None, whole_words, contrary]))
@settings(max_examples=300, deadline=None)
def test_no_chunk_has_more_tokens_than_the_limit_whatever_the_tokenizer(data, language, limit, tokenizer):
    for each in pieces(source(data, language), governor(tokenizer, max_chunk_tokens=limit)):
        count = (tokenizer or count_parts)(each.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        assert (count if isinstance(count, int) else len(count)) <= limit


@given(BYTES, LANGUAGE, LIMITS, LIMITS)
@settings(max_examples=100, deadline=None)
def test_two_limits_hold_both(data, language, characters, tokens):
    limits = governor(max_chunk_characters=characters, max_chunk_tokens=tokens)
    for each in pieces(source(data, language), limits):
        assert len(each) <= characters
        assert count_parts(each) <= tokens


@given(TEXTS.filter(str.isascii), LANGUAGE, LIMITS)
@settings(max_examples=100, deadline=None)
def test_where_each_character_is_a_byte_both_units_cut_alike(text, language, limit):
    one = source(text.encode(), language)
    assert pieces(one, governor(max_chunk_characters=limit)) == pieces(one, governor(max_chunk_bytes=limit))


@given(st.lists(st.sampled_from(("name", "größe", "日本", "f(x)", "1.5")), min_size=16, max_size=80), LANGUAGE)
@settings(max_examples=80, deadline=None)
def test_a_text_exactly_at_the_limit_is_one_chunk_and_one_over_it_is_not(words, language):
    """`f(x)` is two tokens of the model in the package and `日本` one: what counts is their number, not their bytes."""
    text = " ".join(words)
    one = source(text.encode(), language)
    for limits, size in (
        (lambda most: governor(max_chunk_characters=most), len(text)),
        (lambda most: governor(max_chunk_tokens=most), count_parts(text)),
        (lambda most: governor(whole_words, max_chunk_tokens=most), len(whole_words(text))),
    ):
        assert len(pieces(one, limits(size))) == 1
        assert size == 16 or len(pieces(one, limits(size - 1))) > 1


@given(st.sampled_from(["x" * 3000, "😀" * 900, "e\u0301" * 900, " " * 3000 + "x", ";" * 3000, "\u00e9" * 1000 + "\n"]))
def test_one_long_line_without_a_place_to_break_is_cut_to_the_limit(text):
    one = source(text.encode(), None)
    for limits, most in ((governor(max_chunk_characters=100), 100), (governor(list, max_chunk_tokens=100), 100)):
        cut = pieces(one, limits)
        assert all(len(each) <= most for each in cut)
        assert len(cut) <= 2 + len(text) * 1.05 / most


def test_bytes_that_are_no_text_count_as_one_character_each():
    data = b"x" * 50 + b"\xff\xfe\x80" * 30 + b"\xe2\x82" * 10
    assert all(len(each) <= 16 for each in pieces(source(data, None), governor(max_chunk_characters=16)))


@pytest.mark.parametrize("limits", [{"max_chunk_characters": 200}, {"max_chunk_tokens": 40}])
def test_the_chunks_do_not_depend_on_the_executor_or_the_number_of_workers(tmp_path: Path, limits):
    """
    a.py  b.md  c.pl  d: as a syntax tree, delimiters, and nothing cut them
    """
    for name in ("a.py", "b.md", "c.pl", "d"):
        (tmp_path / name).write_text(
            "".join(f"sub größe{i} {{ return {i} }}\n\n# Über {i} 😀\n" for i in range(60)), "utf-8"
        )
    files = [DiscoveredFile.from_path(path, root=tmp_path) for path in sorted(tmp_path.iterdir())]
    found = [
        chunk_files_parallel_dict(files, governor(**limits), executor_type=executor, max_workers=workers)
        for executor, workers in (("inline", 1), ("thread", 3), ("process", 2))
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 4
    assert all(len(chunks) > 5 for chunks in found[0].values())
