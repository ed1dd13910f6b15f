"""Which provider embeds: the one that the settings ask for, else the static encoder in the package."""

from __future__ import annotations

from treemill.embedding import EmbeddingProvider
from treemill.embedding.static import MODEL_PATH, StaticEncoder
from treemill.settings import Settings


def provider_for(settings: Settings) -> EmbeddingProvider | None:
    """Return the provider that an index with these settings is built and asked with, or None for none.

    Cheap: no model is loaded before something is embedded.
    """
    return StaticEncoder() if MODEL_PATH.exists() else None
