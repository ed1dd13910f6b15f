"""What an indexing worker does with a batch of files: read, digest, chunk, find the words, embed, pack.

    DiscoveredFile ─▶ PreparedFile | Skipped | Failure

The result is bytes that enter the store as they are. It depends on each file's content, language and the recipe alone,
so it does not matter which worker made it, beside which other files.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from isal import isal_zlib

from treemill.chunking import chunk
from treemill.chunking.definitions import pack_symbols
from treemill.chunking.governor import ChunkGovernor
from treemill.cutting import told
from treemill.embedding import EmbeddingProvider, TermEncoder
from treemill.embedding.quantise import to_int8
from treemill.embedding.wrappers import checked
from treemill.errors import ChunkingError
from treemill.native import compiled
from treemill.ranking import words
from treemill.ranking.postings import pack_all, plain
from treemill.ranking.word_pass import IndexedText, Occurrences, TextToIndex, WordPass
from treemill.reading import ReadFile, read_file
from treemill.records import Content, PreparedFile
from treemill.storage import ContentLookup, KeyLookup
from treemill.types import Chunking, DiscoveredFile, Failure, Skipped, Source

# ISA-L deflates six times as fast as zlib at the same size, in a form that zlib reads.
_TEXT_LEVEL = 1

_NATIVE = compiled("words")


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
    chunkers. `tell_refused` makes files that are too large or binary failures, as the library has it; an index skips
    them.
    """

    governor: ChunkGovernor
    max_bytes: int | None = None
    lookup: KeyLookup | None = None
    cache: ContentLookup | None = None
    provider: EmbeddingProvider | None = None
    cutter: Cutter | None = None
    tell_refused: bool = False

    def start(self) -> Callable[[Sequence[DiscoveredFile], Callable[[int], None]], Prepared]:
        """Make the function that prepares batches."""
        return _Preparer(self)


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
    text = f"{language or ''}\0{chunker}\0{words.RECIPE}"
    return hashlib.blake2b(digest + text.encode(), digest_size=16).digest()


@dataclass(slots=True)
class _Clock:
    """Seconds by stage."""

    stages: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self.last
        self.last = now


@dataclass(frozen=True, slots=True)
class _Cut:
    """A file that is chunked and waits for the rest of its batch."""

    place: int
    read: ReadFile
    key: bytes
    chunking: Chunking
    text: TextToIndex


@dataclass(frozen=True, slots=True)
class _Found:
    """What the word pass made of a file: its postings, also packed, and its vectors where words are all they need."""

    text: IndexedText
    postings: bytes
    vectors: bytes


class _Preparer:
    """Prepares batches in one worker; remembers the words it has seen."""

    def __init__(self, work: Prepare) -> None:
        self._work = work
        self._chunker = work.governor.recipe if work.cutter is None else work.cutter.recipe
        self._words = WordPass()

    def __call__(self, files: Sequence[DiscoveredFile], mark: Callable[[int], None]) -> Prepared:
        results: list[PreparedFile | Skipped | Failure | None] = [None] * len(files)
        shapes: list[tuple[int, str | None]] = [(0, None)] * len(files)
        seconds: list[float] = []
        cut: list[_Cut] = []
        clock = _Clock()
        for place, file in enumerate(files):
            mark(place)
            began = clock.last
            result = self._read_and_chunk(place, file, clock)
            if isinstance(result, _Cut):
                cut.append(result)
                shapes[place] = (len(result.chunking.ends), result.read.source.language)
            else:
                results[place] = result
                if isinstance(result, PreparedFile) and result.content is not None:
                    shapes[place] = (result.content.chunk_count, result.content.language)
            seconds.append(clock.last - began)
        mark(-1)
        indexed, occurrences = self._words.read([each.text for each in cut])
        clock.lap("words")
        vectors = self._vectors(occurrences, clock)
        packed = pack_all([text.postings for text in indexed])
        for each, found in zip(cut, map(_Found, indexed, packed, vectors), strict=True):
            mark(each.place)
            results[each.place] = self._pack(files[each.place], each, found, clock)
        whole = tuple(result for result in results if result is not None)
        return Prepared(whole, tuple(shapes), clock.stages, tuple(seconds))

    def _read_and_chunk(
        self, place: int, file: DiscoveredFile, clock: _Clock
    ) -> _Cut | PreparedFile | Skipped | Failure:
        read = read_file(file, max_bytes=self._work.max_bytes)
        clock.lap("read")
        if isinstance(read, Skipped):
            return told(file, read, self._work.governor) if self._work.tell_refused else read
        source = read.source
        key = content_key(source.digest, source.language, self._chunker)
        if self._work.lookup is not None and self._work.lookup.known(key):
            clock.lap("look up")
            return PreparedFile(file.name, read.size, read.stamp, key, None, read.changed_ns)
        made_before = _made_before(self._work, key, source)
        if made_before is not None:
            clock.lap("look up")
            return PreparedFile(file.name, read.size, read.stamp, key, made_before, read.changed_ns)
        try:
            chunking = self._cut(file, source)
            if isinstance(chunking, Failure):
                return chunking
            text = text_to_index(source, chunking)
        except ChunkingError as error:
            return Failure(file.name, "chunk", type(error).__name__, str(error), traceback.format_exc())
        finally:
            clock.lap("chunk")
        return _Cut(place, read, key, chunking, text)

    def _cut(self, file: DiscoveredFile, source: Source) -> Chunking | Failure:
        cutter = self._work.cutter
        return chunk(source, self._work.governor, name=file.name) if cutter is None else cutter.cut(file, source)

    def _vectors(self, occurrences: Occurrences, clock: _Clock) -> list[bytes]:
        """Return the vectors of each file of a batch, where its words are all that the provider needs; else none."""
        edges = occurrences.first_chunks.tolist()
        if not isinstance(self._work.provider, TermEncoder):
            return [b""] * (len(edges) - 1)
        rows = self._work.provider.encode(occurrences)
        clock.lap("embed")
        return [rows[first:last].tobytes() for first, last in itertools.pairwise(edges)]

    def _pack(self, file: DiscoveredFile, cut: _Cut, found: _Found, clock: _Clock) -> PreparedFile | Failure:
        source, chunking, vectors = cut.read.source, cut.chunking, found.vectors
        if self._work.provider is not None and not isinstance(self._work.provider, TermEncoder):
            try:
                vectors = embed_chunks(self._work.provider, source, chunking)
            except Exception as error:  # noqa: BLE001 - whatever a provider raises counts against the file it got
                return Failure(file.name, "embed", type(error).__name__, str(error), traceback.format_exc())
            finally:
                clock.lap("embed")
        content = Content(
            key=cut.key,
            language=source.language,
            encoding=source.encoding,
            size=len(source.data),
            chunk_count=len(chunking.ends),
            source=chunking.source,
            fallback=chunking.fallback,
            text=isal_zlib.compress(source.data, _TEXT_LEVEL),
            ends=np.array(chunking.ends, "<u4").tobytes(),
            lines=packed_first_lines(cut.text.text, cut.text.ends),
            lengths=found.text.lengths.astype("<u2").tobytes(),
            symbols=pack_symbols(chunking.symbols),
            postings=found.postings,
            vectors=vectors,
            plain=plain(found.text.postings),
        )
        clock.lap("pack")
        return PreparedFile(file.name, cut.read.size, cut.read.stamp, cut.key, content, cut.read.changed_ns)


def recognise(files: Sequence[DiscoveredFile], work: Prepare) -> list[PreparedFile | None]:
    """Read files and return those prepared whose contents are known, to the index or the cache; None for the others."""
    chunker = chunker_of(work.governor, work.cutter)
    reads = [read_file(file, max_bytes=work.max_bytes) for file in files]
    keys = [
        None if isinstance(read, Skipped) else content_key(read.source.digest, read.source.language, chunker)
        for read in reads
    ]
    asked = [key for key in keys if key is not None]
    held = frozenset[bytes]() if work.lookup is None else work.lookup.known_of(asked)
    results: list[PreparedFile | None] = []
    for file, read, key in zip(files, reads, keys, strict=True):
        if key is None or isinstance(read, Skipped):
            results.append(None)
            continue
        made_before = None if key in held else _made_before(work, key, read.source)
        known = key in held or made_before is not None
        results.append(
            PreparedFile(file.name, read.size, read.stamp, key, made_before, read.changed_ns) if known else None
        )
    return results


def _made_before(work: Prepare, key: bytes, source: Source) -> Content | None:
    """Return what the cache has under a key, whole: one that came without its text, as from an export, is given it."""
    content = None if work.cache is None else work.cache.get(key)
    if content is None or content.text or not source.data:
        return content
    return replace(content, text=isal_zlib.compress(source.data, _TEXT_LEVEL))


def embed_chunks(provider: EmbeddingProvider, source: Source, chunking: Chunking) -> bytes:
    """Embed a file's chunks and return int8[n × dimension].

    Raises:
        EmbeddingError: the provider failed, or returned the wrong shape.
        ValueError: a component is not finite.
    """
    if not chunking.ends:
        return b""
    texts = [source.text(start, end) for start, end in _ranges(chunking)]
    return to_int8(checked(provider.embed(texts), provider, len(texts))).tobytes()


def _ranges(chunking: Chunking) -> list[tuple[int, int]]:
    return list(zip((0, *chunking.ends[:-1]), chunking.ends, strict=True))


def text_to_index(source: Source, chunking: Chunking) -> TextToIndex:
    """Return a file's text as UTF-8 with its chunk ends in it, and what each chunk defines."""
    places = np.searchsorted(np.array(chunking.ends), [s.start for s in chunking.symbols], side="right")
    names = list(zip(places.tolist(), (symbol.name for symbol in chunking.symbols), strict=True))
    if source.encoding == "utf-8":
        return TextToIndex(source.data, chunking.ends, names)
    pieces = [source.text(start, end).encode("utf-8", "surrogatepass") for start, end in _ranges(chunking)]
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    return TextToIndex(b"".join(pieces), ends, names)


def packed_first_lines(text: bytes, ends: Sequence[int]) -> bytes:
    """Return `first_lines` as little-endian uint32[n]."""
    if _NATIVE is not None and sys.byteorder == "little":
        packed: bytes = _NATIVE.first_lines(text, ends)
        return packed
    return np.array(first_lines(text, ends), "<u4").tobytes()


def first_lines(text: bytes, ends: Sequence[int]) -> list[int]:
    """Return the number of the line on which each piece of a UTF-8 text starts, 1-based.

    A line ends with LF, CR or CRLF; a CRLF that two pieces share ends its line in the second.
    """
    lines: list[int] = []
    line, start = 1, 0
    odd = b"\r" in text
    for end in ends:
        lines.append(line)
        line += text.count(b"\n", start, end)
        if odd:
            line += text.count(b"\r", start, end) - text.count(b"\r\n", start, end)
            line -= text[end - 1 : end + 1] == b"\r\n"
        start = end
    return lines
