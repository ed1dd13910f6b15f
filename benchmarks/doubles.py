"""What benchmarks of the file processor hand it: a provider that waits, chunkers that take no time or all of it.

A module of its own, and a small one: worker processes import it to have the chunkers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

LATENCY_SECONDS = 0.02


class SlowProvider:
    """Takes 20 ms for a request, whatever is in it, as a service on the network does."""

    name = "slow"
    dimension = 64
    runs_in: Literal["worker", "thread"] = "thread"

    def __init__(self) -> None:
        self.requests = 0
        self.texts = 0
        self.first = 0.0
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Sleep, and return vectors of the texts' lengths."""
        with self._lock:
            self.first = self.first or time.time()
            self.requests += 1
            self.texts += len(texts)
        time.sleep(LATENCY_SECONDS)
        return np.repeat(np.array([[len(text)] for text in texts], np.float32), self.dimension, axis=1)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return the vector of a question."""
        return self.embed([text])[0]


def ten_seconds(text: str) -> list[str]:
    """Chunk a text, taking ten seconds for one that says so."""
    if text.startswith("slow"):
        time.sleep(10)
    return [text]


def by_lines(text: str) -> list[str]:
    """Chunk a text by lines: hardly any work, so that the provider is what a run waits for."""
    return text.splitlines(keepends=True)


def for_ever(text: str) -> list[str]:
    """Chunk a text, never ending with one that says so."""
    if text.startswith("hang"):
        time.sleep(3600)
    return [text]
