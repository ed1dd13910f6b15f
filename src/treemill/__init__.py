"""Treemill turns source trees into a searchable index: the public names.

Each name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from treemill._version import __version__

_HOMES = {
    "treemill.chunking": ("chunk",),
    "treemill.chunking.governor": ("ChunkGovernor", "EmbeddingCapabilities"),
    "treemill.chunking.fixed_size": ("FixedSizeChunker",),
    "treemill.embedding": ("EmbeddingProvider",),
    "treemill.embedding.wrappers": ("Cached", "Counting", "Limited", "Retrying"),
    "treemill.errors": (
        "ASTDepthExceededError",
        "BinaryFileError",
        "ChunkLimitExceededError",
        "ChunkingError",
        "ChunkingTimeoutError",
        "EmbeddingError",
        "FileTooLargeError",
        "IndexLocked",
        "IndexMismatch",
        "IndexMissing",
        "MemoryLimitExceededError",
        "OversizedChunkError",
        "ParseError",
        "SettingsError",
        "StorageError",
        "TreemillError",
        "UsageError",
        "WorkerCrashedError",
        "WorkersError",
    ),
    "treemill.library": ("index", "open", "search"),
    "treemill.parallel": ("ChunkStream", "ChunkingReport", "chunk_files_parallel", "chunk_files_parallel_dict"),
    "treemill.processing.identifier": ("FileIdentifier", "FileMetadata"),
    "treemill.processing.managers": ("FileChunkingManager",),
    "treemill.processing.processor": ("HighThroughputProcessor",),
    "treemill.processing.vectors": ("VectorCalculationManager", "VectorResult"),
    "treemill.records": ("Coverage", "Hit", "Query", "Recipe"),
    "treemill.reports": ("FileProcessingResult", "IndexReport", "ProcessingStats"),
    "treemill.searching": ("Answer", "Index"),
    "treemill.searching.several": ("Indexes",),
    "treemill.settings": (
        "ChunkerSettings",
        "ConcurrencySettings",
        "DiscoverySettings",
        "PerformanceSettings",
        "Settings",
    ),
    "treemill.storage.memory": ("MemoryStore",),
    "treemill.storage.sqlite": ("SqliteStore",),
    "treemill.texts": ("chunk_text",),
    "treemill.types": ("CodeChunk", "DiscoveredFile", "Failure", "SkipReason", "Skipped", "Symbol"),
    "treemill.watching": ("watch",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from treemill.chunking import chunk as chunk
    from treemill.chunking.fixed_size import FixedSizeChunker as FixedSizeChunker
    from treemill.chunking.governor import ChunkGovernor as ChunkGovernor
    from treemill.chunking.governor import EmbeddingCapabilities as EmbeddingCapabilities
    from treemill.embedding import EmbeddingProvider as EmbeddingProvider
    from treemill.embedding.wrappers import Cached as Cached
    from treemill.embedding.wrappers import Counting as Counting
    from treemill.embedding.wrappers import Limited as Limited
    from treemill.embedding.wrappers import Retrying as Retrying
    from treemill.errors import ASTDepthExceededError as ASTDepthExceededError
    from treemill.errors import BinaryFileError as BinaryFileError
    from treemill.errors import ChunkingError as ChunkingError
    from treemill.errors import ChunkingTimeoutError as ChunkingTimeoutError
    from treemill.errors import ChunkLimitExceededError as ChunkLimitExceededError
    from treemill.errors import EmbeddingError as EmbeddingError
    from treemill.errors import FileTooLargeError as FileTooLargeError
    from treemill.errors import IndexLocked as IndexLocked
    from treemill.errors import IndexMismatch as IndexMismatch
    from treemill.errors import IndexMissing as IndexMissing
    from treemill.errors import MemoryLimitExceededError as MemoryLimitExceededError
    from treemill.errors import OversizedChunkError as OversizedChunkError
    from treemill.errors import ParseError as ParseError
    from treemill.errors import SettingsError as SettingsError
    from treemill.errors import StorageError as StorageError
    from treemill.errors import TreemillError as TreemillError
    from treemill.errors import UsageError as UsageError
    from treemill.errors import WorkerCrashedError as WorkerCrashedError
    from treemill.errors import WorkersError as WorkersError
    from treemill.library import index as index
    from treemill.library import open as open
    from treemill.library import search as search
    from treemill.parallel import ChunkingReport as ChunkingReport
    from treemill.parallel import ChunkStream as ChunkStream
    from treemill.parallel import chunk_files_parallel as chunk_files_parallel
    from treemill.parallel import chunk_files_parallel_dict as chunk_files_parallel_dict
    from treemill.processing.identifier import FileIdentifier as FileIdentifier
    from treemill.processing.identifier import FileMetadata as FileMetadata
    from treemill.processing.managers import FileChunkingManager as FileChunkingManager
    from treemill.processing.processor import HighThroughputProcessor as HighThroughputProcessor
    from treemill.processing.vectors import VectorCalculationManager as VectorCalculationManager
    from treemill.processing.vectors import VectorResult as VectorResult
    from treemill.records import Coverage as Coverage
    from treemill.records import Hit as Hit
    from treemill.records import Query as Query
    from treemill.records import Recipe as Recipe
    from treemill.reports import FileProcessingResult as FileProcessingResult
    from treemill.reports import IndexReport as IndexReport
    from treemill.reports import ProcessingStats as ProcessingStats
    from treemill.searching import Answer as Answer
    from treemill.searching import Index as Index
    from treemill.searching.several import Indexes as Indexes
    from treemill.settings import ChunkerSettings as ChunkerSettings
    from treemill.settings import ConcurrencySettings as ConcurrencySettings
    from treemill.settings import DiscoverySettings as DiscoverySettings
    from treemill.settings import PerformanceSettings as PerformanceSettings
    from treemill.settings import Settings as Settings
    from treemill.storage.memory import MemoryStore as MemoryStore
    from treemill.storage.sqlite import SqliteStore as SqliteStore
    from treemill.texts import chunk_text as chunk_text
    from treemill.types import CodeChunk as CodeChunk
    from treemill.types import DiscoveredFile as DiscoveredFile
    from treemill.types import Failure as Failure
    from treemill.types import Skipped as Skipped
    from treemill.types import SkipReason as SkipReason
    from treemill.types import Symbol as Symbol
    from treemill.watching import watch as watch

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'treemill' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
