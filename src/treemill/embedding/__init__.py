"""What turns text into vectors: one protocol, and where each provider runs.

A provider that computes runs in the chunk workers ("worker"), where processes share the load; a provider that waits
for a network runs in threads beside the store ("thread"). `treemill.embedding.registry` names those that settings can
choose, `treemill.embedding.wrappers` what can be put around any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from treemill.ranking.occurrences import Occurrences


@runtime_checkable
class EmbeddingProvider(Protocol):
    """Embeds texts. A "worker" provider must survive pickling; a "thread" provider must be safe to call in threads.

    `name` and `dimension` go into the index's recipe, so `name` tells apart whatever makes other vectors of the same
    text (with `version`, where it is `Versioned`). `runs_in` says where calls are made.
    """

    name: str
    dimension: int
    runs_in: Literal["worker", "thread"]

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[len(texts), dimension], row i for text i.

        Raises:
            EmbeddingError: the provider failed; `.retryable` tells whether trying again can help.
        """

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return float32[dimension] for a question."""


@runtime_checkable
class TermEncoder(EmbeddingProvider, Protocol):
    """A "worker" provider that needs no text, only which terms stand where: the word pass has found them already."""

    def encode(self, occurrences: Occurrences) -> npt.NDArray[np.int8]:
        """Return int8[chunks of the batch, dimension]: a chunk's vector depends on its terms alone."""


class Limits(NamedTuple):
    """What a provider takes: texts a request, tokens a request, tokens a text. 0 is "no limit of its own".

    A text over its limit is read as far as the limit.
    """

    texts: int = 0
    tokens: int = 0
    text_tokens: int = 0


def limits_of(provider: EmbeddingProvider | None) -> Limits:
    """Return the `limits` of a provider; a provider without that attribute has none."""
    found: Any = getattr(provider, "limits", None)
    return found if isinstance(found, Limits) else Limits()


@runtime_checkable
class Probed(EmbeddingProvider, Protocol):
    """A provider that can be out of reach as a whole: it is asked once before a run, so that no work is lost."""

    def probe(self) -> int:
        """Embed one short text, and return the dimension of its vector; `dimension` is 0 until it is known.

        Raises:
            EmbeddingError: the provider does not answer, or not rightly.
        """


@runtime_checkable
class Versioned(Protocol):
    """A provider whose vectors are told apart by more than its name."""

    version: str


def model_of(provider: EmbeddingProvider) -> str:
    """Return what an index's recipe calls a provider's model: its name, and its version where it has one."""
    return f"{provider.name}:{provider.version}" if isinstance(provider, Versioned) else provider.name
