"""What hints of changes mean: nothing, a look at some places, a look at everything."""

from __future__ import annotations

import pytest

from treemill.hints import concerns_all, is_at_or_below, telling, topmost


def test_what_happens_in_folders_that_are_never_entered_tells_nothing():
    heard = {".git/index.lock", ".treemill", ".treemill/x/index.db", "sub/.git/HEAD", "a.py", "sub/.treemill/owner"}
    assert telling(frozenset(heard)) == {"a.py"}


@pytest.mark.parametrize("rule", ["", ".gitignore", "sub/.treemillignore", ".git/info/exclude", "sub/.git", ".git"])
def test_rules_and_the_unknown_concern_everything(rule):
    assert telling(frozenset({rule})) == {rule}
    assert concerns_all(frozenset({rule, "a.py"}))
    assert not concerns_all(frozenset({"a.py", "sub/gitignore"}))


def test_too_many_places_concern_everything():
    assert concerns_all(frozenset(map(str, range(2_001))))
    assert not concerns_all(frozenset(map(str, range(2_000))))


def test_a_place_below_another_one_is_looked_at_with_it():
    assert topmost({"a/b/c", "a-b", "a/b", "a.py", "b", "a/bc"}) == ("a/b", "a/bc", "a-b", "a.py", "b")


def test_a_folder_may_be_another_one_when_it_or_one_above_it_changed():
    assert is_at_or_below("a/b/", frozenset({"a"}))
    assert is_at_or_below("a/b/", frozenset({"a/b"}))
    assert not is_at_or_below("a/b/", frozenset({"a/b/c", "a/bc", "b"}))
    assert not is_at_or_below("", frozenset({"a"}))
