"""Providers that ask a service: texts are clipped and prefixed, sent in one request, and the answer is checked.

`http` is any server with OpenAI's API: OpenAI itself, Ollama, vLLM, LM Studio, text-embeddings-inference. `voyage` is
Voyage AI, which is told whether a text is a question. Both run in threads; retry, pace and batches are the business of
whoever asks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from treemill.embedding import Limits
from treemill.embedding.network import Service, vectors_in
from treemill.embedding.texts import Prefixes, clipped
from treemill.embedding.wrappers import checked
from treemill.errors import EmbeddingError, SettingsError
from treemill.settings import EmbeddingSettings

VOYAGE_URL = "https://api.voyageai.com/v1"
VOYAGE_MODEL = "voyage-code-3"

# Bounds of the usual services, with room left since tokens are estimated: OpenAI takes 2,048 texts, 300,000 tokens and
# 8,191 a text; Voyage 1,000 texts, 120,000 tokens and 32,000 a text. Small requests keep many threads busy instead.
_TEXTS = 64
_TOKENS = 60_000
_OPENAI_TEXT_TOKENS = 8_000
_VOYAGE_TEXT_TOKENS = 30_000

_PROBE = "def add(a, b): return a + b"

Purpose = Literal["document", "query"]


class ServiceProvider:
    """See `treemill.embedding.EmbeddingProvider`; `dimension` is known from the start, or learned by a `probe`."""

    runs_in: Literal["worker", "thread"] = "thread"

    def __init__(
        self, service: Service, model: str, prefixes: Prefixes, limits: Limits, *, kind: str, dimension: int
    ) -> None:
        """Get ready; nothing is sent. `dimension` is asked of the model; 0 takes what it gives."""
        self.name = f"{kind}:{model}{prefixes.mark}"
        self.limits = limits
        self.dimension = dimension
        self.where = service.where
        self._service = service
        self._model = model
        self._prefixes = prefixes
        self._asked_dimension = dimension

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.where!r})"

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[len(texts), dimension] of chunks, by one request.

        Raises:
            EmbeddingError: there is no answer, or not the right one; `.retryable` and `.retry_after` say what helps.
        """
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return self._ask([self._prefixes.document + text for text in texts], "document")

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return float32[dimension] of a question.

        Raises:
            EmbeddingError: as `embed`.
        """
        vector: npt.NDArray[np.float32] = self._ask([self._prefixes.query + text], "query")[0]
        return vector

    def probe(self) -> int:
        """Embed one short text and return the dimension of its vector, which is this provider's from now on if unknown.

        Raises:
            EmbeddingError: as `embed`.
        """
        found = len(self._ask([_PROBE], "document")[0])
        self.dimension = self.dimension or found
        return found

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _ask(self, texts: list[str], purpose: Purpose) -> npt.NDArray[np.float32]:
        # No service takes an empty text, and a chunk of blanks alone is one to some.
        sent = [clipped(text, self.limits.text_tokens) if text.strip() else "." for text in texts]
        answer = self._service.post("/embeddings", self._body(sent, purpose))
        vectors = vectors_in(answer, len(texts), self.name)
        if not np.isfinite(vectors).all():
            raise EmbeddingError(f"{self.name} answered with a vector that is not finite")
        return checked(vectors, self, len(texts)) if self.dimension else vectors

    def _body(self, texts: list[str], purpose: Purpose) -> Mapping[str, object]:
        body: dict[str, object] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._asked_dimension:
            body["dimensions"] = self._asked_dimension
        return body


class VoyageProvider(ServiceProvider):
    """Voyage AI: as any service, but that it tells questions from documents, and names things in its own way."""

    def _body(self, texts: list[str], purpose: Purpose) -> Mapping[str, object]:
        body: dict[str, object] = {"model": self._model, "input": texts, "input_type": purpose, "truncation": True}
        if self._asked_dimension:
            body["output_dimension"] = self._asked_dimension
        return body


def make_http(settings: EmbeddingSettings) -> ServiceProvider:
    """Return a provider for a server with OpenAI's API.

    Raises:
        SettingsError: the server or the model is not named, or the key cannot be one.
    """
    if not settings.base_url:
        raise SettingsError(
            "the http provider does not know its server",
            suggestion="Set embedding.base_url, OPENAI_BASE_URL, OLLAMA_HOST or OPENAI_API_KEY",
        )
    if not settings.model:
        raise SettingsError(
            "the http provider does not know its model", suggestion="Set embedding.model, for example nomic-embed-text"
        )
    advice = "Set OPENAI_API_KEY or, in your own settings file, embedding.api_key"
    return ServiceProvider(
        _service("the embedding server", settings.base_url, settings, advice),
        settings.model,
        Prefixes.of(settings),
        _limits(settings, _OPENAI_TEXT_TOKENS),
        kind="http",
        dimension=settings.dimension,
    )


def make_voyage(settings: EmbeddingSettings) -> VoyageProvider:
    """Return a provider for Voyage AI.

    Raises:
        SettingsError: there is no key, or it cannot be one.
    """
    advice = "Set VOYAGE_API_KEY or, in your own settings file, embedding.api_key"
    if not settings.api_key:
        raise SettingsError("the voyage provider has no key", suggestion=advice)
    return VoyageProvider(
        _service("Voyage", settings.base_url or VOYAGE_URL, settings, advice),
        settings.model or VOYAGE_MODEL,
        Prefixes.of(settings),
        _limits(settings, _VOYAGE_TEXT_TOKENS),
        kind="voyage",
        dimension=settings.dimension,
    )


def _service(who: str, url: str, settings: EmbeddingSettings, advice: str) -> Service:
    return Service(who, url, settings.api_key, timeout=settings.request_timeout_seconds, key_advice=advice)


def _limits(settings: EmbeddingSettings, text_tokens: int) -> Limits:
    return Limits(settings.max_texts or _TEXTS, settings.max_tokens or _TOKENS, settings.max_text_tokens or text_tokens)
