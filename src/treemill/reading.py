"""DiscoveredFile → its bytes and their encoding, or why not; what workers run.

A file is read once, whole, from one descriptor, and what is said of it (size, stamp, digest) is of those bytes. Between
discovery and reading anything may have happened: what is no regular file any more is never waited for, a link swapped
in cannot lead out of the root, and a file that is written to is read again until it holds still.

Which encoding:

1. A BOM decides: UTF-8, UTF-16 LE or BE.
2. Without one, every other byte of the beginning being NUL is UTF-16; any other NUL is a binary file.
3. Else UTF-8, if valid; or nearly so: at most one damaged place in 500 bytes, and more sound multi-byte characters than
   damaged places. Damaged bytes travel as surrogates.
4. Else Latin-1, which gives every byte a character.

UTF-16 is taken only where decoding and encoding gives the same bytes again. So every encoding round-trips.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache
from hashlib import blake2b

from treemill.languages import language_of_shebang
from treemill.native import compiled
from treemill.records import PreparedFile
from treemill.small_files import OPEN_FLAGS
from treemill.types import DiscoveredFile, Skipped, SkipReason, Source, changed_ns
from treemill.values import dataclass

_NATIVE = compiled("files")
_ANY_SIZE = 1 << 62
_SLOTS = tuple(getattr(PreparedFile, field.name) for field in fields(PreparedFile))

# How often a file that changes under the reader is read again, and the pause before; an editor's save is over by then.
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.02

# How much of a file is looked at for NUL bytes in UTF-16's pattern.
_SNIFFED_BYTES = 4096

# A file with more damaged places than this a byte is not damaged UTF-8 but another encoding.
_DAMAGED_PER_BYTE = 1 / 500


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was read. `size` (bytes), `stamp` (modification time, ns) and `changed_ns` are the open file's.

    `seen_ns` is the wall clock just before reading, for `RecordedFile.seen_ns`: a stamp close to it is not trusted.
    """

    source: Source
    size: int
    stamp: int
    changed_ns: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class CarriedFile(DiscoveredFile):
    """A file that was read where it lies and is worked on elsewhere: `carried` is all that reading it there gave.

    `carried` is (bytes, `stamp`, `changed_ns`, `seen_ns`) as `ReadFile` has them, or why there are none.
    """

    carried: tuple[bytes, int, int, int] | Skipped = (b"", 0, 0, 0)

    def __reduce__(self) -> tuple[type[CarriedFile], tuple[object, ...]]:
        known = (self.name, self.root, self.language, self.size, self.mtime_ns, self.changed_ns)
        return CarriedFile, (*known, self.carried)


def carry(file: DiscoveredFile, *, max_bytes: int | None = None) -> CarriedFile:
    """Read a file here, for `read_file` to be called with it on a machine that does not have it."""
    read = read_file(file, max_bytes=max_bytes)
    carried = read if isinstance(read, Skipped) else (read.source.data, read.stamp, read.changed_ns, read.seen_ns)
    return CarriedFile(file.name, file.root, file.language, file.size, file.mtime_ns, file.changed_ns, carried)


def read_file(file: DiscoveredFile, *, max_bytes: int | None = None) -> ReadFile | Skipped:
    """Read a file, digest it and tell its encoding and language.

    Returns Skipped where there is nothing to chunk: VANISHED, UNREADABLE, NOT_REGULAR, OUTSIDE_ROOT, TOO_LARGE (over
    `max_bytes`, whatever discovery saw), CHANGING, BINARY. Never raises for what a file is or does.
    """
    if isinstance(file, CarriedFile):
        return _unloaded(file)
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        seen_ns = time.time_ns()
        read = _read_once(file, max_bytes)
        if isinstance(read, Skipped):
            return read
        if read is not None:
            data, entry = read
            return _described(file, data, entry.st_mtime_ns, changed_ns(entry), seen_ns)
    return Skipped(file.name, SkipReason.CHANGING, f"it changed during each of {_ATTEMPTS} readings")


def _unloaded(file: CarriedFile) -> ReadFile | Skipped:
    """Return what reading a file elsewhere gave."""
    if isinstance(file.carried, Skipped):
        return file.carried
    return _described(file, *file.carried)


def _described(file: DiscoveredFile, data: bytes, stamp: int, changed: int, seen_ns: int) -> ReadFile | Skipped:
    """Return what the bytes of a file are."""
    source = source_of(data, file.language)
    if source is None:
        return binary(file.name)
    return ReadFile(source, len(data), stamp, changed, seen_ns)


def binary(name: str) -> Skipped:
    """Return what is said of a file that is no text."""
    return Skipped(name, SkipReason.BINARY, "it holds NUL bytes")


def read_files(files: Sequence[DiscoveredFile], *, max_bytes: int | None = None) -> list[ReadFile | Skipped]:
    """Return for each of some files what `read_file` does.

    Where there is a compiled half, it reads all those about which there is nothing to say.
    """
    seen_ns = time.time_ns()
    plain = _plain(files, max_bytes)
    return [
        read_file(file, max_bytes=max_bytes) if each is None else _described(file, *each, seen_ns)
        for file, each in zip(files, plain, strict=True)
    ]


def prepare_files(
    files: Sequence[DiscoveredFile], made: Callable[[str | None], bytes], *, max_bytes: int | None = None
) -> Sequence[PreparedFile | None]:
    """Read files as `read_file` does, and return them as they are committed if their contents are known.

    None where there is more to say. A key is the BLAKE2b-128 of the BLAKE2b-128 of a file's bytes and what is `made` of
    its language. What is evidently binary has an empty one. Without a compiled half, and where the first line may tell
    the language, there is none. Other threads run meanwhile.
    """
    place = _place_of(files)
    if _NATIVE is None or place is None:
        return (None,) * len(files)
    languages = [file.language for file in files]
    by_language = {language: (made(language), language is not None) for language in set(languages)}
    prepared: list[PreparedFile | None] = _NATIVE.prepare_plain(
        *place,
        [file.name for file in files],
        [by_language[language] for language in languages],
        _ANY_SIZE if max_bytes is None else max_bytes,
        (PreparedFile, _SLOTS),
    )
    return prepared


def _plain(files: Sequence[DiscoveredFile], max_bytes: int | None) -> Sequence[tuple[bytes, int, int] | None]:
    """Return bytes and stamps of those files that need nothing but to be read."""
    place = _place_of(files)
    if _NATIVE is None or place is None:
        return (None,) * len(files)
    read: list[tuple[bytes, int, int] | None]
    read = _NATIVE.read_plain(*place, len(files), _ANY_SIZE if max_bytes is None else max_bytes)
    return read


def _place_of(files: Sequence[DiscoveredFile]) -> tuple[bytes, bytes] | None:
    """Return the resolved root of files that are to be read where they lie, and their paths below it between NULs.

    None where they do not lie below one root, or one of them is no path.
    """
    root = files[0].root if files else None
    if root is None or not all(type(file) is DiscoveredFile and file.root == root for file in files):
        return None
    names = "\0".join([file.name for file in files])
    return (os.fsencode(_real_prefix(root)), os.fsencode(names)) if names.count("\0") == len(files) - 1 else None


def source_of(data: bytes, language: str | None = None) -> Source | None:
    """Describe bytes at hand as a source, or return None where they are binary.

    `language` is the name's; where it is None, a shebang tells.
    """
    encoding, bom = "utf-8", 0
    if not data.isascii() or b"\0" in data:
        told = detect_encoding(data)
        if told is None:
            return None
        encoding, bom = told
    if language is None and data.startswith(b"#!", bom):
        language = language_of_shebang(data[bom : bom + 512])
    return Source(data, blake2b(data, digest_size=16).digest(), encoding, bom, language)


def detect_encoding(data: bytes) -> tuple[str, int] | None:
    """Return the codec and the length of the BOM of a file's bytes, or None where they are binary."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            if encoding == "utf-8":
                return None if b"\0" in data else (_utf8_or_latin1(data, len(mark)))
            if _round_trips(data[len(mark) :], encoding):
                return encoding, len(mark)
    if b"\0" in data:
        guess = _utf16_by_pattern(data[:_SNIFFED_BYTES])
        return (guess, 0) if guess is not None and _round_trips(data, guess) else None
    return _utf8_or_latin1(data, 0)


_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def _utf8_or_latin1(data: bytes, bom: int) -> tuple[str, int]:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return ("utf-8", bom) if bom or _is_damaged_utf8(data) else ("latin-1", 0)
    return "utf-8", bom


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether bytes that are no valid UTF-8 are all the same meant as it."""
    text = data.decode("utf-8", "surrogateescape")
    sound = sum(map(len, _SOUND.findall(text)))
    places = len(_DAMAGED.findall(text))
    return places < sound and places <= max(1.0, len(data) * _DAMAGED_PER_BYTE)


_SOUND = re.compile("[^\x00-\x7f\udc80-\udcff]+")
_DAMAGED = re.compile("[\udc80-\udcff]+")


def _utf16_by_pattern(head: bytes) -> str | None:
    """Return the byte order of UTF-16 without a BOM, as the Latin letters in it tell, or None.

    In program text nearly every second byte is then NUL and nearly none of the others is.
    """
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _round_trips(data: bytes, encoding: str) -> bool:
    try:
        text = data.decode(encoding)
        return "\0" not in text and text.encode(encoding) == data
    except UnicodeError:
        return False


def _read_once(file: DiscoveredFile, max_bytes: int | None) -> tuple[bytes, os.stat_result] | Skipped | None:
    """Read all of a file and what it was meanwhile; None where it changed."""
    try:
        descriptor = os.open(file.absolute, OPEN_FLAGS)
    except (OSError, ValueError) as error:
        return _not_opened(file, error)
    try:
        entry = os.fstat(descriptor)
        if not stat.S_ISREG(entry.st_mode):
            return Skipped(file.name, SkipReason.NOT_REGULAR, kind_of(entry.st_mode))
        if max_bytes is not None and entry.st_size > max_bytes:
            return Skipped(file.name, SkipReason.TOO_LARGE, over_the_cap(entry.st_size, max_bytes))
        if file.root is not None and not _real_path(descriptor, file).startswith(_real_prefix(file.root)):
            return Skipped(file.name, SkipReason.OUTSIDE_ROOT, "a link on the way leads out of the root")
        data = _read_all(descriptor, entry.st_size)
        after = os.fstat(descriptor)
    except OSError as error:
        return Skipped(file.name, SkipReason.UNREADABLE, error.strerror or str(error))
    finally:
        os.close(descriptor)
    held_still = len(data) == entry.st_size == after.st_size and entry.st_mtime_ns == after.st_mtime_ns
    held_still = held_still and changed_ns(entry) == changed_ns(after)
    return (data, after) if held_still else None


def _read_all(descriptor: int, size: int) -> bytes:
    """Read up to one byte more than `size`, which shows a file that grew."""
    data = os.read(descriptor, size + 1)
    if len(data) >= size:
        return data
    pieces, missing = [data], size + 1 - len(data)
    while missing and (data := os.read(descriptor, missing)):
        pieces.append(data)
        missing -= len(data)
    return b"".join(pieces)


def _not_opened(file: DiscoveredFile, error: OSError | ValueError) -> Skipped:
    """Translate what opening said."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOENT, errno.ENOTDIR):
        if os.path.islink(file.absolute):
            return Skipped(file.name, SkipReason.NOT_REGULAR, "a link that leads nowhere")
        return Skipped(file.name, SkipReason.VANISHED, "deleted while indexing")
    if number == errno.ELOOP:
        return Skipped(file.name, SkipReason.NOT_REGULAR, "a link in a circle")
    if number in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP, errno.EISDIR):
        return Skipped(file.name, SkipReason.NOT_REGULAR, "a socket, device or folder")
    detail = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Skipped(file.name, SkipReason.UNREADABLE, detail)


@lru_cache(16)
def _real_prefix(root: str) -> str:
    """Return what every resolved path below a root begins with."""
    return os.path.join(os.path.realpath(root), "")


def _real_path(descriptor: int, file: DiscoveredFile) -> str:
    """Return where an open file lies. The kernel knows, whatever was swapped on the way; else the name is resolved."""
    if sys.platform == "linux":
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # /proc is not mounted
            pass
    return os.path.realpath(file.absolute)


def is_inside(path: str, folder: str) -> bool:
    """Whether an absolute, resolved path is a folder or lies below it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def over_the_cap(size: int, cap: int) -> str:
    """Say by how much a file is too large: "3.2 MB, the cap is 1 MB"."""
    said, wanted = _human(size), _human(cap)
    return f"{size:,} bytes, the cap is {cap:,}" if said == wanted else f"{said}, the cap is {wanted}"


def kind_of(mode: int) -> str:
    """Name what is no regular file."""
    return next((name for test, name in _KINDS if test(mode)), "a special file")


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def _human(size: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"
