"""What the engine asks of its surroundings: how files come in, and where they wait for vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from treemill.records import PreparedFile
from treemill.types import DiscoveredFile, Failure, Skipped
from treemill.values import dataclass

Q = TypeVar("Q")


class VectorStage(Protocol):
    """Where files wait for vectors from a provider that runs in threads. Used from the run's own thread."""

    def offer(self, files: Sequence[PreparedFile]) -> None:
        """Take files that need vectors; returns at once."""

    def ready(self, *, wait: bool) -> Sequence[PreparedFile | Failure]:
        """Return files whose vectors are complete; with `wait`, block a tick for the next one."""

    def full(self) -> bool:
        """Whether enough is under way to keep the provider busy."""

    def pending(self) -> bool:
        """Whether any file is still under way."""

    def requests(self) -> int:
        """How many requests the provider is answering now."""

    def seconds(self) -> float:
        """How long requests took so far, summed."""


def name_of(file: DiscoveredFile | Skipped) -> str:
    """Return the name under which a run tells of a file."""
    return file.name if isinstance(file, DiscoveredFile) else file.path


def itself(file: DiscoveredFile | Skipped) -> DiscoveredFile | Skipped:
    """Return a file that needs no further description."""
    return file


@dataclass(frozen=True, slots=True)
class Intake(Generic[Q]):
    """What a run needs to know of the items it is given, so that a queued one can be as small as a path.

    `name` is called as soon as an item is seen, `describe` when a worker can have it: it returns None for an item that
    its owner has taken back. `expected` is how many items there will be, where that is known beforehand.
    """

    name: Callable[[Q], str]
    describe: Callable[[Q], DiscoveredFile | Skipped | None]
    expected: int | None = None
