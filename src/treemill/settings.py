"""Settings: frozen values with their bounds.

They are read once, at the door (`treemill.configuration`), from layers that are merged (`treemill.layers`); below the
door, functions take the plain things they use.

A section is a frozen dataclass; a bound stands beside the field it bounds, so that the error for a bad value can
name the bound, the value and where the value came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Any, get_type_hints

from treemill.choices import CLUSTER_FILES, EXECUTORS
from treemill.errors import SettingsError
from treemill.values import dataclass


def _number(
    default: Any, low: float, high: float | None = None, *, unless: float | None = None, trusted: bool = False
) -> Any:
    """Declare a field whose value is at least `low` and at most `high`, or is `unless`.

    `trusted` is as `trusted_only` has it.
    """
    return field(default=default, metadata={"low": low, "high": high, "unless": unless, "trusted_only": trusted})


def _choice(default: str, *values: str, trusted: Sequence[str] = ()) -> Any:
    """Declare a field that takes one of a few words; those in `trusted` are never taken from files of the tree."""
    return field(default=default, metadata={"values": values, "trusted_values": tuple(trusted)})


def trusted_only(default: Any, **bounds: Any) -> Any:
    """Declare a field that may reach beyond the tree (an endpoint, a path): never taken from files of the tree.

    `bounds` are those of a number (`low`, `high`) or of a word (`values`). A `secret` is not shown by anything.
    """
    secret = bool(bounds.get("secret"))
    return field(default=default, repr=not secret, metadata={**bounds, "trusted_only": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencySettings:
    """How many files are worked on at a time, and by what.

    Process workers are capped at the number of processors, workers on Ray at those of the cluster; threads are not.
    `cluster` is the address of a Ray cluster, empty for RAY_ADDRESS or a Ray of this run alone; `cluster_files` is
    whether its nodes read files themselves ("shared") or are sent them ("carried"), "auto" looks. A tree says neither,
    nor that Ray be used: they decide who gets its code.
    """

    max_parallel_files: int = _number(4, 1, 1024)
    executor: str = _choice("process", *EXECUTORS, trusted=("ray",))
    cluster: str = trusted_only("")
    cluster_files: str = trusted_only("auto", values=CLUSTER_FILES)

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

    A chunk has at most `max_chunk_bytes` bytes of UTF-8 text, or, in their place where they are not 0, at most
    `max_chunk_characters` characters and `max_chunk_tokens` tokens of the model's own tokenizer; a model that reads
    less lowers them. `custom_delimiters` maps a language's name to regular expressions at whose matches a chunk may
    start. `overlap_tokens` is 0 for none.
    """

    max_chunk_bytes: int = _number(1800, 16)
    max_chunk_characters: int = _number(0, 16, unless=0)
    max_chunk_tokens: int = _number(0, 16, unless=0)
    overlap_tokens: int = _number(0, 0, 200)
    custom_languages: tuple[CustomLanguage, ...] = ()
    custom_delimiters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    concurrency: ConcurrencySettings = field(default_factory=ConcurrencySettings)
    performance: PerformanceSettings = field(default_factory=PerformanceSettings)

    def __post_init__(self) -> None:
        check(self, "chunker")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """Which files belong to a tree.

    Files over `max_file_bytes` are skipped and reported. `hidden` lets in names with a leading dot; `no_ignore` sets
    git's ignore files aside (`.treemillignore` still counts). `include` and `exclude` are patterns in gitignore
    syntax, relative to the root: `exclude` leaves out, `include` brings back what any other rule leaves out (`dist/`
    the folder, `dist/**` all in it).
    """

    max_file_bytes: int = _number(1_000_000, 1)
    hidden: bool = False
    no_ignore: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(self, "discovery")


PROVIDER_NAMES = ("static", "none", "model2vec", "onnx", "http", "voyage")
"""The names of embedding providers, in the order in which errors list them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSettings:
    """What turns text into vectors. Nothing here is taken from files of a tree, unless the user trusts that tree.

    `model` is a folder, a hub id or the name of a service's model, as the provider has it; `tokenizer` is the file with
    its tokenizer (`tokenizer.json`), where that is not in the folder; it is read only for sizes in tokens. `dimension`
    asks for vectors of that length, 0 for the model's own. `query_prefix` and `document_prefix` stand before every
    question and every chunk, for models that were trained so. `max_texts`, `max_tokens` and `max_text_tokens` bound a
    request, and a text in it; 0 is what the provider says. `max_requests_per_second` is 0 for no limit.
    `trusted_projects` are the folders whose own files may set what stands here, `api_key` apart.
    """

    provider: str = trusted_only("static", values=PROVIDER_NAMES)
    model: str = trusted_only("")
    tokenizer: str = trusted_only("")
    dimension: int = trusted_only(0, low=0, high=65_536)
    base_url: str = trusted_only("")
    api_key: str = trusted_only("", secret=True)
    query_prefix: str = trusted_only("")
    document_prefix: str = trusted_only("")
    max_texts: int = trusted_only(0, low=0, high=100_000)
    max_tokens: int = trusted_only(0, low=0, high=10_000_000)
    max_text_tokens: int = trusted_only(0, low=0, high=10_000_000)
    concurrent_requests: int = trusted_only(8, low=1, high=256)
    max_requests_per_second: float = trusted_only(0.0, low=0, high=100_000)
    request_timeout_seconds: float = trusted_only(60.0, low=0.05, high=3600)
    allow_downloads: bool = trusted_only(False)
    trusted_projects: tuple[str, ...] = trusted_only(())

    def __post_init__(self) -> None:
        check(self, "embedding")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """How often an index is made durable, and how much the user's content cache may hold.

    `cache_mb` is shared by all roots, so only the user says it; 0 leaves the cache out. `url` is where the index is
    kept instead of in the root (`postgresql://user@host/database`), `repository` what this root is called there, by
    default its machine and path. A tree says neither: they decide who gets its code, and whose index is written.
    """

    commit_seconds: float = _number(0.5, 0.01, 60)
    cache_mb: int = _number(1000, 0, trusted=True)
    url: str = trusted_only("", secret=True)
    repository: str = trusted_only("")

    def __post_init__(self) -> None:
        check(self, "storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How answers are given."""

    top_k: int = _number(10, 1, 10_000)
    per_file: int = _number(1, 1, 10_000)

    def __post_init__(self) -> None:
        check(self, "search")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, section by section."""

    chunker: ChunkerSettings = field(default_factory=ChunkerSettings)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)


def check(section: Any, name: str) -> None:
    """Raise SettingsError where a field of a section is of the wrong type or out of its bounds."""
    for each, declared in schema(type(section)).items():
        check_value(getattr(section, each), declared.hint, declared.metadata, f"{name}.{each}")


def check_value(value: Any, hint: Any, bounds: Mapping[str, Any], name: str) -> None:
    """Raise SettingsError where a value is of the wrong type or out of its bounds; the error shows no secret."""
    if bounds.get("secret") and not isinstance(value, str):
        raise SettingsError(f"{name} must be text")
    if hint in (int, float):
        _check_number(value, hint, bounds, name)
    elif hint is bool and not isinstance(value, bool):
        raise SettingsError(f"{name} must be true or false, not {shown(value)}")
    elif hint in (str, str | None) and not (value is None and hint is not str):
        if not isinstance(value, str):
            raise SettingsError(f"{name} must be text, not {shown(value)}")
        values = bounds.get("values")
        if values and value not in values:
            raise SettingsError(f"{name} must be one of {', '.join(values)}, not {shown(value)}")
    elif hint == WORDS and not (isinstance(value, tuple) and all(isinstance(each, str) for each in value)):
        raise SettingsError(f"{name} must be a list of texts, not {shown(value)}")


WORDS = tuple[str, ...]
"""The type of a field that holds a list of texts."""


def _check_number(value: Any, hint: Any, bounds: Mapping[str, Any], name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float) if hint is float else int):
        raise SettingsError(f"{name} must be a {'number' if hint is float else 'whole number'}, not {shown(value)}")
    low, high, unless = bounds.get("low"), bounds.get("high"), bounds.get("unless")
    if value != unless and ((low is not None and not value >= low) or (high is not None and value > high)):
        wanted = f"at least {low}" if high is None else f"between {low} and {high}"
        wanted += "" if unless is None else f", or {unless}"
        raise SettingsError(f"{name} must be {wanted}, not {shown(value)}")


def shown(value: Any) -> str:
    """Return a value as an error shows it: quoted, escaped and not too long."""
    try:
        text = repr(value)
    except ValueError:  # whole numbers of thousands of digits are not printed
        return "a number that long"
    return text if len(text) <= 80 else f"{text[:77]}..."


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a settings class: its type, and what its declaration says of it (bounds, valid words, trust)."""

    hint: Any
    metadata: Mapping[str, Any]


def schema(kind: type) -> Mapping[str, Field]:
    """Return the fields of a settings class by name."""
    known = _SCHEMAS.get(kind)
    if known is None:
        hints = get_type_hints(kind)
        known = _SCHEMAS[kind] = {each.name: Field(hints[each.name], each.metadata) for each in fields(kind)}
    return known


_SCHEMAS: dict[type, Mapping[str, Field]] = {}
