"""Which chunker cuts a file.

`chunk` is the one place that decides: the semantic one where there is a grammar, the
delimiter one where there is a family of delimiters, the fixed-size one for the rest. A limit that stops a better
chunker hands the file to the next one, and the result says so.
"""

from __future__ import annotations

from dataclasses import replace

from treemill.chunking import definitions, delimiter, fixed_size, recoding, semantic, syntax, trees
from treemill.chunking.governor import ChunkGovernor
from treemill.chunking.sizes import Size, size_in
from treemill.chunking.spans import is_blank
from treemill.chunking.tree_memory import TreeMemory
from treemill.errors import (
    ASTDepthExceededError,
    ChunkingError,
    ChunkingTimeoutError,
    ChunkLimitExceededError,
    MemoryLimitExceededError,
    ParseError,
)
from treemill.types import Chunking, ChunkSource, Source

_TOO_MUCH_FOR_A_TREE = (ParseError, ASTDepthExceededError, ChunkingTimeoutError, MemoryLimitExceededError)


def chunk(source: Source, governor: ChunkGovernor, *, name: str = "", strict: bool = False) -> Chunking:
    """Cut a file. The ends tile its bytes; no chunk has more bytes of UTF-8 text, characters or tokens than governed.

    Offsets count the bytes of `source.data`, in whatever encoding. A file of nothing but whitespace has no ends.
    Where a limit keeps the syntax tree from being used, the next chunker cuts the file and `fallback` is the type of
    the error; with `strict` the error is raised. `name` is for the messages.

    Raises:
        ChunkLimitExceededError: there are more chunks than `max_chunks_per_file`, by whichever chunker.
        ChunkingError: with `strict` only, a better chunker had to be given up.
        Exception: whatever a tokenizer raises that chunks are measured with.
    """
    text = recoding.utf8(source)
    if is_blank(text):
        return Chunking((), (), "fixed")
    try:
        size = size_in(text, governor)
        chunking = _cut(text, source.language, governor, size, strict)
        if size.mended is not None:
            chunking = replace(chunking, ends=tuple(size.mended(chunking.ends)))
        most = governor.settings.performance.max_chunks_per_file
        if len(chunking.ends) > most:
            raise ChunkLimitExceededError(
                f"the file makes {len(chunking.ends):,} chunks, more than {most:,}",
                limit=most,
                actual=len(chunking.ends),
                unit="chunks",
                suggestion="Raise max_chunks_per_file, or leave the file out",
            )
    except ChunkingError as error:
        raise _naming(error, name) from error.__cause__
    return chunking if text is source.data else recoding.original(source, text, chunking)


def _cut(text: bytes, language: str | None, governor: ChunkGovernor, size: Size, strict: bool) -> Chunking:
    """Cut UTF-8 text by the best chunker that can."""
    fallback = None
    if language is not None and syntax.has_grammar(language):
        try:
            return _cut_by_tree(text, language, governor, size)
        except _TOO_MUCH_FOR_A_TREE as error:
            if strict:
                raise
            fallback = type(error).__name__
    ends = delimiter.split(text, language, size.least, governor.settings, size.reach)
    source: ChunkSource = "delimiter"
    if ends is None:
        ends = fixed_size.split(text, size.least, size.reach)
        source = "fixed"
    return Chunking(tuple(ends), (), source, fallback)


def _cut_by_tree(text: bytes, language: str, governor: ChunkGovernor, size: Size) -> Chunking:
    """Cut by the syntax tree, and collect what it defines. The tree is gone when this returns."""
    performance = governor.settings.performance
    limit, reach, _ = size
    if len(text) <= (limit if reach is None else reach(0)) and not definitions.defines(language):
        return Chunking((len(text),), (), "semantic")
    dialect = syntax.dialect(text, language)
    done = trees.cut(text, dialect, limit, performance, reach)
    if done is not None:
        return Chunking(*done, "semantic")
    memory = TreeMemory(len(text), performance.max_memory_mb_per_operation)
    root = syntax.parse(text, dialect, performance.parse_timeout_seconds, memory).root_node
    ends = semantic.cut(text, root, dialect, limit, performance.max_ast_depth, memory, reach)
    return Chunking(tuple(ends), definitions.symbols(text, root, dialect), "semantic")


def _naming(error: ChunkingError, name: str) -> ChunkingError:
    """Return the error with the file's name in it."""
    if not name or error.path is not None:
        return error
    return type(error)(
        f"{name}: {error.message}",
        path=name,
        limit=error.limit,
        actual=error.actual,
        unit=error.unit,
        suggestion=error.suggestion,
    )
