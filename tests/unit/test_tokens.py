"""Numbering tokens: the same as splitting and looking each one up, for any text of any length."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from treemill.ranking.tokens import TokenTable

LONGEST = 12


def table() -> tuple[TokenTable, dict[bytes, int]]:
    seen: dict[bytes, int] = {}
    return TokenTable(lambda token: seen.setdefault(token, len(seen) + 1), LONGEST), seen


def assert_read_as_split(tokens: TokenTable, seen: dict[bytes, int], text: bytes) -> None:
    starts, numbers = tokens.read(text)
    expected = [token for token in text.split(b" ") if token and len(token) <= LONGEST]
    assert [text[start:].split(b" ", 1)[0] for start in starts.tolist()] == expected
    assert numbers.tolist() == [seen[token] for token in expected]


@given(st.lists(st.lists(st.binary(max_size=15).map(lambda b: b.replace(b" ", b"_"))), max_size=5))
def test_tokens_are_numbered_as_by_splitting(texts: list[list[bytes]]) -> None:
    tokens, seen = table()
    for words in texts:
        assert_read_as_split(tokens, seen, b" " + b" ".join(words) + b" ")


def test_texts_longer_than_a_span_and_more_tokens_than_fit_at_first_are_read_alike() -> None:
    draw = random.Random(5)
    words = [b"%x" % draw.randrange(1 << 40) for _ in range(60_000)]
    tokens, seen = table()
    for text in (words, draw.sample(words, 20_000), words * 2):
        assert_read_as_split(tokens, seen, b" " + b" ".join(text) + b" ")


def test_a_text_of_one_endless_token_has_none() -> None:
    tokens, seen = table()
    starts, numbers = tokens.read(b" " + b"x" * 1_000_000 + b" ")
    assert (len(starts), len(numbers), seen) == (0, 0, {})
