"""Static models of the model2vec library: a folder with `model.safetensors`, `tokenizer.json` and `config.json`.

They run in the chunk workers; each worker opens the model when it first embeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import model2vec
import numpy as np
import numpy.typing as npt

from treemill.embedding import Limits
from treemill.embedding.local import asked_dimension, fingerprint, model_folder
from treemill.embedding.quantise import shortened
from treemill.embedding.texts import Prefixes, clipped
from treemill.embedding.tokenizing import TOKENIZER_FILE, FileTokenizer
from treemill.errors import SettingsError
from treemill.settings import EmbeddingSettings

_FILES = ("model.safetensors", TOKENIZER_FILE, "config.json")


class Model2VecProvider:
    """See `treemill.embedding.EmbeddingProvider`. It survives pickling as the name of its folder."""

    runs_in: Literal["worker", "thread"] = "worker"

    def __init__(self, folder: Path, name: str, dimension: int, prefixes: Prefixes, limits: Limits) -> None:
        self.name = name
        self.dimension = dimension
        self.limits = limits
        self._folder = folder
        self._prefixes = prefixes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._folder, self.name, self.dimension, self._prefixes, self.limits)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[len(texts), dimension] of chunks, each of its whole text.

        Raises:
            EmbeddingError: the model makes what is no number.
        """
        return self._encode([self._prefixes.document + text for text in texts])

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return float32[dimension] of a question.

        Raises:
            EmbeddingError: as `embed`.
        """
        vector: npt.NDArray[np.float32] = self._encode([self._prefixes.query + text])[0]
        return vector

    @cached_property
    def tokenizer(self) -> FileTokenizer:
        """What counts a text's tokens as the model reads them, which adds none of its own."""
        return FileTokenizer(self._folder / TOKENIZER_FILE, special=False)

    @cached_property
    def _model(self) -> Any:
        return model2vec.StaticModel.from_pretrained(str(self._folder))

    def _encode(self, texts: list[str]) -> npt.NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        sent = [clipped(text, self.limits.text_tokens) for text in texts]
        vectors = self._model.encode(sent, max_length=None, use_multiprocessing=False)
        return shortened(np.asarray(vectors, np.float32), self.dimension, self.name)


def make(settings: EmbeddingSettings) -> Model2VecProvider:
    """Return a provider for the model that the settings name.

    Raises:
        SettingsError: the model is not there, or cannot be read.
    """
    folder = model_folder(settings, _FILES)
    prefixes = Prefixes.of(settings)
    limits = Limits(text_tokens=settings.max_text_tokens)
    mark = fingerprint(folder, _FILES, version("model2vec").split(".")[0], str(limits.text_tokens))
    name = f"model2vec:{Path(settings.model).name}:{mark}{prefixes.mark}"
    provider = Model2VecProvider(folder, name, 0, prefixes, limits)
    try:
        own = int(provider._model.dim)
    except Exception as error:
        raise SettingsError(
            f"the model in {folder} cannot be opened: {type(error).__name__}: {error}",
            suggestion="Check that model2vec itself can load it",
        ) from error
    provider.dimension = asked_dimension(settings, own)
    return provider
