"""Words as they are spelled, and the parts of patterns that match inside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.native import compiled
from treemill.ranking.pattern_parts import Either, Every, Inside, Need, needs_of
from treemill.ranking.spellings import INCOMPLETE, distinct_words, joined, spellings_of

NATIVE = compiled("spellings")


def test_the_spellings_of_a_text_are_its_distinct_words_with_their_case():
    text = "def parseName(Name): return größe_2 + Name\n".encode()
    assert spellings_of(text, [len(text)]).decode().split() == ["def", "parseName", "Name", "return", "größe_2"]
    assert joined([b"a\nb\n", INCOMPLETE, b"b\nc\n"]) == b"a\nb\nc\n"


@pytest.mark.parametrize(
    ("text", "ends"), [(b"x" * 81, [81]), (b"a " + b"b" * 81, [83]), (b"ab", [1, 2]), ("aé".encode(), [2, 3])]
)
def test_words_that_the_index_does_not_have_whole_make_the_spellings_incomplete(text: bytes, ends: list[int]):
    assert spellings_of(text, ends) == INCOMPLETE


def test_words_that_chunks_do_not_share_are_complete():
    assert spellings_of(b"x" * 80 + b"(ab", [81, 83]) == b"x" * 80 + b"\nab\n"


@pytest.mark.skipif(NATIVE is None, reason="this installation has no compiled halves")
@given(
    st.lists(st.sampled_from([b"a", b"B_", b"\xc3\xa9", b"9", b" ", b"\n", b"(", b"\x00", b"\xff"])), st.integers(1, 6)
)
def test_the_compiled_half_finds_the_same_words(pieces: list[bytes], longest: int):
    texts = b"".join(pieces).split(b"(")
    assert NATIVE is not None
    assert NATIVE.distinct_words(texts, longest) == distinct_words(texts, longest)


@pytest.mark.skipif(NATIVE is None, reason="this installation has no compiled halves")
def test_the_compiled_half_remembers_any_number_of_words():
    words = [b"word%d" % (number % 9_000) for number in range(30_000)]
    text = b" ".join(words)
    assert NATIVE is not None
    assert NATIVE.distinct_words([text], 80) == distinct_words([text], 80)
    texts = b" ".join(words[:5_000]), b" ".join(words[4_000:])
    assert NATIVE.distinct_words(iter(texts), 80) == distinct_words([text], 80)


@pytest.mark.skipif(NATIVE is None, reason="this installation has no compiled halves")
def test_only_bytes_have_words():
    assert NATIVE is not None
    for other in (b"text", ["text"], [b"text", None], None):
        with pytest.raises(TypeError):
            NATIVE.distinct_words(other, 80)


@pytest.mark.parametrize(
    ("pattern", "need"),
    [
        (r"raise \w+Error\(", Every((Inside(r"raise\b"), Inside(r"\b\w+Error\b")))),
        (r"get_\w+_by_\w+", Inside(r"get_\w+_by_\w+")),
        (r"(?i)todo.*fix", Every((Inside("(?i)todo"), Inside("(?i)fix")))),
        (r"(?i:Todo)x", Inside("(?i:Todo)x")),
        (r"foo|bar[0-9]{3}", Either((Inside("foo"), Inside("bar[0-9]{3}")))),
        (r"(foo\.|bar )baz", Every((Either((Inside(r"foo\b"), Inside(r"bar\b"))), Inside("baz")))),
        (r"(map|set)<\w", Every((Inside("(map|set)"), Inside(r"\b\w")))),
        (r"(foo\.)?bar", Inside("bar")),
        (r"^import$", Inside(r"\bimport\b")),
        (r"x[^y]z", Every((Inside("x"), Inside("z")))),
        (r"[[:alpha:]]+]x", Every((Inside(r"[[:alpha:]]+\b"), Inside(r"\bx")))),
        (r"a{2}b{,3}", Every((Inside(r"a{2}b\b"), Inside(r"\b3\b")))),
        (r"größe\b", Inside(r"größe\b")),
        (r"foo|\(", None),
        (r"\$\{", None),
        (r"\Qa.b\E", None),
        (r"(?i)a(?-i)b", Every((Inside("(?i)a"), Inside("b")))),
        (r"\pN+x", Inside("x")),
    ],
)
def test_a_pattern_needs_words_in_which_its_parts_match(pattern: str, need: Need | None):
    assert needs_of(pattern) == need


def test_a_pattern_nested_deeper_than_can_be_read_needs_nothing():
    assert needs_of("(" * 450 + "a" + ")" * 450) is None
