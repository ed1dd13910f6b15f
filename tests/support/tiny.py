"""Models small enough to be made in a test, in the files that real ones come in.

A word is split off at blanks and looked up in a vocabulary of a few; every other one is [UNK].
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ["[PAD]", "[UNK]", "def", "class", "add", "cart", "return", "word", "where", "are", "retries"]
DIMENSION = 6


def table() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return float32[words, DIMENSION]: the row of each word."""
    return np.random.default_rng(7).normal(size=(len(WORDS), DIMENSION)).astype(np.float32)


def tokenizer() -> Any:
    """Return a tokenizer that knows the words."""
    tokenizers = import_module("tokenizers")
    model = tokenizers.models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]")
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return made


def model2vec_folder(folder: Path) -> Path:
    """Save a static model of the model2vec library."""
    import_module("model2vec").StaticModel(table(), tokenizer(), normalize=True).save_pretrained(str(folder))
    return folder


def onnx_folder(folder: Path, *, pooling: str | None = None, tokens: int = 64) -> Path:
    """Save an ONNX model whose output, float32[texts, tokens, DIMENSION], is the row of each token.

    `pooling` writes the configuration that sentence-transformers does: "mean", "cls" or "max".
    """
    onnx = import_module("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    rows = table()
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["tokens"])],
        "tiny",
        [
            helper.make_tensor_value_info("input_ids", kinds.INT64, ["texts", "length"]),
            helper.make_tensor_value_info("attention_mask", kinds.INT64, ["texts", "length"]),
        ],
        [helper.make_tensor_value_info("tokens", kinds.FLOAT, ["texts", "length", DIMENSION])],
        [helper.make_tensor("table", kinds.FLOAT, rows.shape, rows.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True)
    onnx.save(model, str(folder / "model.onnx"))
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": tokens}))
    if pooling is not None:
        names = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text(
            json.dumps({name: kind == pooling for kind, name in names.items()})
        )
        (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Pooling"}]))
    return folder
