"""Outposts of this connection: a process on each node, begun before anything is known of the node.

Those that will have workers are begun with as many processors, so that they stay when they have looked: starting such
a process takes Ray most of a second of a processor. Where others use the cluster, its processors may be taken for a
long time, so there outposts only look, which needs none, and hosts of workers are begun apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import treemill.cluster.looking as looking
from treemill.values import dataclass

# Batches are handed one after the other, in order, while another thread of the actor waits for what ended.
_LANES = {"hand": 1, "collect": 1}


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster that lives: Ray's id of it, its name for people, and its processors."""

    id: str
    name: str
    processors: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An outpost that stands: Ray's handle of it, and how many workers it has processors for."""

    actor: Any
    workers: int


_standing: dict[str, Standing] = {}


def nodes() -> list[Node]:
    """Return the nodes that live and have processors, those with most first."""
    found = [
        Node(str(each["NodeID"]), str(each.get("NodeManagerAddress", "")), int(each["Resources"].get("CPU", 0)))
        for each in ray.nodes()
        if each["Alive"]
    ]
    return sorted((node for node in found if node.processors), key=lambda node: (-node.processors, node.id))


def spread(found: Sequence[Node], count: int) -> dict[str, int]:
    """Return how many workers each node gets, by its id: as evenly as their processors allow."""
    given = {node.id: 0 for node in found}
    for _ in range(min(count, sum(node.processors for node in found))):
        free = [node for node in found if given[node.id] < node.processors]
        given[min(free, key=lambda node: given[node.id]).id] += 1
    return given


def on_node(node: Node) -> NodeAffinitySchedulingStrategy:
    """Return the strategy that places a task or an actor on a node."""
    return NodeAffinitySchedulingStrategy(node.id, soft=False)


def begun(workers: int, node: Node | None) -> Any:
    """Begin an outpost with processors for so many workers, on a node, or wherever there is room; return its handle."""
    strategy = "DEFAULT" if node is None else on_node(node)
    ray.cloudpickle.register_pickle_by_value(looking)
    try:
        made = ray.remote(concurrency_groups=_LANES)(looking.Outpost)
        return made.options(num_cpus=workers, max_restarts=0, scheduling_strategy=strategy).remote()
    finally:
        ray.cloudpickle.unregister_pickle_by_value(looking)


def stand(found: Sequence[Node], workers: Mapping[str, int]) -> dict[str, Any]:
    """Have an outpost on each node, by its id; `workers` is for how many each shall stay, 0 for none."""
    idle = _is_idle()
    for node in found:
        if node.id not in _standing:
            staying = workers.get(node.id, 0) if idle else 0
            _standing[node.id] = Standing(begun(staying, node), staying)
    return {node.id: _standing[node.id].actor for node in found}


def take(node: Node, workers: int) -> Any:
    """Return an outpost on a node with processors for so many workers: the one that stands there, or a new one."""
    standing = _standing.pop(node.id, None)
    if standing is not None and standing.workers == workers:
        return standing.actor
    if standing is not None:
        end(standing.actor)
    return begun(workers, node)


def dismiss(*, all_of_them: bool = True) -> None:
    """End the outposts that nobody has taken; or of them only those that cannot stay."""
    for node, standing in list(_standing.items()):
        if all_of_them or not standing.workers:
            del _standing[node]
            end(standing.actor)


def forget() -> None:
    """Forget the outposts of a connection that has ended, and they with it."""
    _standing.clear()


def end(actor: Any) -> None:
    """Kill an outpost; its workers end when their pipes do. Never raises, never waits."""
    try:
        ray.kill(actor)
    except (RayError, ValueError, RuntimeError):
        pass  # it is gone already, or the connection is


def _is_idle() -> bool:
    """Whether nobody else has taken processors of the cluster."""
    ours = sum(standing.workers for standing in _standing.values())
    free = ray.available_resources().get("CPU", 0.0)
    return bool(free + ours >= ray.cluster_resources().get("CPU", 0.0))
