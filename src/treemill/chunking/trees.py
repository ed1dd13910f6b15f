"""The compiled half of semantic chunking: parse, cut and collect definitions in one call, without Python's lock for the
most part.

It does what `syntax`, `semantic` and `definitions` do, from tables that are made here of the same vocabularies: those
modules say what is right, and are what runs where this half is not built, or does not know the grammar's format. Its
trees live in memory of its own, so that it knows what they take, on any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from treemill.chunking.cues import Finder as CueFinder
from treemill.chunking.cues import nothing, script
from treemill.chunking.naming import Finder, NodeFinder, TextFinder
from treemill.chunking.semantic import is_body, leads, too_deep
from treemill.chunking.spans import Reach
from treemill.chunking.syntax import bare_grammar, is_over_in_time, overdue_parse, refuse_deep_yaml
from treemill.chunking.tree_memory import memory_limits, tree_too_large
from treemill.chunking.vocabularies import VOCABULARIES
from treemill.chunking.vocabulary import Vocabulary
from treemill.errors import ChunkingError, ParseError
from treemill.native import compiled
from treemill.settings import PerformanceSettings
from treemill.sources import Symbol

_NATIVE = compiled("trees")

# As in trees.h.
_LEADING, _BODY, _ENDING, _BLOCK = 1, 2, 4, 8
_OPENS, _WRAPS, _CLIMBS = 1, 2, 4
_ERROR_KIND = 0xFFFF

# Larger texts have offsets that do not fit.
_MOST_BYTES = 2**31 - 1

_Rule = tuple[int, int, str | None, str, object, bytes]
"""A kind of node, flags, what it defines, the finder of its name, what that needs besides, and in the text."""

Cut = tuple[tuple[int, ...], tuple[Symbol, ...]]
"""The ends of chunks, and what the text defines."""


def cut(
    text: bytes, language: str, limit: int, performance: PerformanceSettings, reach: Reach | None = None
) -> Cut | None:
    """Return the ends of chunks of at most `limit` bytes that tile the text, and what it defines, in order of start.

    With `reach`, chunks are as long as it says, and `limit` is what it surely leaves room for. Its errors are raised.

    None where the compiled half is not there, or cannot read this grammar or a text of that size.

    Raises:
        ParseError: the grammar cannot be loaded or gave no tree.
        ChunkingTimeoutError: the parse took longer than `performance.parse_timeout_seconds` of processor time.
        MemoryLimitExceededError: the tree outgrew its share of `max_memory_mb_per_operation`.
        ASTDepthExceededError: the tree's named nodes are nested deeper than `max_ast_depth`.
    """
    tables = _tables(language) if _NATIVE is not None and len(text) <= _MOST_BYTES else None
    if tables is None:
        return None
    if language == "yaml":
        refuse_deep_yaml(text)
    seconds, megabytes = performance.parse_timeout_seconds, performance.max_memory_mb_per_operation
    share, estimate, near = memory_limits(len(text), megabytes)
    result: tuple[Any, Any] = _NATIVE.cut(  # type: ignore[union-attr]
        tables,
        text,
        limit,
        performance.max_ast_depth,
        float("inf") if is_over_in_time(text, seconds) else seconds,
        share if near else 0.0,
        megabytes * 1e6,
        estimate,
        reach,
    )
    first, second = result
    if isinstance(first, str):
        raise _error(first, second, performance)
    return first, second


def _error(why: str, actual: float, performance: PerformanceSettings) -> ChunkingError:
    """Return the error for what kept a text from being cut, as `_NATIVE.cut` tells it."""
    if why == "time":
        return overdue_parse(performance.parse_timeout_seconds, actual)
    if why == "memory":
        return tree_too_large(performance.max_memory_mb_per_operation, actual)
    if why == "depth":
        return too_deep(performance.max_ast_depth)
    return ParseError("the parser gave no tree")


@cache
def _tables(language: str) -> object | None:
    """Compile a language's vocabulary, once a process; None where the grammar has another format than this half knows.

    Raises:
        ParseError: the grammar cannot be loaded.
    """
    if _NATIVE is None:
        return None
    grammar = bare_grammar(language)
    kinds: list[tuple[str, bool]] | None = _NATIVE.kinds(grammar)
    if kinds is None:
        return None
    vocabulary = VOCABULARIES.get(language)
    endings, blocks = (vocabulary.bodies, vocabulary.blocks) if vocabulary is not None else ((), ())
    flags = bytes(
        _LEADING * leads(name) | _BODY * is_body(name) | _ENDING * (name in endings) | _BLOCK * (name in blocks)
        for name, _ in kinds
    )
    tables: object = _NATIVE.compile(grammar, flags, None if vocabulary is None else _definitions(vocabulary, kinds))
    return tables


def _definitions(vocabulary: Vocabulary, kinds: list[tuple[str, bool]]) -> tuple[object, ...]:
    """Return a vocabulary in the form that `_NATIVE.compile` reads."""
    words, special, by_pattern = _cues(vocabulary)
    comments = vocabulary.comments
    return (
        Symbol,
        _rules(vocabulary, kinds),
        vocabulary.body or "-",
        not vocabulary.body,
        words,
        special,
        by_pattern,
        None if comments is None else (comments.marks, comments.attribute, comments.block),
        vocabulary.group or b"",
        vocabulary.quoted_doc,
        vocabulary.merges,
        vocabulary.decorated,
        bool(vocabulary.wraps),
    )


def _cues(vocabulary: Vocabulary) -> tuple[tuple[bytes, ...], str, Callable[[bytes], list[int]] | None]:
    """Return the words that are cues, which cues the compiled half knows by name, and what finds the others."""
    cues = vocabulary.cues
    if cues is nothing:
        return (), "", None
    if cues is script:
        return (), "script", None
    if isinstance(cues, CueFinder):
        return cues.words, cues.name, None if cues.name or not cues.patterns else cues.by_pattern
    return (), "", cues


def _rules(vocabulary: Vocabulary, kinds: list[tuple[str, bool]]) -> tuple[_Rule, ...]:
    """Return what to do with each kind of node, as `definitions` does it."""
    rules: list[_Rule] = []
    for number, (name, named) in enumerate(kinds):
        if not named:
            continue
        opens, wraps, climbs = (name in each for each in (vocabulary.opens, vocabulary.wraps, vocabulary.climbs))
        defined = vocabulary.defines.get(name)
        if defined is not None:
            kind, find = (defined, None) if isinstance(defined, str) else defined
            rules.append((number, _OPENS * opens | _CLIMBS * climbs, kind, *_finder(find)))
        elif opens or wraps or climbs:
            rules.append(
                (number, _OPENS * (opens or wraps) | _WRAPS * wraps | _CLIMBS * climbs, None, "field", None, b"")
            )
    if "ERROR" in vocabulary.opens:
        rules.append((_ERROR_KIND, _OPENS, None, "field", None, b""))
    return tuple(rules)


def _finder(find: Finder | None) -> tuple[str, object, bytes]:
    """Return the name by which the compiled half knows a finder, and what that needs besides and in the text."""
    if find is None:
        return "field", None, b""
    if isinstance(find, TextFinder):
        return "text", find.at, find.needs
    if isinstance(find, NodeFinder):
        return find.name, find.more, b""
    return find.__name__, None, b""
