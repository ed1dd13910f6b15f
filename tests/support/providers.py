"""Providers that fail on cue: they implement the real seam, so what uses them is what users use.

Vectors are made from the text alone, so that any test can say what the right vector of a text is.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from treemill.errors import EmbeddingError

DIMENSION = 8

Vectors = npt.NDArray[np.float32]


def vector_of(text: str, dimension: int = DIMENSION) -> Vectors:
    """Return the right vector of a text."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=dimension).digest()
    return np.frombuffer(digest, np.uint8).astype(np.float32) - 128


class HashProvider:
    """Answers every request rightly, `latency` seconds after it came. `batches` are the texts of each request."""

    name = "hash"

    def __init__(
        self, *, latency: float = 0.0, dimension: int = DIMENSION, runs_in: Literal["worker", "thread"] = "thread"
    ) -> None:
        self.dimension = dimension
        self.runs_in: Literal["worker", "thread"] = runs_in
        self.latency = latency
        self.batches: list[list[str]] = []
        self.most_at_a_time = 0
        self._now = 0
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            self.batches.append(list(texts))
            number = len(self.batches) - 1
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)
        try:
            time.sleep(self.latency)
            return self.answer(number, texts)
        finally:
            with self._lock:
                self._now -= 1

    def answer(self, number: int, texts: Sequence[str]) -> Vectors:
        """Return the vectors for request `number`; what subclasses change."""
        return np.array([vector_of(text, self.dimension) for text in texts], np.float32).reshape(-1, self.dimension)

    def embed_query(self, text: str) -> Vectors:
        return vector_of(text, self.dimension)

    @property
    def texts(self) -> list[str]:
        """All texts that it was asked for, in order of arrival."""
        return [text for batch in self.batches for text in batch]

    def __reduce__(self) -> tuple[Callable[..., HashProvider], tuple[object, ...]]:
        return _again, (type(self), self.latency, self.dimension, self.runs_in)


def _again(
    kind: type[HashProvider], latency: float, dimension: int, runs_in: Literal["worker", "thread"]
) -> HashProvider:
    return kind(latency=latency, dimension=dimension, runs_in=runs_in)


class ScriptedProvider(HashProvider):
    """Does with its n-th request what the n-th letter says, and answers rightly when the script is over.

    r right · e error · t temporary (retryable) error · x an error of another kind · f one vector too few ·
    m one too many · d another dimension · n a NaN in the first row · g garbage instead of an array
    """

    name = "scripted"

    def __init__(self, script: str, *, latency: float = 0.0) -> None:
        super().__init__(latency=latency)
        self.script = script

    def answer(self, number: int, texts: Sequence[str]) -> Vectors:
        right = super().answer(number, texts)
        match self.script[number : number + 1]:
            case "e":
                raise EmbeddingError("the provider says no")
            case "t":
                raise EmbeddingError("the provider is busy", retryable=True)
            case "x":
                raise RuntimeError("the provider is broken")
            case "f":
                return right[:-1]
            case "m":
                return np.concatenate([right, right[:1]])
            case "d":
                return right[:, :-1]
            case "n":
                right[0, 0] = np.nan
                return right
            case "g":
                return "no vectors"  # type: ignore[return-value]
        return right


class PoisonProvider(HashProvider):
    """Fails every request that holds a poisonous text; `poison` maps a word to the letter of a script."""

    name = "poison"

    def __init__(self, poison: dict[str, str] | None = None) -> None:
        super().__init__()
        self.poison = poison or {"poison": "e"}

    def answer(self, number: int, texts: Sequence[str]) -> Vectors:
        right = super().answer(number, texts)
        for row, text in enumerate(texts):
            letter = next((letter for word, letter in self.poison.items() if word in text), "r")
            if letter == "n":
                right[row, -1] = np.inf
            elif letter != "r":
                return ScriptedProvider(letter).answer(0, texts)
        return right


@dataclass
class BlockingProvider:
    """Answers nothing for `seconds`, or until `released` is set. `asked` is set with the first request."""

    seconds: float = 15.0
    name: str = "blocking"
    dimension: int = DIMENSION
    runs_in: Literal["worker", "thread"] = "thread"
    asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked.set()
        self.released.wait(self.seconds)
        return np.array([vector_of(text) for text in texts], np.float32)

    def embed_query(self, text: str) -> Vectors:
        return vector_of(text)
