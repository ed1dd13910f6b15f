"""A server that embeds and misbehaves: each way to fail is one clear error, and says whether trying again can help."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import numpy as np
import pytest

from support.embedding_server import KEY, EmbeddingServer
from support.providers import vector_of
from treemill.embedding import EmbeddingProvider
from treemill.embedding.registry import make_provider
from treemill.embedding.wrappers import Cached, Counting, Limited, Retrying
from treemill.errors import EmbeddingError, SettingsError
from treemill.processing.vectors import VectorCalculationManager
from treemill.settings import EmbeddingSettings

pytest.importorskip("httpx", reason="the extra treemill[http] is not installed")

TEXTS = ["one", "two", "three"]


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer(key=KEY) as running:
        yield running


def provider_at(server: EmbeddingServer, *, dimension: int = 8, **more: object) -> EmbeddingProvider:
    values: dict[str, object] = {"provider": "http", "base_url": server.url, "model": "m", "api_key": KEY}
    made = make_provider(EmbeddingSettings(**{**values, "dimension": dimension, **more}))  # type: ignore[arg-type]
    assert made is not None
    return made


def failure(provider: EmbeddingProvider) -> EmbeddingError:
    with pytest.raises(EmbeddingError) as caught:
        provider.embed(TEXTS)
    return caught.value


# ── one request, one failure ──


@pytest.mark.parametrize(
    ("word", "says", "retryable"),
    [
        ("401", "refused the key (401: this is a 401). Set OPENAI_API_KEY", False),
        ("403", "refused the key (403", False),
        ("404", "answered 404: this is a 404. Check embedding.base_url and embedding.model", False),
        ("400", "answered 400: this is a 400. Check embedding.model", False),
        ("413", "answered 413", False),
        ("429", "answered 429", True),
        ("500", "answered 500: this is a 500", True),
        ("503", "answered 503", True),
        ("302", "a redirect, which is not followed", False),
        ("quota", "no money left", False),
        ("garbage", "answered with what is no JSON", False),
        ("html", "answered with what is no JSON: <html>Please log in</html>", False),
        ("empty", "answered with what is no JSON", False),
        ("form", "answered in a form that holds no vectors", False),
        ("few", "answered with 2 vectors for 3 texts", False),
        ("many", "answered with 4 vectors for 3 texts", False),
        ("wide", "returned an array of shape (3, 9) for 3 texts; expected (3, 8)", False),
        ("ragged", "no lists of numbers of one length", False),
        ("nan", "answered with a vector that is not finite", False),
        ("close", "cannot be reached", True),
        ("slam", "cannot be reached", True),
    ],
)
def test_a_failure_is_one_clear_error(server: EmbeddingServer, word: str, says: str, retryable: bool) -> None:
    server.script = [word]
    provider = provider_at(server)
    error = failure(provider)
    assert says in str(error)
    assert error.retryable is retryable
    assert len(server.requests) == 1
    np.testing.assert_allclose(provider.embed(TEXTS), [vector_of(text) for text in TEXTS], err_msg="and it recovers")


@pytest.mark.parametrize("word", ["silence", "drip"])
def test_a_server_that_never_ends_is_given_up_in_time(server: EmbeddingServer, word: str) -> None:
    server.script = [word]
    began = time.monotonic()
    error = failure(provider_at(server, request_timeout_seconds=0.3))
    assert "did not answer within 0.3 s" in str(error)
    assert error.retryable
    assert time.monotonic() - began < 10


def test_a_server_that_is_not_there_is_named(server: EmbeddingServer) -> None:
    server.stop()
    error = failure(provider_at(server))
    assert server.url in str(error)
    assert "Check that it runs" in str(error)
    assert error.retryable


@pytest.mark.parametrize(("word", "low", "high"), [("429 7", 7, 7), ("429 date 30", 28, 31), ("429 date -30", 0, 0)])
def test_how_long_a_server_asks_to_wait_is_understood_in_both_forms(
    server: EmbeddingServer, word: str, low: float, high: float
) -> None:
    server.script = [word]
    asked = failure(provider_at(server)).retry_after
    assert asked is not None
    assert low <= asked <= high


def test_vectors_in_another_order_find_their_texts(server: EmbeddingServer) -> None:
    server.script = ["shuffled"]
    np.testing.assert_allclose(provider_at(server).embed(TEXTS), [vector_of(text) for text in TEXTS])


# ── what is sent ──


def test_a_request_holds_model_texts_prefixes_and_the_length_that_was_asked_for(server: EmbeddingServer) -> None:
    provider = provider_at(server, document_prefix="passage: ", query_prefix="query: ")
    provider.embed(["def f(): ...", " "])
    provider.embed_query("who calls f")
    assert server.paths == ["/v1/embeddings"] * 2
    assert server.requests[0] == {
        "model": "m",
        "input": ["passage: def f(): ...", "passage:  "],
        "encoding_format": "float",
        "dimensions": 8,
    }
    assert server.requests[1]["input"] == ["query: who calls f"]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_voyage_is_told_what_is_a_question(server: EmbeddingServer) -> None:
    provider = provider_at(server, provider="voyage", model="")
    provider.embed(["a chunk"])
    provider.embed_query("a question")
    assert [body["input_type"] for body in server.requests] == ["document", "query"]
    assert server.requests[0]["model"] == "voyage-code-3"
    assert server.requests[0]["output_dimension"] == 8


def test_a_text_longer_than_the_model_reads_is_clipped(server: EmbeddingServer) -> None:
    provider_at(server, max_text_tokens=10).embed(["x" * 1000])
    assert server.texts == ["x" * 30]


def test_connections_are_kept_between_requests(server: EmbeddingServer) -> None:
    provider = provider_at(server)
    for _ in range(5):
        provider.embed(TEXTS)
    assert len(set(server.peers)) == 1


def test_without_a_key_none_is_sent(server: EmbeddingServer) -> None:
    server.key = None
    provider_at(server, api_key="").embed(TEXTS)
    assert "authorization" not in server.headers[0]


def test_a_probe_learns_the_length_of_vectors(server: EmbeddingServer) -> None:
    provider = provider_at(server, dimension=0)
    assert provider.probe() == 8  # type: ignore[attr-defined]
    assert provider.dimension == 8
    assert "dimensions" not in server.requests[0]


# ── the key ──


@pytest.mark.parametrize("word", ["echo", "401", "500", "slam", "garbage", "close"])
def test_a_key_is_in_no_message_and_in_no_log(
    server: EmbeddingServer, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [word]
    provider = provider_at(server)
    with caplog.at_level(logging.DEBUG):
        error = failure(provider)
    told = f"{error!s} {error!r} {error.__cause__!r} {error.args} {provider!r} {vars(error)}"
    assert KEY not in told
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY} {KEY}", f"{KEY}ü", f"{KEY}\x00"])
def test_what_cannot_be_a_key_is_refused_and_not_shown(server: EmbeddingServer, key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        provider_at(server, api_key=key)
    assert "key" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_key_with_a_line_end_behind_it_is_a_key(server: EmbeddingServer) -> None:
    provider_at(server, api_key=f"{KEY}\n").embed(TEXTS)


@pytest.mark.parametrize(
    "url", ["http://u:secret@127.0.0.1/v1", "http://127.0.0.1/v1?key=secret", "ftp://secret", "secret"]
)
def test_a_url_with_a_password_in_it_is_refused_and_not_shown(server: EmbeddingServer, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        provider_at(server, base_url=url)
    assert "embedding.base_url" in str(caught.value)
    assert "secret" not in str(caught.value)


# ── wrappers, over the wire ──


def test_retrying_gets_past_what_passes_and_waits_as_long_as_asked(server: EmbeddingServer) -> None:
    server.script = ["429 2", "503", "slam", "ok"]
    waited: list[float] = []
    counted = Counting(provider_at(server))
    vectors = Retrying(counted, sleep=waited.append).embed(TEXTS)
    np.testing.assert_allclose(vectors, [vector_of(text) for text in TEXTS])
    assert (counted.requests, counted.errors) == (4, 3)
    assert waited[0] == 2
    assert 0.3 < waited[1] < 0.7


def test_retrying_does_not_knock_again_where_the_key_is_wrong(server: EmbeddingServer) -> None:
    counted = Counting(provider_at(server, api_key="sk-another"))
    with pytest.raises(EmbeddingError, match="refused the key"):
        Retrying(counted, sleep=lambda _: None).embed(TEXTS)
    assert counted.requests == 1


def test_a_limit_holds_everybody_back_when_the_server_asks_for_a_pause(server: EmbeddingServer) -> None:
    server.script = ["429 5"]
    now = [100.0]
    limited = Limited(
        provider_at(server), clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    failure(limited)
    limited.embed(TEXTS)
    assert now[0] == pytest.approx(105.0)


def test_a_cache_asks_for_a_text_once(server: EmbeddingServer) -> None:
    cached = Cached(provider_at(server))
    cached.embed(TEXTS)
    cached.embed([*TEXTS, "four"])
    assert server.texts == [*TEXTS, "four"]


def test_a_text_that_the_server_refuses_fails_alone(server: EmbeddingServer) -> None:
    server.poison = "13"
    with VectorCalculationManager(provider_at(server), 2, batch_size=20) as manager:
        futures = [manager.submit_chunk(f"text {number}", number) for number in range(20)]
        outcomes = [future.exception(60) for future in futures]
    assert [number for number, outcome in enumerate(outcomes) if outcome is not None] == [13]
    assert "this text is refused" in str(outcomes[13])
