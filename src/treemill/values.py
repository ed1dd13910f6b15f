"""`dataclass` as the standard library has it, made in a third of the time.

The standard library compiles a text for each method of each class: six for a frozen one, half a millisecond. A command
loads some ninety classes, a worker sixty; compiling takes two fifths of the time in which the modules of `index` load.
Here the standard library still collects the fields and makes the slots and all that `fields`, `replace`, `asdict` and
patterns stand on; only `__init__` is compiled, and that for classes of which there come to be many instances. The other
methods are closures over the names of the fields.

Type checkers see the standard library's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, FrozenInstanceError
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen=False, slots=False, init=True, eq=True, kw_only=False):
        """Return a decorator that makes a class what `dataclasses.dataclass` with these arguments makes it.

        Methods that the class has itself are left alone. There are neither `InitVar` nor fields without a place in
        `__init__`. Classes may derive from each other, and those of the standard library from these.
        """
        return lambda cls: _made(cls, frozen=frozen, slots=slots, init=init, eq=eq, kw_only=kw_only)


def _made(cls: type[Any], *, frozen: bool, slots: bool, init: bool, eq: bool, kw_only: bool) -> type[Any]:
    own = set(cls.__dict__)
    hashed = cls.__dict__.get("__hash__") is not None
    with _bases_not_frozen(cls):
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
    made.__dataclass_params__.frozen = frozen  # what classes that derive from it go by
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {"__repr__": _representation(fields)}
    if init:
        made.__init__ = _NotYetCompiled(made, fields, frozen=frozen)
    if eq:
        compared = _reader([field.name for field in fields if field.compare])
        methods["__eq__"] = _equality(compared)
        if not hashed:
            setattr(made, "__hash__", _hash(compared) if frozen else None)  # noqa: B010 - typed as a method
    if frozen:
        methods["__setattr__"], methods["__delattr__"] = _refusals(made)
        if slots:
            names = [field.name for field in fields]
            methods["__getstate__"], methods["__setstate__"] = _state(names)
    for name, method in methods.items():
        if name not in own:
            if method.__name__ == name:
                method.__qualname__ = f"{made.__qualname__}.{name}"
            setattr(made, name, method)
    return made


@contextmanager
def _bases_not_frozen(cls: type[Any]) -> Iterator[None]:
    """Let the standard library, which writes none of the methods, believe that nothing here is frozen."""
    frozen = [
        parameters
        for base in cls.__mro__[1:]
        if (parameters := base.__dict__.get("__dataclass_params__")) is not None and parameters.frozen
    ]
    for parameters in frozen:
        parameters.frozen = False
    try:
        yield
    finally:
        for parameters in frozen:
            parameters.frozen = True


class _Factory:
    """Stands in a signature for a value that is made anew for each instance."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


# To compile an `__init__` takes as long as to fill so many instances without.
_FEW = 20


class _NotYetCompiled:
    """Stands in the place of an `__init__`: fills the first instances, and makes it for the others.

    It is made also when somebody looks at it, or calls it in a way that it may refuse.
    """

    def __init__(self, cls: type[Any], fields: Sequence[Field[Any]], *, frozen: bool) -> None:
        self._cls = cls
        self._fields = fields
        self._frozen = frozen
        self._filled = 0

    def __get__(self, instance: object, owner: type[Any]) -> Any:
        if instance is not None and self._filled < _FEW:
            return partial(self._fill, instance)
        return self._compiled().__get__(instance, owner)

    def _compiled(self) -> Any:
        # Two threads may both make it: the one is as good as the other.
        method = _initialiser(self._cls, self._fields, frozen=self._frozen)
        self._cls.__init__ = method
        return method

    def _fill(self, instance: object, /, *given: object, **named: object) -> None:
        self._filled += 1
        positional = [field.name for field in self._fields if not field.kw_only]
        values = dict(zip(positional, given, strict=False))
        known = {field.name for field in self._fields}
        needed = {each.name for each in self._fields if each.default is MISSING and each.default_factory is MISSING}
        fits = len(given) <= len(positional) and values.keys().isdisjoint(named) and known.issuperset(named)
        values.update(named)
        if not fits or not needed.issubset(values):
            self._compiled()(instance, *given, **named)
            return
        put = object.__setattr__ if self._frozen else setattr
        for field in self._fields:
            if field.name in values:
                put(instance, field.name, values[field.name])
            elif field.default_factory is not MISSING:
                put(instance, field.name, field.default_factory())
            else:
                put(instance, field.name, field.default)
        if hasattr(self._cls, "__post_init__"):
            self._cls.__post_init__(instance)


def _initialiser(cls: type[Any], fields: Sequence[Field[Any]], *, frozen: bool) -> Any:
    known: dict[str, Any] = {"_put": object.__setattr__, "_factory": _FACTORY, "__name__": cls.__module__}
    parameters: dict[bool, list[str]] = {False: [], True: []}
    body = []
    for field in fields:
        name = value = field.name
        given = name
        if field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            given = f"{name}=_default_{name}"
        elif field.default_factory is not MISSING:
            known[f"_default_{name}"] = field.default_factory
            given = f"{name}=_factory"
            value = f"_default_{name}() if {name} is _factory else {name}"
        parameters[bool(field.kw_only)].append(given)
        slot = getattr(cls, name, None)
        if not frozen:
            body.append(f"self.{name} = {value}")
        elif isinstance(slot, MemberDescriptorType):  # without looking for it by name
            known[f"_put_{name}"] = slot.__set__
            body.append(f"_put_{name}(self, {value})")
        else:
            body.append(f"_put(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    named = ["*", *parameters[True]] if parameters[True] else []
    lines = "\n ".join(body or ["pass"])
    exec(f"def __init__({', '.join(['self', *parameters[False], *named])}):\n {lines}", known)
    method = known["__init__"]
    method.__qualname__ = f"{cls.__qualname__}.__init__"
    method.__annotations__ = {**{field.name: field.type for field in fields}, "return": None}
    return method


def _reader(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what gives the values of these attributes as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda instance: ()
    read = attrgetter(*names)
    return lambda instance: (read(instance),)


def _equality(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __eq__(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _representation(fields: Sequence[Field[Any]]) -> Any:
    names = [field.name for field in fields if field.repr]

    @recursive_repr()
    def __repr__(self: Any) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    return __repr__


def _refusals(cls: type[Any]) -> tuple[Any, Any]:
    names = frozenset(field.name for field in dataclasses.fields(cls))

    def __setattr__(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def _state(names: Sequence[str]) -> tuple[Any, Any]:
    def __getstate__(self: Any) -> list[object]:
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: Sequence[object]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __getstate__, __setstate__
