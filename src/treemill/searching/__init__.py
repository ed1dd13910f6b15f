"""Question → ranked places: what `treemill search` and the library's `open` do.

    question ─▶ candidates (files) ─▶ evidence ─▶ signals ─▶ score ─▶ places in files ─▶ hits, with coverage

An `Index` is a handle that many threads may use. It answers from one moment; when a newer commit is there, the next
question sees it. An answer is never silently partial: it carries the coverage it was given under.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from treemill.embedding import EmbeddingProvider
from treemill.records import Coverage, Hit, Query
from treemill.searching.answering import answer
from treemill.searching.moment import Moment
from treemill.storage import IndexStore


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first, and how much of the tree they were looked for in. `reason` says why there are none."""

    query: Query
    hits: tuple[Hit, ...]
    coverage: Coverage
    reason: str = ""


class Index:
    """A handle on an index for asking questions; use it in a `with`, from as many threads as you like.

    With a provider, questions are also answered by meaning; it must be the one that the index was built with.
    """

    def __init__(self, store: IndexStore, provider: EmbeddingProvider | None = None) -> None:
        self._store = store
        self._provider = provider
        self._lock = threading.Lock()
        self._moment: Moment | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the snapshot and the store. Closing twice is fine."""
        with self._lock:
            if self._moment is not None:
                self._moment.snapshot.close()
                self._moment = None
            self._store.close()

    def coverage(self) -> Coverage:
        """Return how much of the tree an answer would see now."""
        return self._now().snapshot.coverage()

    def ask(self, query: Query) -> Answer:
        """Answer a question with hits, best first, and coverage. Equal scores go by path and line.

        Raises:
            IndexMissing: nothing was ever committed.
            StorageError: the index is damaged or cannot be read.
            UsageError: a limit, a pattern or a place is none.
        """
        moment = self._now()
        coverage = moment.snapshot.coverage()
        if coverage.searchable == 0:
            return Answer(query, (), coverage, "the index holds no files yet")
        hits, reason = answer(moment, query, self._provider)
        return Answer(query, hits, coverage, reason)

    def search(self, text: str, **filters: Any) -> list[Hit]:
        """Answer a question given as text; `filters` are the other fields of `Query`."""
        return list(self.ask(Query(text, **filters)).hits)

    def _now(self) -> Moment:
        """Return the newest moment, opening it if there was a commit since the last question.

        A moment that is left behind closes when the last question that uses it lets go of it.
        """
        with self._lock:
            if self._moment is None or self._store.generation() != self._moment.snapshot.generation:
                self._moment = Moment(self._store.snapshot())
            return self._moment
