"""Contents that no file refers to any more: kept a while, as in the embedded store, then deleted."""

from __future__ import annotations

from treemill.storage.garbage import GarbageLimits, expired
from treemill.storage.postgres.address import Connection, query
from treemill.storage.postgres.repository import Repository


def collect(connection: Connection, repository: Repository, now_ns: int, limits: GarbageLimits) -> list[int]:
    """Delete contents that no file has referred to for long, oldest first; return their ids. Inside a transaction."""
    values = {"repository": repository.id, "now": now_ns}
    connection.execute(
        "DELETE FROM treemill.garbage g WHERE repository = %(repository)s AND EXISTS (SELECT FROM treemill.files f"
        " WHERE f.repository = g.repository AND f.content_id = g.id)",
        values,
    )
    connection.execute(
        "INSERT INTO treemill.garbage SELECT repository, id, %(now)s FROM treemill.contents c"
        " WHERE repository = %(repository)s AND NOT EXISTS (SELECT FROM treemill.files f"
        " WHERE f.repository = c.repository AND f.content_id = c.id) ON CONFLICT DO NOTHING",
        values,
    )
    unused = query(
        connection,
        "SELECT g.id, c.size, g.since_ns FROM treemill.garbage g JOIN treemill.contents c USING (repository, id)"
        " WHERE g.repository = %(repository)s ORDER BY g.since_ns DESC, g.id DESC",
        values,
    ).fetchall()
    if not unused:
        return []
    row = query(
        connection, "SELECT sum(size)::int8 FROM treemill.contents WHERE repository = %(repository)s", values
    ).fetchone()
    entries = [(int(content_id), int(size), int(since_ns)) for content_id, size, since_ns in unused]
    gone = expired(entries, int(row[0]) if row else 0, now_ns, limits)
    if gone:
        connection.execute(
            "DELETE FROM treemill.contents WHERE repository = %s AND id = ANY(%s)", (repository.id, gone)
        )
        connection.execute(
            "UPDATE treemill.repositories SET collected = generation + 1 WHERE id = %s", (repository.id,)
        )
    return gone
