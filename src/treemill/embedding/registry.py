"""The providers that settings can choose, by name; each is loaded when it is chosen.

    none        no vectors: search by words
    static      the model inside the package
    model2vec   a static model of that library: a folder, or a hub id
    onnx        a transformer: a folder with model.onnx and tokenizer.json
    http        a server with OpenAI's API
    voyage      Voyage AI

A further one is a line in `PROVIDERS`, and its name in `treemill.settings.PROVIDER_NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from treemill.embedding import EmbeddingProvider, Probed, model_of
from treemill.errors import SettingsError
from treemill.records import Recipe
from treemill.settings import EmbeddingSettings, Settings

# Whoever indexes and then asks needs one provider twice, with its connections and what it has learned.
_KEPT = 4


class Entry(NamedTuple):
    """Where a provider is made: `function` of `module`. `extra` is the extra of the package that it needs."""

    module: str
    function: str = "make"
    extra: str = ""


PROVIDERS: Mapping[str, Entry | None] = {
    "none": None,
    "static": Entry("treemill.embedding.static"),
    "model2vec": Entry("treemill.embedding.model2vec", extra="model2vec"),
    "onnx": Entry("treemill.embedding.onnx", extra="onnx"),
    "http": Entry("treemill.embedding.service", "make_http", extra="http"),
    "voyage": Entry("treemill.embedding.service", "make_voyage", extra="http"),
}
"""Each provider's name and where it is made."""


def provider_for(settings: Settings, recipe: Recipe | None = None) -> EmbeddingProvider | None:
    """Return the provider that an index with these settings is built and asked with, or None for none.

    Cheap: no model is loaded before something is embedded. A service whose vectors' length is not known is asked once,
    unless `recipe`, that of an index built with the same model, tells it.

    Raises:
        SettingsError: as `make_provider`.
        EmbeddingError: the service does not answer.
    """
    provider = make_provider(settings.embedding)
    if isinstance(provider, Probed) and not provider.dimension:
        if recipe is not None and recipe.model == model_of(provider):
            provider.dimension = recipe.dimension
        else:
            provider.probe()
    return provider


@lru_cache(maxsize=_KEPT)
def make_provider(settings: EmbeddingSettings) -> EmbeddingProvider | None:
    """Return the provider that settings choose, None for none. Nothing is sent or downloaded that they do not allow.

    Raises:
        SettingsError: a setting is missing or wrong, what the provider needs is not installed, or its model is not
            there; the message says what to do.
    """
    entry = PROVIDERS[settings.provider]
    if entry is None:
        return None
    try:
        make: Callable[[EmbeddingSettings], Any] = getattr(import_module(entry.module), entry.function)
    except ModuleNotFoundError as error:
        if error.name is None or (error.name.startswith("treemill") and error.name != entry.module):
            raise
        if not entry.extra or error.name == entry.module:
            raise SettingsError(
                f"this Treemill has no {settings.provider} provider", suggestion="Set embedding.provider to another one"
            ) from error
        raise SettingsError(
            f"the {settings.provider} provider needs the package {error.name}",
            suggestion=f'Run: pip install "treemill[{entry.extra}]"',
        ) from error
    provider: EmbeddingProvider | None = make(settings)
    return provider
