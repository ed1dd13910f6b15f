"""Grouping items by weight, so that a hand-off costs little beside the work it hands off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# How much a group may weigh is asked again behind so many items: one changes the answer by little.
_ASKED_AFTER = 8


def weigh_batches(
    items: Iterable[T | None],
    weigh: Callable[[T], int],
    limit: int,
    *,
    most: int = 256,
    first: int | None = None,
    share: Callable[[], int] | None = None,
) -> Iterator[tuple[T, ...]]:
    """Group items lazily so that each group weighs at most `limit` and holds at most `most`, or holds one item.

    The first groups weigh at most `first`, doubling up to `limit`: the first result comes early and every worker is
    busy soon. `share` is asked every few items for how much their group may weigh by now: less and less towards the
    end, so that workers end at about the same time. A None among the items says that the next one takes a while: what
    is there so far is given out at once, and an empty group says that there is nothing.
    """
    portion = 0
    allowed = limit if first is None else min(first, limit)
    group: list[T] = []
    total = 0
    for item in items:
        if item is None:
            yield tuple(group)
            group, total = [], 0
            continue
        weight = weigh(item)
        if share is not None and len(group) % _ASKED_AFTER == 0:
            portion = share()
        now = allowed if share is None else min(allowed, portion)
        if group and (total + weight > now or len(group) >= most):
            yield tuple(group)
            group, total = [], 0
            allowed = min(2 * allowed, limit)
        group.append(item)
        total += weight
    if group:
        yield tuple(group)
