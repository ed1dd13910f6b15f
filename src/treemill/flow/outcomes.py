"""What becomes of work: values that a crew yields, and the limits it enforces."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from treemill.values import dataclass

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one item may cost a worker before it is killed. None: no limit.

    `seconds` is wall time with the item in hand; `memory_bytes` the growth of the worker's resident memory since it
    took the item's batch (watched where the platform tells it, and only in processes).
    """

    seconds: float | None = None
    memory_bytes: int | None = None


class Cause(StrEnum):
    """Why an item is lost."""

    RAISED = "raised"
    CRASHED = "crashed"
    OVERRAN_TIME = "overran its time"
    OVERRAN_MEMORY = "overran its memory"


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """A batch that went through: its items, what the work returned for them, and how long it took which worker.

    `started` is on the clock of `time.monotonic`.
    """

    items: tuple[T, ...]
    value: R
    worker: int
    started: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Lost(Generic[T]):
    """An item that did not go through.

    `error_type`, `message` and `traceback` tell what was raised, or how the worker ended; `amount` is the seconds or
    bytes by which a limit was judged.
    """

    item: T
    cause: Cause
    error_type: str
    message: str
    traceback: str = ""
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing ended for a while. `in_hand` is the item each busy worker holds, and for how many seconds."""

    in_hand: tuple[tuple[int, object, float], ...] = ()


Outcome = Done[T, R] | Lost[T] | Idle
