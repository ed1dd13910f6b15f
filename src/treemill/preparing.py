"""What an indexing worker does with a batch of files: read, digest, chunk, find the words, embed, pack.

    DiscoveredFile ─▶ PreparedFile | Skipped | Failure

The result is bytes that enter the store as they are. It depends on each file's content, language and the recipe alone,
so it does not matter which worker made it, beside which other files.
"""

from __future__ import annotations

import itertools
import struct
import sys
import time
import traceback
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import field

import numpy as np
from isal import isal_zlib

from treemill.chunking import chunk
from treemill.chunking.definitions import pack_symbols
from treemill.cutting import told
from treemill.embedding import EmbeddingProvider, TermEncoder
from treemill.embedding.quantise import to_int8
from treemill.embedding.wrappers import checked
from treemill.errors import ChunkingError
from treemill.native import compiled
from treemill.ranking.blocks import Member, block_of
from treemill.ranking.occurrences import IndexedText, Occurrences, TextToIndex
from treemill.ranking.postings import pack_plain
from treemill.ranking.spellings import INCOMPLETE
from treemill.ranking.word_pass import WordPass
from treemill.reading import ReadFile, read_file
from treemill.records import Block, Content, PreparedFile
from treemill.types import Chunking, DiscoveredFile, Failure, Skipped, Source
from treemill.values import dataclass
from treemill.work import TEXT_LEVEL, Prepare, Prepared, chunker_of, content_key, made_before

_NATIVE = compiled("words")


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
    """What the word pass made of a file, and its vectors where words are all they need."""

    text: IndexedText
    vectors: bytes


class Preparer:
    """Prepares batches in one worker; remembers the words it has seen."""

    def __init__(self, work: Prepare) -> None:
        self._work = work
        self._chunker = chunker_of(work.governor, work.cutter)
        # Told apart once: to look whether a value keeps a protocol takes as long as to read a small file.
        self._encoder = work.provider if isinstance(work.provider, TermEncoder) else None
        self._provider = None if self._encoder is not None else work.provider
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
        block = _block(cut, indexed) if self._work.blocks else None
        clock.lap("pack")
        vectors = self._vectors(occurrences, clock)
        for each, found in zip(cut, map(_Found, indexed, vectors), strict=True):
            mark(each.place)
            results[each.place] = self._pack(files[each.place], each, found, block, clock)
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
        content = made_before(self._work, key, source)
        if content is not None:
            clock.lap("look up")
            return PreparedFile(file.name, read.size, read.stamp, key, content, read.changed_ns)
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
        if self._encoder is None:
            return [b""] * (len(edges) - 1)
        rows = self._encoder.encode(occurrences)
        clock.lap("embed")
        return [rows[first:last].tobytes() for first, last in itertools.pairwise(edges)]

    def _pack(
        self, file: DiscoveredFile, cut: _Cut, found: _Found, block: Block | None, clock: _Clock
    ) -> PreparedFile | Failure:
        source, chunking, vectors = cut.read.source, cut.chunking, found.vectors
        if self._provider is not None:
            try:
                vectors = embed_chunks(self._provider, source, chunking)
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
            text=isal_zlib.compress(source.data, TEXT_LEVEL),
            ends=struct.pack(f"<{len(chunking.ends)}I", *chunking.ends),
            lines=packed_first_lines(cut.text.text, cut.text.ends),
            lengths=found.text.counted,
            symbols=pack_symbols(chunking.symbols),
            postings=pack_plain(found.text.plain),
            vectors=vectors,
            plain=found.text.plain if block is None else None,
            spellings=_spellings(cut, found.text) if block is None else None,
            block=block,
        )
        clock.lap("pack")
        return PreparedFile(file.name, cut.read.size, cut.read.stamp, cut.key, content, cut.read.changed_ns)


def _block(cut: Sequence[_Cut], indexed: Sequence[IndexedText]) -> Block | None:
    members = [
        Member(each.key, len(each.chunking.ends), text.plain, _spellings(each, text))
        for each, text in zip(cut, indexed, strict=True)
    ]
    return block_of(members) if members else None


def _spellings(cut: _Cut, text: IndexedText) -> bytes:
    """Return the words of a file as they are spelled; a pattern sees a text in another encoding than UTF-8 itself."""
    return text.spellings if cut.read.source.encoding == "utf-8" else INCOMPLETE


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
    names = [(bisect_right(chunking.ends, symbol.start), symbol.name) for symbol in chunking.symbols]
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
