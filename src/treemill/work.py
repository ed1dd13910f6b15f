"""The work of indexing workers as a value, and the part of it that needs none: files whose contents are known.

A run builds a `Prepare` and hands it to its crew. What carries it out, with its chunkers and word passes, is
`treemill.preparing`, and is loaded where there is something to carry out: in the workers.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Protocol

from isal import isal_zlib

from treemill.chunking.governor import ChunkGovernor
from treemill.embedding import EmbeddingProvider
from treemill.ranking import words
from treemill.ranking.spellings import INCOMPLETE, spellings_of
from treemill.reading import binary, prepare_files, read_files
from treemill.records import Content, PreparedFile
from treemill.storage import ContentLookup, KeyLookup
from treemill.types import Chunking, DiscoveredFile, Failure, Skipped, SkipReason, Source
from treemill.values import dataclass

# ISA-L deflates six times as fast as zlib at the same size, in a form that zlib reads.
TEXT_LEVEL = 1

# What carries the work out: the module that a worker loads before it is told its work.
PREPARING = "treemill.preparing"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a batch came to: a result for each file, in order, and the seconds each stage and each file took.

    `shapes` gives (chunks, language) of each file, for the statistics; zero and None where it is left out.
    """

    results: tuple[PreparedFile | Skipped | Failure, ...]
    shapes: tuple[tuple[int, str | None], ...]
    stages: dict[str, float]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Prepare:
    """The work of an indexing worker, and all it needs to know.

    `lookup` tells which contents the store holds already: those are read and recognised, not chunked again.
    `cache` has contents that were made before elsewhere: those are read and taken over, not chunked again.
    `provider` embeds in the worker, where there is one that runs there. `cutter` cuts in the place of Treemill's own
    chunkers. `blocks` has the contents of a batch come with their `Block`, for a store that takes batches whole.
    `tell_refused` makes files that are too large or binary failures, as the library has it; an index skips them.
    """

    governor: ChunkGovernor
    max_bytes: int | None = None
    lookup: KeyLookup | None = None
    cache: ContentLookup | None = None
    provider: EmbeddingProvider | None = None
    cutter: Cutter | None = None
    tell_refused: bool = False
    blocks: bool = False

    def start(self) -> Callable[[Sequence[DiscoveredFile], Callable[[int], None]], Prepared]:
        """Make the function that prepares batches."""
        made: Callable[[Sequence[DiscoveredFile], Callable[[int], None]], Prepared]
        made = import_module(PREPARING).Preparer(self)
        return made


class Cutter(Protocol):
    """A chunker from outside. It must survive pickling to run in worker processes."""

    @property
    def recipe(self) -> str:
        """Its name and everything that changes how it cuts."""

    def cut(self, file: DiscoveredFile, source: Source) -> Chunking | Failure:
        """Cut a file: the ends tile its bytes. Never raises for what a file is."""


def chunker_of(governor: ChunkGovernor, cutter: Cutter | None) -> str:
    """Return the recipe of what cuts files: a chunker from outside, else the governor's."""
    return governor.recipe if cutter is None else cutter.recipe


def content_key(digest: bytes, language: str | None, chunker: str) -> bytes:
    """Return the 16 bytes under which a content is kept: nothing about its path is in them."""
    return hashlib.blake2b(digest + _made_of(language, chunker), digest_size=16).digest()


def _made_of(language: str | None, chunker: str) -> bytes:
    """Return what, beside the digest of its bytes, a content depends on."""
    return f"{language or ''}\0{chunker}\0{words.RECIPE}".encode()


def read_ahead(files: Sequence[DiscoveredFile], work: Prepare) -> Sequence[PreparedFile | None]:
    """Read files, and return them as they are committed if their contents are known; see `prepare_files`.

    Other threads run meanwhile, so that this can be done ahead.
    """
    chunker = chunker_of(work.governor, work.cutter)
    return prepare_files(files, lambda language: _made_of(language, chunker), max_bytes=work.max_bytes)


KnownOf = Callable[[Sequence[bytes]], frozenset[bytes]]
"""Tells of which of some keys the contents are held."""


def recognise(
    files: Sequence[DiscoveredFile],
    work: Prepare,
    known_of: KnownOf | None,
    read: Sequence[PreparedFile | None] | None = None,
) -> list[PreparedFile | Skipped | None]:
    """Read files and return what needs no worker; None for the others.

    That are those whose contents are known, to the index or the cache, and those that turn out to be no text to index.
    `known_of` asks the index, None where that has no contents; `read` is what `read_ahead` gave for the files, if that
    was asked before.
    """
    if known_of is None:
        return _looked_into(files, work, frozenset(), None)
    told = read_ahead(files, work) if read is None else read
    asked = [file.key for file in told if file is not None and file.key]
    held = known_of(asked) if asked else frozenset()
    results: list[PreparedFile | Skipped | None] = [
        file if file is None or file.key in held else _not_held(file, work) for file in told
    ]
    places = [place for place, result in enumerate(results) if result is None]
    others = _looked_into([files[place] for place in places], work, frozenset(asked) - held, known_of)
    for place, result in zip(places, others, strict=True):
        results[place] = result
    return results


def _not_held(file: PreparedFile, work: Prepare) -> Skipped | None:
    """Return what becomes of a file whose content nobody holds, where that is plain; the library has refusals told."""
    return None if file.key or work.tell_refused else binary(file.path)


def _looked_into(
    files: Sequence[DiscoveredFile], work: Prepare, unknown: frozenset[bytes], known_of: KnownOf | None
) -> list[PreparedFile | Skipped | None]:
    """As `recognise`, for files of which the bytes are needed; the index holds no contents with the keys `unknown`."""
    chunker = chunker_of(work.governor, work.cutter)
    reads = read_files(files, max_bytes=work.max_bytes)
    keys = [
        None if isinstance(read, Skipped) else content_key(read.source.digest, read.source.language, chunker)
        for read in reads
    ]
    asked = [key for key in keys if key is not None and key not in unknown]
    held = known_of(asked) if known_of is not None and asked else frozenset()
    results: list[PreparedFile | Skipped | None] = []
    for file, read, key in zip(files, reads, keys, strict=True):
        if isinstance(read, Skipped):
            # One that keeps changing is given the worker's patience; the library calls some of the others failures.
            settled = read.reason is not SkipReason.CHANGING and not work.tell_refused
            results.append(read if settled else None)
        elif key is not None:
            content = None if key in held else made_before(work, key, read.source)
            known = key in held or content is not None
            results.append(
                PreparedFile(file.name, read.size, read.stamp, key, content, read.changed_ns) if known else None
            )
    return results


def made_before(work: Prepare, key: bytes, source: Source) -> Content | None:
    """Return what the cache has under a key, whole: one that came without its text, as from an export, is given it."""
    content = None if work.cache is None else work.cache.get(key)
    if content is None:
        return None
    text = content.text or (isal_zlib.compress(source.data, TEXT_LEVEL) if source.data else b"")
    return replace(
        content, text=text, spellings=spellings_in(source, struct.unpack(f"<{len(content.ends) // 4}I", content.ends))
    )


def spellings_in(source: Source, ends: Sequence[int]) -> bytes:
    """Return the words of a source as they are spelled; of one in another encoding than UTF-8 they are incomplete."""
    return spellings_of(source.data, ends) if source.encoding == "utf-8" else INCOMPLETE
