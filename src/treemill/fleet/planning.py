"""Which repositories are worked on how: small ones one worker each, many at a time; large ones by all workers together.

A repository that is a large part of all would keep one worker busy long after the others have ended, so it gets all of
them. The order is by size, the largest first: what is left towards the end is small. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treemill.fleet.visiting import Order
from treemill.values import dataclass

# Below this, starting workers for one repository takes longer than they save.
_WORTH_A_CREW_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """`together`: by all workers, one repository after the other; `apart`: by one worker each. In order."""

    together: tuple[Order, ...]
    apart: tuple[Order, ...]


def plan_by_bytes(
    orders: Sequence[Order], sizes: Mapping[str, int], workers: int, *, all_together: bool = False
) -> Plan:
    """Plan the visits. `sizes` are bytes by name, 0 where nobody knows; those come before the small ones.

    `all_together` has every repository worked on by all workers: where only the run itself can write its index.
    """
    known = sorted(size for size in sizes.values() if size)
    guess = known[len(known) // 2] if known else 1
    weighed = {order.repository.name: sizes.get(order.repository.name, 0) or guess for order in orders}
    fair = max(_WORTH_A_CREW_BYTES, sum(weighed.values()) / (2 * max(1, workers)))
    ordered = sorted(orders, key=lambda order: -weighed[order.repository.name])
    large = [order for order in ordered if all_together or (workers > 1 and weighed[order.repository.name] > fair)]
    small = [order for order in ordered if order not in large]
    return Plan(tuple(large), tuple(small))
