"""Hosts of workers as Ray actors: one a node, placed there with as many processors as it has workers.

See `treemill.flow.remote` for the seam, and `treemill.cluster.outposts` for how actors begin. An actor that dies, with
its node or alone, is not restarted by Ray: the crew asks for another one, on whichever node has room.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from treemill.cluster.connecting import connected, look_at, runtime_environment
from treemill.cluster.outposts import Node, begun, dismiss, end, nodes, spread, take
from treemill.errors import WorkersError
from treemill.flow import Limits
from treemill.flow.host import Answer
from treemill.flow.remote import HostGone, RemoteHost

# Far beyond what an answer takes, which comes after half a second at the latest: a host that is silent for so long is
# on a machine that stands still.
_SILENT_SECONDS = 60.0

# How long an actor may take to be placed and started.
_START_SECONDS = 60.0

Sample = tuple[str, int, int]
"""A file as this machine sees it: its path, size in bytes and modification time in nanoseconds."""


class RayHosts:
    """The nodes of a cluster as hosts; see `treemill.flow.remote.Hosts`."""

    def __init__(self, address: str, count: int) -> None:
        """Connect, for `count` workers at most; `workers` is for how many there are processors.

        Raises:
            UsageError, WorkersError: as `connected` does.
        """
        self._stack = ExitStack()
        self._stack.enter_context(connected(address, count))
        self._given: tuple[bytes, Limits] | None = None
        self._hosts: list[RayHost] = []
        self._nodes: list[Node] = []
        self.workers = min(count, max(1, sum(node.processors for node in nodes())))

    def look(self, sample: Sample | None = None) -> bool:
        """Look whether the nodes can work, and return whether all of them see a file as this machine does.

        Raises:
            WorkersError: there is no node, or one cannot do this work.
        """
        found = nodes()
        if not found:
            raise WorkersError("the cluster has no node with a processor", suggestion="Look at it with `ray status`")
        sights = look_at(found, sample, self.workers)
        self._nodes = [node for node in found if node.id in sights]
        if runtime_environment(self._nodes, sights):
            raise WorkersError(
                "nodes of the cluster have not the code of this program, and the connection was made without it",
                suggestion="Connect with ray.init(runtime_env={'py_modules': [treemill]}), or leave that to Treemill",
            )
        return all(sight.sees for sight in sights.values())

    def start(self, count: int, work: bytes, limits: Limits) -> Sequence[RemoteHost]:
        """Begin a host on each node until there are so many workers.

        Raises:
            WorkersError: as `look` does.
        """
        if not self._nodes:
            self.look()
        self._given = work, limits
        given = spread(self._nodes, count)
        for node in self._nodes:
            if given[node.id]:
                self._hosts.append(self._host(take(node, given[node.id]), node.name, given[node.id]))
        return tuple(self._hosts)

    def another(self, workers: int) -> RemoteHost | None:
        """Begin a host in the place of one that died, wherever there is room."""
        largest = max((node.processors for node in nodes()), default=0)
        if self._given is None or not largest:
            return None
        workers = min(workers, largest)
        host = self._host(begun(workers, None), "the cluster", workers)
        self._hosts.append(host)
        return host

    def close(self) -> None:
        """End all hosts, and let go of the cluster."""
        hosts, self._hosts, self._given = self._hosts, [], None
        for host in hosts:
            host.end()
        dismiss()
        self._stack.close()

    def _host(self, actor: Any, name: str, workers: int) -> RayHost:
        assert self._given is not None
        work, limits = self._given
        # What the work needs besides the package is found where this program finds it, if that is there on the node.
        path = [entry for entry in sys.path if os.path.isabs(entry)]
        return RayHost(actor, name, workers, actor.begin.remote(workers, work, limits, path))


class RayHost:
    """One actor; see `treemill.flow.remote.RemoteHost`."""

    def __init__(self, actor: Any, name: str, workers: int, greeting: Any) -> None:
        self.name = name
        self.workers = workers
        self._actor = actor
        self._greeting = greeting

    def ready(self) -> tuple[str, str]:
        """Wait until the actor is placed and has started."""
        program, version = self._got(self._greeting, _START_SECONDS)
        return program, version

    def hand(self, batches: bytes) -> None:
        """Send batches; what goes wrong shows in `collect`."""
        try:
            self._actor.hand.options(concurrency_group="hand").remote(batches)
        except RayError:
            pass  # an actor that is known to be dead: `collect` says so

    def collect(self) -> Answer:
        """Wait for what ended."""
        answer: Answer = self._got(self._actor.collect.options(concurrency_group="collect").remote(), _SILENT_SECONDS)
        return answer

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of its workers; none if it is gone."""
        try:
            return tuple(self._got(self._actor.pids.remote(), _SILENT_SECONDS))
        except HostGone:
            return ()

    def end(self) -> None:
        """Kill the actor; its workers end when their pipes do."""
        end(self._actor)

    def _got(self, asked: Any, seconds: float) -> Any:
        try:
            return ray.get(asked, timeout=seconds)
        except GetTimeoutError as error:
            self.end()
            raise HostGone(f"{self.name} did not answer for {seconds:.0f} s") from error
        except RayError as error:
            raise HostGone(str(error)) from error
