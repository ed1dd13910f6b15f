"""Sockets that servers listen on."""

from __future__ import annotations

import socket

from treemill.errors import UsageError

LOOPBACK = "127.0.0.1"


def listening(port: int, host: str = LOOPBACK) -> socket.socket:
    """Return a socket that listens on a port, on any free one for 0.

    Raises:
        UsageError: the port is taken or is none, or the address is none of this machine's.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OverflowError as error:
        raise UsageError(f"{port} is no port", suggestion="Name one from 0 to 65535") from error
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            suggestion="Choose another with --port, 0 for any free one",
        ) from error
    # Connections inherit it. An answer is written in two parts, and without it the second waits for the first to be
    # acknowledged, which takes the other side 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
