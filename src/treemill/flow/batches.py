"""Grouping items by weight, so that a hand-off costs little beside the work it hands off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


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
    busy soon. `share` is asked for how much the group of an item may weigh by now: less and less towards the end, so
    that workers end at about the same time. A None among the items says that the next one takes a while: what is there
    so far is given out at once, and an empty group says that there is nothing.
    """
    allowed = limit if first is None else min(first, limit)
    group: list[T] = []
    total = 0
    for item in items:
        if item is None:
            yield tuple(group)
            group, total = [], 0
            continue
        weight = weigh(item)
        now = allowed if share is None else min(allowed, share())
        if group and (total + weight > now or len(group) >= most):
            yield tuple(group)
            group, total = [], 0
            allowed = min(2 * allowed, limit)
        group.append(item)
        total += weight
    if group:
        yield tuple(group)
