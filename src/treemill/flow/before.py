"""A crew that stands before another one: it looks at what goes in or comes out, and has no workers of its own."""

from __future__ import annotations

from typing import TypeVar

from treemill.flow.crew import Batch, Crew

T = TypeVar("T")
R = TypeVar("R")


class Before(Crew[T, R]):
    """Everything but `map` is that of the crew behind, `inner`; a subclass says what `map` does before or after its.

    Closing it closes the crew behind.
    """

    def __init__(self, inner: Crew[T, R]) -> None:
        super().__init__(inner.count, inner.work, inner.limits)
        self.inner = inner

    def hand_out(self, batch: Batch[T]) -> None:
        """Batches go to the crew behind."""
        raise AssertionError("`map` hands out to the crew behind")

    def watch(self) -> None:
        """Nothing is held here that could overrun."""

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        """As the crew's behind."""
        return self.inner.in_hand()

    def close(self) -> None:
        """End the workers of the crew behind."""
        self.inner.close()
