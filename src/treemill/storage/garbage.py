"""Contents that no file refers to any more: how long they are kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple


class GarbageLimits(NamedTuple):
    """How long contents that no file refers to are kept, for the branch that is switched back.

    For `days`, and the newest of them only while their sources come to at most `share` of those in use, or to
    `floor_bytes` if that is more: in small trees everything fits, in large ones the dead do not outgrow the living.
    """

    days: float = 14.0
    share: float = 0.5
    floor_bytes: int = 64 << 20


def expired(unused: Sequence[tuple[int, int, int]], total: int, now_ns: int, limits: GarbageLimits) -> list[int]:
    """Return which unused contents to delete, given (id, size, unused since), newest first, and the size of all."""
    allowed = max(limits.floor_bytes, limits.share * (total - sum(size for _, size, _ in unused)))
    oldest = now_ns - int(limits.days * 86_400e9)
    kept = 0
    gone = []
    for content_id, size, since_ns in unused:
        kept += size
        if since_ns < oldest or kept > allowed:
            gone.append(content_id)
    return gone


def collect(connection: sqlite3.Connection, now_ns: int, limits: GarbageLimits) -> int:
    """Delete contents that no file has referred to for long, oldest first; return how many. Inside a transaction."""
    held, used = connection.execute(
        "SELECT (SELECT count(*) FROM contents), (SELECT count(DISTINCT content_id) FROM files)"
    ).fetchone()
    if held == used:  # as after a move, which leaves nothing behind
        connection.execute("DELETE FROM garbage")
        return 0
    connection.execute("DELETE FROM garbage WHERE id IN (SELECT content_id FROM files)")
    connection.execute(
        "INSERT OR IGNORE INTO garbage SELECT id, ? FROM contents"
        " WHERE id NOT IN (SELECT content_id FROM files WHERE content_id IS NOT NULL)",
        (now_ns,),
    )
    unused = connection.execute(
        "SELECT id, size, since_ns FROM garbage JOIN contents USING (id) ORDER BY since_ns DESC, id DESC"
    ).fetchall()
    if not unused:
        return 0
    total = connection.execute("SELECT sum(size) FROM contents").fetchone()[0]
    gone = [(content_id,) for content_id in expired(unused, total, now_ns, limits)]
    for table in ("contents", "bodies", "scans", "garbage"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", gone)
    return len(gone)
