"""One file a segment: written whole, mapped read-only, refused when a byte is not what was written.

    header │ contents │ first_chunk │ lengths │ terms │ counts │ chunks │ weights │ vectors │ norms
           │ spellings │ spelled

The header says which index the segment belongs to, which contents it covers, how much it has of everything, and the
checksum. In a small segment chunks and weights are one array (see `treemill.storage.squeezing`): there they are what
is long, and are made whole on opening. The first bytes of the file tell one form from the other; both are read.

Where an array lies follows from the counts, each at the next multiple of 64 bytes: a file holds no offset to
believe. The checksum covers everything; the index keeps a copy, so that a file must be the very one that was laid out
for it. Segment files are caches: whoever finds one missing or refused builds it again from the index.

A mapped file must not be truncated while it is read, so files are never changed in place: they are written beside,
renamed, and in time unlinked, which leaves the mappings of readers as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from treemill.storage import Segment
from treemill.storage.segment_files import FULL_CHUNKS, SegmentFile
from treemill.storage.squeezing import squeezed, unsqueezed

PLAIN = b"TMsegm\x00\x03"
SQUEEZED = b"TMsegm\x00\x04"
_SUFFIX = ".segment"
_NAME_BYTES = 8
_HEADERS = {PLAIN: struct.Struct("<8s16s8Q16s"), SQUEEZED: struct.Struct("<8s16s9Q16s")}

SQUEEZED_CHUNKS = FULL_CHUNKS // 4
"""Up to so many chunks a segment is squeezed. Whoever opens it makes all of its postings whole, at 4 ns each."""

_ALIGNMENT = 64
_LEAST_BYTES = 2 * _ALIGNMENT
_BLOCK_WORDS = 8192

# A file is written so many bytes at a time, a multiple of a block: an image of all of it would double what it takes.
_WINDOW_BYTES = 32 * 8 * _BLOCK_WORDS


class SegmentRefused(Exception):
    """A segment file is missing, damaged, or another's; what it held is built again from the index."""


class _Shape(NamedTuple):
    """Which contents a segment covers, how much it has of everything, and the dimension of its vectors.

    `spellings` is in bytes, and so is `squeezed`: 0 where chunks and weights stand as they are.
    """

    after: int
    last_id: int
    contents: int
    chunks: int
    terms: int
    postings: int
    dimension: int
    spellings: int
    squeezed: int = 0

    @property
    def magic(self) -> bytes:
        """What the file begins with."""
        return SQUEEZED if self.squeezed else PLAIN

    def fields(self) -> list[tuple[type[np.generic], int]]:
        """Return the type and number of elements of each array, in order."""
        narrow = np.uint16 if self.chunks <= FULL_CHUNKS else np.uint32
        plain: list[tuple[type[np.generic], int]] = [(narrow, self.postings), (np.uint8, self.postings)]
        return [
            (np.int64, self.contents),
            (np.int64, self.contents + 1),
            (np.uint16, self.chunks),
            (np.uint32, self.terms),
            (narrow, self.terms),
            *([(np.uint8, self.squeezed)] if self.squeezed else plain),
            (np.int8, self.chunks * self.dimension),
            (np.float32, self.chunks if self.dimension else 0),
            (np.uint8, self.spellings),
            (np.uint8, self.contents),
        ]

    def places(self) -> tuple[list[int], int]:
        """Return the byte at which each array starts, and the length of the file."""
        starts, position = [], _aligned(_HEADERS[self.magic].size)
        for kind, count in self.fields():
            starts.append(position)
            position = _aligned(position + np.dtype(kind).itemsize * count)
        return starts, position


def write_segment(
    folder: Path,
    segment: Segment,
    *,
    index_id: bytes,
    after: int,
    last_id: int,
    squeezed_chunks: int = SQUEEZED_CHUNKS,
) -> SegmentFile:
    """Write the segment of the contents above `after`, up to `last_id`, into a new file; return what to record of it.

    It is squeezed if it has at most so many chunks.

    The file is not forced to disk: after a power failure its checksum tells, and it is built again.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    dimension = segment.vectors.shape[1] if len(segment.vectors) else 0
    sizes = len(segment.contents), len(segment.lengths), len(segment.terms), len(segment.chunks)
    postings: list[npt.NDArray[Any]] = [segment.chunks, segment.weights]
    squeezed_bytes = 0
    if len(segment.chunks) and len(segment.lengths) <= min(squeezed_chunks, SQUEEZED_CHUNKS):
        counts = np.diff(segment.offsets).astype(np.uint16)
        postings = [squeezed(counts, segment.chunks.astype(np.uint16, copy=False), segment.weights)]
        squeezed_bytes = len(postings[0])
    shape = _Shape(after, last_id, *sizes, dimension, len(segment.spellings), squeezed_bytes)
    _, length = shape.places()
    arrays: tuple[npt.NDArray[Any], ...] = (
        segment.contents,
        segment.first_chunk,
        segment.lengths,
        segment.terms,
        np.diff(segment.offsets) - 1,
        *postings,
        segment.vectors,
        segment.norms,
        segment.spellings,
        segment.spelled,
    )
    name = f"{os.urandom(_NAME_BYTES).hex()}{_SUFFIX}"
    with _written_beside(folder, name) as file:
        file.write(bytes(_HEADERS[shape.magic].size))
        sums = []
        for window in _windows(_pieces(arrays, shape)):
            sums.append(_sums(window))
            file.write(window.data)
        checksum = _checksum(sums, index_id, shape)
        file.seek(0)
        file.write(_header(index_id, shape, checksum))
    return SegmentFile(name, after, last_id, shape.chunks, length, checksum)


def _pieces(arrays: Sequence[npt.NDArray[Any]], shape: _Shape) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield what stands behind the header: the arrays' bytes, each behind the zeros that bring it to its place."""
    starts, length = shape.places()
    position = _HEADERS[shape.magic].size
    for start, (kind, _), array in zip(starts, shape.fields(), arrays, strict=True):
        yield np.zeros(start - position, np.uint8)
        raw = np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<")).reshape(-1).view(np.uint8)
        yield raw
        position = start + len(raw)
    yield np.zeros(length - position, np.uint8)


def _windows(pieces: Iterable[npt.NDArray[np.uint8]]) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the same bytes, `_WINDOW_BYTES` at a time, the rest last; each is good until the next is asked for."""
    window = np.empty(_WINDOW_BYTES, np.uint8)
    used = 0
    for piece in pieces:
        taken = 0
        while taken < len(piece):
            some = piece[taken : taken + len(window) - used]
            window[used : used + len(some)] = some
            used += len(some)
            taken += len(some)
            if used == len(window):
                yield window
                used = 0
    yield window[:used]


def open_segment(folder: Path, file: SegmentFile, *, index_id: bytes) -> Segment:
    """Map a segment file, after checking every byte of it.

    Raises:
        SegmentRefused: it is missing, damaged, or was not written for this index.
    """
    if not _is_name(file.name):
        raise SegmentRefused(f"{file.name!r} is no name of a segment file")
    image = _mapped(folder / file.name, file.size)
    header = _HEADERS.get(image[:8].tobytes())
    if header is None:
        raise SegmentRefused(f"{file.name} is no segment that this Treemill reads")
    _, owner, *numbers, checksum = header.unpack_from(image.data)
    if owner != index_id or checksum != file.checksum:
        raise SegmentRefused(f"{file.name} does not belong to this index")
    shape = _Shape(*numbers)
    if (shape.after, shape.last_id, shape.chunks) != (file.after, file.last_id, file.chunks):
        raise SegmentRefused(f"{file.name} covers other contents")
    starts, length = shape.places()
    if length != file.size:
        raise SegmentRefused(f"{file.name} has counts that do not fit its length")
    if _checksum([_sums(image[header.size :])], index_id, shape) != checksum:
        raise SegmentRefused(f"{file.name} is damaged")
    arrays: list[npt.NDArray[Any]] = []
    for start, (kind, count) in zip(starts, shape.fields(), strict=True):
        little = np.dtype(kind).newbyteorder("<")
        arrays.append(image[start : start + little.itemsize * count].view(little))
    contents, first_chunk, lengths, terms, more, *postings, vectors, norms, spellings, spelled = arrays
    chunks, weights = _whole(more, postings[0], shape, file.name) if shape.squeezed else postings
    # A term is in at least one chunk: one less is kept, so that even "in all 65,536" fits.
    offsets = np.zeros(len(terms) + 1, np.int64)
    np.cumsum(more, out=offsets[1:], dtype=np.int64)
    offsets += np.arange(len(offsets))
    rows = vectors.reshape(shape.chunks if shape.dimension else 0, shape.dimension)
    segment = Segment(contents, first_chunk, lengths, terms, offsets, chunks, weights, rows, norms, spellings, spelled)
    _check_structure(segment, file.name)
    return segment


def _is_name(name: str) -> bool:
    """Whether that is the name of a segment file, and so no way to another folder."""
    digits = name.removesuffix(_SUFFIX)
    return name.endswith(_SUFFIX) and len(digits) == 2 * _NAME_BYTES and set(digits) <= set("0123456789abcdef")


def spellings(segment: Segment) -> bytes:
    """Return the words of the contents of a segment whose spellings are complete, each before a line feed."""
    return isal_zlib.decompress(segment.spellings) if len(segment.spellings) else b""


def _whole(
    more: npt.NDArray[np.uint16], data: npt.NDArray[np.uint8], shape: _Shape, name: str
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """Return the chunks and weights of a squeezed segment."""
    if shape.chunks > FULL_CHUNKS:
        raise SegmentRefused(f"{name} is squeezed, and too large for that")
    try:
        chunks, weights = unsqueezed(more + np.uint16(1), data, shape.chunks)
    except ValueError as error:
        raise SegmentRefused(f"{name} is damaged: {error}") from error
    if len(chunks) != shape.postings:
        raise SegmentRefused(f"{name} has other postings than it says")
    for array in (chunks, weights):
        array.flags.writeable = False
    return chunks, weights


def _check_structure(segment: Segment, name: str) -> None:
    """Refuse a segment in which a reader could step outside an array."""
    for starts, end in ((segment.first_chunk, len(segment.lengths)), (segment.offsets, len(segment.chunks))):
        if starts[0] != 0 or starts[-1] != end or (starts[1:] < starts[:-1]).any():
            raise SegmentRefused(f"{name} has runs that leave its arrays")
    for ascending in (segment.contents, segment.terms):
        if (ascending[1:] <= ascending[:-1]).any():
            raise SegmentRefused(f"{name} has contents or terms out of order")
    if len(segment.chunks) and int(segment.chunks.max()) >= len(segment.lengths):
        raise SegmentRefused(f"{name} names chunks that it does not have")


def _mapped(path: Path, length: int) -> npt.NDArray[np.uint8]:
    """Map a regular file of exactly that length; links are not followed."""
    if length < _LEAST_BYTES or length % _ALIGNMENT:
        raise SegmentRefused(f"{path.name} cannot be {length} bytes long")
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise SegmentRefused(f"{path.name} cannot be opened: {error.strerror}") from error
    try:
        entry = os.fstat(descriptor)
        if not stat.S_ISREG(entry.st_mode) or entry.st_size != length:
            raise SegmentRefused(f"{path.name} has {entry.st_size} bytes instead of {length}")
        return np.frombuffer(mmap.mmap(descriptor, length, access=mmap.ACCESS_READ), np.uint8)
    except (OSError, ValueError) as error:
        raise SegmentRefused(f"{path.name} cannot be mapped: {error}") from error
    finally:
        os.close(descriptor)


def _sums(data: npt.NDArray[np.uint8]) -> tuple[bytes, int]:
    """Return the sums of the whole blocks of some bytes, and that of the rest."""
    words = data.view("<u8")
    whole = len(words) // _BLOCK_WORDS * _BLOCK_WORDS
    sums = words[:whole].reshape(-1, _BLOCK_WORDS).sum(axis=1, dtype=np.uint64)
    return sums.astype("<u8").tobytes(), int(words[whole:].sum(dtype=np.uint64))


def _checksum(sums: Sequence[tuple[bytes, int]], index_id: bytes, shape: _Shape) -> bytes:
    """Return the checksum of everything behind the header, of which these are the `_sums`, and of what the header says.

    Sums of 64 KiB blocks, as 64-bit words, then BLAKE2b over the sums: memory speed, where a cryptographic digest of
    it all would cost each query more than its answer. It is to catch damage; who could forge it can read the index id.
    """
    digest = hashlib.blake2b(_header(index_id, shape, b""), digest_size=16)
    digest.update(b"".join(blocks for blocks, _ in sums))
    digest.update(sums[-1][1].to_bytes(8, "little"))
    return digest.digest()


def _header(index_id: bytes, shape: _Shape, checksum: bytes) -> bytes:
    numbers = shape if shape.squeezed else shape[:-1]
    return _HEADERS[shape.magic].pack(shape.magic, index_id, *numbers, checksum)


@contextlib.contextmanager
def _written_beside(folder: Path, name: str) -> Iterator[IO[bytes]]:
    """Give a file to write under a temporary name, renamed at the end: a name always stands for a whole file."""
    temporary = folder / f"{name}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
        os.replace(temporary, folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT
