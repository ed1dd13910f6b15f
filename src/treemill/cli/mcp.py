"""`treemill mcp`: serve agents over MCP, on standard input and output or over HTTP."""

from __future__ import annotations

import argparse
import gc
import os
import secrets
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from treemill.errors import UsageError
from treemill.listening import listening
from treemill.mcp.doorman import Wire

TOKEN_VARIABLE = "TREEMILL_MCP_TOKEN"

_SHORTEST_TOKEN = 16
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client leaves, or until interrupted."""
    roots = arguments.roots or [_here()]
    for root in roots:
        if not Path(root).is_dir():
            raise UsageError(f"there is no folder {root}", suggestion="Name the folders to serve")
    if not arguments.http:
        _serve(roots)
        return 0
    if arguments.host not in _LOOPBACK and not arguments.remote:
        raise UsageError(
            f"{arguments.host} can be reached from other machines",
            suggestion="Add --remote if that is meant; the token then crosses the network in clear",
        )
    token = _token(arguments.token_file)
    door = _sdk("treemill.mcp.http")
    listener = listening(arguments.port, arguments.host)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"serving MCP at http://{shown}:{port}{door.PATH}", file=sys.stderr, flush=True)
    if token is None:
        token = secrets.token_urlsafe(24)
        print(f"token, made for this run: {token}", file=sys.stderr, flush=True)
    door.serve_http(roots, listener, token)
    return 0


def _serve(roots: Sequence[str]) -> None:
    """Serve standard input and output: at once, and with the SDK as soon as that is loaded.

    Raises:
        UsageError: the SDK is not installed.
    """
    if find_spec("mcp") is None:
        raise _missing("mcp")
    loaded, wire = threading.Event(), Wire()
    found: list[Any] = []

    def load() -> None:
        # What loading leaves behind lives as long as the process: looking through it for garbage only takes time.
        gc.disable()
        try:
            found.append(_sdk("treemill.mcp.server"))
        finally:
            gc.enable()
            loaded.set()

    threading.Thread(target=load, name="treemill-sdk").start()
    wire.attend(loaded)
    if found:
        found[0].serve_wire(roots, wire)


def _here() -> str:
    """Return this folder, unless it is one that nobody means: agents may start servers anywhere.

    Raises:
        UsageError: it is the user's home or the top of the file system.
    """
    here = Path.cwd()
    if here == Path.home() or here == here.parent:
        raise UsageError(
            f"{here} holds everything you have", suggestion="Name the folders to serve: treemill mcp FOLDER"
        )
    return "."


def _sdk(module: str) -> Any:
    """Return a module that needs the SDK.

    Raises:
        UsageError: the SDK is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("treemill"):
            raise
        raise _missing(error.name) from error


def _missing(package: str) -> UsageError:
    return UsageError(f"serving MCP needs the package {package}", suggestion='Run: pip install "treemill[mcp]"')


def _token(file: str | None) -> str | None:
    """Return the token of a file or of the environment, None where there is neither.

    Raises:
        UsageError: the file cannot be read, or the token is too short to be one.
    """
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE)
    else:
        try:
            token = Path(file).read_text().strip()
        except OSError as error:
            raise UsageError(
                f"cannot read {file}: {error.strerror}", suggestion="Name a file with the token"
            ) from error
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise UsageError(
            f"a token of {len(token)} characters can be guessed", suggestion=f"Take {_SHORTEST_TOKEN} or more"
        )
    return token
