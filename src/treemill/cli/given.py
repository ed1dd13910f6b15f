"""From flags to settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from treemill.cli.words import printable
from treemill.configuration import explain_settings
from treemill.errors import UsageError
from treemill.places import Place
from treemill.settings import Settings

# As many workers as may be asked for: what there are processors for is what there is.
_ALL = 1024


def store_flags(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return what the flags say about where the index is kept."""
    return {
        "storage.url": getattr(arguments, "store", None),
        "storage.repository": getattr(arguments, "repository", None),
    }


def _work_flags(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return what the flags say about who works: on a cluster, all of its processors unless a number is given."""
    cluster, workers = getattr(arguments, "cluster", None), arguments.workers
    executor = arguments.executor or ("ray" if cluster is not None else None)
    if cluster is not None and executor != "ray":
        raise UsageError(f"--cluster and --executor {executor} exclude each other", suggestion="Leave one of them out")
    return {
        "chunker.concurrency.max_parallel_files": _ALL if workers is None and cluster is not None else workers,
        "chunker.concurrency.executor": executor,
        "chunker.concurrency.cluster": cluster,
        "chunker.concurrency.cluster_files": getattr(arguments, "cluster_files", None),
    }


def _size_flags(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return what the flags say about the size of chunks: the unit that was named stands alone."""
    given = {unit: getattr(arguments, f"max_{unit}", None) for unit in ("bytes", "characters", "tokens")}
    if not hasattr(arguments, "max_bytes") or all(size is None for size in given.values()):
        return {}
    sizes = {f"chunker.max_chunk_{unit}": size for unit, size in given.items()}
    return {**sizes, **{name: 0 for name, size in sizes.items() if size is None and name != "chunker.max_chunk_bytes"}}


def flags_of(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return what the flags of a command that works on files say; None for what was not given."""
    return {
        **_work_flags(arguments),
        **_size_flags(arguments),
        "discovery.no_ignore": arguments.no_ignore,
        "discovery.hidden": arguments.hidden,
        "storage.cache_mb": 0 if arguments.no_cache else None,
        **store_flags(arguments),
    }


def settings_for(place: Place, arguments: argparse.Namespace) -> Settings:
    """Return the settings that hold for a place under the flags that were given; warnings go to standard error."""
    resolved = explain_settings(place.root, flags=flags_of(arguments))
    for warning in resolved.warnings:
        noted(arguments, warning)
    return resolved.settings


def noted(arguments: argparse.Namespace, text: str) -> None:
    """Tell people something on standard error, unless they want to hear nothing."""
    if not arguments.quiet:
        print(f"treemill: {printable(text)}", file=sys.stderr)
