"""The tree of errors, by who must act, with the exit code of the command line.

    TreemillError
    ├─ UsageError            the caller: no such path, bad flags          2
    ├─ SettingsError         the caller: fix a setting                    2
    ├─ IndexMissing          the caller: run `treemill index`             3
    ├─ IndexMismatch         the caller: rebuild, the command is named    4
    ├─ IndexLocked           wait: another writer, with its pid           5
    ├─ StorageError          disk, server unreachable, damage             6
    ├─ EmbeddingError        the provider; .retryable                     7
    ├─ WorkersError          workers cannot be started                    6
    └─ ChunkingError         one file; travels as a value, never ends a run
       ├─ ParseError                 the syntax tree could not be had
       ├─ ASTDepthExceededError      nested deeper than max_ast_depth
       ├─ OversizedChunkError        a chunk over the limit that cannot be split
       ├─ ChunkLimitExceededError    more chunks than max_chunks_per_file
       ├─ ChunkingTimeoutError       longer than parse_/chunk_timeout_seconds
       ├─ MemoryLimitExceededError   more than max_memory_mb_per_operation
       ├─ BinaryFileError            NUL bytes: not text
       ├─ FileTooLargeError          larger than max_file_size_mb
       └─ WorkerCrashedError         the worker died with this file in hand

Every message finishes the thought: what happened, to what, and the next step. The next step is also in
`.suggestion`, so that a door can set it apart.
"""

from __future__ import annotations


class TreemillError(Exception):
    """The root of all errors that Treemill raises on purpose.

    `str(error)` is the whole message, suggestion included.
    """

    exit_code = 1

    def __init__(self, message: str, *, suggestion: str | None = None) -> None:
        super().__init__(message if suggestion is None else f"{message}. {suggestion}")
        self.message = message
        self.suggestion = suggestion

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(kind: type[TreemillError], args: tuple[object, ...], state: dict[str, object]) -> TreemillError:
    """Restore an error on the other side of a process boundary without calling its constructor."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(TreemillError):
    """The caller asked for something that cannot be: a path that does not exist, flags that contradict."""

    exit_code = 2


class SettingsError(TreemillError):
    """A setting is unknown or out of range; the message names where the value came from."""

    exit_code = 2


class IndexMissing(TreemillError):
    """There is no index to answer from."""

    exit_code = 3


class IndexMismatch(TreemillError):
    """The index was built by another format, chunker or model than the settings ask for."""

    exit_code = 4


class IndexLocked(TreemillError):
    """Another process holds the writer lease; `.pid` is that process, when it is known."""

    exit_code = 5

    def __init__(self, message: str, *, pid: int | None = None, suggestion: str | None = None) -> None:
        super().__init__(message, suggestion=suggestion)
        self.pid = pid


class StorageError(TreemillError):
    """The store cannot be read or written: disk full, no permission, damage, server unreachable."""

    exit_code = 6


class WorkersError(TreemillError):
    """The run's workers cannot be started, or die before they take any work."""

    exit_code = 6


class EmbeddingError(TreemillError):
    """The embedding provider failed; `.retryable` tells whether trying again can help.

    `.retry_after` is the number of seconds the provider asked to wait, when it did.
    """

    exit_code = 7

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message, suggestion=suggestion)
        self.retryable = retryable
        self.retry_after = retry_after


class ChunkingError(TreemillError):
    """One file could not be chunked as asked.

    `path` is the file as the caller named it. `limit` and `actual` are the bound that was passed and the value
    that passed it, where there is one; `unit` names what both count.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        limit: float | None = None,
        actual: float | None = None,
        unit: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message, suggestion=suggestion)
        self.path = path
        self.limit = limit
        self.actual = actual
        self.unit = unit


class ParseError(ChunkingError):
    """The grammar could not be loaded, or gave no tree."""


class ASTDepthExceededError(ChunkingError):
    """The syntax tree is nested deeper than `max_ast_depth`."""


class OversizedChunkError(ChunkingError):
    """A chunk is over the limit and cannot be split further."""


class ChunkLimitExceededError(ChunkingError):
    """The file makes more chunks than `max_chunks_per_file`."""


class ChunkingTimeoutError(ChunkingError):
    """Parsing took longer than `parse_timeout_seconds`, or the whole file longer than `chunk_timeout_seconds`."""


class MemoryLimitExceededError(ChunkingError):
    """The worker grew by more than `max_memory_mb_per_operation` while it held this file."""


class BinaryFileError(ChunkingError):
    """The file holds NUL bytes in an encoding that has none: it is not text."""


class FileTooLargeError(ChunkingError):
    """The file is larger than `max_file_size_mb`."""


class WorkerCrashedError(ChunkingError):
    """The worker process died with this file in hand, twice."""
