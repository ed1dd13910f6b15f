"""Does the index still say what the tree says? The look that comes before every run, and before every answer.

A look walks the tree and compares directory entries with what is recorded; it reads no file and needs neither parser
nor workers, so that a question on a tree in which nothing changed is answered at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from treemill.chunking.governor import ChunkGovernor, EmbeddingCapabilities, Tokenizer
from treemill.discovery import Saw, discover, unwatched
from treemill.embedding import EmbeddingProvider, Probed, limits_of, model_of
from treemill.embedding.registry import make_provider
from treemill.embedding.tokenizing import tokenizer_of
from treemill.errors import IndexLocked, IndexMissing
from treemill.plan import Plan
from treemill.ranking import words
from treemill.records import Recipe, RunState, Status
from treemill.settings import Settings
from treemill.storage import IndexStore
from treemill.types import DiscoveredFile

# A writer commits twice a second; one that has not for so long is named as one that makes no progress.
_SILENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How one run differs from the settings.

    `everything` processes unchanged files too, `retry` those that failed or were skipped before; `wait_seconds` is how
    long to wait for another writer.
    """

    everything: bool = False
    retry: bool = False
    wait_seconds: float = 0.0


def _nothing(folder: str) -> None:
    """Take no note of a folder."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A walk that stopped at the first file to process, or at its end where there is none.

    `files` are the files to process, the first one included; they can be had once, and pull the walk on. `generation`
    is the index's when it was compared. `within` are the paths that the walk was confined to, None for the whole tree,
    and `elsewhere` how many files to index are known outside of them; `entered` is told the folders of the walk.
    """

    generation: int
    plan: Plan
    files: Iterator[DiscoveredFile]
    found_work: bool
    within: tuple[str, ...] | None = None
    elsewhere: int = 0
    entered: Callable[[str], object] = _nothing

    @property
    def known(self) -> int:
        """How many files to index are known so far; see `Plan.known`."""
        return self.plan.known + self.elsewhere


def look(
    root: Path,
    store: IndexStore,
    settings: Settings,
    options: IndexOptions | None = None,
    *,
    within: Sequence[str] | None = None,
    entered: Callable[[str], object] = _nothing,
    saw: Saw = unwatched,
) -> Survey:
    """Walk a tree up to the first file that is not as the store has it.

    With `within`, only those paths and what lies below them are looked at, if the last run over the whole tree ended;
    else all of it is. `entered` is told each folder that is walked, `saw` what the walk depends on; see `discover`.

    Raises:
        UsageError: there is no such folder.
        StorageError: the store cannot be read.
    """
    options = options or IndexOptions()
    generation = store.generation()
    run = store.last_run()
    whole = within is None or run is None or run.state is not RunState.COMPLETE
    paths = None if whole or within is None else tuple(within)
    recorded = list(store.recorded(paths))
    inside = sum(record.status is not Status.SKIPPED for record in recorded)
    elsewhere = 0 if paths is None or run is None else max(0, run.known - inside)
    plan = Plan(
        discover(root, settings.discovery, within=paths, entered=entered, saw=saw),
        recorded,
        retry=options.retry,
        everything=options.everything,
        readable=_can_be_read,
    )
    stale = iter(plan)
    first = next(stale, None)
    if first is not None:
        return Survey(generation, plan, chain((first,), stale), True, paths, elsewhere, entered)
    return Survey(generation, plan, stale, bool(plan.gone or plan.to_mark), paths, elsewhere, entered)


def _can_be_read(file: DiscoveredFile) -> bool:
    return os.access(file.absolute, os.R_OK)


def is_settled(store: IndexStore, recipe: Recipe, known: int) -> bool:
    """Whether the last run over the tree ended, under the same recipe, with as many files as there are now."""
    run = store.last_run()
    return run is not None and run.state is RunState.COMPLETE and run.known == known and store.recipe() == recipe


def governor_for(settings: Settings, provider: EmbeddingProvider | None) -> ChunkGovernor:
    """Return the limits for cutting: those of the settings, unless the provider reads less of a text than that.

    Raises:
        SettingsError: sizes are in tokens, and the provider has no tokenizer.
    """
    tokenizer = tokenizer_for(settings, provider)
    plain = ChunkGovernor(settings=settings.chunker, tokenizer=tokenizer)
    window = limits_of(provider).text_tokens
    if not window:
        return plain
    bound = ChunkGovernor(EmbeddingCapabilities(window), settings.chunker, tokenizer=tokenizer)
    return bound if bound.max_chunk_bytes < plain.max_chunk_bytes else plain


def tokenizer_for(settings: Settings, provider: EmbeddingProvider | None) -> Tokenizer | None:
    """Return what counts the tokens of chunks, where their size is in tokens of a model other than our own.

    Raises:
        SettingsError: the provider has no tokenizer.
    """
    return tokenizer_of(provider, settings.embedding) if settings.chunker.max_chunk_tokens else None


def asking_provider(settings: Settings, store: IndexStore) -> EmbeddingProvider | None:
    """Return the provider that embeds questions to an index; None where the index has no vectors.

    Nothing is sent to a service before there is a question.

    Raises:
        SettingsError: the provider cannot be made from the settings.
    """
    recipe = store.recipe()
    if recipe is None or recipe.model is None:
        return None
    provider = make_provider(settings.embedding)
    if isinstance(provider, Probed) and not provider.dimension and model_of(provider) == recipe.model:
        provider.dimension = recipe.dimension
    return provider


def recipe_of(chunker: str, provider: EmbeddingProvider | None) -> Recipe:
    """Return what an index is built with: a chunker (its recipe), the word splitter, and a model if there is one."""
    if provider is None:
        return Recipe(chunker=chunker, words=words.RECIPE)
    return Recipe(chunker, words.RECIPE, model_of(provider), provider.dimension)


def with_progress(locked: IndexLocked, store: IndexStore) -> IndexLocked:
    """Return the error with how far the other writer is, and since when it has not come further."""
    try:
        with store.snapshot() as snapshot:
            coverage = snapshot.coverage()
    except IndexMissing:
        return IndexLocked(f"{locked.message}; nothing is searchable yet", pid=locked.pid, suggestion=locked.suggestion)
    silent = time.time() - coverage.refreshed_ns / 1e9
    text = f"{locked.message}; {coverage} are searchable so far"
    if silent > _SILENT_SECONDS:
        text += f", and it has made no progress for {silent:.0f} s"
    return IndexLocked(text, pid=locked.pid, suggestion=locked.suggestion)
