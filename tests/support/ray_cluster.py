"""A real Ray cluster on this machine: node processes on loopback, small, ended by whoever began it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

HAS_RAY = importlib.util.find_spec("ray") is not None

needs_ray = pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install 'treemill[ray]'")

# Ray takes 127.0.0.1 for the machine's outward address; its neighbour stays what it is.
LOOPBACK = "127.0.0.2"

NODE = {"num_cpus": 2, "node_ip_address": LOOPBACK, "object_store_memory": 80_000_000}
"""What a node process is started with."""

# Ray lets sockets and files go with the process; its own warnings are its own.
quiet_ray = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def ray_cluster(*, processors: int = 2) -> Iterator[Any]:
    """Start a cluster of one node and yield Ray's handle of it: `.address`, `.add_node`, `.remove_node`."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster_utils = importlib.import_module("ray.cluster_utils")
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**NODE, "num_cpus": processors, "include_dashboard": False}
    )
    try:
        yield cluster
    finally:
        cluster.shutdown()


@contextmanager
def connected_to(address: str) -> Iterator[None]:
    """Be connected to a cluster as the package does it; crews use the connection that is there."""
    with importlib.import_module("treemill.cluster.connecting").connected(address, 1):
        yield
