"""A served page for tests: a real process, its address, and requests as a browser or an attacker would send them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.processes import environment


@dataclass(frozen=True)
class Answered:
    """What came back for a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def values(self) -> Any:
        """The body, from JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A page that is served: `address` holds the token."""

    address: str

    @property
    def host(self) -> str:
        """The host and port, as in the header Host."""
        return urlsplit(self.address).netloc

    def ask(self, path: str, *, method: str = "GET", trusted: bool = True, **headers: str) -> Answered:
        """Send a request, with the cookie unless it is not trusted; headers are given with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if trusted:
            port = self.host.rsplit(":", 1)[1]
            sent.setdefault("Cookie", f"treemill-{port}={self.address.rsplit('token=', 1)[1]}")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@contextmanager
def served(root: Path, **variables: str) -> Iterator[Served]:
    """Serve a folder's page on a free port, with variables in the environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "treemill", "serve", "--port", "0", str(root)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    try:
        assert process.stderr is not None
        yield Served(process.stderr.readline().split()[-1])
    finally:
        process.terminate()
        with process:
            pass
