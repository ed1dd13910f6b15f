"""What a segment takes from contents, out of their rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from treemill.ranking.spellings import INCOMPLETE
from treemill.storage.connection import DamagedRow
from treemill.storage.layout import Part, part_of, stored_spellings
from treemill.storage.rows import CONTENT_HEAD, content_from
from treemill.storage.sums import sum_of_head, sum_of_read

_SELECT_PARTS = f"""
    SELECT c.id, {CONTENT_HEAD}, c.sum, s.postings, s.vectors, s.sum
    FROM contents c LEFT JOIN scans s USING (id) WHERE c.id > ? AND c.id <= ? ORDER BY c.id"""
_SELECT_SPELLED = f"""
    SELECT c.id, {CONTENT_HEAD}, c.sum, s.postings, s.vectors, s.sum, b.ends, b.lines, b.symbols, b.text, b.sum
    FROM contents c LEFT JOIN scans s USING (id) LEFT JOIN bodies b USING (id)
    WHERE c.id > ? AND c.id <= ? ORDER BY c.id"""


def read_parts(
    connection: sqlite3.Connection, after: int, last: int, *, dimension: int, spelled: bool = False
) -> Iterator[Part]:
    """Return what a segment takes from each content above `after` and up to `last`, in order.

    Their spellings, for which the texts are read, are worked out on request.

    Raises:
        DamagedRow: one is not what was written.
    """
    for content_id, *row in connection.execute(_SELECT_SPELLED if spelled else _SELECT_PARTS, (after, last)):
        yield part_from(content_id, row, dimension=dimension)


def part_from(content_id: int, row: Sequence[Any], *, dimension: int) -> Part:
    """Return the part behind a row of head, sum, postings, vectors and sum; its spellings, if body and sum follow.

    Raises:
        DamagedRow: it is not what was written.
    """
    head, head_sum, (postings, vectors), scan_sum = tuple(row[:9]), row[9], row[10:12], row[12]
    if scan_sum is None or sum_of_head(content_id, head) != head_sum:
        raise DamagedRow(f"content {content_id}")
    if sum_of_read(content_id, postings, vectors) != scan_sum:
        raise DamagedRow(f"content {content_id}")
    spellings = stored_spellings(content_from(content_id, (*row[:10], *row[13:]))) if len(row) > 13 else INCOMPLETE
    try:
        return part_of(content_id, head[4], head[8], postings, vectors, dimension=dimension, spellings=spellings)
    except ValueError as error:
        raise DamagedRow(f"content {content_id}, {error}") from error
