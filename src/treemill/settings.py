"""Settings: frozen values with their bounds, and how they are merged.

Defaults < user file < project file (`treemill.toml`, or `[tool.treemill]` of `pyproject.toml`) < environment
(`TREEMILL_SECTION__KEY`) < flags. They are read once, at the door; below it, functions take the plain things they
use. Reading files and the environment is the door's part (`treemill.configuration`); this module is pure.

A section is a frozen dataclass; a bound stands beside the field it bounds, so that the error for a bad value can
name the bound, the value and where the value came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from treemill.errors import SettingsError

EXECUTORS = ("process", "thread", "inline")
"""The valid names of an executor, in the order in which errors list them."""


def _number(default: Any, low: float, high: float | None = None) -> Any:
    """Declare a field whose value is at least `low` and at most `high`."""
    return field(default=default, metadata={"low": low, "high": high})


def _choice(default: str, *values: str) -> Any:
    """Declare a field that takes one of a few words."""
    return field(default=default, metadata={"values": values})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencySettings:
    """How many files are worked on at a time, and by what.

    Process workers are capped at the number of processors; threads are not.
    """

    max_parallel_files: int = _number(4, 1, 1024)
    executor: str = _choice("process", *EXECUTORS)

    def __post_init__(self) -> None:
        check(self, "concurrency")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceSettings:
    """What one file may cost. Exactly at a limit passes; one over does not.

    `max_ast_depth`, `parse_timeout_seconds` and the memory of a tree make a file fall to the next chunker; the others
    fail it.
    """

    max_file_size_mb: float = _number(10, 0)
    chunk_timeout_seconds: float = _number(30, 0.01)
    parse_timeout_seconds: float = _number(10, 0.001)
    max_chunks_per_file: int = _number(5000, 1)
    max_memory_mb_per_operation: float = _number(100, 1)
    max_ast_depth: int = _number(200, 1)

    def __post_init__(self) -> None:
        check(self, "performance")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLanguage:
    """A language that only the settings know: how its files are named and what divides them."""

    name: str
    suffixes: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    family: str | None = None
    delimiters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkerSettings:
    """How files are cut.

    `max_chunk_bytes` is the size limit where no model says otherwise. `custom_delimiters` maps a language's name to
    regular expressions at whose matches a chunk may start. `overlap_tokens` is 0 for none.
    """

    max_chunk_bytes: int = _number(1800, 16)
    overlap_tokens: int = _number(0, 0, 200)
    custom_languages: tuple[CustomLanguage, ...] = ()
    custom_delimiters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    concurrency: ConcurrencySettings = field(default_factory=ConcurrencySettings)
    performance: PerformanceSettings = field(default_factory=PerformanceSettings)

    def __post_init__(self) -> None:
        check(self, "chunker")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """Which files belong to a tree."""

    max_file_bytes: int = _number(1_000_000, 1)
    hidden: bool = False
    no_ignore: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(self, "discovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where an index lives, and how often it is made durable."""

    commit_seconds: float = _number(0.5, 0.01, 60)

    def __post_init__(self) -> None:
        check(self, "storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How answers are given."""

    top_k: int = _number(10, 1, 10_000)
    per_file: int = _number(2, 1, 10_000)

    def __post_init__(self) -> None:
        check(self, "search")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, section by section."""

    chunker: ChunkerSettings = field(default_factory=ChunkerSettings)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    search: SearchSettings = field(default_factory=SearchSettings)


def check(section: Any, name: str) -> None:
    """Raise SettingsError where a field of a section is of the wrong type or out of its bounds."""
    hints = get_type_hints(type(section))
    for each in fields(section):
        _check_value(getattr(section, each.name), hints[each.name], each.metadata, f"{name}.{each.name}")


def _check_value(value: Any, hint: Any, bounds: Mapping[str, Any], name: str) -> None:
    if hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, float) if hint is float else int):
            raise SettingsError(f"{name} must be a number, not {value!r}")
        low, high = bounds.get("low"), bounds.get("high")
        if (low is not None and not value >= low) or (high is not None and value > high):
            wanted = f"at least {low}" if high is None else f"between {low} and {high}"
            raise SettingsError(f"{name} must be {wanted}, not {value!r}")
    elif hint is bool and not isinstance(value, bool):
        raise SettingsError(f"{name} must be true or false, not {value!r}")
    elif hint is str:
        if not isinstance(value, str):
            raise SettingsError(f"{name} must be text, not {value!r}")
        values = bounds.get("values")
        if values and value not in values:
            raise SettingsError(f"{name} must be one of {', '.join(values)}, not {value!r}")

