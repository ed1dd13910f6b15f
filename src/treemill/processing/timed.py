"""A provider under watch: which thread asks it since when, how long that took, and no further request at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider
from treemill.embedding.wrappers import Wrapper
from treemill.processing.lanes import Batch
from treemill.values import dataclass


@dataclass(eq=False, slots=True)
class Slot:
    """A thread's place: the batch it holds, since when the provider has been asked, and whether it was given up."""

    batch: Batch | None = None
    since: float | None = None
    abandoned: bool = False


class Closing(Exception):
    """Raised in a thread that would make a request after the end, or after it was given up."""


class Timed(Wrapper):
    """Notes in the thread's slot when the provider is asked; asks no more once `closed` is set.

    `seconds` is how long requests took so far, summed over threads.
    """

    def __init__(self, inner: EmbeddingProvider, closed: threading.Event) -> None:
        super().__init__(inner)
        self.seconds = 0.0
        self._closed = closed
        self._mine = threading.local()
        self._lock = threading.Lock()

    def sit_down(self, slot: Slot) -> None:
        """Give the calling thread its place."""
        self._mine.slot = slot

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts under the eyes of the watch.

        Raises:
            Closing: there shall be no further request from this thread.
        """
        slot: Slot = self._mine.slot
        if self._closed.is_set() or slot.abandoned:
            raise Closing
        began = slot.since = time.monotonic()
        try:
            return self.inner.embed(texts)
        finally:
            slot.since = None
            with self._lock:
                self.seconds += time.monotonic() - began
