"""The static encoder: what it makes of a text is what its table says, exactly, in whatever company the text comes."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tables import random_words, slow_sums, write_table
from treemill.embedding import EmbeddingProvider, TermEncoder, model_of
from treemill.embedding.quantise import to_int8
from treemill.embedding.static import StaticEncoder
from treemill.errors import EmbeddingError
from treemill.ranking.occurrences import TextToIndex
from treemill.ranking.word_pass import WordPass
from treemill.ranking.words import terms_of

KNOWN = ["retri", "fail", "file", "cart", "item", "größe"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("model") / "static.model", [*KNOWN, *random_words(200)])


@pytest.fixture(scope="module")
def naming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("naming")
    return write_table(folder / "static.model", [*KNOWN, *random_words(200)], name_count=4)


def terms(text: str) -> Counter[str]:
    return Counter(term for token in text.split(" ") for term in terms_of(token) if not term.startswith("="))


words = st.sampled_from(["retryFailedFiles", "cart", "Cart_item2", "größe", "検索する", "zzxq", "x", "0x7f3a", "naïve"])
texts = st.lists(words, max_size=40).map(" ".join)


@given(st.lists(texts, max_size=40))
def test_a_text_is_the_sum_that_the_format_says(table: Path, batch: list[str]) -> None:
    found = StaticEncoder(table).embed(batch)
    assert found.shape == (len(batch), 16)
    assert [row.astype(int).tolist() for row in found] == [slow_sums(table, terms(text)) for text in batch]


@given(st.lists(texts, min_size=1, max_size=5), st.lists(texts, max_size=40), st.lists(texts, max_size=40))
def test_a_chunk_has_the_same_vector_in_any_company(
    table: Path, chunks: list[str], before: list[str], beside: list[str]
) -> None:
    def file(pieces: list[str]) -> TextToIndex:
        data = [f"{piece}\n".encode() for piece in pieces]
        return TextToIndex(b"".join(data), np.cumsum([len(each) for each in data]).tolist(), ())

    encoder, worker = StaticEncoder(table), WordPass()
    encoder.encode(worker.read([file(before)])[1])
    among = encoder.encode(worker.read([file(beside), file(chunks)])[1])[len(beside) :]
    assert among.tolist() == to_int8(StaticEncoder(table).embed(chunks)).tolist()


@given(st.lists(st.tuples(texts, st.lists(words, max_size=3)), min_size=1, max_size=6))
def test_the_words_of_the_names_that_a_chunk_defines_count_so_many_times_more(
    naming: Path, chunks: list[tuple[str, list[str]]]
) -> None:
    pieces = [f"{text}\n".encode() for text, _ in chunks]
    names = [(place, name) for place, (_, defined) in enumerate(chunks) for name in defined]
    file = TextToIndex(b"".join(pieces), np.cumsum([len(piece) for piece in pieces]).tolist(), names)
    found = StaticEncoder(naming).encode(WordPass().read([file])[1])
    for row, (text, defined) in zip(found, chunks, strict=True):
        counted = terms(text) + terms(" ".join(defined * 4))
        assert row.tolist() == to_int8(np.array([slow_sums(naming, counted)], np.float32))[0].tolist()


def test_sums_beyond_single_precision_are_as_exact(tmp_path: Path) -> None:
    heavy = write_table(tmp_path / "heavy.model", random_words(500), counts=(0, 60_000, 60_001))
    text = " ".join(random_words(500))
    assert max(map(abs, slow_sums(heavy, terms(text)))) > 1 << 25
    small = StaticEncoder(heavy).embed([text, "retry"])
    exact = np.array([slow_sums(heavy, terms(text)), slow_sums(heavy, terms("retry"))])
    assert small.tolist() == exact.astype(np.float32).tolist()


def test_no_word_is_so_rare_that_it_has_no_vector(table: Path) -> None:
    vectors = StaticEncoder(table).embed(["qxzzy", "4711", "ж", "?! ...", ""])
    assert [bool(row.any()) for row in vectors] == [True, True, True, False, False]


def test_a_question_leaves_its_form_out_unless_nothing_else_is_there(table: Path) -> None:
    encoder = StaticEncoder(table)
    assert encoder.embed_query("how is the cart retried?").tolist() == encoder.embed_query("cart retry").tolist()
    assert encoder.embed_query("how is the").any()
    assert not encoder.embed_query("?").any()


def test_it_says_which_table_it_is_and_crosses_to_another_process_as_a_path(table: Path) -> None:
    encoder = StaticEncoder(table)
    assert isinstance(encoder, EmbeddingProvider)
    assert isinstance(encoder, TermEncoder)
    assert model_of(encoder) == f"static-1:{encoder.version}"
    copied = pickle.loads(pickle.dumps(encoder))  # noqa: S301 - made a moment ago
    assert len(pickle.dumps(encoder)) < 1_000
    assert copied.embed(["cart"]).tolist() == encoder.embed(["cart"]).tolist()
    assert encoder.model.is_whole()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[:40], "is no model"),
        (lambda data: b"ELF!" + data[4:], "is no model"),
        (lambda data: data[:4] + b"\x07" + data[5:], "has format 7"),
        (lambda data: data[:-1], "does not fit its header"),
        (lambda data: data[:8] + bytes(4) + data[12:], "does not fit its header"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(table: Path, tmp_path: Path, damage, sentence: str) -> None:  # type: ignore[no-untyped-def]
    broken = tmp_path / "broken.model"
    broken.write_bytes(damage(table.read_bytes()))
    with pytest.raises(EmbeddingError, match=sentence):
        StaticEncoder(broken)


def test_a_missing_table_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="pip install --force-reinstall treemill"):
        StaticEncoder(tmp_path / "static.model")
