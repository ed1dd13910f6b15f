"""Files for workers that may not see them: read here and sent along, batch by batch, where a node has no such path."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from treemill.flow import Before, Crew, Done, Idle, Lost
from treemill.flow.outcomes import Outcome
from treemill.reading import CarriedFile, carry
from treemill.types import DiscoveredFile

R = TypeVar("R")

Look = Callable[[tuple[str, int, int] | None], bool]
"""Whether every node sees a file as this machine does: path, size in bytes, modification time in nanoseconds."""


class CarryingCrew(Before[DiscoveredFile, R]):
    """A crew on other machines, before which files are read where those do not see them.

    `files` is "shared", "carried", or "auto": then the nodes are asked for the first file. At most the batches that are
    under way are held in memory.
    """

    def __init__(self, inner: Crew[DiscoveredFile, R], look: Look, files: str, max_bytes: int) -> None:
        super().__init__(inner)
        self._look = look
        self._files = files
        self._max_bytes = max_bytes

    def map(
        self, batches: Iterable[Sequence[DiscoveredFile]], *, ordered: bool = False, waiting: int = 0
    ) -> Generator[Outcome[DiscoveredFile, R], None, None]:
        """As `Crew.map`."""
        with closing(self.inner.map(self._sent(batches), ordered=ordered, waiting=waiting)) as outcomes:
            for outcome in outcomes:
                yield _unloaded(outcome)

    def _sent(self, batches: Iterable[Sequence[DiscoveredFile]]) -> Iterator[Sequence[DiscoveredFile]]:
        carried: bool | None = None
        for batch in batches:
            if carried is None and batch:
                carried = self._is_carried(batch[0])
            yield [carry(file, max_bytes=self._max_bytes) for file in batch] if carried else batch

    def _is_carried(self, file: DiscoveredFile) -> bool:
        """Decide how files go to the nodes, which are looked at in any case: they must be able to work."""
        if self._files == "auto":
            return not self._look((file.absolute, file.size, file.mtime_ns))
        self._look(None)
        return self._files == "carried"


def _unloaded(outcome: Outcome[Any, R]) -> Outcome[DiscoveredFile, R]:
    """Return an outcome without the bytes that were carried."""
    if isinstance(outcome, Done):
        items = tuple(_plain(file) for file in outcome.items)
        return Done(items, outcome.value, outcome.worker, outcome.started, outcome.seconds)
    if isinstance(outcome, Lost):
        plain = _plain(outcome.item)
        return Lost(plain, outcome.cause, outcome.error_type, outcome.message, outcome.traceback, outcome.amount)
    assert isinstance(outcome, Idle)
    return outcome


def _plain(file: DiscoveredFile) -> DiscoveredFile:
    if not isinstance(file, CarriedFile):
        return file
    return DiscoveredFile(file.name, file.root, file.language, file.size, file.mtime_ns, file.changed_ns)
