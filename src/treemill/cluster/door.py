"""From settings to a crew on a cluster: what `executor_type="ray"` and `--cluster` mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from treemill.cluster.carrying import CarryingCrew
from treemill.cluster.hosts import RayHosts
from treemill.cutting import Cutting
from treemill.flow import Crew, Limits
from treemill.flow.remote import RemoteCrew
from treemill.settings import ChunkerSettings
from treemill.work import Prepare


def open_crew(settings: ChunkerSettings, work: Any, count: int, limits: Limits) -> Crew[Any, Any]:
    """Return a crew of at most `count` workers on the cluster of the settings.

    What the index and the cache on this machine know is looked up here, not by the workers.

    Raises:
        UsageError, WorkersError: there is no such cluster.
    """
    hosts = RayHosts(settings.concurrency.cluster, count)
    if isinstance(work, Prepare):
        work = replace(work, lookup=None, cache=None)
    crew: RemoteCrew[Any, Any] = RemoteCrew(hosts.workers, work, limits, hosts)
    if not isinstance(work, Prepare | Cutting):
        return crew
    return CarryingCrew(crew, hosts.look, settings.concurrency.cluster_files, _most_bytes(settings, work))


@contextmanager
def reached(settings: ChunkerSettings) -> Iterator[None]:
    """Be connected to the cluster of the settings while entered; its nodes have been looked at.

    Raises:
        UsageError, WorkersError: there is no such cluster, or its nodes cannot do the work.
    """
    hosts = RayHosts(settings.concurrency.cluster, settings.concurrency.max_parallel_files)
    try:
        hosts.look()
        yield
    finally:
        hosts.close()


def _most_bytes(settings: ChunkerSettings, work: object) -> int:
    """Return how large a file may be to be worth carrying: beyond, the worker refuses it anyhow."""
    if isinstance(work, Prepare) and work.max_bytes is not None:
        return work.max_bytes
    return round(settings.performance.max_file_size_mb * 1_000_000)
