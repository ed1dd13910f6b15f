"""What tells that a row is as it was written: a sum over its other columns, a CRC-32 or two.

SQLite itself does not notice a flipped bit inside a value.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from treemill.native import compiled
from treemill.storage.connection import DamagedRow

_NATIVE = compiled("sums")
_LOW_BITS = 0xFFFFFFFF

FILE_COLUMNS = 9
"""Columns of a row of `files` that its sum is over."""


def sum_of_head(content_id: int, head: tuple[Any, ...]) -> int:
    """Return the CRC-32 of the small columns of a content."""
    return zlib.crc32(repr((content_id, *head)).encode("utf-8", "surrogatepass"))


def file_sum(row: tuple[Any, ...]) -> int:
    """Return the sum of a row of `files`: 32 bits over the path and its content, and 31 above them over all of it.

    What every question reads can so be checked without the rest (`are_entries_whole`).
    """
    return zlib.crc32(repr(row).encode("utf-8", "surrogatepass")) >> 1 << 32 | zlib.crc32(row[0], row[1] or 0)


def file_sums(rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """Return `file_sum` of the first columns of rows, up to where their own sum stands or is to stand.

    Raises:
        TypeError: a row is none that could have been written.
    """
    sums = [None] * len(rows) if _NATIVE is None else _NATIVE.file_sums(rows)
    return [file_sum(row[:FILE_COLUMNS]) if one is None else one for row, one in zip(rows, sums, strict=True)]


def own_values_plainly(
    files: Sequence[Any], contents: Mapping[bytes, int | None], alike: tuple[Any, ...]
) -> list[Any] | None:
    """As `treemill.storage.statements.own_values`; None where this installation or a file leaves it to that.

    Raises:
        UnicodeEncodeError: no file system has such a path.
    """
    if _NATIVE is None or not isinstance(contents, dict):
        return None
    end = repr(alike)[1:].encode("utf-8", "surrogatepass")
    values: list[Any] | None = _NATIVE.own_values(files, contents, end)
    return values


def are_entries_whole(paths: Sequence[bytes], contents: Sequence[int], sums: Sequence[int]) -> bool:
    """Whether rows of `files` have the paths and contents that they were written with.

    Raises:
        TypeError, OverflowError: a flipped bit made other types of columns.
    """
    return list(map(zlib.crc32, paths, contents)) == [total & _LOW_BITS for total in sums]


def head_sums(rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """Return `sum_of_head` of rows of a content's number and its small columns."""
    sums = [None] * len(rows) if _NATIVE is None else _NATIVE.head_sums(rows)
    return [sum_of_head(row[0], row[1:]) if one is None else one for row, one in zip(rows, sums, strict=True)]


def bulk_sums(rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """Return `bulk_sum` of rows of a content's number and its bulk columns.

    Raises:
        TypeError: one of these is no bytes.
    """
    return [bulk_sum(*row) for row in rows] if _NATIVE is None else _NATIVE.bulk_sums(rows)


def sum_of_read(content_id: int, *blobs: Any) -> int:
    """Return the sum of bulk columns as they were read; a flipped bit makes other types of them as well.

    Raises:
        DamagedRow: one is no bytes.
    """
    if not all(isinstance(blob, bytes) for blob in blobs):
        raise DamagedRow(f"content {content_id}")
    return bulk_sum(content_id, *blobs)


def bulk_sum(content_id: int, *blobs: bytes) -> int:
    """Return the CRC-32 of bulk columns, their lengths and the content they belong to."""
    total = zlib.crc32(struct.pack(f"<{len(blobs) + 1}q", content_id, *map(len, blobs)))
    for blob in blobs:
        total = zlib.crc32(blob, total)
    return total
