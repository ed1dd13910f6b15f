"""Contents that no file refers to any more: how long they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GarbageLimits:
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
