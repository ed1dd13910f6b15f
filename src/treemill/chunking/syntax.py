"""From text to syntax tree: grammars, one parser a language and thread, and a parse that ends in time.

A parser must never be used by two threads, and a grammar costs 5 to 60 ms to import: so both are made when first
asked for, the grammar once a process, the parser once a thread.
"""

from __future__ import annotations

import importlib
import re
import threading
import time
from functools import cache

from tree_sitter import Language, Parser, Point, Tree

from treemill.chunking.tree_memory import TreeMemory
from treemill.errors import ChunkingTimeoutError, ParseError
from treemill.languages import LANGUAGES

# The form of the parse that can be stopped costs 3 % more, so texts go without that are over before it matters:
# half a kilobyte of "<!--" keeps some grammars busy for a tenth of a second, three kilobytes for ten.
_SMALL_BYTES = 500
_SLOWEST_BYTES_PER_SECOND = 1_000

# How much text the parser is given at a time.
_PIECE_BYTES = 65_536

# What begins a line in C++ and not in C.
_CPP = re.compile(
    rb"\n[ \t]*(?:namespace\s+[\w:]+\s*\{|template\s*<|class\s+\w[^;()\n]*\{|class\s+\w+\s*:|"
    rb"(?:public|private|protected):|using\s+(?:namespace\b|\w+\s*=))"
)

# The grammar of YAML remembers 250 levels. Half of them may come from indentation, half from one line.
_YAML_LEVELS = 120
_INDENTED = b"\n" + b" " * _YAML_LEVELS
_YAML_RUN = re.compile(rb"(?:[-?:][ \t]+){60}")

_threads = threading.local()


@cache
def grammar(language: str) -> Language:
    """Return a language's grammar, imported once a process.

    Raises:
        ParseError: the grammar is not installed, or is not one that this tree-sitter can read.
    """
    try:
        return Language(bare_grammar(language))
    except (ValueError, TypeError) as error:
        raise _unusable(language, error) from error


@cache
def bare_grammar(language: str) -> object:
    """Return what a language's package gives out, imported once a process: a capsule, or an address.

    Raises:
        ParseError: the grammar is not installed.
    """
    entry = LANGUAGES[language].grammar
    if entry is None:
        raise ParseError(f"there is no grammar for {language}", suggestion="Its text is cut at delimiters instead")
    try:
        return getattr(importlib.import_module(entry.module), entry.function)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise _unusable(language, error) from error


def _unusable(language: str, error: Exception) -> ParseError:
    entry = LANGUAGES[language].grammar
    package = "" if entry is None else entry.module.replace("_", "-")
    return ParseError(
        f"the grammar for {language} cannot be loaded: {error}", suggestion=f"Run: pip install -U {package}"
    )


def dialect(text: bytes, language: str) -> str:
    """Return the language whose grammar fits best: a header that has classes or namespaces is C++, by any name."""
    return "cpp" if language == "c" and _CPP.search(text) is not None else language


def has_grammar(language: str | None) -> bool:
    """Tell whether there is a grammar for this language, without loading it."""
    entry = None if language is None else LANGUAGES.get(language)
    return entry is not None and entry.grammar is not None


def parse(text: bytes, language: str, timeout_seconds: float, memory: TreeMemory | None = None) -> Tree:
    """Parse UTF-8 text. The tree holds on to 25 to 45 bytes of memory a byte of text: let go of it early.

    Raises:
        ParseError: the grammar cannot be loaded or gave no tree.
        ChunkingTimeoutError: it took longer than that; the parser can be used again.
        MemoryLimitExceededError: the tree outgrew `memory`; the same.
    """
    if language == "yaml":
        refuse_deep_yaml(text)
    parser = _parser(language)
    if is_over_in_time(text, timeout_seconds):
        return parser.parse(text)
    return _parse_in_time(parser, text, timeout_seconds, memory if memory is not None and memory.watched else None)


def _parser(language: str) -> Parser:
    """Return this thread's parser for a language."""
    parsers: dict[str, Parser] | None = getattr(_threads, "parsers", None)
    if parsers is None:
        parsers = _threads.parsers = {}
    parser = parsers.get(language)
    if parser is None:
        parser = parsers[language] = Parser(grammar(language))
    return parser


def is_over_in_time(text: bytes, timeout_seconds: float) -> bool:
    """Tell whether a text is so small that its parse needs no watching."""
    return len(text) <= _SMALL_BYTES and len(text) <= timeout_seconds * _SLOWEST_BYTES_PER_SECOND


def refuse_deep_yaml(text: bytes) -> None:
    """Keep YAML from its parser that may be more than 240 levels deep: the grammar has room for no more, and crashes.

    Each level stands further to the right than the one around it. So without deep indentation and without long runs
    of `- - -` there cannot be so many.
    """
    deep = _INDENTED in text and len({len(line) - len(line.lstrip(b" ")) for line in text.splitlines()}) > _YAML_LEVELS
    if deep or _YAML_RUN.search(text) is not None:
        raise ParseError("the grammar for yaml cannot hold so many levels")


def _parse_in_time(parser: Parser, text: bytes, timeout_seconds: float, memory: TreeMemory | None) -> Tree:
    """Parse with clocks at hand, which tree-sitter lets us look at every hundred of its steps.

    What counts is this thread's processor time, so that a parse ends alike on an idle machine and on a crowded one.
    Asking for it takes a system call: the clock on the wall, which is never behind, says when to begin with that.
    """
    clock, spent_by = time.monotonic, time.thread_time
    deadline, spent_before = clock() + timeout_seconds, spent_by()

    def read(offset: int, _: Point) -> bytes:
        return text[offset : offset + _PIECE_BYTES]

    def overdue(_: int, __: bool) -> bool:
        return clock() > deadline and spent_by() - spent_before > timeout_seconds

    def overgrown(_: int, __: bool) -> bool:
        return overdue(0, False) or (memory is not None and memory.outgrown())

    try:
        return parser.parse(read, progress_callback=overdue if memory is None else overgrown)
    except ValueError as error:
        parser.reset()  # else the next parse would go on with this one
        spent = spent_by() - spent_before
        if spent <= timeout_seconds:
            if memory is not None and memory.full:
                raise memory.error() from error
            raise ParseError(f"the parser gave no tree: {error}") from error
        raise overdue_parse(timeout_seconds, spent) from error


def overdue_parse(timeout_seconds: float, spent: float) -> ChunkingTimeoutError:
    """Return the error for a parse that has used up its time."""
    return ChunkingTimeoutError(
        f"parsing took longer than {timeout_seconds:g} s of processor time",
        limit=timeout_seconds,
        actual=spent,
        unit="seconds",
        suggestion="Raise parse_timeout_seconds, or leave the file out",
    )
