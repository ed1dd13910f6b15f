"""Settings from layers: each over those before it, every value checked where it is said, every origin kept.

    defaults < user file < project file (`treemill.toml`, or `[tool.treemill]` of `pyproject.toml`)
             < environment (`TREEMILL_SECTION__KEY`) < flags

What is wrong is said once, with the name, the bound, the value and the place it stands. Pure: `treemill.configuration`
reads the files and the environment.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, is_dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar, get_origin

from treemill.errors import SettingsError
from treemill.settings import WORDS, CustomLanguage, Field, Settings, check_value, schema, shown
from treemill.values import dataclass

Kind = TypeVar("Kind")

# Loaded for whoever has mistaken a name.
_LIKENESS = "difflib"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Values from one origin, nested as the sections are; dotted names ("chunker.max_chunk_bytes") are fine too.

    `origin` names the source for people; `places` says it more exactly for some of the dotted names ("treemill.toml
    line 3"). `as_text` marks values that are all text and are converted (the environment). A layer that is not
    `trusted` comes with the tree: fields declared `trusted_only` are not taken from it, but for those of the sections
    in `entrusted`, secrets apart. `advice` says how to have them taken.
    """

    origin: str
    values: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    as_text: bool = False
    trusted: bool = True
    entrusted: frozenset[str] = frozenset()
    advice: str = "set it in your own settings file"

    def place(self, name: str) -> str:
        """Return where the value of a setting stands."""
        return self.places.get(name, self.origin)

    def may_say(self, name: str, declared: Field, value: object) -> bool:
        """Whether a setting is taken from here, with this value."""
        bounds = declared.metadata
        if self.trusted or not (bounds.get("trusted_only") or value in bounds.get("trusted_values", ())):
            return True
        return name.partition(".")[0] in self.entrusted and not declared.metadata.get("secret")


@dataclass(frozen=True, slots=True)
class Resolved(Generic[Kind]):
    """The merged settings, where each that is no default came from (dotted name → place), and what was not obeyed."""

    settings: Kind
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def explain(self) -> Iterator[tuple[str, Any, str]]:
        """Yield the dotted name, value and origin of every setting; "default" for those that nobody set.

        A secret's value is "set" or "not set".
        """
        for name, value in _flat(self.settings, ""):
            yield name, value, self.origins.get(name, "default")


def merge(layers: Sequence[Layer]) -> Settings:
    """Return the settings that layers say, each layer over those before it.

    Raises:
        SettingsError: an unknown name or a bad value; the message names the place and the nearest valid name.
    """
    return resolve(layers, Settings).settings


def resolve(layers: Sequence[Layer], kind: type[Kind]) -> Resolved[Kind]:
    """Merge layers into a tree of settings classes, and keep where each value came from.

    Raises:
        SettingsError: as `merge` does.
    """
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []
    for layer in layers:
        for name, value in _leaves(kind, layer.values, "", layer):
            declared = _field(kind, name, layer)
            if not layer.may_say(name, declared, value):
                warnings.append(f"{name} is not taken from {layer.place(name)}: {layer.advice}")
                continue
            try:
                converted = _converted(value, declared.hint, name, as_text=layer.as_text)
                check_value(converted, declared.hint, declared.metadata, name)
            except SettingsError as error:
                raise SettingsError(f"{error.message} ({layer.place(name)})", suggestion=error.suggestion) from None
            chosen[name] = converted
            origins[name] = layer.place(name)
    return Resolved(_assemble(kind, chosen, ""), origins, tuple(warnings))


def _leaves(kind: type, values: Mapping[str, Any], above: str, layer: Layer) -> Iterator[tuple[str, Any]]:
    """Yield each setting of a layer under its dotted name; None stands for "not given"."""
    for key, value in values.items():
        name = f"{above}{key}"
        section = _section(kind, name)
        if section is None:
            if value is not None:
                yield name, value
        elif isinstance(value, Mapping):
            yield from _leaves(kind, value, name + ".", layer)
        else:
            raise SettingsError(f"{name} must be a section, not {shown(value)} ({layer.place(name)})")


def _section(kind: type, name: str) -> type | None:
    """Return the settings class behind a dotted name, or None where the name is no section."""
    found: Any = kind
    for part in name.split("."):
        declared = schema(found).get(part) if isinstance(found, type) and is_dataclass(found) else None
        found = None if declared is None else declared.hint
    return found if isinstance(found, type) and is_dataclass(found) else None


def _field(kind: type, name: str, layer: Layer) -> Field:
    """Return how a setting is declared.

    Raises:
        SettingsError: there is none of that name.
    """
    above, _, last = name.rpartition(".")
    section = _section(kind, above) if above else kind
    if section is None or last not in schema(section):
        known = list(_names(kind, ""))
        near = import_module(_LIKENESS).get_close_matches(name, known, 1, 0.5) or [
            each for each in known if each.endswith("." + last)
        ]
        advice = f"Did you mean {near[0]}?" if near else f"The sections are {', '.join(schema(kind))}"
        raise SettingsError(f"{name} is no setting ({layer.place(name)})", suggestion=advice)
    return schema(section)[last]


def _names(kind: type, above: str) -> Iterator[str]:
    """Yield the dotted names of all settings."""
    for name, declared in schema(kind).items():
        if isinstance(declared.hint, type) and is_dataclass(declared.hint):
            yield from _names(declared.hint, f"{above}{name}.")
        else:
            yield above + name


def _flat(section: Any, above: str) -> Iterator[tuple[str, Any]]:
    for name, declared in schema(type(section)).items():
        value = getattr(section, name)
        if is_dataclass(value):
            yield from _flat(value, f"{above}{name}.")
        elif declared.metadata.get("secret"):
            yield above + name, "set" if value else "not set"
        else:
            yield above + name, value


def _assemble(kind: type[Kind], chosen: Mapping[str, Any], above: str) -> Kind:
    """Build a settings class and its sections from dotted names; what is not chosen keeps its default."""
    given = {}
    for name, declared in schema(kind).items():
        if isinstance(declared.hint, type) and is_dataclass(declared.hint):
            given[name] = _assemble(declared.hint, chosen, f"{above}{name}.")
        elif above + name in chosen:
            given[name] = chosen[above + name]
    return kind(**given)


_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def _converted(value: Any, hint: Any, name: str, *, as_text: bool) -> Any:
    """Turn what a layer says into what the field holds; what cannot be turned is left to the check."""
    if as_text:
        return _from_text(value, hint, name)
    if hint == WORDS:
        return tuple(value) if isinstance(value, list) else value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 2**1000 else math.inf
    if hint == tuple[CustomLanguage, ...]:
        return _custom_languages(value, name)
    if get_origin(hint) is Mapping:
        return _table_of_words(value, name)
    return value


def _from_text(value: str, hint: Any, name: str) -> Any:
    if hint is bool:
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    if hint in (int, float):
        try:
            return hint(value)
        except ValueError:
            return value
    if hint == WORDS:
        return tuple(filter(None, (each.strip() for each in value.split(","))))
    if hint in (str, str | None):
        return value
    raise SettingsError(f"{name} cannot be set in the environment", suggestion="Set it in treemill.toml")


def _table_of_words(value: Any, name: str) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{name} must be a table of lists, not {shown(value)}")
    table = {key: tuple(each) if isinstance(each, list) else each for key, each in value.items()}
    for key, each in table.items():
        check_value(each, WORDS, {}, f"{name}.{key}")
    return table


def _custom_languages(value: Any, name: str) -> tuple[CustomLanguage, ...]:
    if isinstance(value, tuple) and all(isinstance(each, CustomLanguage) for each in value):
        return value
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise SettingsError(f"{name} must be an array of tables, not {shown(value)}")
    return tuple(_custom_language(each, f"{name}[{number}]") for number, each in enumerate(value))


def _custom_language(table: Mapping[str, Any], name: str) -> CustomLanguage:
    declared = schema(CustomLanguage)
    for key in table:
        if key not in declared:
            raise SettingsError(
                f"{name}.{key} is no setting", suggestion=f"A custom language has {', '.join(declared)}"
            )
    if "name" not in table:
        raise SettingsError(f"{name} has no name", suggestion='Add name = "..."')
    given = {}
    for key, value in table.items():
        given[key] = _converted(value, declared[key].hint, f"{name}.{key}", as_text=False)
        check_value(given[key], declared[key].hint, declared[key].metadata, f"{name}.{key}")
    return CustomLanguage(**given)
