"""Contents of files as a worker would prepare them, from a line of text a chunk; and what a snapshot shows of them."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from treemill.ranking.postings import Postings, pack
from treemill.records import Content, PreparedFile, Recipe
from treemill.storage import Segment, Snapshot
from treemill.storage.layout import stored_spellings
from treemill.storage.segments import spellings

RECIPE = Recipe(chunker="lines", words="plain")
DIMENSION = 4
VECTORS = Recipe(chunker="lines", words="plain", model="toy", dimension=DIMENSION)


def term(word: str) -> int:
    """Return the term of a word."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def chunks_of(text: str) -> list[dict[int, int]]:
    """Return each line's terms and how often they stand in it: what the postings of a text must come to."""
    return [
        {term(word): min(count, 63) for word, count in Counter(re.findall(r"\w+", line)).items()}
        for line in text.splitlines(keepends=True)
    ]


def key_of(text: str, language: str | None = "python") -> bytes:
    """Return the key of a text."""
    return hashlib.blake2b(f"{language}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def postings_of(text: str) -> Postings:
    """Return the postings of a text."""
    entries = sorted(
        (word, number, weight) for number, line in enumerate(chunks_of(text)) for word, weight in line.items()
    )
    words, counts = np.unique(np.array([word for word, _, _ in entries], np.uint32), return_counts=True)
    return Postings(
        words,
        counts.astype(np.uint16),
        np.array([number for _, number, _ in entries], np.uint16),
        np.array([weight for _, _, weight in entries], np.uint8),
    )


def content_of(text: str, *, language: str | None = "python", dimension: int = 0) -> Content:
    """Return the content of a text, a line a chunk; its vectors start with the length and number of the line."""
    lines = text.splitlines(keepends=True)
    sizes = [len(line.encode("utf-8", "surrogatepass")) for line in lines]
    vectors = np.zeros((len(lines), dimension), np.int8)
    if dimension:
        vectors[:, 0] = [size % 100 for size in sizes]
        vectors[:, 1] = np.arange(len(lines)) % 100
    return Content(
        key=key_of(text, language),
        language=language,
        encoding="utf-8",
        size=sum(sizes),
        chunk_count=len(lines),
        source="delimiter",
        fallback=None,
        text=zlib.compress(text.encode("utf-8", "surrogatepass"), 1),
        ends=np.cumsum(sizes).astype("<u4").tobytes(),
        lines=np.arange(1, len(lines) + 1, dtype="<u4").tobytes(),
        lengths=np.array([sum(line.values()) for line in chunks_of(text)], "<u2").tobytes(),
        symbols=b"[]",
        postings=pack(postings_of(text)),
        vectors=vectors.tobytes(),
    )


def prepared(
    path: str, text: str, *, known: bool = False, language: str | None = "python", dimension: int = 0
) -> PreparedFile:
    """Return a file ready to be committed; without its content where that is `known`."""
    content = content_of(text, language=language, dimension=dimension)
    return PreparedFile(path, content.size, 1_000, content.key, None if known else content)


def broken(path: str, text: str, /, **changes: object) -> PreparedFile:
    """Return a file whose content has some of its fields replaced."""
    file = prepared(path, text)
    assert file.content is not None
    return replace(file, content=replace(file.content, **changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Shown:
    """What a snapshot shows of one file. Two snapshots that show the same of every file give the same answers."""

    text: str
    language: str | None
    chunks: list[dict[int, int]]
    lengths: list[int]
    vectors: list[list[int]]


def expected(text: str, *, language: str | None = "python", dimension: int = 0) -> Shown:
    """Return what a snapshot has to show of a file with that text."""
    content = content_of(text, language=language, dimension=dimension)
    vectors = np.frombuffer(content.vectors, np.int8).reshape(-1, dimension).tolist() if dimension else []
    return Shown(text, language, chunks_of(text), np.frombuffer(content.lengths, "<u2").tolist(), vectors)


def shown(snapshot: Snapshot) -> dict[str, Shown]:
    """Return what a snapshot shows of each of its files, however it is laid out in segments."""
    table = snapshot.files()
    scanned = _scanned(snapshot)
    spelled = _spelled(snapshot)
    result = {}
    for path, content_id, language in zip(table.paths, table.contents.tolist(), table.languages, strict=True):
        content = snapshot.content(content_id)
        chunks, lengths, vectors = scanned.get(content_id, ([], [], []))
        assert content.chunk_count == len(chunks), f"{path} has lost chunks"
        text = zlib.decompress(content.text).decode("utf-8", "surrogatepass")
        words = spelled.get(content_id)
        assert words is None or words.issuperset(stored_spellings(content).split()), f"{path} has lost words"
        result[path] = Shown(text, language, chunks, lengths, vectors)
    return result


def _spelled(snapshot: Snapshot) -> dict[int, set[bytes]]:
    """Return the words that each content's segment has, for the contents whose words it says to have."""
    return {
        content_id: set(spellings(segment).split())
        for segment in snapshot.segments()
        for content_id in segment.contents[segment.spelled == 1].tolist()
    }


def _scanned(snapshot: Snapshot) -> dict[int, tuple[list[dict[int, int]], list[int], list[list[int]]]]:
    result: dict[int, tuple[list[dict[int, int]], list[int], list[list[int]]]] = {}
    for segment in snapshot.segments():
        check_duties(segment)
        chunks: list[dict[int, int]] = [{} for _ in segment.lengths]
        for number, word in enumerate(segment.terms.tolist()):
            place = slice(int(segment.offsets[number]), int(segment.offsets[number + 1]))
            for chunk, weight in zip(segment.chunks[place].tolist(), segment.weights[place].tolist(), strict=True):
                assert word not in chunks[chunk], "a posting stands twice"
                chunks[chunk][word] = weight
        for number, content_id in enumerate(segment.contents.tolist()):
            run = slice(int(segment.first_chunk[number]), int(segment.first_chunk[number + 1]))
            assert content_id not in result, "a content is in two segments"
            result[content_id] = chunks[run], segment.lengths[run].tolist(), segment.vectors[run].tolist()
    return result


def check_duties(segment: Segment) -> None:
    """Assert what every segment promises of its arrays."""
    count = len(segment.lengths)
    assert segment.first_chunk[0] == 0
    assert segment.first_chunk[-1] == count
    assert len(segment.first_chunk) == len(segment.contents) + 1
    assert (np.diff(segment.contents) > 0).all()
    assert (np.diff(segment.terms.astype(np.int64)) > 0).all()
    assert segment.offsets[0] == 0
    assert segment.offsets[-1] == len(segment.chunks) == len(segment.weights)
    assert (np.diff(segment.offsets) > 0).all()
    assert segment.chunks.dtype == (np.uint16 if count <= 65_536 else np.uint32)
    assert len(segment.vectors) in (0, count)
    falls = np.flatnonzero(np.diff(segment.chunks.astype(np.int64)) <= 0) + 1
    assert np.isin(falls, segment.offsets).all(), "the chunks of a term are not in order"
    for array in (segment.contents, segment.lengths, segment.terms, segment.chunks, segment.weights, segment.vectors):
        assert not array.flags.writeable
