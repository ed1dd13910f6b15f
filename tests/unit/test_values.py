"""Values made by `treemill.values` are what the standard library would have made of the same class.

the same class ─┬─▶ dataclasses.dataclass ─┐
                └─▶ treemill.values ───────┴─▶ alike
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, astuple, field, fields, replace
from typing import Any

import pytest

from treemill import values

SHAPES: dict[str, dict[str, bool]] = {
    "frozen with slots": {"frozen": True, "slots": True},
    "frozen": {"frozen": True},
    "with slots": {"slots": True},
    "by identity": {"slots": True, "eq": False},
    "plain": {},
    "by keyword": {"frozen": True, "slots": True, "kw_only": True},
}


def classes(make: Callable[..., Any], **shape: bool) -> type[Any]:
    """A class with all that classes of the package have."""

    @make(**shape)
    class Point:
        """A point."""

        x: int
        name: str = "origin"
        seen: list[int] = field(default_factory=list)
        note: str | None = field(default=None, compare=False, repr=False)

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("left of everything")

    return Point


@pytest.fixture(params=[(shape, made) for shape in SHAPES for made in ("few", "many")], ids=" ".join)
def pair(request: pytest.FixtureRequest) -> tuple[type[Any], type[Any]]:
    name, made = request.param
    ours = classes(values.dataclass, **SHAPES[name])
    for number in range(100 if made == "many" else 0):  # from some number on, they are made in another way
        ours(x=number)
    return classes(dataclasses.dataclass, **SHAPES[name]), ours


def test_a_value_is_made_shown_compared_and_taken_apart_as_the_standard_library_does(
    pair: tuple[type[Any], type[Any]],
) -> None:
    #  Point(x=1, seen=[2]) ── repr, ==, hash, asdict, astuple, replace, copy ──▶ alike
    theirs, ours = (cls(x=1, seen=[2], note="n") for cls in pair)
    assert repr(ours) == repr(theirs)
    assert asdict(ours) == asdict(theirs)
    assert astuple(ours) == astuple(theirs)
    assert repr(replace(ours, name="other")) == repr(replace(theirs, name="other"))
    assert [(each.name, each.type, each.kw_only) for each in fields(ours)] == [
        (each.name, each.type, each.kw_only) for each in fields(theirs)
    ]
    for one, cls in zip((theirs, ours), pair, strict=True):
        assert (one == cls(x=1, seen=[2], note="another")) == (theirs == pair[0](x=1, seen=[2], note="another"))
        assert one != cls(x=2, seen=[2])
        assert one != "a point"
        assert copy.copy(one).seen is one.seen


def test_signatures_and_patterns_are_those_of_the_standard_library(pair: tuple[type[Any], type[Any]]) -> None:
    theirs, ours = pair
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert ours.__match_args__ == theirs.__match_args__
    assert getattr(ours, "__slots__", None) == getattr(theirs, "__slots__", None)
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert ours.__init__.__qualname__ == theirs.__init__.__qualname__


def test_wrong_arguments_are_refused_in_the_same_words(pair: tuple[type[Any], type[Any]]) -> None:
    for arguments in ({}, {"x": 1, "y": 2}, {"x": -1}):
        said = []
        for cls in pair:
            with pytest.raises((TypeError, ValueError)) as raised:
                cls(**arguments)
            said.append((raised.type, str(raised.value)))
        assert said[0] == said[1]


def test_each_value_has_a_list_of_its_own(pair: tuple[type[Any], type[Any]]) -> None:
    _, ours = pair
    ours(x=1).seen.append(5)
    assert ours(x=1).seen == []


def test_frozen_values_cannot_be_changed_and_hash_by_what_is_compared() -> None:
    #  x = 2 ─▶ refused      del x ─▶ refused      a new attribute ─▶ refused
    for make in (dataclasses.dataclass, values.dataclass):
        cls = classes(make, frozen=True)
        one = cls(x=1, seen=())
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
            one.x = 2
        with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
            del one.x
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'y'"):
            one.y = 2
        assert hash(one) == hash(cls(x=1, seen=(), note="left out"))
        assert len({one, cls(x=1, seen=()), cls(x=2, seen=())}) == 2


def test_methods_that_a_class_has_itself_are_left_alone() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Named:
        """Compared by name alone."""

        name: str
        size: int

        def __repr__(self) -> str:
            return self.name

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named) and other.name == self.name

        def __hash__(self) -> int:
            return hash(self.name)

    assert repr(Named("a", 1)) == "a"
    assert Named("a", 1) == Named("a", 2)
    assert hash(Named("a", 1)) == hash(Named("a", 2))


@pytest.mark.parametrize("make", [dataclasses.dataclass, values.dataclass])
def test_classes_made_here_or_there_may_derive_from_one(make: Callable[..., Any]) -> None:
    #  Sent(key, rest) ◀── Registered(key, rest, number)
    @make(frozen=True, slots=True)
    class Registered(Sent):
        """Has a number."""

        number: int = 0

    one = Registered(b"k", (1,), 7)
    assert (one.key, one.rest, one.number) == (b"k", (1,), 7)
    assert one != Sent(b"k", (1,))
    with pytest.raises(FrozenInstanceError):
        one.key = b"other"
    assert Sent.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_value_that_holds_itself_can_be_shown() -> None:
    @values.dataclass(slots=True)
    class Knot:
        """Ties itself."""

        end: object = None

    knot = Knot()
    knot.end = knot
    assert repr(knot).endswith("Knot(end=...)")


@values.dataclass(frozen=True, slots=True)
class Sent:
    """Crosses a process border."""

    key: bytes
    rest: tuple[int, ...] = ()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_frozen_values_with_slots_survive_pickling(protocol: int) -> None:
    sent = Sent(b"k", (1, 2))
    received = pickle.loads(pickle.dumps(sent, protocol))  # noqa: S301 - its own
    assert received == sent
    assert hash(received) == hash(sent)
    with pytest.raises(FrozenInstanceError):
        received.key = b""


def test_what_makes_an_instance_is_compiled_where_there_are_many_of_the_class_or_of_one_derived_from_it() -> None:
    #  1 instance ── not yet ──▶ 100 ── compiled, and the 101st is as the first
    ours = classes(values.dataclass)

    class Point3(ours):  # type: ignore[misc, valid-type]
        """A point that is derived without being made a value itself."""

    assert not inspect.isfunction(ours.__dict__["__init__"])
    first = (Point3(1, "p"), ours(x=2, note="n"), ours(3, seen=[4]))
    assert not inspect.isfunction(ours.__dict__["__init__"])
    for number in range(100):
        Point3(number)
    assert inspect.isfunction(ours.__dict__["__init__"])
    assert "__init__" not in Point3.__dict__
    assert first == (Point3(1, "p"), ours(x=2, note="n"), ours(3, seen=[4]))


@pytest.mark.parametrize("arguments", [(1, "a", [], None, 5), ()])
def test_what_is_refused_while_there_are_few_leaves_the_next_ones_whole(arguments: tuple[object, ...]) -> None:
    theirs, ours = classes(dataclasses.dataclass), classes(values.dataclass)
    for cls in (theirs, ours):
        with pytest.raises(TypeError):
            cls(*arguments)
    with pytest.raises(TypeError, match="multiple values"):
        classes(values.dataclass)(1, x=2)
    assert asdict(ours(7)) == asdict(theirs(7))
