"""Crews that have no workers of their own, but another crew's: what goes in or comes out is looked at on the way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from itertools import chain
from typing import TypeVar

from treemill.flow.crew import Batch, Crew, Work
from treemill.flow.outcomes import Idle, Limits, Outcome

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


class Later(Crew[T, R]):
    """A crew that is made when there is something for it to do; until then nothing of it is loaded.

    `make` makes one of as many workers, for that work and within those limits.
    """

    def __init__(self, count: int, work: Work[T, R], limits: Limits, make: Callable[[], Crew[T, R]]) -> None:
        super().__init__(count, work, limits)
        self._make = make
        self._made: Crew[T, R] | None = None

    def map(
        self, batches: Iterable[Sequence[T]], *, ordered: bool = False, waiting: int = 0
    ) -> Generator[Outcome[T, R], None, None]:
        """As `Crew.map`."""
        source = iter(batches)
        for batch in source:
            if batch:
                self._made = made = self._make()
                with closing(made.map(chain((batch,), source), ordered=ordered, waiting=waiting)) as outcomes:
                    yield from outcomes
                return
            yield Idle()

    def hand_out(self, batch: Batch[T]) -> None:
        """Batches go to the crew that is made."""
        raise AssertionError("`map` hands out to the crew that is made")

    def watch(self) -> None:
        """Nothing is held here that could overrun."""

    def in_hand(self) -> tuple[tuple[int, T, float], ...]:
        """As the crew's, once it is made."""
        made = self._made
        return () if made is None else made.in_hand()

    def close(self) -> None:
        """End the workers, if there are any."""
        if self._made is not None:
            self._made.close()
