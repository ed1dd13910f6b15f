"""Transformers in ONNX: a folder with `model.onnx` and `tokenizer.json`, as sentence-transformers exports them.

    text ─▶ tokens ─▶ session ─▶ float32[texts, tokens, d] ─▶ pooling ─▶ normalisation ─▶ float32[texts, d]

How tokens are pooled is read from `1_Pooling/config.json` (mean, or the first token's), whether rows are normalised
from `modules.json`; without these files it is the mean, normalised, as most models have it. A model with an output of
[texts, d] has pooled by itself. It runs in the chunk workers, one thread each; a worker opens it when it first embeds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
import tokenizers

from treemill.embedding import Limits
from treemill.embedding.local import asked_dimension, fingerprint, model_folder
from treemill.embedding.quantise import shortened
from treemill.embedding.texts import Prefixes, clipped
from treemill.embedding.tokenizing import TOKENIZER_FILE, FileTokenizer
from treemill.errors import EmbeddingError, SettingsError
from treemill.settings import EmbeddingSettings
from treemill.values import dataclass

_MODEL = "model.onnx"
_CONFIGS = ("config.json", "sentence_bert_config.json", "modules.json", "1_Pooling/config.json")

# Texts of like length go through together: short ones are not padded to the length of long ones.
_TEXTS_AT_ONCE = 16
_DEFAULT_TOKENS = 512
_PROBE = "def add(a, b): return a + b"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the output of a session becomes vectors."""

    pooling: Literal["mean", "first"]
    normalise: bool
    tokens: int


class OnnxProvider:
    """See `treemill.embedding.EmbeddingProvider`. It survives pickling as the name of its folder."""

    runs_in: Literal["worker", "thread"] = "worker"

    def __init__(self, folder: Path, name: str, dimension: int, recipe: Recipe, prefixes: Prefixes) -> None:
        self.name = name
        self.dimension = dimension
        self.limits = Limits(text_tokens=recipe.tokens)
        self._folder = folder
        self._recipe = recipe
        self._prefixes = prefixes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._folder, self.name, self.dimension, self._recipe, self._prefixes)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[len(texts), dimension] of chunks, each read as far as the model's window.

        Raises:
            EmbeddingError: the session fails.
        """
        return self._encode([self._prefixes.document + text for text in texts])

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return float32[dimension] of a question.

        Raises:
            EmbeddingError: as `embed`.
        """
        vector: npt.NDArray[np.float32] = self._encode([self._prefixes.query + text])[0]
        return vector

    def own_dimension(self) -> int:
        """Run one text through the model and return the length of its vector.

        Raises:
            EmbeddingError: the session fails.
        """
        return int(self._run([_PROBE]).shape[1])

    @cached_property
    def tokenizer(self) -> FileTokenizer:
        """What counts a text's tokens as the model reads them."""
        return FileTokenizer(self._folder / TOKENIZER_FILE)

    @cached_property
    def _session(self) -> Any:
        options = onnxruntime.SessionOptions()
        # Processes share the load: a pool of threads in each of them would fight over the same cores.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = str(self._folder / _MODEL)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = tokenizers.Tokenizer.from_file(str(self._folder / TOKENIZER_FILE))
        tokenizer.enable_truncation(self._recipe.tokens)
        tokenizer.no_padding()
        return tokenizer

    def _encode(self, texts: list[str]) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), _TEXTS_AT_ONCE):
            places = order[start : start + _TEXTS_AT_ONCE]
            made = self._run([texts[place] for place in places])
            vectors[places] = shortened(made, self.dimension, self.name)
        return vectors

    def _run(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Return float32[texts, d], pooled and normalised."""
        try:
            encoded = self._tokenizer.encode_batch([clipped(text, 0) for text in texts])
            longest = max(1, max(len(each.ids) for each in encoded))
            ids = np.zeros((len(texts), longest), np.int64)
            mask = np.zeros((len(texts), longest), np.int64)
            for row, each in enumerate(encoded):
                ids[row, : len(each.ids)] = each.ids
                mask[row, : len(each.ids)] = 1
            known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            wanted = [each.name for each in self._session.get_inputs()]
            output = self._session.run(None, {name: known[name] for name in wanted})[0]
        except KeyError as error:
            raise EmbeddingError(f"the model {self.name} wants an input {error} that no text has") from error
        except Exception as error:
            raise EmbeddingError(f"the model {self.name} failed: {type(error).__name__}: {error}") from error
        return _pooled(np.asarray(output, np.float32), mask, self._recipe)


def _pooled(output: npt.NDArray[np.float32], mask: npt.NDArray[np.int64], recipe: Recipe) -> npt.NDArray[np.float32]:
    """Return float32[texts, d] of float32[texts, tokens, d] (or of [texts, d]: pooled already)."""
    if output.ndim == 2:
        rows = output
    elif recipe.pooling == "first":
        rows = output[:, 0]
    else:
        weights = mask[:, :, None].astype(np.float32)
        rows = (output * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
    if recipe.normalise:
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows.astype(np.float32)


def make(settings: EmbeddingSettings) -> OnnxProvider:
    """Return a provider for the model that the settings name.

    Raises:
        SettingsError: the model is not there, cannot be opened, or pools in a way that is not known here.
    """
    folder = model_folder(settings, (_MODEL, TOKENIZER_FILE))
    recipe = _recipe(folder, settings)
    prefixes = Prefixes.of(settings)
    mark = fingerprint(folder, (_MODEL, f"{_MODEL}_data", TOKENIZER_FILE), repr(recipe))
    name = f"onnx:{Path(settings.model).name}:{mark}{prefixes.mark}"
    provider = OnnxProvider(folder, name, 0, recipe, prefixes)
    try:
        own = provider.own_dimension()
    except EmbeddingError as error:
        raise SettingsError(
            f"the model in {folder} cannot be used: {error}", suggestion="Check that the folder holds one model's files"
        ) from error
    provider.dimension = asked_dimension(settings, own)
    return provider


def _recipe(folder: Path, settings: EmbeddingSettings) -> Recipe:
    pooling = _read(folder / "1_Pooling" / "config.json")
    modules = _read(folder / "modules.json")
    if pooling.get("pooling_mode_cls_token"):
        mode: Literal["mean", "first"] = "first"
    elif not pooling or pooling.get("pooling_mode_mean_tokens"):
        mode = "mean"
    else:
        raise SettingsError(
            f"the model in {folder} pools in a way that is not known here",
            suggestion="Take a model that pools by the mean or the first token",
        )
    normalise = not modules or any("Normalize" in str(each) for each in modules.values())
    own = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    positions = _read(folder / "config.json").get("max_position_embeddings")
    tokens = next((each for each in (own, positions) if isinstance(each, int) and each > 0), _DEFAULT_TOKENS)
    return Recipe(mode, normalise, min(tokens, settings.max_text_tokens or tokens))


def _read(path: Path) -> dict[str, Any]:
    """Return what a file of JSON holds, a list by its places; nothing where there is no such file.

    Raises:
        SettingsError: it is no JSON.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", suggestion="Copy the model again, whole") from error
    if isinstance(found, list):
        return {str(place): each for place, each in enumerate(found)}
    return found if isinstance(found, dict) else {}
