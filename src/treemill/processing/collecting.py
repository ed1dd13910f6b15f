"""The writer for callers without a store: it keeps the vectors of each file until its result is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from treemill.records import PreparedFile, Recipe, RecordedFile, RunState
from treemill.types import Failure


class CollectingWriter:
    """See `treemill.storage.Writer`. `take` hands out the vectors of a committed file, once."""

    takes_blocks = False

    def __init__(self) -> None:
        self._generation = 0
        self._pending: dict[str, bytes] = {}
        self._committed: dict[str, bytes] = {}

    def take(self, path: str) -> bytes:
        """Return the vectors of a file and forget them."""
        return self._committed.pop(path, b"")

    def begin_run(self, recipe: Recipe) -> None:
        """Nothing to record."""

    def set_known(self, known: int) -> None:
        """Nothing to record."""

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        """Keep the vectors of files; none is ever refused."""
        for file in files:
            self._pending[file.path] = b"" if file.content is None else file.content.vectors
        return ()

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Nothing is held."""
        return frozenset()

    def mark(self, records: Sequence[RecordedFile]) -> None:
        """Nothing to record."""

    def remove(self, paths: Iterable[str]) -> int:
        """Nothing was recorded."""
        return 0

    def commit(self) -> int:
        """Let go of what was put."""
        self._committed.update(self._pending)
        self._pending.clear()
        self._generation += 1
        return self._generation

    def rollback(self) -> None:
        """Forget what was put since the last commit."""
        self._pending.clear()

    def end_run(self, state: RunState) -> None:
        """Nothing to record."""

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
