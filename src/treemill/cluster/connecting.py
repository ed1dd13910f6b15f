"""Reaching a Ray cluster, and finding out whether its nodes can do the work, before any is done."""

from __future__ import annotations

import importlib.metadata
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

import treemill.cluster.looking as looking
import treemill.cluster.outposts as outposts
from treemill._version import __version__
from treemill.cluster.looking import PACKAGE, Sight
from treemill.cluster.outposts import Node, nodes
from treemill.errors import UsageError, WorkersError

# How long a cluster may take to accept a connection, and each of its nodes to start a first task.
_REACH_SECONDS = 5.0
_LOOK_SECONDS = 60.0

_CLIENT_PORT = 10001

# Of this much memory is the object store of a local Ray; results pass through it one by one.
_LOCAL_STORE_BYTES = 200_000_000

# Versions of these decide what chunks and words come to: they must be the same everywhere.
_DECIDING = re.compile(r"tree-sitter|pystemmer", re.IGNORECASE)


# What the nodes of this connection have.
_seen: dict[str, Sight] = {}


@contextmanager
def connected(address: str, processors: int) -> Iterator[None]:
    """Be connected to the cluster at an address; to one of this process alone, with so many processors, if it is "".

    A connection that is there already is used, and stays. RAY_ADDRESS says where the cluster is if `address` does not.

    Raises:
        WorkersError: it does not answer, or is of another version.
        UsageError: the address is none.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS", "") or "local"
    _connect(address, processors)
    try:
        _equip(address, processors)
        yield
    finally:
        outposts.forget()
        ray.shutdown()


def _equip(address: str, processors: int) -> None:
    """Look at the nodes, and connect again with the code of this process for those that do not have it.

    Ray sends code along for a whole connection only.
    """
    _forget()
    found = nodes()
    environment = runtime_environment(found, look_at(found, None, processors)) if found else {}
    if environment:
        ray.shutdown()
        _connect(address, processors, environment)
        _forget()


def _forget() -> None:
    _seen.clear()
    outposts.forget()


def _connect(address: str, processors: int, environment: dict[str, Any] | None = None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": "ERROR"}
    if environment:
        quiet["runtime_env"] = environment
    try:
        if address == "local":
            ray.init(
                address="local",
                num_cpus=processors,
                include_dashboard=False,
                object_store_memory=_LOCAL_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
            return
        host = _reached(address)
        loopback = {"_node_ip_address": host} if host.startswith("127.") else {}
        ray.init(address=address, **loopback, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, RayError) as error:
        raise _explained(address, error) from error


def _reached(address: str) -> str:
    """Knock at an address, since Ray itself would wait for minutes; return the host, "" for one that Ray finds itself.

    Raises:
        UsageError, WorkersError: as `connected`.
    """
    if address == "auto":
        return ""
    match = re.fullmatch(r"(ray://)?(\[[^]]+\]|[^:/\s]+)(?::(\d{1,5}))?", address)
    if match is None or (match[1] is None and match[3] is None):
        raise UsageError(
            f"{address!r} is no address of a cluster",
            suggestion="It looks like 10.0.0.1:6379; `ray start --head` prints it",
        )
    host, port = match[2].strip("[]"), int(match[3] or _CLIENT_PORT)
    try:
        socket.create_connection((host, port), timeout=_REACH_SECONDS).close()
    except OSError as error:
        raise WorkersError(
            f"there is no cluster at {address}: {error.strerror or error}",
            suggestion="Start one with `ray start --head`, or look at --cluster and RAY_ADDRESS",
        ) from None
    return host


def _explained(address: str, error: Exception) -> WorkersError:
    text = " ".join(str(error).split())
    if "ersion mismatch" in text:
        return WorkersError(
            f"the cluster at {address} is of another version: {text[:400]}",
            suggestion=f"Use Python {sys.version.split()[0]} and ray {ray.__version__} on both sides",
        )
    return WorkersError(
        f"the cluster at {address} cannot be used: {text[:400]}",
        suggestion="Look at it with `ray status`; --executor process works without one",
    )


def look_at(found: Sequence[Node], sample: tuple[str, int, int] | None, count: int) -> dict[str, Sight]:
    """Return what each node has, by its id; a node that dies or is silent is not in it.

    Where the cluster is idle, the processes that looked stay, to be hosts of `count` workers. Without a file to look
    for, a node that has been looked at during this connection is not bothered again.

    Raises:
        WorkersError: none of them answers.
    """
    if sample is None and all(node.id in _seen for node in found):
        return {node.id: _seen[node.id] for node in found}
    actors = outposts.stand(found, outposts.spread(found, count))
    asked = {actors[node.id].look.remote(requirements(), sample): node for node in found}
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_SECONDS) if asked else ([], [])
    sights: dict[str, Sight] = {}
    for each in answered:
        try:
            sights[asked[each].id] = Sight(*ray.get(each))
        except RayError:
            continue
    outposts.dismiss(all_of_them=False)
    _seen.update(sights)
    if not sights:
        raise WorkersError(
            f"none of {len(found)} nodes of the cluster answers",
            suggestion="Look whether they are up and can start tasks: ray status",
        )
    return sights


@cache
def requirements() -> tuple[str, ...]:
    """Return the distributions without which the package does not work."""
    wanted = importlib.metadata.requires(PACKAGE) or []
    return tuple(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0] for each in wanted if "extra ==" not in each)


def runtime_environment(found: Sequence[Node], sights: dict[str, Sight]) -> dict[str, Any]:
    """Return the runtime environment under which every node runs the code of this process; empty if it has it already.

    Raises:
        WorkersError: a node lacks what the package needs, or has it in versions that come to other results.
    """
    for node in found:
        sight = sights.get(node.id)
        if sight is not None:
            _check(node, sight)
    folder = Path(__file__).parent.parent
    own = looking.digest_of(str(folder))
    if all(sight.code == own for sight in sights.values()):
        return {}
    return {"py_modules": [str(folder)], "excludes": ["**/__pycache__/**", "*.c"]}


def _check(node: Node, sight: Sight) -> None:
    install = f"Run on every node: pip install 'treemill[ray]=={__version__}'"
    missing = [name for name, version in sight.versions.items() if version is None]
    if missing:
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise WorkersError(f"node {node.name} of the cluster lacks {some}", suggestion=install)
    if sight.python.split(".")[:2] != [str(part) for part in sys.version_info[:2]]:
        raise WorkersError(
            f"node {node.name} has Python {sight.python}, this program runs on {sys.version.split()[0]}",
            suggestion="Use the same version of Python on both sides",
        )
    own = {name: importlib.metadata.version(name) for name in sight.versions}
    other = [name for name, version in sight.versions.items() if version != own[name] and _DECIDING.match(name)]
    if other:
        name = other[0]
        raise WorkersError(
            f"node {node.name} has {name} {sight.versions[name]}, this machine {own[name]}: they come to other results",
            suggestion="Run on every node: pip install " + " ".join(f"{each}=={own[each]}" for each in other),
        )
