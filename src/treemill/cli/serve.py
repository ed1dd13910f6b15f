"""`treemill serve`: the local web page."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from importlib import import_module
from typing import Any

from treemill.errors import UsageError
from treemill.listening import listening
from treemill.places import place_of


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until interrupted."""
    place = place_of(arguments.path)
    server: Any
    try:
        server = import_module("treemill.web.server")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("treemill"):
            raise
        raise UsageError(
            f"serving the page needs the package {error.name}", suggestion='Run: pip install "treemill[serve]"'
        ) from error
    listener = listening(arguments.port)
    address, token = server.address_of(listener)
    print(f"serving {place.root} at {address}", file=sys.stderr, flush=True)
    if arguments.open:
        webbrowser.open(address)
    server.serve(place, listener, token)
    return 0
