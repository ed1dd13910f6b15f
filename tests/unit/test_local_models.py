"""Models in folders: what the vectors are, what tells two models apart, and that nothing is downloaded unasked."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from support import tiny
from treemill.chunking.governor import ChunkGovernor
from treemill.embedding import EmbeddingProvider, limits_of
from treemill.embedding.registry import make_provider
from treemill.embedding.wrappers import Retrying
from treemill.errors import SettingsError
from treemill.recipes import governor_for
from treemill.settings import ChunkerSettings, EmbeddingSettings, Settings

ROW = dict(zip(tiny.WORDS, tiny.table(), strict=True))


@pytest.fixture(autouse=True)
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for downloaded models in a folder that has none, and never ask a network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def needs(*packages: str) -> None:
    for package in packages:
        pytest.importorskip(package, reason=f"the package {package} is not installed")


def made(**values: object) -> EmbeddingProvider:
    provider = make_provider(EmbeddingSettings(**values))  # type: ignore[arg-type]
    assert provider is not None
    return provider


def unit(vector: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return vector / np.linalg.norm(vector)


def test_a_transformer_is_pooled_by_the_mean_of_its_tokens_and_normalised(tmp_path: Path) -> None:
    needs("onnxruntime", "onnx")
    provider = made(provider="onnx", model=str(tiny.onnx_folder(tmp_path / "m")))
    short, long = provider.embed(["add", "def add cart"])
    np.testing.assert_allclose(short, unit(ROW["add"]), rtol=1e-5)
    np.testing.assert_allclose(long, unit((ROW["def"] + ROW["add"] + ROW["cart"]) / 3), rtol=1e-5)


@pytest.mark.parametrize(("pooling", "right"), [("mean", (ROW["def"] + ROW["add"]) / 2), ("cls", ROW["def"])])
def test_how_a_transformer_is_pooled_is_read_from_its_folder(
    tmp_path: Path,
    pooling: str,
    right: np.ndarray,  # type: ignore[type-arg]
) -> None:
    needs("onnxruntime", "onnx")
    provider = made(provider="onnx", model=str(tiny.onnx_folder(tmp_path / "m", pooling=pooling)))
    np.testing.assert_allclose(provider.embed(["def add"])[0], right, rtol=1e-5)


def test_a_pooling_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    needs("onnxruntime", "onnx")
    with pytest.raises(SettingsError, match="pools in a way that is not known"):
        made(provider="onnx", model=str(tiny.onnx_folder(tmp_path / "m", pooling="max")))


def test_a_small_window_makes_small_chunks_and_longer_texts_are_read_as_far_as_it_goes(tmp_path: Path) -> None:
    needs("onnxruntime", "onnx")
    provider = made(provider="onnx", model=str(tiny.onnx_folder(tmp_path / "m", tokens=2)))
    assert limits_of(provider).text_tokens == 2
    np.testing.assert_array_equal(provider.embed(["def add cart cart"]), provider.embed(["def add"]))
    window = made(provider="onnx", model=str(tiny.onnx_folder(tmp_path / "n", tokens=256)))
    assert governor_for(Settings(), window).max_chunk_bytes == 768
    assert governor_for(Settings(), None).max_chunk_bytes == 1800


def test_a_static_model_is_the_mean_of_its_words(tmp_path: Path) -> None:
    needs("model2vec")
    provider = made(provider="model2vec", model=str(tiny.model2vec_folder(tmp_path / "m")))
    np.testing.assert_allclose(provider.embed(["add cart"])[0], unit(ROW["add"] + ROW["cart"]), rtol=1e-4)


def test_prefixes_stand_before_chunks_and_questions(tmp_path: Path) -> None:
    needs("model2vec")
    folder = str(tiny.model2vec_folder(tmp_path / "m"))
    plain = made(provider="model2vec", model=folder)
    prefixed = made(provider="model2vec", model=folder, document_prefix="class ", query_prefix="where ")
    np.testing.assert_allclose(prefixed.embed(["add"]), plain.embed(["class add"]))
    np.testing.assert_allclose(prefixed.embed_query("add"), plain.embed_query("where add"))
    assert prefixed.name != plain.name, "other vectors, another recipe"


@pytest.mark.parametrize("kind", ["model2vec", "onnx"])
def test_another_model_in_the_same_folder_has_another_name_and_a_moved_one_the_same(tmp_path: Path, kind: str) -> None:
    needs("model2vec", "onnxruntime", "onnx")
    folder = (tiny.model2vec_folder if kind == "model2vec" else tiny.onnx_folder)(tmp_path / "m")
    before = made(provider=kind, model=str(folder)).name
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "m")
    assert made(provider=kind, model=str(moved)).name == before
    tokenizer = moved / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("retries", "retires"))
    make_provider.cache_clear()
    assert made(provider=kind, model=str(moved)).name != before


@pytest.mark.parametrize("kind", ["model2vec", "onnx"])
def test_vectors_can_be_shortened_but_not_lengthened(tmp_path: Path, kind: str) -> None:
    needs("model2vec", "onnxruntime", "onnx")
    folder = str((tiny.model2vec_folder if kind == "model2vec" else tiny.onnx_folder)(tmp_path / "m"))
    assert made(provider=kind, model=folder, dimension=4).embed(["add"]).shape == (1, 4)
    with pytest.raises(SettingsError, match=f"embedding.dimension is 7, but the model {folder} makes 6"):
        made(provider=kind, model=folder, dimension=7)


@pytest.mark.parametrize("kind", ["model2vec", "onnx"])
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("", "does not know its model. Set embedding.model to a folder"),
        ("/no/such/folder", "there is no folder /no/such/folder with a model. Set embedding.model to the folder"),
        ("./here", "there is no folder ./here with a model"),
        ("acme/tiny", "nothing is downloaded by default. Download it yourself and set embedding.model to its folder"),
    ],
)
def test_a_model_that_is_not_there_is_an_error_that_says_what_to_do(kind: str, model: str, says: str) -> None:
    needs("model2vec", "onnxruntime", "huggingface_hub")
    with pytest.raises(SettingsError) as caught:
        made(provider=kind, model=model)
    assert says in str(caught.value)


@pytest.mark.parametrize("kind", ["model2vec", "onnx"])
def test_a_folder_that_lacks_files_or_holds_garbage_is_named(tmp_path: Path, kind: str) -> None:
    needs("model2vec", "onnxruntime")
    folder = tmp_path / "m"
    folder.mkdir()
    with pytest.raises(SettingsError, match=f"model in {folder} lacks model"):
        made(provider=kind, model=str(folder))
    for name in ("model.onnx", "model.safetensors", "tokenizer.json", "config.json"):
        (folder / name).write_text("{}")
    with pytest.raises(SettingsError, match=f"the model in {folder} cannot be"):
        made(provider=kind, model=str(folder))


def test_chunks_are_counted_by_the_tokenizer_that_lies_beside_the_model(tmp_path: Path) -> None:
    needs("onnxruntime", "onnx", "model2vec")
    settings = Settings(chunker=ChunkerSettings(max_chunk_tokens=100))
    window = made(provider="onnx", model=str(tiny.onnx_folder(tmp_path / "m", tokens=64)))
    static = made(provider="model2vec", model=str(tiny.model2vec_folder(tmp_path / "s")))
    limits = governor_for(settings, window)
    assert limits.max_chunk_tokens == 64
    assert limits.tokenizer is not None
    assert limits.tokenizer("def add(cart)") == 5
    assert governor_for(settings, static).max_chunk_tokens == 100
    assert governor_for(settings, Retrying(window)).recipe == limits.recipe
    assert pickle.loads(pickle.dumps(limits)) == limits  # noqa: S301 what we pickled ourselves


def test_chunks_for_a_service_are_counted_by_the_tokenizer_that_the_settings_name(tmp_path: Path) -> None:
    needs("tokenizers", "httpx")
    file = tmp_path / "tokenizer.json"
    tokenizer = tiny.tokenizer()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(file))
    chunker = ChunkerSettings(max_chunk_tokens=100)

    def limits(**values: str) -> ChunkGovernor:
        embedding = EmbeddingSettings(provider="http", base_url="http://127.0.0.1:9", model="m", **values)  # type: ignore[arg-type]
        return governor_for(Settings(chunker=chunker, embedding=embedding), make_provider(embedding))

    with pytest.raises(SettingsError, match=r"http:m has no tokenizer .* Set embedding.tokenizer"):
        limits()
    with pytest.raises(SettingsError, match=r"there is no tokenizer .*other.json"):
        limits(tokenizer=str(tmp_path / "other.json"))
    counted = limits(tokenizer=str(file))
    assert counted.tokenizer is not None
    assert counted.tokenizer("where are retries") == 3
    assert counted.recipe == limits(tokenizer=str(file)).recipe
    file.write_text("{}")
    with pytest.raises(SettingsError, match="cannot be opened"):
        limits(tokenizer=str(file))


def test_without_another_model_tokens_are_the_parts_of_words() -> None:
    settings = Settings(chunker=ChunkerSettings(max_chunk_tokens=100))
    provider = make_provider(EmbeddingSettings())
    assert governor_for(settings, provider) == governor_for(settings, None) == ChunkGovernor(settings=settings.chunker)
