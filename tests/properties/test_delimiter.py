"""What holds for the delimiter and the fixed-size chunker whatever the text, the family and the limit."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemill.chunking import delimiter, fixed_size
from treemill.chunking.families import FAMILIES
from treemill.chunking.spans import tiles
from treemill.languages import LANGUAGES
from treemill.settings import ChunkerSettings

DEFAULTS = ChunkerSettings()
A_LANGUAGE_OF = {each.family: each.name for each in LANGUAGES.values() if each.family}
LANGUAGE = st.sampled_from(sorted(A_LANGUAGE_OF.values()))
CUSTOM = ChunkerSettings(custom_delimiters=dict.fromkeys(A_LANGUAGE_OF.values(), ("^# ", "é", r"\n", ".")))

LINES = st.sampled_from(
    [
        "def f():",
        "  x = 1",
        "",
        "}",
        " */",
        "/* a",
        "class A {",
        "# é",
        "@x",
        "(def a",
        "[s]",
        "a: b",
        "日本語",
        "🙂;",
        "\t",
    ]
)
SOURCE = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(LINES, max_size=60),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n", "\r\n", "\r"]),
)
TEXT = st.one_of(SOURCE, st.text(max_size=400))


def cut(text: bytes, language: str, limit: int, custom: bool = False) -> list[int]:
    ends = delimiter.split(text, language, limit, CUSTOM if custom else DEFAULTS)
    assert ends is not None
    return ends


def longest(ends: list[int]) -> int:
    return max(b - a for a, b in zip([0, *ends[:-1]], ends, strict=True))


@given(TEXT, LANGUAGE, st.integers(4, 120), st.booleans())
def test_chunks_tile_the_text_within_the_limit_and_part_no_character(text, language, limit, custom):
    data = text.encode("utf-8", "surrogatepass")
    ends = cut(data, language, limit, custom)
    assert tiles(ends, len(data))
    assert not ends or longest(ends) <= limit
    assert all(end == len(data) or data[end] & 0xC0 != 0x80 for end in ends)


@given(SOURCE, LANGUAGE, st.integers(4, 120), st.booleans())
def test_a_line_end_of_two_bytes_stays_in_one_chunk(text, language, limit, custom):
    data = text.encode()
    assert all(data[end - 1 : end + 1] != b"\r\n" for end in cut(data, language, limit, custom))


@given(st.binary(max_size=600), LANGUAGE, st.integers(1, 120), st.booleans())
def test_random_bytes_are_tiled_within_the_limit_too(data, language, limit, custom):
    ends = cut(data, language, limit, custom)
    assert tiles(ends, len(data))
    assert not ends or longest(ends) <= limit


@given(TEXT, LANGUAGE)
def test_a_text_of_the_limit_is_one_chunk_and_one_byte_more_is_not(text, language):
    data = ("x" + text + "y").encode("utf-8", "surrogatepass")
    assert cut(data, language, len(data)) == [len(data)]
    assert len(cut(data, language, len(data) - 1)) > 1


@given(st.binary(max_size=600), st.integers(1, 120))
def test_the_last_resort_tiles_within_the_limit(data, limit):
    ends = fixed_size.split(data, limit)
    assert tiles(ends, len(data))
    assert not ends or longest(ends) <= limit


@given(st.text(max_size=400), st.integers(1, 60), st.floats(0, 0.9))
@settings(max_examples=50)
def test_windows_cover_the_text_and_share_what_they_say(text, window, fraction):
    chunker = fixed_size.FixedSizeChunker(fixed_size.FixedSizeSettings(chunk_chars=window, overlap_fraction=fraction))
    chunks = chunker.chunk_text(text)
    assert chunks or not text.strip()
    if chunks:
        assert "".join(chunk.text[chunk.overlap :] for chunk in chunks) == text
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert all(0 < chunk.size == len(chunk.text) <= window for chunk in chunks)
    assert [chunk.chunk_index for chunk in chunks] == list(range(len(chunks)))
    if "\r" not in text:
        for chunk in chunks:
            assert chunk.line_start == text.count("\n", 0, chunk.start) + 1
            assert chunk.line_end == text.count("\n", 0, chunk.end - 1) + 1


def _hostile() -> dict[str, bytes]:
    size = 1_000_000
    noise = random.Random(7).randbytes(size)
    return {
        "random bytes": noise,
        "one letter": b"a" * size,
        "one line of words": b"public static " * (size // 14),
        "blank lines": b"\n" * size,
        "indented blank lines": (b" " * 50 + b"\n") * (size // 51),
        "spaces without a line end": b"x\n" + b" " * size,
        "tabs and carriage returns": b"\t\r" * (size // 2),
        "open brackets": b"{" * size,
        "lines of open brackets": b"a{\n" * (size // 3),
        "almost heads": (b"a" + b" {x" * 60 + b"\n") * (size // 182),
        "almost titles": (b"a" * 119 + b"\n==\n") * (size // 123),
        "comments only": b"// a\n" * (size // 5),
        "decorators only": b"@\n" * (size // 2),
        "quotes": b'  "' * (size // 3),
        "continuation bytes": b"\x80" * size,
        "colons": b"a:" * (size // 2),
        "modifiers": b"public static final\n" * (size // 20),
    }


@pytest.mark.parametrize(("name", "data"), _hostile().items())
def test_no_hostile_text_makes_any_family_slow(name, data):
    """One megabyte takes about 10 ms; 2 s is far from any speed and far from anything that is not linear."""
    for family in FAMILIES:
        began = time.process_time()
        ends = cut(data, A_LANGUAGE_OF[family], 1800)
        assert time.process_time() - began < 2, (name, family)
        assert tiles(ends, len(data))
        assert longest(ends) <= 1800


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b", "(.*a){20}", r"(\w+\s?)*!", "a.*b.*c.*d.*e", "(?i)(x+x+)+y"])
def test_no_custom_delimiter_runs_away(pattern):
    data = (b"a" * 30 + b" ") * 10_000
    began = time.process_time()
    ends = delimiter.split(data, "maze", 1800, ChunkerSettings(custom_delimiters={"maze": ("^never", pattern)}))
    assert time.process_time() - began < 2
    assert ends is not None
    assert tiles(ends, len(data))


def test_a_line_of_five_megabytes_is_cut_in_time_that_grows_with_its_length():
    line = b"var a=function(b){return b+1};" * 166_000
    times = []
    for part in (line[: len(line) // 8], line):
        began = time.process_time()
        assert tiles(cut(part, "javascript", 1800), len(part))
        times.append(max(time.process_time() - began, 0.005))
    assert times[1] < 8 * times[0] * 4
