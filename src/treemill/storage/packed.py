"""A content as one run of bytes, for where contents lie outside an index: the cache of a user, an exported file.

    length of the head │ head (JSON) │ text │ ends │ lines │ lengths │ symbols │ postings │ vectors

`unpack_content` makes sure that it is a content at all, `check_content` that its parts fit each other. Whether it is
what somebody computed is for the reader to know: by a signature, or by computing it again.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from treemill.ranking.postings import unpack
from treemill.records import Content

_LENGTH = struct.Struct("<I")

# The head names a language, an encoding, a chunker and an error type.
_MOST_HEAD_BYTES = 4_096

MOST_CHUNKS = 65_536
"""A content has no more chunks than sixteen bits can number."""

KEY_BYTES = 16

_PARTS = 7


def pack_content(content: Content, *, text: bool = True) -> bytes:
    """Return a content as bytes, on request without its text."""
    bulk = (
        content.text if text else b"",
        content.ends,
        content.lines,
        content.lengths,
        content.symbols,
        content.postings,
        content.vectors,
    )
    language, encoding, source, fallback = _words_of(
        content.language, content.encoding, content.source, content.fallback
    )
    head = (
        f'["{content.key.hex()}",{language},{encoding},{content.size},{content.chunk_count},{source},{fallback},'
        f"[{','.join(map(str, map(len, bulk)))}]]"
    ).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *bulk))


@lru_cache(maxsize=1_024)
def _words_of(*words: str | None) -> tuple[str, ...]:
    """Return words, of which there are few, as JSON has them."""
    return tuple(map(json.dumps, words))


def unpack_content(packed: bytes) -> Content:
    """Return the content behind `pack_content`.

    Raises:
        ValueError: the bytes are none.
    """
    try:
        (length,) = _LENGTH.unpack_from(packed)
        if length > _MOST_HEAD_BYTES:
            raise ValueError("no content: a head that long")
        place = _LENGTH.size + length
        key, language, encoding, size, chunk_count, source, fallback, lengths = _head(packed[_LENGTH.size : place])
        bulk = []
        for each in lengths:
            _require(type(each) is int and 0 <= each <= len(packed) - place, "lengths that leave it")
            bulk.append(packed[place : place + each])
            place += each
        _require(place == len(packed), "another length")
        _require(len(bulk) == _PARTS, "other parts")
        text, ends, lines, words, symbols, postings, vectors = bulk
        content = Content(
            key=bytes.fromhex(key),
            language=language,
            encoding=encoding,
            size=size,
            chunk_count=chunk_count,
            source=source,
            fallback=fallback,
            text=text,
            ends=ends,
            lines=lines,
            lengths=words,
            symbols=symbols,
            postings=postings,
            vectors=vectors,
        )
    except (struct.error, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"no content: {error}") from error
    _check_head(content)
    return content


def _head(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("no content: a head that is none") from None


def _check_head(content: Content) -> None:
    _require(len(content.key) == KEY_BYTES, "a key of another length")
    for name in ("encoding", "source"):
        _require(isinstance(getattr(content, name), str), f"no text as {name}")
    for name in ("language", "fallback"):
        _require(isinstance(getattr(content, name), str | None), f"no text as {name}")
    _require(type(content.size) is int and content.size >= 0, "a size that is none")
    _require(type(content.chunk_count) is int and 0 <= content.chunk_count <= MOST_CHUNKS, "a count that is none")


def check_content(content: Content, *, dimension: int) -> None:
    """Make sure that the parts of a content fit each other, so that no reader steps outside one.

    Raises:
        ValueError: they do not.
    """
    count = content.chunk_count
    for name, width in (("ends", 4), ("lines", 4), ("lengths", 2)):
        _require(len(getattr(content, name)) == width * count, f"{name} of another length")
    _require(len(content.vectors) in (0, count * dimension), "vectors of another length")
    ends = np.frombuffer(content.ends, "<u4")
    _require(count == 0 or (int(ends[-1]) == content.size and bool((ends[1:] > ends[:-1]).all())), "ends out of order")
    unpack(content.postings, count)


def text_of(content: Content) -> bytes:
    """Return the original bytes of a content, of which there are `size`.

    Raises:
        ValueError: the text is damaged, or of another length; no more than `size` is ever unpacked.
    """
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(content.text, content.size + 1)
    except (zlib.error, OverflowError) as error:
        raise ValueError(f"a damaged text: {error}") from error
    _require(len(data) == content.size and stream.eof and not stream.unused_data, "another text")
    return data


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"no content: {otherwise}")
