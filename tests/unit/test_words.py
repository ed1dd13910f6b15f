"""From text to terms: what an identifier is split into, and that one pass counts what a slow reading would."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.ranking.identifiers import split_identifier
from treemill.ranking.occurrences import TextToIndex
from treemill.ranking.word_pass import WordPass
from treemill.ranking.words import name_terms, stem, term_id, terms_of


@pytest.mark.parametrize(
    ("token", "parts"),
    [
        ("parseHTTPHeader", ["parse", "http", "header"]),
        ("snake_case_name", ["snake", "case", "name"]),
        ("SCREAMING_CASE2", ["screaming", "case", "2"]),
        ("__init__", ["init"]),
        ("sha256", ["sha", "256"]),
        ("x", ["x"]),
        ("Straßenname", ["straßenname"]),
        ("größeMax2", ["größemax", "2"]),
        ("検索する", ["検索", "索す", "する"]),
        ("_", []),
    ],
)
def test_an_identifier_gives_its_parts(token: str, parts: list[str]) -> None:
    assert split_identifier(token) == parts


def test_parts_are_stemmed_and_a_compound_is_kept_whole() -> None:
    assert terms_of("retryFailedFiles") == ["retri", "fail", "file", "=retryfailedfiles"]
    assert terms_of("retries") == ["retri"]
    assert name_terms("retry") == ["retri", "=retry"]
    assert [stem(word) for word in ("utf", "8", "as", "größen")] == ["utf", "8", "as", "größen"]


def slowly(file: TextToIndex) -> dict[tuple[int, int], tuple[int, int]]:
    """(term, chunk) → (times in the text, times as a definition), one token at a time."""
    text: Counter[tuple[int, int]] = Counter()
    start = 0
    for chunk, end in enumerate(file.ends):
        piece = file.text[start:end].decode("utf-8", "replace")
        blanked = "".join(c if c == "_" or (c.isascii() and c.isalnum()) or not c.isascii() else " " for c in piece)
        for token in blanked.split(" "):
            if len(token.encode()) <= 80:
                text.update((term_id(term), chunk) for term in terms_of(token))
        start = end
    defined = Counter((term_id(term), chunk) for chunk, name in file.names for term in name_terms(name))
    return {key: (min(63, text[key]), min(3, defined[key])) for key in text.keys() | defined.keys()}


names = st.sampled_from(["Cart", "add_item", "parseHTTP", "größe", "retries"])
pieces = st.lists(
    st.sampled_from(["Cart ", "add_item(x)\n", "the carts, ", "größe=2;", "検索する ", "x" * 90 + " ", "\n\n"])
)


@st.composite
def files(draw: st.DrawFn) -> TextToIndex:
    chunks = ["".join(piece).encode() for piece in draw(st.lists(pieces, max_size=5))]
    chunks = [chunk for chunk in chunks if chunk]
    ends = [sum(map(len, chunks[: i + 1])) for i in range(len(chunks))]
    defined = draw(st.lists(st.tuples(st.integers(0, len(chunks) - 1), names))) if chunks else []
    return TextToIndex(b"".join(chunks), ends, defined)


@given(st.lists(files(), max_size=6))
def test_one_pass_over_a_batch_counts_what_a_slow_reading_of_each_file_counts(batch: list[TextToIndex]) -> None:
    for file, indexed in zip(batch, WordPass().read(batch)[0], strict=True):
        postings = indexed.postings
        found: dict[tuple[int, int], tuple[int, int]] = {}
        place = 0
        for term, count in zip(postings.terms.tolist(), postings.counts.tolist(), strict=True):
            for chunk, weight in zip(
                postings.chunks[place : place + count].tolist(),
                postings.weights[place : place + count].tolist(),
                strict=True,
            ):
                found[term, chunk] = (weight & 63, weight >> 6)
            place += count
        assert found == slowly(file)
        assert len(indexed.lengths) == len(file.ends)


@given(files(), st.lists(files(), max_size=4), st.lists(files(), max_size=4))
def test_what_a_file_gives_does_not_depend_on_its_company(
    file: TextToIndex, before: list[TextToIndex], beside: list[TextToIndex]
) -> None:
    worker = WordPass()
    worker.read(before)
    ((alone,), _) = WordPass().read([file])
    among = worker.read([*beside, file])[0][-1]
    assert alone.postings.terms.tolist() == among.postings.terms.tolist()
    assert alone.postings.chunks.tolist() == among.postings.chunks.tolist()
    assert alone.postings.weights.tolist() == among.postings.weights.tolist()
    assert alone.lengths.tolist() == among.lengths.tolist()
