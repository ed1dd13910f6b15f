"""Providers around providers: each takes one in and is one, so they stack in any order.

    Cached(Retrying(Limited(provider, per_second=5)))

`Retrying` tries again what can succeed later, `Limited` keeps a pace and stops for everybody when the provider says so,
`Cached` asks for each text once, `Counting` tells what was asked. All may be used by many threads at once, and survive
pickling where the provider does (a copy starts with an empty cache, zero counts and a pace of its own).
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from treemill.embedding import EmbeddingProvider, limits_of
from treemill.errors import EmbeddingError

T = TypeVar("T")

ATTEMPTS = 4
"""How often a request is made before its error counts."""

# The first pause; each further one is twice as long, give or take a quarter so that threads do not march in step.
_FIRST_PAUSE_SECONDS = 0.25
_SPREAD = 0.25

# A provider that asks for more patience than this is as good as down.
LONGEST_PAUSE_SECONDS = 60.0

CACHE_BYTES = 64_000_000
"""How many bytes of vectors a cache holds unless told otherwise."""


class Wrapper:
    """What all wrappers share: they look like the provider inside."""

    name: str
    dimension: int
    runs_in: Literal["worker", "thread"]

    def __init__(self, inner: EmbeddingProvider) -> None:
        self.inner = inner
        self.name = inner.name
        self.dimension = inner.dimension
        self.runs_in = inner.runs_in
        self.limits = limits_of(inner)

    @property
    def tokenizer(self) -> Callable[[str], int | Sized] | None:
        """What the provider inside has; see `tokenizing`."""
        found: Callable[[str], int | Sized] | None = getattr(self.inner, "tokenizer", None)
        return found

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return what the provider inside returns."""
        return self.inner.embed(texts)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return what the provider inside returns."""
        return self.inner.embed_query(text)


class Retrying(Wrapper):
    """Tries again after errors that say they are retryable, pausing longer each time; other errors pass at once.

    An error's `retry_after` is waited for in full, unless it is longer than `longest_pause`: then the error passes.
    """

    def __init__(
        self,
        inner: EmbeddingProvider,
        *,
        attempts: int = ATTEMPTS,
        first_pause: float = _FIRST_PAUSE_SECONDS,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._attempts = attempts
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._sleep = sleep

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts, trying again where that can help.

        Raises:
            EmbeddingError: the last attempt's.
        """
        return self._persist(self.inner.embed, texts)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed a question, trying again where that can help.

        Raises:
            EmbeddingError: the last attempt's.
        """
        return self._persist(self.inner.embed_query, text)

    def _persist(self, call: Callable[[T], npt.NDArray[np.float32]], argument: T) -> npt.NDArray[np.float32]:
        for attempt in range(1, self._attempts):
            try:
                return call(argument)
            except EmbeddingError as error:
                pause = self._pause_after(error, attempt)
                if pause is None:
                    raise
                self._sleep(pause)
        return call(argument)

    def _pause_after(self, error: EmbeddingError, attempt: int) -> float | None:
        """Return how long to pause before the next attempt, or None where there should be none."""
        asked = error.retry_after or 0.0
        if not error.retryable or asked > self._longest_pause:
            return None
        own = self._first_pause * 2.0 ** (attempt - 1) * random.uniform(1 - _SPREAD, 1 + _SPREAD)
        return max(asked, min(own, self._longest_pause))


class Limited(Wrapper):
    """Makes at most `per_second` requests a second, and none while the provider has asked for a pause.

    The pace counts all threads together. A provider asks for a pause with an error that has `retry_after`; the error
    passes on, and requests that come meanwhile wait.
    """

    def __init__(
        self,
        inner: EmbeddingProvider,
        *,
        per_second: float | None = None,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        if per_second is not None and per_second <= 0:
            raise ValueError(f"{per_second} requests a second are none at all")
        self._interval = 0.0 if per_second is None else 1.0 / per_second
        self._longest_pause = longest_pause
        self._sleep = sleep
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts when it is their turn.

        Raises:
            EmbeddingError: the provider's.
        """
        return self._in_turn(self.inner.embed, texts)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed a question when it is its turn.

        Raises:
            EmbeddingError: the provider's.
        """
        return self._in_turn(self.inner.embed_query, text)

    def _in_turn(self, call: Callable[[T], npt.NDArray[np.float32]], argument: T) -> npt.NDArray[np.float32]:
        while (wait := self._take_turn()) > 0:
            self._sleep(wait)
        try:
            return call(argument)
        except EmbeddingError as error:
            if error.retry_after is not None:
                with self._lock:
                    pause = min(error.retry_after, self._longest_pause)
                    self._next = max(self._next, self._clock() + pause)
            raise

    def _take_turn(self) -> float:
        """Take the next turn if it has come and return 0, else how long it is until then."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return self._next - now
            self._next = now + self._interval
            return 0.0

    def __reduce__(self) -> tuple[Callable[..., Limited], tuple[object, ...]]:
        return _limited_again, (self.inner, self._interval, self._longest_pause)


def _limited_again(inner: EmbeddingProvider, interval: float, longest_pause: float) -> Limited:
    return Limited(inner, per_second=1 / interval if interval else None, longest_pause=longest_pause)


class Counting(Wrapper):
    """Counts what the provider inside is asked for: `requests`, `texts`, `errors`, `seconds` summed over threads."""

    def __init__(self, inner: EmbeddingProvider) -> None:
        super().__init__(inner)
        self.requests = self.texts = self.errors = 0
        self.seconds = 0.0
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts and count them."""
        return self._counted(self.inner.embed, texts, len(texts))

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed a question and count it."""
        return self._counted(self.inner.embed_query, text, 1)

    def _counted(
        self, call: Callable[[T], npt.NDArray[np.float32]], argument: T, texts: int
    ) -> npt.NDArray[np.float32]:
        began = time.monotonic()
        failed = True
        try:
            vectors = call(argument)
            failed = False
            return vectors
        finally:
            with self._lock:
                self.requests += 1
                self.texts += texts
                self.errors += failed
                self.seconds += time.monotonic() - began

    def __reduce__(self) -> tuple[type[Counting], tuple[EmbeddingProvider]]:
        return Counting, (self.inner,)


class VectorCache:
    """The vectors of texts seen before, by the hash of the text: the latest used `limit` bytes of them."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._rows: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the float32 bytes of those vectors that are held, by key."""
        with self._lock:
            rows = self._rows
            held = {key: rows[key] for key in keys if key in rows}
            for key in held:
                rows.move_to_end(key)
            return held

    def put(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Hold vectors, and let go of those that were not used for longest."""
        with self._lock:
            for key, row in rows:
                if key not in self._rows:
                    self._held += len(row)
                self._rows[key] = row
            while self._held > self._limit and self._rows:
                self._held -= len(self._rows.popitem(last=False)[1])


def text_key(text: str) -> bytes:
    """Return the 16 bytes under which the vector of a text is kept."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Cached(Wrapper):
    """Asks the provider inside for each text once, as long as the cache holds its vector."""

    def __init__(self, inner: EmbeddingProvider, *, limit: int = CACHE_BYTES) -> None:
        super().__init__(inner)
        self._limit = limit
        self._cache = VectorCache(limit)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts; only those not seen before reach the provider, each once, in one request.

        Raises:
            EmbeddingError: the provider failed, or returned the wrong shape.
        """
        keys = [text_key(text) for text in texts]
        known = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            vectors = checked(self.inner.embed(list(missing.values())), self, len(missing))
            fresh = list(zip(missing, rows_of(vectors), strict=True))
            self._cache.put(fresh)
            known.update(fresh)
        return vectors_of([known[key] for key in keys], self.dimension)

    def __reduce__(self) -> tuple[Callable[..., Cached], tuple[EmbeddingProvider, int]]:
        return _cached_again, (self.inner, self._limit)


def _cached_again(inner: EmbeddingProvider, limit: int) -> Cached:
    return Cached(inner, limit=limit)


def checked(vectors: npt.ArrayLike, provider: EmbeddingProvider, count: int) -> npt.NDArray[np.float32]:
    """Return a provider's answer as float32[count, dimension], if that is what it is.

    Raises:
        EmbeddingError: it has another shape, or is no array of numbers at all.
    """
    try:
        array = np.asarray(vectors, np.float32)
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"{provider.name} returned what is no array of vectors: {error}") from error
    if array.shape != (count, provider.dimension):
        raise EmbeddingError(
            f"{provider.name} returned an array of shape {array.shape} for {count} texts; "
            f"expected ({count}, {provider.dimension})"
        )
    return array


def rows_of(vectors: npt.NDArray[np.float32]) -> list[bytes]:
    """Return the bytes of each row."""
    data, width = vectors.astype("<f4", copy=False).tobytes(), 4 * vectors.shape[1]
    return [data[start : start + width] for start in range(0, len(data), width)] if width else [b""] * len(vectors)


def vectors_of(rows: Sequence[bytes], dimension: int) -> npt.NDArray[np.float32]:
    """Return float32[len(rows), dimension] from the bytes of its rows."""
    return np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), dimension).astype(np.float32, copy=False)
