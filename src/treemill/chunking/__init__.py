"""Chunking: how a file's bytes are cut, and what the pieces define.

`chunk` (in `deciding`) is the one place that decides which chunker cuts a file. It is loaded when it is first asked
for: whoever only reads an index needs the names and the packing of this package, and no parser.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treemill.chunking.deciding import chunk as chunk

_HOMES = {"chunk": "treemill.chunking.deciding"}

__all__ = ["chunk"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'treemill.chunking' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
