"""The page on this machine: a socket on the loopback, an address with a token in it, and the server."""

from __future__ import annotations

import secrets
import socket

import uvicorn

from treemill.hosting import Host
from treemill.listening import LOOPBACK
from treemill.places import Place
from treemill.web.app import app_for
from treemill.web.board import Board
from treemill.web.guard import Guard

# Pages that are open hold a stream; the server does not wait longer for them when it ends.
_PATIENCE_SECONDS = 1


def address_of(listener: socket.socket) -> tuple[str, str]:
    """Return the address to open, which holds a fresh token, and the token."""
    token = secrets.token_urlsafe(24)
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}/?token={token}", token


def serve(place: Place, listener: socket.socket, token: str) -> None:
    """Serve the page until interrupted."""
    port = listener.getsockname()[1]
    board = Board()
    hosts = frozenset({f"{LOOPBACK}:{port}", f"localhost:{port}"})
    app = Guard(app_for(Host(place, on_event=board), board), token=token, hosts=hosts, port=port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
