"""Ranking without an index: what questions ask for, what paths say, and that each signal says what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.ranking import signals
from treemill.ranking.evidence import Evidence, Rarity
from treemill.ranking.model import (
    BESIDE_THE_BEST,
    SIGNALS,
    contributions,
    greatest,
    learned_as,
    plain_values,
    values,
    weights_for,
)
from treemill.ranking.paths import kinds_of, likeness, path_words, version_of
from treemill.ranking.question import MOST_TERMS, Question, analyse, as_symbol
from treemill.ranking.weights import WEIGHTS
from treemill.types import Symbol


def words(question: Question) -> dict[str, float]:
    """Return the stems of a question with their weights."""
    return {term.word: term.weight for term in question.terms}


def evidence_of(text: str, *paths: str, counts: list[list[int]] | None = None) -> Evidence:
    """Return evidence for a question and files of one chunk each; `counts` says how often each has each word."""
    question = analyse(text)
    taken_apart = [path_words(path) for path in paths]
    width = len(question.terms) + len(question.names)
    own, folders = np.zeros((len(paths), width), np.float32), np.zeros((len(paths), width), np.float32)
    for row, path in enumerate(taken_apart):
        for column, term in enumerate(question.terms):
            own[row, column], folders[row, column] = term.id in path.own, term.id in path.folders
    found = np.zeros((len(paths), width), np.float32) if counts is None else np.array(counts, np.float32)
    ones = np.ones(width, np.float32)
    return Evidence(
        question,
        Rarity(ones, ones, ones, 100.0),
        found,
        np.zeros_like(found),
        np.full(len(paths), 100, np.float32),
        np.arange(len(paths)),
        own,
        folders,
        taken_apart,
        [()] * len(paths),
        *([np.zeros(len(paths), np.float32)] * 5),
        np.full(len(paths), -1),
    )


def test_words_of_form_ask_for_nothing_and_common_words_for_little() -> None:
    assert words(analyse("how does the function parse dates")) == {"function": 0.45, "pars": 1.0, "date": 1.0}


def test_a_question_of_words_of_form_alone_asks_for_them() -> None:
    assert words(analyse("what is it")) == {"what": 1.0, "is": 1.0, "it": 1.0}


@pytest.mark.parametrize("text", ["Session.send", "Session::send", "Session#send", "Session->send"])
def test_a_qualified_name_asks_for_the_last_part_in_the_others(text: str) -> None:
    question = analyse(text)
    assert (question.kind, question.parents, question.names[0].written) == ("symbol", ("Session",), "send")
    assert words(question) == {"session": 0.5, "send": 1.0}


def test_identifiers_in_a_sentence_are_names_to_look_for() -> None:
    assert [name.letters for name in analyse("where is rateLimiter.tryAcquire called").names] == ["tryacquire"]


@given(st.text())
def test_any_text_is_a_question(text: str) -> None:
    for question in (analyse(text), as_symbol(text)):
        assert len(question.terms) <= MOST_TERMS
        assert all(term.weight > 0 for term in question.terms)


def test_an_index_file_is_known_by_its_folder() -> None:
    assert path_words("web/router/index.ts").stems == ("router",)
    assert path_words("index.ts").stems == ("index",)


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("src/app.py", set()),
        ("tests/app.py", {"test"}),
        ("src/app_test.go", {"test"}),
        ("src/AppTest.java", {"test"}),
        ("docs/app.md", {"prose"}),
        ("bench/run.c", {"bench"}),
        ("vendor/x/x.go", {"stub"}),
        ("src/latest.py", set()),
        ("src/contest/a.py", set()),
    ],
)
def test_paths_tell_what_files_are_for(path: str, kinds: set[str]) -> None:
    assert kinds_of(path) == kinds


def test_versions_are_told_by_folders() -> None:
    assert [version_of(path) for path in ("src/v3/a.ts", "src/a.ts", "v10/a", "rev3/a.ts")] == [3, None, 10, None]


def test_a_name_that_is_asked_for_whole_is_liker_than_one_with_more_in_it() -> None:
    terms = analyse("migration").terms
    paths = [path_words(path) for path in ("migration.py", "migration_helpers.py", "other.py")]
    whole, part, none = likeness(paths, terms, np.ones(1, np.float32), synonyms=False)
    assert whole == 1.0 > part > none == 0.0


def test_beginnings_stand_for_words_and_synonyms_for_half() -> None:
    question = analyse("load configuration")
    weights = np.array([0.5, 0.5], np.float32)
    paths = [path_words(path) for path in ("config.py", "settings.py")]
    plain = likeness(paths, question.terms, weights, synonyms=False)
    meant = likeness(paths, question.terms, weights, synonyms=True)
    assert plain[0] > 0 == plain[1]
    assert 0 < meant[1] <= meant[0]


def test_tests_stand_lower_unless_they_are_asked_for() -> None:
    paths = "src/cart.py", "tests/test_cart.py"
    assert signals.tests(evidence_of("add to cart", *paths)).tolist() == [0, 1]
    assert signals.tests(evidence_of("tests of the cart", *paths)).tolist() == [0, 0]


def test_an_older_copy_stands_lower_unless_its_version_is_named() -> None:
    paths = "src/v3/types.ts", "src/v4/types.ts", "src/index.ts"
    assert signals.older(evidence_of("string types", *paths)).tolist() == [1, 0, 0]
    assert signals.older(evidence_of("string types of v3", *paths)).tolist() == [0, 1, 0]


def test_a_second_occurrence_says_less_than_the_first() -> None:
    evidence = evidence_of("parse", "a.py", "b.py", "c.py", counts=[[0], [1], [2]])
    none, one, two = signals.best_passage(evidence)
    assert none == 0
    assert one - none > two - one > 0


def test_a_large_definition_that_is_written_alike_fits_a_name_best() -> None:
    evidence = evidence_of("Cart", "a.py")

    def symbol(name: str, kind: str, size: int) -> Symbol:
        return Symbol(name, kind, (), 0, size, 1, (0, 1))

    best = signals.fit(symbol("Cart", "class", 2000), evidence)
    assert best > signals.fit(symbol("cart", "class", 2000), evidence)
    assert best > signals.fit(symbol("Cart", "field", 2000), evidence)
    assert best > signals.fit(symbol("Cart", "class", 20), evidence)


def test_every_weight_is_of_a_signal_and_every_signal_but_vectors_has_one() -> None:
    weighed = {name.removesuffix(BESIDE_THE_BEST) for weights in WEIGHTS.values() for name in weights}
    assert weighed <= SIGNALS.keys()
    assert SIGNALS.keys() - weighed <= {"meaning", "file meaning", "path meaning", "together"}


def test_every_signal_tells_its_reason() -> None:
    assert all((signal.__doc__ or "").endswith(".") for signal in SIGNALS.values())


def test_contributions_add_up_and_are_finite_where_nothing_is_found() -> None:
    evidence = evidence_of("zeppelin hangar", "a.py", "b/c.py")
    weights = weights_for(evidence.question, meaning=False, verbatim=False)
    plain = plain_values(evidence, tuple(weights))
    names, parts = contributions(weights, plain, greatest(plain))
    assert parts.shape == (2, len(names))
    assert np.isfinite(values(evidence, list(SIGNALS))).all()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Returns the pool that a worker belongs to", "description"),
        ("parse the head of a request", "description"),
        ("worker pools and queues", "sentence"),
        ("how does the pool grow", "sentence"),
        ("Pool", "symbol"),
    ],
)
def test_a_sentence_with_articles_that_asks_nothing_is_a_description(text: str, kind: str) -> None:
    assert learned_as(analyse(text)) == kind


def test_what_looks_like_a_message_and_stands_nowhere_is_weighed_as_any_sentence() -> None:
    question = analyse("worker pools are not closed")
    assert question.kind == "message"
    assert "together" in weights_for(question, meaning=False, verbatim=True)
    assert weights_for(question, meaning=False, verbatim=False) == WEIGHTS["sentence"]
