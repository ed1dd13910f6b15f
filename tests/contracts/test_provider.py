"""What every embedding provider owes, and every wrapper around one: one suite, run over each.

To enrol a provider, write a function that makes it in a folder, with a server at hand, and name it in `PROVIDERS`.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from support import tiny
from support.embedding_server import KEY, EmbeddingServer
from support.providers import HashProvider
from treemill.embedding import EmbeddingProvider, limits_of
from treemill.embedding.registry import make_provider
from treemill.embedding.wrappers import Cached, Counting, Limited, Retrying
from treemill.settings import EmbeddingSettings

Make = Callable[[Path, EmbeddingServer], EmbeddingProvider | None]


def http(folder: Path, server: EmbeddingServer) -> EmbeddingProvider | None:
    pytest.importorskip("httpx", reason="the extra treemill[http] is not installed")
    return make_provider(
        EmbeddingSettings(provider="http", base_url=server.url, model="m", api_key=KEY, dimension=server.dimension)
    )


def voyage(folder: Path, server: EmbeddingServer) -> EmbeddingProvider | None:
    pytest.importorskip("httpx", reason="the extra treemill[http] is not installed")
    return make_provider(
        EmbeddingSettings(provider="voyage", base_url=server.url, api_key=KEY, dimension=server.dimension)
    )


def model2vec(folder: Path, server: EmbeddingServer) -> EmbeddingProvider | None:
    pytest.importorskip("model2vec", reason="the extra treemill[model2vec] is not installed")
    return make_provider(EmbeddingSettings(provider="model2vec", model=str(tiny.model2vec_folder(folder / "tiny"))))


def onnx(folder: Path, server: EmbeddingServer) -> EmbeddingProvider | None:
    pytest.importorskip("onnxruntime", reason="the extra treemill[onnx] is not installed")
    pytest.importorskip("onnx", reason="the package onnx, which writes the model, is not installed")
    return make_provider(EmbeddingSettings(provider="onnx", model=str(tiny.onnx_folder(folder / "tiny"))))


PROVIDERS: dict[str, Make] = {
    "hash": lambda folder, server: HashProvider(),
    "http": http,
    "voyage": voyage,
    "model2vec": model2vec,
    "onnx": onnx,
}

WRAPPERS: dict[str, Callable[[EmbeddingProvider], EmbeddingProvider]] = {
    "bare": lambda inner: inner,
    "retrying": Retrying,
    "limited": lambda inner: Limited(inner, per_second=10_000),
    "counting": Counting,
    "cached": Cached,
    "stacked": lambda inner: Cached(Retrying(Limited(Counting(inner)))),
}

TEXTS = [
    "def add(a, b):\n    return a + b\n",
    "class Cart: ...",
    "# größe 日本 🌲",
    "x",
    "  \n",
    "a\x00b",
    "word " * 4000,
]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer(key=KEY) as running:
        yield running


@pytest.fixture(scope="module", params=PROVIDERS)
def inner(
    request: pytest.FixtureRequest, server: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory
) -> EmbeddingProvider:
    made = PROVIDERS[request.param](tmp_path_factory.mktemp("model"), server)
    assert made is not None
    return made


@pytest.fixture(params=WRAPPERS)
def provider(request: pytest.FixtureRequest, inner: EmbeddingProvider) -> EmbeddingProvider:
    return WRAPPERS[request.param](inner)


def test_it_says_what_it_is(provider: EmbeddingProvider) -> None:
    assert isinstance(provider, EmbeddingProvider)
    assert provider.name
    assert provider.dimension > 0
    assert provider.runs_in in ("worker", "thread")
    assert min(limits_of(provider).texts, limits_of(provider).tokens, limits_of(provider).text_tokens) >= 0


def test_each_text_has_its_row_of_finite_numbers(provider: EmbeddingProvider) -> None:
    vectors = provider.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), provider.dimension)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()


def test_no_texts_have_no_rows(provider: EmbeddingProvider) -> None:
    assert provider.embed([]).shape == (0, provider.dimension)


def test_a_vector_does_not_depend_on_its_company_or_its_place(provider: EmbeddingProvider) -> None:
    together = provider.embed(TEXTS)
    backwards = provider.embed(TEXTS[::-1])[::-1]
    alone = np.concatenate([provider.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(together, backwards, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_different_texts_have_different_vectors(provider: EmbeddingProvider) -> None:
    one, two = provider.embed([TEXTS[0], TEXTS[1]])
    assert not np.allclose(one, two)


def test_the_same_text_twice_has_the_same_vector_twice(provider: EmbeddingProvider) -> None:
    one, two = provider.embed([TEXTS[0], TEXTS[0]])
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_a_question_has_one_vector(provider: EmbeddingProvider) -> None:
    vector = provider.embed_query("where are retries decided")
    assert vector.shape == (provider.dimension,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


def test_bytes_that_were_no_text_do_not_break_it(provider: EmbeddingProvider) -> None:
    assert np.isfinite(provider.embed(["caf\udce9 = 1"])).all()


def test_many_threads_may_ask_at_once(provider: EmbeddingProvider) -> None:
    right = provider.embed(TEXTS[:3])
    wrong: list[str] = []

    def ask() -> None:
        for _ in range(5):
            if not np.allclose(provider.embed(TEXTS[:3]), right, rtol=1e-4, atol=1e-5):
                wrong.append(threading.current_thread().name)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_a_copy_for_a_worker_is_the_same(provider: EmbeddingProvider) -> None:
    if provider.runs_in == "worker" or "hash" in provider.name:
        copy = pickle.loads(pickle.dumps(provider))  # noqa: S301 - what this very test has made
        assert (copy.name, copy.dimension, copy.runs_in) == (provider.name, provider.dimension, provider.runs_in)
        np.testing.assert_array_equal(copy.embed(TEXTS), provider.embed(TEXTS))
    else:
        with pytest.raises(TypeError, match="holds connections"):
            pickle.dumps(provider)


def test_no_key_shows(provider: EmbeddingProvider) -> None:
    assert KEY not in repr(provider)
    assert KEY not in str(provider)
    assert KEY not in provider.name
