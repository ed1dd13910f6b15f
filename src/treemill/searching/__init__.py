"""Question → ranked places: what `treemill search` and the library's `open` do.

    question ─▶ candidates (files) ─▶ evidence ─▶ signals ─▶ score ─▶ places in files ─▶ hits, with coverage

An `Index` is a handle that many threads may use. It answers from one moment; when a newer commit is there, the next
question sees it. An answer is never silently partial: it carries the coverage it was given under.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import field, replace
from types import TracebackType
from typing import Any, Self

from treemill.embedding import EmbeddingProvider, model_of
from treemill.records import Coverage, FileText, Hit, IndexedFile, Query, Recipe
from treemill.searching.answering import Asked, answer
from treemill.searching.changed import changed_files
from treemill.searching.inventory import file_text, inventory
from treemill.searching.moment import Moment
from treemill.storage import IndexStore
from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first, and how much of the tree they were looked for in. `reason` says why there are none.

    Where several roots were asked, `coverage` is of all together, and `roots` that of each by its name. `notes` say
    what else to know, such as why a question was answered by words alone.
    """

    query: Query
    hits: tuple[Hit, ...]
    coverage: Coverage
    reason: str = ""
    roots: Mapping[str, Coverage] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Index:
    """A handle on an index for asking questions; use it in a `with`, from as many threads as you like.

    With a provider, questions are also answered by meaning, if it is the one that the index was built with. `root` is
    the folder that the index is of, for questions about what git says has changed; `under` the folder below it that
    queries are about unless they name one.
    """

    def __init__(
        self,
        store: IndexStore,
        provider: EmbeddingProvider | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        under: str = "",
    ) -> None:
        self._store = store
        self._provider = provider
        self._root = root
        self._under = under
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
        asked = self.asked(query)
        coverage = asked.moment.snapshot.coverage()
        if coverage.searchable == 0:
            return Answer(query, (), coverage, "the index holds no files yet")
        hits, reason = answer([asked], query)
        return Answer(query, hits, coverage, reason, notes=tuple(asked.notes))

    def asked(self, query: Query, name: str = "") -> Asked:
        """Return the moment that answers now and the query as it is for this index, whose root has that name.

        Raises:
            IndexMissing, StorageError, UsageError: as `ask`.
        """
        moment = self._now()
        other = _other_model(moment.snapshot.recipe, self._provider)
        files = query.files
        if query.changed_since:
            changed = changed_files(self._store, self._root, query.changed_since)
            files = changed if files is None else files & changed
        mine = replace(query, files=files, under=query.under or self._under)
        return Asked(name, moment, mine, None if other else self._provider, [other] if other else [])

    def search(self, text: str, **filters: Any) -> list[Hit]:
        """Answer a question given as text; `filters` are the other fields of `Query`."""
        return list(self.ask(Query(text, **filters)).hits)

    def files(self) -> list[IndexedFile]:
        """Return what is indexed below the handle's folder, in order of path.

        Raises:
            IndexMissing, StorageError: as `ask`.
        """
        return inventory(self._now(), self._store, self._under)

    def text(self, path: str) -> FileText:
        """Return a file as it was when it was indexed; `path` is relative to the root.

        Raises:
            UsageError: it is not in the index.
            IndexMissing, StorageError: as `ask`.
        """
        return file_text(self._now(), path)

    def _now(self) -> Moment:
        """Return the newest moment, opening it if there was a commit since the last question.

        A moment that is left behind closes when the last question that uses it lets go of it.
        """
        with self._lock:
            if self._moment is None or self._store.generation() != self._moment.snapshot.generation:
                self._moment = Moment(self._store.snapshot())
            return self._moment


def _other_model(recipe: Recipe, provider: EmbeddingProvider | None) -> str:
    """Return why a question cannot be compared with the vectors of an index, "" where it can."""
    if provider is None or recipe.model is None:
        return ""
    asked = model_of(provider)
    if (recipe.model, recipe.dimension) == (asked, provider.dimension):
        return ""
    return (
        f"answered by words alone: the index was built with model {recipe.model} ({recipe.dimension}), "
        f"the settings ask for {asked} ({provider.dimension}). Run: treemill index --rebuild"
    )
