"""The engine's vector stage: files wait here for the vectors of their chunks, and leave whole or as failures."""

from __future__ import annotations

import queue
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider, limits_of
from treemill.embedding.quantise import to_int8
from treemill.embedding.wrappers import vectors_of
from treemill.processing.lanes import Task
from treemill.processing.vectors import BATCH_SIZE, BATCH_TOKENS, VectorCalculationManager
from treemill.records import Content, PreparedFile
from treemill.settings import EmbeddingSettings
from treemill.types import Failure, Source

_TICK_SECONDS = 0.05

# So much source waits for vectors at most: enough for hundreds of requests, little beside what workers use. One large
# file counts for a quarter at most, so that it never shuts out the small ones.
_MOST_BYTES = 16_000_000
_MOST_BYTES_OF_ONE = _MOST_BYTES // 4

# What a file costs besides its bytes.
_FILE_WEIGHT = 1000

_PATIENCE_SECONDS = 15.0

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def stage_for(provider: EmbeddingProvider | None, settings: EmbeddingSettings, stack: ExitStack) -> Embedding | None:
    """Return where files wait for a provider that runs in threads, ended by the stack; None for any other."""
    if provider is None or provider.runs_in == "worker":
        return None
    limits = limits_of(provider)
    manager = VectorCalculationManager(
        provider,
        settings.concurrent_requests,
        batch_size=limits.texts or BATCH_SIZE,
        batch_tokens=limits.tokens or BATCH_TOKENS,
        requests_per_second=settings.max_requests_per_second or None,
        # A provider that keeps time itself knows better what was late; this ends what it does not see.
        request_timeout_seconds=2 * settings.request_timeout_seconds + _PATIENCE_SECONDS,
    )
    stack.enter_context(manager)
    stack.callback(manager.cancel)
    return Embedding(manager)


def quantised(vectors: npt.NDArray[np.float32]) -> bytes:
    """Return int8[n × dimension] bytes: what stores keep."""
    return to_int8(vectors).tobytes()


def exact(vectors: npt.NDArray[np.float32]) -> bytes:
    """Return float32[n × dimension] bytes, little-endian: what callers without a store get."""
    return vectors.astype("<f4", copy=False).tobytes()


class Embedding:
    """See `treemill.processing.engine.VectorStage`. `pack` turns the vectors of a file into the bytes it carries."""

    def __init__(
        self, manager: VectorCalculationManager, pack: Callable[[npt.NDArray[np.float32]], bytes] = quantised
    ) -> None:
        self._manager = manager
        self._pack = pack
        self._done: queue.SimpleQueue[tuple[PreparedFile, Task]] = queue.SimpleQueue()
        self._files = 0
        self._weight = 0

    def offer(self, files: Sequence[PreparedFile]) -> None:
        """Take files that need vectors; returns at once."""
        for file in files:
            assert file.content is not None, "a file without content needs no vectors"
            self._files += 1
            self._weight += _weight(file)
            self._manager.submit(texts_of(file.content), lambda task, file=file: self._done.put((file, task)))  # type: ignore[misc]

    def ready(self, *, wait: bool) -> Sequence[PreparedFile | Failure]:
        """Return files whose vectors are complete; with `wait`, block a tick for the next one."""
        results: list[PreparedFile | Failure] = []
        try:
            results.append(self._complete(*self._done.get(block=wait, timeout=_TICK_SECONDS)))
            while True:
                results.append(self._complete(*self._done.get_nowait()))
        except queue.Empty:
            return results

    def full(self) -> bool:
        """Whether enough is under way to keep the provider busy."""
        return self._weight >= _MOST_BYTES

    def pending(self) -> bool:
        """Whether any file is still under way."""
        return self._files > 0

    def requests(self) -> int:
        """How many requests the provider is answering now."""
        return self._manager.requests()

    def seconds(self) -> float:
        """How long requests took so far, summed."""
        return self._manager.seconds

    def _complete(self, file: PreparedFile, task: Task) -> PreparedFile | Failure:
        self._files -= 1
        self._weight -= _weight(file)
        if task.error is not None:
            return Failure(file.path, "embed", type(task.error).__name__, str(task.error))
        assert file.content is not None
        vectors = self._pack(vectors_of(task.rows, self._manager.provider.dimension))
        return replace(file, content=replace(file.content, vectors=vectors))


def texts_of(content: Content) -> list[str]:
    """Return the text of each chunk of a content, as the chunker saw it."""
    data = zlib.decompress(content.text)
    bom = next((len(mark) for mark in _BOMS if data.startswith(mark)), 0)
    source = Source(data, b"", content.encoding, bom, content.language)
    ends = np.frombuffer(content.ends, "<u4").tolist()
    return [source.text(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _weight(file: PreparedFile) -> int:
    return min(file.size, _MOST_BYTES_OF_ONE) + _FILE_WEIGHT
