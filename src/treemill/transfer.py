"""An index from one machine to another: `treemill export` and `treemill import`.

Importing is indexing: every file of the tree is read and digested, and what the export says of exactly those bytes is
taken instead of parsing them. So what differs on disk is simply parsed, and no path or text of the export is ever used.

What taking means depends on trust. From anybody, only where chunks end and which symbols there are is taken, bounded to
the text; words, postings and vectors are computed anew, and a random one in `SPOT_CHECK` files is parsed all the same:
at the first difference nothing more is taken. From a machine that is trusted, all of it is.
"""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from treemill.chunking import chunk
from treemill.chunking.governor import ChunkGovernor
from treemill.chunking.packing import unpack_symbols
from treemill.embedding import EmbeddingProvider
from treemill.errors import ChunkingError, IndexMismatch
from treemill.events import Listener, ignore
from treemill.freshness import IndexOptions
from treemill.indexing import index_tree
from treemill.places import Place
from treemill.recipes import governor_for, recipe_of
from treemill.records import Recipe
from treemill.reports import IndexReport
from treemill.settings import Settings, StorageSettings
from treemill.siblings import cache_folder
from treemill.storage import ContentLookup
from treemill.storage.content_cache import BY_CHANCE, ContentCache
from treemill.storage.exported import ExportHead, ExportReader, write_export
from treemill.storage.opening import open_store
from treemill.types import Chunking, DiscoveredFile, Failure, Source
from treemill.work import content_key

_log = logging.getLogger(__name__)

SPOT_CHECK = 20
"""One in so many files of an export that is not trusted is parsed and compared."""

# Contents go into the temporary cache in transactions of so many.
_BATCH = 500

_UNBOUNDED_MB = 1e9


def export_index(place: Place, target: Path, storage: StorageSettings | None = None) -> ExportHead:
    """Write what the index of a place came to into one file, without source and paths.

    The index is the one in the place's folder, unless `storage` says that it is kept elsewhere.

    Raises:
        IndexMissing: there is no index, or it is empty.
        IndexMismatch: it is of another version.
        SettingsError, UsageError: the file cannot be written, or the settings name no store.
        StorageError: the index is damaged, or cannot be reached.
    """
    with (
        open_store(place.root, place.folder, storage or StorageSettings()) as store,
        store.snapshot() as snapshot,
    ):
        return write_export(snapshot, target)


def import_index(
    place: Place,
    source: Path,
    settings: Settings,
    *,
    provider: EmbeddingProvider | None = None,
    trust: bool = False,
    options: IndexOptions | None = None,
    listener: Listener = ignore,
    cancel: threading.Event | None = None,
) -> IndexReport:
    """Index a place where the settings keep its index, taking from an export what it says of the bytes that are there.

    Raises:
        UsageError: the file is no export, damaged, or made to harm; the index is as it was.
        IndexMismatch: it was made with another recipe or version.
        IndexLocked, StorageError, WorkersError: as `index_tree`.
    """
    governor = governor_for(settings, provider)
    recipe = recipe_of(governor.recipe, provider)
    with (
        _unpacked(source, recipe) as cache,
        open_store(place.root, place.folder, settings.storage, create=True) as store,
    ):
        lookup = cache.lookup(recipe)
        return index_tree(
            place.root,
            store,
            settings,
            provider=provider,
            options=options,
            listener=listener,
            cancel=cancel,
            cache=cache if trust else None,
            cutter=None if trust or lookup is None else ExportedCuts(lookup, governor),
        )


@contextmanager
def _unpacked(source: Path, recipe: Recipe) -> Iterator[ContentCache]:
    """Read all of an export, checking it, into a cache of its own that is removed in the end."""
    parent = cache_folder()
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="import-", dir=parent))
    try:
        with ExportReader(source) as reader, ContentCache(_UNBOUNDED_MB, folder) as cache:
            if _what_matters(reader.head.recipe) != _what_matters(recipe):
                raise IndexMismatch(
                    f"{source} was made with {_named(reader.head.recipe)}; the settings ask for {_named(recipe)}",
                    suggestion="Export it again under the same settings",
                )
            batch = []
            for content in reader.contents():
                batch.append(content)
                if len(batch) >= _BATCH:
                    cache.keep(recipe, batch)
                    batch = []
            cache.keep(recipe, batch)
            yield cache
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _what_matters(recipe: Recipe) -> tuple[str, str, str | None, int]:
    return recipe.chunker, recipe.words, recipe.model, recipe.dimension


def _named(recipe: Recipe) -> str:
    return f"{recipe.chunker}, {recipe.words}, {recipe.model or 'no model'}"


class ExportedCuts:
    """See `treemill.work.Cutter`: cuts as the export says, where it says something, and checks some of it."""

    def __init__(self, lookup: ContentLookup, governor: ChunkGovernor) -> None:
        self._lookup = lookup
        self._governor = governor
        self._chance = random.SystemRandom()
        self._distrusted = False

    @property
    def recipe(self) -> str:
        """The governor's: an export is only taken where it was cut under the same."""
        return self._governor.recipe

    def cut(self, file: DiscoveredFile, source: Source) -> Chunking | Failure:
        """Return what the export says, or what the chunkers do where it says nothing or lies."""
        said = None if self._distrusted else self._said(source)
        if said is not None and self._chance.randrange(SPOT_CHECK):
            return said
        try:
            own = chunk(source, self._governor, name=file.name)
        except ChunkingError as error:
            return Failure(file.name, "chunk", type(error).__name__, str(error))
        if said is not None and said != own and own.fallback not in BY_CHANCE:
            _log.warning("the export says something else of %r than its bytes do: nothing more is taken", file.name)
            self._distrusted = True
        return own

    def _said(self, source: Source) -> Chunking | None:
        content = self._lookup.get(content_key(source.digest, source.language, self.recipe))
        if content is None or content.size != len(source.data) or content.encoding != source.encoding:
            return None
        ends = tuple(np.frombuffer(content.ends, "<u4").tolist())
        return Chunking(ends, unpack_symbols(content.symbols), content.source, content.fallback)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[type[ExportedCuts], tuple[ContentLookup, ChunkGovernor]]:
        return ExportedCuts, (self._lookup, self._governor)
