"""Other chunk libraries behind one function each, and the same questions to all: how fast, and what is left of a file.

A library is asked through its documented door with the limit in its own unit (bytes for cocoindex and semble,
characters for semantic-text-splitter and llama-index, characters that are not blank for astchunk), and gets the same
grammars where it takes any. What it does not support it is not given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tree_sitter import Language, Parser

from benchmarks.reference import SourceFile
from treemill.languages import LANGUAGES

# No benchmark reports to anybody; cocoindex does when it is imported, unless it is told not to.
os.environ.setdefault("COCOINDEX_DISABLE_USAGE_TRACKING", "1")


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk as a library gives it: its text, and its first line where it says one."""

    text: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Rival:
    """A library: what it is installed as, its module, the languages it takes (None: all), and how it is asked."""

    name: str
    module: str
    languages: frozenset[str] | None
    cut: Callable[[str, str, int], Iterable[Piece]]

    @property
    def installed(self) -> bool:
        """Whether it can be imported here."""
        return find_spec(self.module.partition(".")[0]) is not None

    def takes(self, file: SourceFile) -> bool:
        """Whether it can be given this file."""
        return file.language is not None and (self.languages is None or file.language in self.languages)


@dataclass(slots=True)
class Verdict:
    """What a library made of many files. Sizes in bytes of UTF-8; `seconds` is its own time only.

    `lost` counts bytes that stand in no chunk, `lost_code` those of them that are not blank. `wrong_lines` are first
    lines that are not where the chunk is found, None where the library tells no lines. `warm` are the languages in
    which it has cut a file.
    """

    files: int = 0
    failed: int = 0
    bytes: int = 0
    seconds: float = 0.0
    chunks: int = 0
    over_limit: int = 0
    lost: int = 0
    lost_code: int = 0
    wrong_lines: int | None = None
    warm: set[str] = field(default_factory=set)


def judge(rival: Rival, files: Iterable[SourceFile], limit: int, verdict: Verdict) -> None:
    """Cut every file that the library takes, one core, and add what came out. An error costs its file.

    The first file of each language is cut once before the clock runs: grammars are loaded, unpacked and compiled then.
    """
    for each in files:
        if not rival.takes(each):
            continue
        text, language = each.source.text(), str(each.language)
        if language not in verdict.warm:
            verdict.warm.add(language)
            _cut(rival, text, language, limit)
        size = len(text.encode("utf-8", "surrogateescape"))
        verdict.files += 1
        verdict.bytes += size
        start = time.perf_counter()
        pieces = _cut(rival, text, language, limit)
        verdict.seconds += time.perf_counter() - start
        verdict.failed += pieces is None
        _look_at(verdict, text, pieces or [], limit)


def _cut(rival: Rival, text: str, language: str, limit: int) -> list[Piece] | None:
    """Return what a library makes of a file, or None where it gives up."""
    try:
        return list(rival.cut(text, language, limit))
    except Exception:  # noqa: BLE001  whatever a library raises is its answer for that file
        return None


def _look_at(verdict: Verdict, text: str, pieces: list[Piece], limit: int) -> None:
    at, line, counted = 0, 1, 0
    verdict.chunks += len(pieces)
    for piece in pieces:
        verdict.over_limit += len(piece.text) > limit
        found = text.find(piece.text, at)
        if found < 0:  # not a part of the file any more: what it stood for counts as lost
            continue
        _lose(verdict, text[at:found])
        if piece.line is not None:
            line += text.count("\n", counted, found)
            counted = found
            verdict.wrong_lines = (verdict.wrong_lines or 0) + (piece.line != line)
        at = found + len(piece.text)
    _lose(verdict, text[at:])


def _lose(verdict: Verdict, gap: str) -> None:
    if gap:
        verdict.lost += len(gap.encode("utf-8", "surrogateescape"))
        verdict.lost_code += len("".join(gap.split()).encode("utf-8", "surrogateescape"))


@cache
def _pointer(language: str) -> Any:
    """Return the pointer that a grammar's module hands out."""
    entry = LANGUAGES[language].grammar
    if entry is None:
        raise ValueError(f"{language} has no grammar")
    return getattr(import_module(entry.module), entry.function)()


def _semantic_text_splitter(text: str, language: str, limit: int) -> Iterator[Piece]:
    splitter = _of("semantic_text_splitter", "CodeSplitter", _pointer(language), limit, trim=False)
    return map(Piece, splitter.chunks(text))


def _llama_index(text: str, language: str, limit: int) -> Iterator[Piece]:
    # Without a tokenizer of its own it would fetch one from the network; with characters counted, it is never called.
    options = {"language": language, "max_chars": limit, "parser": _parser(language), "tokenizer": str.split}
    splitter = _of("llama_index.core.node_parser", "CodeSplitter", **options)
    return map(Piece, splitter.split_text(text))


def _astchunk(text: str, language: str, limit: int) -> Iterator[Piece]:
    options = {"max_chunk_size": limit, "language": language, "metadata_template": "default"}
    for window in _of("astchunk", "ASTChunkBuilder", **options).chunkify(text):
        yield Piece(window["content"], window["metadata"]["start_line_no"] + 1)


def _cocoindex(text: str, language: str, limit: int) -> Iterator[Piece]:
    for chunk in _of("cocoindex.ops.text", "RecursiveSplitter").split(text, limit, language=language):
        yield Piece(chunk.text, chunk.start.line)


def _semble(text: str, language: str, limit: int) -> Iterator[Piece]:
    core = import_module("semble.chunking.core")
    bounds = core.chunk(text, language, limit)
    for bound in core.chunk_lines(text, limit) if bounds is None else bounds:
        yield Piece(text[bound.start : bound.end])


_MADE: dict[tuple[str, str, str], Any] = {}


def _of(module: str, name: str, *arguments: Any, **options: Any) -> Any:
    """Return an instance of a library's class, made once for each set of arguments."""
    key = (module, name, repr((arguments, sorted(options))) + str(options.get("language")))
    if key not in _MADE:
        _MADE[key] = getattr(import_module(module), name)(*arguments, **options)
    return _MADE[key]


@cache
def _parser(language: str) -> Parser:
    return Parser(Language(_pointer(language)))


RIVALS = (
    Rival("semantic-text-splitter", "semantic_text_splitter", None, _semantic_text_splitter),
    Rival("llama-index-core", "llama_index.core", None, _llama_index),
    Rival("astchunk", "astchunk", frozenset({"python", "java", "csharp", "typescript"}), _astchunk),
    Rival("cocoindex", "cocoindex", None, _cocoindex),
    Rival("semble", "semble", None, _semble),
)
