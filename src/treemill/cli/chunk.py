"""`treemill chunk`: print the chunks of files and folders, as they come."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from treemill.chunking import delimiter
from treemill.chunking.governor import ChunkGovernor, Tokenizer
from treemill.cli.given import settings_for
from treemill.cli.index import EVERY_FILE_FAILED, SKIPPED_WITH_STRICT
from treemill.cli.words import count, printable, seconds, size
from treemill.discovery import discover
from treemill.embedding.registry import make_provider
from treemill.errors import UsageError
from treemill.parallel import ChunkingReport, chunk_files_parallel
from treemill.places import place_of
from treemill.recipes import tokenizer_for
from treemill.settings import Settings
from treemill.types import CodeChunk, DiscoveredFile
from treemill.values import dataclass


def run(arguments: argparse.Namespace) -> int:
    """Print the chunks of everything that was named, and return the exit code."""
    # Failures and skipped files are told here; the library's own log would tell them again.
    logging.getLogger("treemill").addHandler(logging.NullHandler())
    door = _Door(arguments)
    for is_folder, paths in [(kind, tuple(group)) for kind, group in groupby(arguments.paths, _is_folder)]:
        if is_folder:
            for path in paths:
                door.chunk_folder(path)
        else:
            door.chunk_files(paths)
    return door.end()


def _is_folder(path: str) -> bool:
    if not os.path.lexists(path):
        raise UsageError(f"there is no file or folder {path}", suggestion="Name one that exists")
    return os.path.isdir(path)


@dataclass(frozen=True, slots=True)
class _Named:
    """How paths are shown: as the caller would write them, below the folder that was named."""

    folder: str

    def __call__(self, path: str) -> str:
        return str(PurePosixPath(self.folder, path)) if self.folder else path


class _Door:
    """Prints chunks to standard output and trouble to standard error, and adds up what it came to."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._told: set[str] = set()
        self._reports: list[ChunkingReport] = []

    def chunk_folder(self, path: str) -> None:
        """Chunk what discovery finds below a folder."""
        settings = settings_for(place_of(path), self._arguments)
        named = _Named(path)

        def found() -> Iterator[DiscoveredFile | None]:
            for each in discover(path, settings.discovery):
                if isinstance(each, DiscoveredFile):
                    yield each
                else:
                    self._note(f"{named(each.path)}: skipped: {each.detail}", verbose=True)
                    yield None

        self._chunk(found(), settings, named)

    def chunk_files(self, paths: Iterable[str]) -> None:
        """Chunk files that were named one by one, whatever the ignore rules say."""
        settings = settings_for(place_of("."), self._arguments)

        def described() -> Iterator[DiscoveredFile | None]:
            for path in paths:
                file = DiscoveredFile.from_path(path)
                if file is None:
                    self._note(f"{path}: skipped: it is no regular file", verbose=True)
                yield file

        self._chunk(described(), settings, _Named(""))

    def end(self) -> int:
        """Say what all of it came to, and return the exit code."""
        files, failed = sum(each.files for each in self._reports), sum(len(each.failures) for each in self._reports)
        skipped = sum(each.skipped for each in self._reports)
        told = [
            f"{count(files, 'file')} ({size(sum(each.bytes for each in self._reports))})",
            f"{count(sum(each.chunks for each in self._reports), 'chunk')}"
            f" in {seconds(sum(each.seconds for each in self._reports))}",
        ]
        told += [f"{number:,} {what}" for number, what in ((skipped, "skipped"), (failed, "failed")) if number]
        self._note(", ".join(told))
        if failed and not files:
            return EVERY_FILE_FAILED
        return SKIPPED_WITH_STRICT if self._arguments.strict and (skipped or failed) else 0

    def _chunk(self, files: Iterable[DiscoveredFile | None], settings: Settings, named: _Named) -> None:
        for fault in set(delimiter.faults(settings.chunker)) - self._told:
            self._note(fault)
            self._told.add(fault)
        shown = _as_line_of_json if self._arguments.jsonl else _for_people
        with chunk_files_parallel(
            files,
            ChunkGovernor(settings=settings.chunker, tokenizer=_tokenizer(settings)),
            ordered=self._arguments.ordered,
            on_failure=lambda failure: self._note(f"{named(failure.path)}: {failure.error_type}: {failure.message}"),
        ) as stream:
            for path, chunks in stream:
                name = named(path.as_posix())
                sys.stdout.writelines(shown(chunk, name) for chunk in chunks)
        for skip in stream.report.skips:
            self._note(f"{named(skip.path)}: skipped: {skip.reason}: {skip.detail}", verbose=True)
        self._reports.append(stream.report)

    def _note(self, text: str, *, verbose: bool = False) -> None:
        if not self._arguments.quiet and (self._arguments.verbose or not verbose):
            print(f"treemill: {printable(text)}", file=sys.stderr)


def _tokenizer(settings: Settings) -> Tokenizer | None:
    """Return what counts the tokens of chunks; no model is opened where none are counted."""
    if not settings.chunker.max_chunk_tokens:
        return None
    return tokenizer_for(settings, None if settings.embedding.tokenizer else make_provider(settings.embedding))


def as_json(chunk: CodeChunk, name: str) -> dict[str, Any]:
    """Return a chunk as JSON-ready values, under the name that its file is shown by; keys as in docs/cli.md."""
    first, last = chunk.line_range
    return {
        "file_path": name,
        "start_line": first,
        "end_line": last,
        "content": chunk.content,
        "language": chunk.language,
        "symbol": chunk.symbol,
        "kind": chunk.kind,
        "parents": list(chunk.parents),
        "id": chunk.id,
        "source": chunk.source,
    }


def _as_line_of_json(chunk: CodeChunk, name: str) -> str:
    return json.dumps(as_json(chunk, name)) + "\n"


def _for_people(chunk: CodeChunk, name: str) -> str:
    """Return a heading and the text of a chunk: `path:start-end  kind symbol`."""
    first, last = chunk.line_range
    what = f"  {chunk.kind} {printable(chunk.qualified_name)}" if chunk.qualified_name else ""
    text = printable(chunk.content)
    return f"{printable(name)}:{first}-{last}{what}\n{text}{'' if text.endswith(chr(10)) else chr(10)}\n"
