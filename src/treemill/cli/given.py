"""From flags to settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from treemill.cli.words import printable
from treemill.configuration import explain_settings
from treemill.places import Place
from treemill.settings import Settings


def store_flags(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return what the flags say about where the index is kept."""
    return {
        "storage.url": getattr(arguments, "store", None),
        "storage.repository": getattr(arguments, "repository", None),
    }


def settings_for(place: Place, arguments: argparse.Namespace) -> Settings:
    """Return the settings that hold for a place under the flags that were given; warnings go to standard error."""
    flags: Mapping[str, Any] = {
        "chunker.concurrency.max_parallel_files": arguments.workers,
        "chunker.concurrency.executor": arguments.executor,
        "discovery.no_ignore": arguments.no_ignore,
        "discovery.hidden": arguments.hidden,
        "storage.cache_mb": 0 if arguments.no_cache else None,
        **store_flags(arguments),
    }
    resolved = explain_settings(place.root, flags=flags)
    if not arguments.quiet:
        for warning in resolved.warnings:
            print(f"treemill: {printable(warning)}", file=sys.stderr)
    return resolved.settings
