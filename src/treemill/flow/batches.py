"""Grouping items by weight, so that a hand-off costs little beside the work it hands off."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


def weigh_batches(
    items: Iterable[Sequence[T]],
    weigh: Callable[[T], int],
    limit: int,
    *,
    most: int = 256,
    first: int | None = None,
    share: Callable[[int], int] | None = None,
) -> Iterator[tuple[T, ...]]:
    """Group items lazily so that each group weighs at most `limit` and holds at most `most`, or holds one item.

    Items come by some at a time; none at all says that the next one takes a while: what is there so far is given out
    at once, and an empty group says that there is nothing. The first groups weigh at most `first`, doubling up to
    `limit`: the first result comes early and every worker is busy soon. `share` is asked, now and then and given how
    many weighed items are in no group yet, for how much a group may weigh by now: less and less towards the end, so
    that workers end at about the same time.
    """
    allowed = limit if first is None else min(first, limit)
    group: list[T] = []
    total = 0
    for some in items:
        if not some:
            yield tuple(group)
            group, total = [], 0
            continue
        weights = list(accumulate(map(weigh, some), initial=0))  # of as many as stand before each place
        place = 0
        while place < len(some):
            now = allowed if share is None else min(allowed, share(len(some) - place))
            end = min(bisect_right(weights, weights[place] + now - total, place) - 1, place + most - len(group))
            end = max(end, place if group else place + 1)
            group += some[place:end]
            total += weights[end] - weights[place]
            place = end
            if place < len(some):
                yield tuple(group)
                group, total = [], 0
                allowed = min(2 * allowed, limit)
    if group:
        yield tuple(group)
