"""The texts of many files one behind the other, as patterns are matched against them: read in batches, ahead of need.

The first files are read in small batches, as most questions end there. Behind them a thread reads and inflates the next
batch while one is matched; both leave the interpreter to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from isal import isal_zlib

from treemill.flow.ahead import Ahead
from treemill.searching.hits import bom_of
from treemill.searching.moment import Moment
from treemill.sources import Source

# Batches grow to this many files; from the one after the last growth on, they are read ahead.
_FIRST_BATCH = 8
_BATCH = 64
_BATCHES_AHEAD = 2

Text = tuple[int, bytes]


def texts_of(moment: Moment, files: Iterable[int]) -> Iterator[Text]:
    """Yield some files, in their order, each with its text as UTF-8 whose lines end in line feeds."""
    remaining = iter(files)
    size = _FIRST_BATCH
    while size < _BATCH:
        yield from _read(moment, list(islice(remaining, size)))
        size *= 2
    first = list(islice(remaining, _BATCH))
    if not first:
        return
    yield from _read(moment, first)
    with Ahead(([batch] for batch in _batches(moment, remaining)), most=_BATCHES_AHEAD) as batches:
        for some in batches:
            for batch in some:
                yield from batch


def _batches(moment: Moment, files: Iterator[int]) -> Iterator[list[Text]]:
    while some := list(islice(files, _BATCH)):
        yield _read(moment, some)


def _read(moment: Moment, files: list[int]) -> list[Text]:
    contents = moment.files.contents[files].tolist()
    texts = moment.snapshot.texts(contents) if files else ()
    return [
        (file, as_matched(encoding, isal_zlib.decompress(text)))
        for file, (encoding, text) in zip(files, texts, strict=True)
    ]


def as_matched(encoding: str, data: bytes) -> bytes:
    """Return a text as UTF-8 whose lines end in line feeds; most are that already."""
    bom = bom_of(data)
    if encoding == "utf-8" and not bom and b"\r" not in data:
        return data
    text = Source(data, b"", encoding, bom, None).text()
    return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "surrogateescape")
