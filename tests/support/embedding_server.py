"""A real HTTP server on loopback with the usual embedding API, that misbehaves on cue.

    with EmbeddingServer() as server:
        server.script = ["429 2", "500", "ok"]

Each request takes the next word of the script; when it is over, `always` holds, which is "ok" unless it is set. A
request with a text that has `poison` in it is refused with 400; after `dies_after` requests the server is gone. It
keeps what it was asked: `requests` are the bodies, `headers` their headers, `peers` the ports they came from.
"""

from __future__ import annotations

import json
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from support.providers import DIMENSION, vector_of

KEY = "sk-loopback-0123456789abcdef"


class EmbeddingServer:
    """Answers `POST /v1/embeddings`; the right vector of a text is `support.providers.vector_of`.

    Script words: ok · 401 · 403 · 404 · 500 · 503 · 302 · 429 (no Retry-After) · "429 N" (seconds) · "429 date N" ·
    quota · echo (401 that repeats the key) · garbage · html · empty · form · few · many · wide · ragged · nan ·
    shuffled · drip (a byte at a time) · silence (never answers) · close (mid-answer) · slam (no answer at all)
    """

    def __init__(self, *, key: str | None = None, dimension: int = DIMENSION) -> None:
        self.key = key
        self.dimension = dimension
        self.script: list[str] = []
        self.always: str | None = None
        self.poison: str | None = None
        self.dies_after: int | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.peers: list[int] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def texts(self) -> list[str]:
        return [text for body in self.requests for text in body["input"]]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop answering; connections are refused from now on. Doing it twice is fine."""
        if not self.closing.is_set():
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()

    def _next(self, body: dict[str, Any], headers: dict[str, str], path: str, peer: int) -> str:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            self.paths.append(path)
            self.peers.append(peer)
            if self.closing.is_set():
                return "slam"
            if self.dies_after is not None and len(self.requests) > self.dies_after:
                # The loop that accepts connections cannot be ended by a thread that it waits for.
                threading.Thread(target=self.stop, daemon=True).start()
                return "slam"
            return self.script.pop(0) if self.script else (self.always or "ok")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                word = server._next(body, headers, self.path, self.client_address[1])
                given = headers.get("authorization", "").removeprefix("Bearer ")
                if server.key is not None and given != server.key and word == "ok":
                    self._say(401, {"error": {"message": "Incorrect API key provided"}})
                elif server.poison is not None and any(server.poison in text for text in body["input"]):
                    self._say(400, {"error": {"message": "this text is refused"}})
                else:
                    self._answer(word, body["input"], given)

            def _answer(self, word: str, texts: list[str], key: str) -> None:
                data = [
                    {"object": "embedding", "index": place, "embedding": vector_of(text, server.dimension).tolist()}
                    for place, text in enumerate(texts)
                ]
                match word.split():
                    case ["ok"]:
                        self._say(200, {"data": data, "model": "m", "usage": {}})
                    case ["429", "date", seconds]:
                        self._say(
                            429,
                            {"error": "slow"},
                            {"Retry-After": formatdate(time.time() + float(seconds), usegmt=True)},
                        )
                    case ["429", seconds]:
                        self._say(429, {"error": "slow"}, {"Retry-After": seconds})
                    case ["302"]:
                        self._say(302, {}, {"Location": "http://127.0.0.1:9/v1/embeddings"})
                    case [status] if status.isdigit():
                        self._say(int(status), {"error": {"message": f"this is a {status}"}})
                    case ["quota"]:
                        self._say(429, {"error": {"code": "insufficient_quota", "message": "no money left"}})
                    case ["echo"]:
                        self._say(401, {"error": {"message": f"Incorrect API key provided: {key}"}})
                    case ["garbage"]:
                        self._raw(b"\xff\x00{not json")
                    case ["html"]:
                        self._raw(b"<html>Please log in</html>", "text/html")
                    case ["empty"]:
                        self._raw(b"")
                    case ["form"]:
                        self._say(200, {"vectors": [1, 2]})
                    case ["few"]:
                        self._say(200, {"data": data[:-1]})
                    case ["many"]:
                        self._say(200, {"data": [*data, {**data[0], "index": len(data)}]})
                    case ["wide"]:
                        self._say(200, {"data": [{**each, "embedding": [*each["embedding"], 0.5]} for each in data]})
                    case ["ragged"]:
                        self._say(200, {"data": [*data[:-1], {**data[-1], "embedding": [1.0]}]})
                    case ["nan"]:
                        data[0]["embedding"] = [float("nan"), *data[0]["embedding"][1:]]
                        self._say(200, {"data": data})
                    case ["shuffled"]:
                        self._say(200, {"data": data[::-1]})
                    case ["drip"]:
                        self._drip()
                    case ["silence"]:
                        server.closing.wait(30)
                        self.close_connection = True
                    case ["close"]:
                        self._begin(200, 1000)
                        self.wfile.write(b'{"data": [')
                        self.wfile.flush()
                        self.close_connection = True
                    case ["slam"]:
                        self.close_connection = True
                    case other:
                        raise ValueError(f"no such word: {other}")

            def _drip(self) -> None:
                self._begin(200, 10_000)
                try:
                    while not server.closing.wait(0.02):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                except OSError:
                    pass
                self.close_connection = True

            def _say(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
                self._raw(json.dumps(value).encode(), "application/json", status, headers)

            def _raw(
                self,
                data: bytes,
                kind: str = "application/json",
                status: int = 200,
                headers: dict[str, str] | None = None,
            ) -> None:
                self._begin(status, len(data), kind, headers)
                self.wfile.write(data)

            def _begin(
                self, status: int, size: int, kind: str = "application/json", headers: dict[str, str] | None = None
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(size))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
