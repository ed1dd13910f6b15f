"""What a file defines: functions, classes, methods, types, constants…, found in its syntax tree."""

from __future__ import annotations

from tree_sitter import Node

from treemill.types import Symbol


def defines(language: str) -> bool:
    """Tell whether files of this language define symbols."""
    return False


def symbols(text: bytes, root: Node, language: str) -> tuple[Symbol, ...]:
    """Return what a tree defines, in order of start."""
    return ()
