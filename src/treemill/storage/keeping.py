"""A writer around a writer: what is committed through it is kept in the user's content cache too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from treemill.records import Content, PreparedFile, Recipe, RecordedFile, RunState
from treemill.storage import Writer
from treemill.storage.content_cache import ContentCache
from treemill.types import Failure


class Keeping:
    """See `treemill.storage.Writer`: all duties are the inner writer's."""

    def __init__(self, inner: Writer, cache: ContentCache, recipe: Recipe) -> None:
        self._inner = inner
        self._cache = cache
        self._recipe = recipe
        self._new: list[Content] = []

    @property
    def takes_blocks(self) -> bool:
        """As the inner writer's."""
        return self._inner.takes_blocks

    def begin_run(self, recipe: Recipe) -> None:
        """As the inner writer's."""
        self._inner.begin_run(recipe)

    def set_known(self, known: int) -> None:
        """As the inner writer's."""
        self._inner.set_known(known)

    def put(self, files: Sequence[PreparedFile]) -> Sequence[Failure]:
        """As the inner writer's; contents that it takes are kept with the next commit."""
        failures = self._inner.put(files)
        refused = {failure.path for failure in failures}
        self._new.extend(file.content for file in files if file.content is not None and file.path not in refused)
        return failures

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """As the inner writer's."""
        return self._inner.known_of(keys)

    def mark(self, records: Sequence[RecordedFile]) -> None:
        """As the inner writer's."""
        self._inner.mark(records)

    def remove(self, paths: Iterable[str]) -> int:
        """As the inner writer's."""
        return self._inner.remove(paths)

    def commit(self) -> int:
        """As the inner writer's; what is durable then goes to the cache."""
        generation = self._inner.commit()
        self._keep()
        return generation

    def rollback(self) -> None:
        """As the inner writer's."""
        self._new = []
        self._inner.rollback()

    def end_run(self, state: RunState) -> None:
        """As the inner writer's; what is durable then goes to the cache."""
        self._inner.end_run(state)
        self._keep()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, value, trace)

    def _keep(self) -> None:
        new, self._new = self._new, []
        if new:
            self._cache.keep(self._recipe, new)
