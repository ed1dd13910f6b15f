"""What an index is to be built with under the settings: limits, words, model."""

from __future__ import annotations

from importlib import import_module

from treemill.chunking.governor import ChunkGovernor, EmbeddingCapabilities, Tokenizer
from treemill.embedding import EmbeddingProvider, Probed, limits_of, model_of
from treemill.embedding.registry import make_provider
from treemill.ranking import words
from treemill.records import Recipe
from treemill.settings import Settings
from treemill.storage import IndexStore

# Loaded for those whose sizes are in tokens.
_TOKENIZING = "treemill.embedding.tokenizing"


def recipe_of(chunker: str, provider: EmbeddingProvider | None) -> Recipe:
    """Return what an index is built with: a chunker (its recipe), the word splitter, and a model if there is one."""
    if provider is None:
        return Recipe(chunker=chunker, words=words.RECIPE)
    return Recipe(chunker, words.RECIPE, model_of(provider), provider.dimension)


def governor_for(settings: Settings, provider: EmbeddingProvider | None) -> ChunkGovernor:
    """Return the limits for cutting: those of the settings, unless the provider reads less of a text than that.

    Raises:
        SettingsError: sizes are in tokens, and the provider has no tokenizer.
    """
    tokenizer = tokenizer_for(settings, provider)
    plain = ChunkGovernor(settings=settings.chunker, tokenizer=tokenizer)
    window = limits_of(provider).text_tokens
    if not window:
        return plain
    bound = ChunkGovernor(EmbeddingCapabilities(window), settings.chunker, tokenizer=tokenizer)
    return bound if bound.max_chunk_bytes < plain.max_chunk_bytes else plain


def tokenizer_for(settings: Settings, provider: EmbeddingProvider | None) -> Tokenizer | None:
    """Return what counts the tokens of chunks, where their size is in tokens of a model other than our own.

    Raises:
        SettingsError: the provider has no tokenizer.
    """
    if not settings.chunker.max_chunk_tokens:
        return None
    tokenizer: Tokenizer | None = import_module(_TOKENIZING).tokenizer_of(provider, settings.embedding)
    return tokenizer


def asking_provider(settings: Settings, store: IndexStore) -> EmbeddingProvider | None:
    """Return the provider that embeds questions to an index; None where the index has no vectors.

    Nothing is sent to a service before there is a question.

    Raises:
        SettingsError: the provider cannot be made from the settings.
    """
    recipe = store.recipe()
    if recipe is None or recipe.model is None:
        return None
    provider = make_provider(settings.embedding)
    if isinstance(provider, Probed) and not provider.dimension and model_of(provider) == recipe.model:
        provider.dimension = recipe.dimension
    return provider
