"""Modules that need a package of an extra: loaded when they are used, or named with what installs the package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from treemill.errors import UsageError


def module_of_extra(module: str, needs: str, extras: Mapping[str, str]) -> Any:
    """Return a module of Treemill by its full name.

    `needs` begins the message ("a store on postgresql needs"); `extras` is the extra that brings each package.

    Raises:
        UsageError: one of these packages is not installed; the message says how to install it.
        ModuleNotFoundError: something else is missing, which no extra brings.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        extra = extras.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise UsageError(
            f"{needs} the package {error.name}", suggestion=f"Run: pip install 'treemill[{extra}]'"
        ) from None
