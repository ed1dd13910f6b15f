"""Texts out of the tables, many at a time: what patterns are matched against."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from treemill.records import Content
from treemill.storage.connection import DamagedRow
from treemill.storage.rows import read_content
from treemill.storage.sums import bulk_sum

# So many values are bound in one statement.
_MOST_AT_ONCE = 500

_SELECT_TEXTS = """
    SELECT c.id, c.encoding, b.ends, b.lines, b.symbols, b.text, b.sum
    FROM contents c LEFT JOIN bodies b USING (id) WHERE c.id IN ({})"""


def read_texts(connection: sqlite3.Connection, content_ids: Iterable[int]) -> dict[int, tuple[str, bytes]]:
    """Return the encodings and texts of those contents that are there, by id.

    Raises:
        DamagedRow: one is not what was written.
    """
    found: dict[int, tuple[str, bytes]] = {}
    remaining = iter(content_ids)
    while some := list(itertools.islice(remaining, _MOST_AT_ONCE)):
        marks = ", ".join("?" * len(some))
        rows = connection.execute(_SELECT_TEXTS.format(marks), some)
        found.update((row[0], text_from(row, lambda number: read_content(connection, number))) for row in rows)
    return found


def text_from(row: Sequence[Any], whole: Callable[[int], Content | None]) -> tuple[str, bytes]:
    """Return the encoding and the text behind a row of id, encoding, body and sum.

    The sum does not tell of the encoding: of one that is not the usual the content is looked at `whole`.

    Raises:
        DamagedRow: it is not what was written.
    """
    content_id, encoding, *body, total = row
    if total is None or bulk_sum(content_id, *body) != total:
        raise DamagedRow(f"content {content_id}")
    if encoding == "utf-8":
        return encoding, body[-1]
    content = whole(content_id)
    if content is None:
        raise DamagedRow(f"content {content_id}")
    return content.encoding, content.text
