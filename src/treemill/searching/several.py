"""Several indexes, asked as one: each hit names its root, and scores are made comparable before they are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from treemill.records import Coverage, Hit, Query
from treemill.searching import Answer, Index
from treemill.searching.answering import answer


class Indexes:
    """Handles on the indexes of several roots; use it in a `with`, from as many threads as you like."""

    def __init__(self, handles: Sequence[tuple[str, Index]]) -> None:
        """Take handles over, each with the name that its hits carry; closing this closes them.

        Two handles on folders of one root have one name: a place that both find is told once.
        """
        self._handles = list(handles)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all handles. Closing twice is fine."""
        with ExitStack() as stack:
            for _, handle in self._handles:
                stack.callback(handle.close)

    def ask(self, query: Query) -> Answer:
        """Answer a question with the hits of all roots, best first, and the coverage of each.

        Raises:
            IndexMissing, StorageError, UsageError: as `Index.ask`.
        """
        asked = [handle.asked(query, name) for name, handle in self._handles]
        roots = {each.root: each.moment.snapshot.coverage() for each in asked}
        holding = [each for each in asked if roots[each.root].searchable]
        hits, reason = answer(holding, query) if holding else ((), "the indexes hold no files yet")
        notes = tuple(dict.fromkeys(note for each in asked for note in each.notes))
        return Answer(query, hits, together(roots), reason, roots, notes)

    def search(self, text: str, **filters: Any) -> list[Hit]:
        """Answer a question given as text; `filters` are the other fields of `Query`."""
        return list(self.ask(Query(text, **filters)).hits)


def together(roots: Mapping[str, Coverage]) -> Coverage:
    """Return how much an answer from all of these sees; it is as old as the oldest of them."""
    each = list(roots.values())
    writers = [coverage.writer_pid for coverage in each if coverage.writer_pid is not None]
    return Coverage(
        searchable=sum(coverage.searchable for coverage in each),
        known=sum(coverage.known for coverage in each),
        complete=all(coverage.complete for coverage in each),
        chunks=sum(coverage.chunks for coverage in each),
        vectors=sum(coverage.vectors for coverage in each),
        skipped=sum(coverage.skipped for coverage in each),
        failed=sum(coverage.failed for coverage in each),
        writer_pid=writers[0] if writers else None,
        refreshed_ns=min((coverage.refreshed_ns for coverage in each), default=0),
    )
