"""An index as one file that another machine can start from: how it is written, and how a stranger's is read.

    magic │ frame: head (JSON) │ frame, frame, …: contents without their text │ frame: nothing │ digest of it all

An export holds what parsing found, under keys that are digests of the bytes parsed: no source, no paths. Whoever
imports it has the files; what is said of bytes that they do not have is of no use, and so of no harm.

A reader trusts nothing: it is no database, frames are bounded, the number of contents and their bytes are counted
against the file's own length, and each content is checked to be of one piece. What it says of the bytes is for
`treemill.transfer` to judge.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO

from treemill._version import __version__
from treemill.chunking.packing import unpack_symbols
from treemill.errors import IndexMismatch, UsageError
from treemill.records import Content, Recipe
from treemill.storage import Snapshot
from treemill.storage.packed import check_content, pack_content, unpack_content
from treemill.values import dataclass

EXPORT_VERSION = 1

_MAGIC = b"treemill export\n"
_FRAME = struct.Struct("<I")
_MOST_HEAD_BYTES = 100_000
_MOST_FRAME_BYTES = 256 << 20
_DIGEST_BYTES = 32

# A symbol is some dozens of bytes when unpacked; a file has at most one in a few bytes of text.
_SYMBOL_BYTES = 200
_MOST_NAME_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class ExportHead:
    """What an export says of itself."""

    version: int
    treemill: str
    recipe: Recipe
    contents: int


def write_export(snapshot: Snapshot, target: Path) -> ExportHead:
    """Write what a snapshot's files came to into one file, whole or not at all.

    Raises:
        UsageError: it cannot be written there.
        StorageError: the index is damaged.
    """
    ids = sorted({int(each) for each in snapshot.files().contents})
    head = ExportHead(EXPORT_VERSION, __version__, snapshot.recipe, len(ids))
    beside = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            sink = _Digesting(file)
            sink.write(_MAGIC)
            sink.frame(json.dumps(asdict(head)).encode())
            for content in snapshot.wholes(ids):
                sink.frame(pack_content(content, text=False))
            sink.frame(b"")
            file.write(sink.digest.digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", suggestion="Name a place that can be") from error
    finally:
        beside.unlink(missing_ok=True)
    return head


class _Digesting:
    """Writes frames, and digests all that is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)

    def frame(self, data: bytes) -> None:
        self.write(_FRAME.pack(len(data)))
        self.write(data)


class ExportReader:
    """Reads an export that may come from anybody. A context manager; `head` is there once it is entered."""

    head: ExportHead

    def __init__(self, source: Path) -> None:
        self._source = source
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def __enter__(self) -> ExportReader:
        try:
            descriptor = os.open(self._source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise UsageError(f"cannot read {self._source}: {error.strerror}", suggestion="Name an export") from error
        entry = os.fstat(descriptor)
        if not stat.S_ISREG(entry.st_mode):
            os.close(descriptor)
            raise UsageError(f"{self._source} is not a regular file", suggestion="Name an export")
        self._file = open(descriptor, "rb")
        try:
            self._left = entry.st_size
            if self._read(min(len(_MAGIC), self._left)) != _MAGIC:
                raise UsageError(
                    f"{self._source} is no export of Treemill", suggestion="Make one: treemill export FILE"
                )
            self.head = self._read_head(self._frame(_MOST_HEAD_BYTES))
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def contents(self) -> Iterator[Content]:
        """Yield the contents, each checked to be of one piece, without their texts.

        Raises:
            UsageError: the file is damaged, cut short, or made to harm; what was yielded before is worth nothing then.
        """
        for _ in range(self.head.contents):
            try:
                content = unpack_content(self._frame(_MOST_FRAME_BYTES))
                self._check(content)
            except ValueError as error:
                raise self._damaged(str(error)) from error
            yield content
        if self._frame(0) != b"":
            raise self._damaged("there is more than it says")
        said = self._digest.digest()
        if self._read(_DIGEST_BYTES) != said or self._left:
            raise self._damaged("its digest does not fit")

    def _check(self, content: Content) -> None:
        if content.text:
            raise ValueError("it carries what an export does not")
        check_content(content, dimension=self.head.recipe.dimension)
        stream = zlib.decompressobj()
        try:
            limit = _SYMBOL_BYTES * (content.size + 1)
            unpacked = stream.decompress(content.symbols, limit) if content.symbols else b""
        except (zlib.error, OverflowError) as error:
            raise ValueError(f"symbols that are none: {error}") from error
        if content.symbols and (not stream.eof or stream.unused_data or not unpacked):
            raise ValueError("more symbols than there is room for")
        _check_symbols(content)

    def _read_head(self, data: bytes) -> ExportHead:
        try:
            values = json.loads(data)
            if values["version"] != EXPORT_VERSION:
                raise IndexMismatch(
                    f"{self._source} is an export of version {values['version']!r:.20}; this Treemill reads"
                    f" {EXPORT_VERSION}",
                    suggestion="Export it again with the same version of Treemill",
                )
            head = ExportHead(
                values["version"], str(values["treemill"]), Recipe(**values["recipe"]), values["contents"]
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._damaged("its head is none") from error
        recipe = head.recipe
        numbers = (head.contents, recipe.dimension, recipe.format)
        texts = (recipe.chunker, recipe.words)
        fits = all(type(each) is int and each >= 0 for each in numbers) and all(isinstance(each, str) for each in texts)
        if not fits or not isinstance(recipe.model, str | None) or head.contents * _FRAME.size > self._left:
            raise self._damaged("its head says what cannot be")
        return head

    def _frame(self, most: int) -> bytes:
        (length,) = _FRAME.unpack(self._read(_FRAME.size))
        if length > min(most, self._left):
            raise self._damaged("a part that is too long")
        return self._read(length)

    def _read(self, size: int) -> bytes:
        data = self._file.read(size) if size <= self._left else b""
        if len(data) != size:
            raise self._damaged("it is cut short")
        self._left -= size
        self._digest.update(data)
        return data

    def _damaged(self, what: str) -> UsageError:
        return UsageError(f"{self._source} cannot be imported: {what}", suggestion="Export it again")


def _check_symbols(content: Content) -> None:
    """Make sure that symbols lie in the text and are what symbols are, so that no reader steps outside it."""
    try:
        for symbol in unpack_symbols(content.symbols):
            texts = (symbol.name, symbol.kind, *symbol.parents)
            numbers = (symbol.start, symbol.end, symbol.line, *symbol.signature, *(symbol.doc or ()))
            if not all(isinstance(text, str) and len(text) <= _MOST_NAME_CHARACTERS for text in texts):
                raise ValueError("a symbol without a name")
            if not all(type(number) is int and 0 <= number <= content.size + 1 for number in numbers):
                raise ValueError("a symbol outside the text")
            if symbol.start > symbol.end or len(symbol.signature) != 2 or (symbol.doc and len(symbol.doc) != 2):
                raise ValueError("a symbol that ends before it begins")
    except (TypeError, IndexError, RecursionError, AttributeError) as error:
        raise ValueError(f"symbols that are none: {error}") from error
