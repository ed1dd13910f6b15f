"""Requests to services that embed: one POST of JSON, one answer of vectors, and every way in which that can fail.

What a service does wrong becomes an EmbeddingError that says whether trying again can help, and how long the service
asked to wait. A key goes into one header, to the base URL alone: redirects are not followed, and no message, repr or
log has it in it, not even where the service sends it back.
"""

from __future__ import annotations

import json
import math
import time
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt

from treemill._version import __version__
from treemill.embedding.texts import shown_url
from treemill.errors import EmbeddingError, SettingsError

# No request's vectors come near this; what sends more is not embedding.
_MOST_ANSWER_BYTES = 256_000_000

# Connections kept open between requests; more requests than that at a time are possible and open their own.
_KEPT_CONNECTIONS = 32

_CONNECT_SECONDS = 10.0
_SAID_CHARACTERS = 200

_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})

_ADVICE = {
    400: "Check embedding.model and the other settings; `treemill config` shows them",
    404: "Check embedding.base_url and embedding.model; `treemill config` shows them",
}


class Service:
    """A service under a base URL. Any number of threads may ask it; connections are kept and shared.

    `who` names it in messages, `key_advice` says where its key is set.
    """

    def __init__(self, who: str, base_url: str, api_key: str, *, timeout: float, key_advice: str) -> None:
        """Get ready; nothing is sent.

        Raises:
            SettingsError: the URL or the key cannot be used.
        """
        self._url = checked_url(base_url)
        self.where = shown_url(self._url)
        self._who = who
        self._timeout = timeout
        self._key = checked_key(api_key)
        self._key_advice = key_advice
        # Certificates take a tenth of a second to load, and nothing but https needs them.
        self._client = httpx.Client(
            verify=self._url.startswith("https:"),
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=_KEPT_CONNECTIONS),
            headers={"User-Agent": f"treemill/{__version__}", "Accept": "application/json"},
            follow_redirects=False,
        )
        self.close = weakref.finalize(self, self._client.close)
        """Close the connections; happens by itself when nobody uses the service any more."""

    def __repr__(self) -> str:
        return f"Service({self.where!r})"

    def __getstate__(self) -> object:
        raise TypeError(f"{self._who} runs in threads of one process: it holds connections, and maybe a key")

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Send a body and return the answer's JSON, within the timeout.

        Raises:
            EmbeddingError: there is no answer, or it says no, or it is no JSON.
        """
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            with self._client.stream("POST", self._url + path, json=body, headers=headers) as response:
                data = self._read(response)
        except httpx.TimeoutException as error:
            raise self._late() from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise EmbeddingError(
                f"{self._who} at {self.where} cannot be reached: {self._said(str(error) or type(error).__name__)}",
                retryable=True,
                suggestion="Check that it runs, and embedding.base_url",
            ) from error
        if not response.is_success:
            raise self._refusal(response, data)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            said = self._said(data[:10_000].decode("utf-8", "replace"))
            raise EmbeddingError(
                f"{self._who} at {self.where} answered with what is no JSON: {said}",
                suggestion="Check embedding.base_url",
            ) from error

    def _read(self, response: httpx.Response) -> bytes:
        """Read an answer whole, giving up when it takes too long in all or never ends."""
        deadline = time.monotonic() + self._timeout
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if time.monotonic() > deadline:
                raise self._late()
            if size > _MOST_ANSWER_BYTES:
                raise EmbeddingError(f"{self._who} at {self.where} sent more than {_MOST_ANSWER_BYTES:,} bytes")
        return b"".join(parts)

    def _late(self) -> EmbeddingError:
        return EmbeddingError(
            f"{self._who} at {self.where} did not answer within {self._timeout:g} s",
            retryable=True,
            suggestion="Set embedding.request_timeout_seconds higher if it needs longer",
        )

    def _refusal(self, response: httpx.Response, data: bytes) -> EmbeddingError:
        """Return what an answer other than success means."""
        status, said = response.status_code, self._said(message_in(data))
        text = f"{self._who} at {self.where} answered {status}" + (f": {said}" if said else "")
        if status in (401, 403):
            why = "refused the key" if self._key else "wants a key"
            text = f"{self._who} at {self.where} {why} ({status}" + (f": {said})" if said else ")")
            return EmbeddingError(text, suggestion=self._key_advice)
        if response.is_redirect:
            return EmbeddingError(f"{text}, a redirect, which is not followed", suggestion="Check embedding.base_url")
        # Money that has run out is not back in a minute.
        spent = status == 429 and b"insufficient_quota" in data
        return EmbeddingError(
            text,
            retryable=status in _RETRYABLE and not spent,
            retry_after=None if spent else retry_after(response.headers),
            suggestion=_ADVICE.get(status),
        )

    def _said(self, text: str) -> str:
        """Return what a service said, on one line, not too long, and without the key."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return " ".join(text.split())[:_SAID_CHARACTERS]


def vectors_in(answer: Any, count: int, who: str) -> npt.NDArray[np.float32]:
    """Return float32[count, d] from an answer of the form `{"data": [{"index": 0, "embedding": [...]}, …]}`.

    Raises:
        EmbeddingError: it has another form, other numbers, or another count.
    """
    try:
        entries = answer["data"]
        rows = {entry.get("index", place): entry["embedding"] for place, entry in enumerate(entries)}
        if len(entries) == count and set(rows) != set(range(count)):
            raise EmbeddingError(f"{who} answered with vectors that belong to no text")
    except (TypeError, KeyError, AttributeError) as error:
        raise EmbeddingError(
            f"{who} answered in a form that holds no vectors", suggestion="Check embedding.base_url"
        ) from error
    if len(entries) != count:
        raise EmbeddingError(f"{who} answered with {len(entries)} vectors for {count} texts")
    try:
        vectors = np.array([rows[place] for place in range(count)], np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise EmbeddingError(f"{who} answered with vectors that are no lists of numbers of one length") from error
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise EmbeddingError(f"{who} answered with vectors that are no lists of numbers")
    return vectors


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds an answer asks to wait: Retry-After in seconds or as a date (RFC 9110, 10.2.3).

    A date is counted from the service's own, where it tells that. None where nothing (that makes sense) is asked.
    """
    given = headers.get("retry-after", "").strip()
    try:
        seconds = float(given)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    until = _date(given)
    if until is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def message_in(data: bytes) -> str:
    """Return the message of a refusal: what the usual services put into their JSON, else the text itself."""
    text = data[:10_000].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for key in ("error", "detail", "message"):
        inner = found.get(key) if isinstance(found, dict) else None
        if inner:
            found = inner
    if isinstance(found, dict):
        found = found.get("message", found)
    return found if isinstance(found, str) else text


def checked_url(text: str) -> str:
    """Return a base URL without the slash at its end.

    Raises:
        SettingsError: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            "embedding.base_url is no URL of a service", suggestion="It is like http://127.0.0.1:11434/v1"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(
            "embedding.base_url must hold neither a password nor what follows a ? or #",
            suggestion="Put the key into OPENAI_API_KEY or, in your own settings file, embedding.api_key",
        )
    return text.strip().rstrip("/")


def checked_key(text: str) -> str:
    """Return a key without blanks around it.

    Raises:
        SettingsError: it cannot be a key; the message does not show it.
    """
    key = text.strip()
    if not key.isascii() or any(not 33 <= ord(letter) <= 126 for letter in key):
        raise SettingsError("the API key holds blanks or letters that no key has", suggestion="Copy it again, whole")
    return key
