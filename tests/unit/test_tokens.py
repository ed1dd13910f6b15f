"""Numbering tokens: the same as splitting and looking each one up, for any text of any length."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from treemill.ranking.tokens import Growing, Numbers, cut, hash_tokens
from treemill.ranking.vocabulary import Vocabulary
from treemill.ranking.words import terms_of

LONGEST = 12


class Reader:
    """Numbers the tokens of texts, and knows what it should have numbered them."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.expected: dict[bytes, int] = {}

    def check(self, text: bytes) -> None:
        starts, ends = cut(text, LONGEST)
        tokens = [token for token in text.split(b" ") if token and len(token) <= LONGEST]
        assert [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)] == tokens
        numbers, new = self.numbers.read(hash_tokens(text, starts, ends))
        for place in new.tolist():
            assert tokens[place] not in self.expected
            self.expected[tokens[place]] = len(self.expected)
        assert numbers.tolist() == [self.expected[token] for token in tokens]
        assert len(self.numbers) == len(self.expected)


@given(st.lists(st.lists(st.binary(max_size=15).map(lambda b: b.replace(b" ", b"_"))), max_size=5))
def test_tokens_are_numbered_as_by_splitting(texts: list[list[bytes]]) -> None:
    reader = Reader()
    for words in texts:
        reader.check(b" " + b" ".join(words) + b" ")


def test_more_tokens_than_fit_at_first_are_read_alike() -> None:
    draw = random.Random(5)
    words = [b"%x" % draw.randrange(1 << 40) for _ in range(60_000)]
    reader = Reader()
    for text in (words, draw.sample(words, 20_000), words * 2):
        reader.check(b" " + b" ".join(text) + b" ")


def test_tokens_whose_hashes_want_the_same_slot_keep_apart() -> None:
    crowd = np.arange(1, 300, dtype=np.uint64)
    numbers = Numbers()
    first, new = numbers.read(crowd)
    assert sorted(first.tolist()) == list(range(len(crowd)))
    again, none = numbers.read(np.concatenate((crowd, crowd[::-1])))
    assert (again.tolist(), len(new), len(none)) == ([*first.tolist(), *first[::-1].tolist()], len(crowd), 0)


def test_a_text_of_one_endless_token_has_none() -> None:
    starts, ends = cut(b" " + b"x" * 1_000_000 + b" ", LONGEST)
    assert (len(starts), len(ends)) == (0, 0)


def test_an_array_that_grows_keeps_what_is_in_it() -> None:
    growing = Growing(np.int64, capacity=2)
    for first in range(0, 30, 3):
        growing.extend(np.arange(first, first + 3))
    assert growing.values.tolist() == list(range(30))


identifiers = st.text(st.sampled_from("abcXYZ019__éß検索ʼΣİ\ufffd"), min_size=1, max_size=12)


@given(st.lists(st.lists(identifiers, max_size=20), max_size=4))
def test_a_vocabulary_knows_the_terms_of_every_token_it_has_read(texts: list[list[str]]) -> None:
    vocabulary = Vocabulary()
    for tokens in texts:
        _, numbers = vocabulary.read(" ".join(["", *tokens, ""]).encode())
        counts, terms = vocabulary.terms_of(numbers)
        stems = [vocabulary.stems.texts[term].decode() for term in terms.tolist()]
        plain = [[term for term in terms_of(token) if not term.startswith("=")] for token in tokens]
        assert stems == [term for each in plain for term in each]
        assert counts.tolist() == list(map(len, plain))
