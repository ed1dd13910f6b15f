"""The MCP server over streamable HTTP: loopback unless told otherwise, and never without a token.

The token is compared in constant time and comes from the environment or a file, so that it stands in no list of
processes; without one, a fresh one is made and told. The SDK checks Host and Origin against rebinding.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.responses import JSONResponse

from treemill.mcp.server import Service, server_for

PATH = "/mcp"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class TokenGate:
    """Lets through what carries the token ("Authorization: Bearer …"), and answers 401 to all else."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and not self._carries_token(scope):
            body = {"error": "this server wants its token: send the header Authorization: Bearer TOKEN"}
            await JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _carries_token(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


def app_for(service: Service, token: str, host: str) -> TokenGate:
    """Return the ASGI app over a service; the service is opened and closed with it."""
    hosts = [f"{each}:*" for each in ("127.0.0.1", "localhost", "[::1]", host)]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=hosts,
        allowed_origins=[f"http://{each}" for each in hosts],
    )
    app = server_for(service).streamable_http_app(streamable_http_path=PATH, transport_security=security, host=host)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: Starlette) -> AsyncIterator[Any]:
        service.open()
        async with inner(served) as state:
            yield state

    app.router.lifespan_context = lifespan
    return TokenGate(app, token)


def serve_http(roots: Sequence[str], listener: socket.socket, token: str) -> None:
    """Serve clients on a socket until interrupted."""
    service = Service(roots)
    host = listener.getsockname()[0]
    config = uvicorn.Config(app_for(service, token, host), log_level="warning", lifespan="on", ws="none")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        service.close()
