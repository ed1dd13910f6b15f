"""Fixtures that every test may use: trees from dicts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from support.postgres_server import PostgresServer, missing, running_server
from support.processes import folders_in
from support.ray_cluster import connected_to, ray_cluster

# A shell starts what it runs in the background with SIGINT ignored, and programs inherit it; tests interrupt some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests start hundreds of processes: each would compile all that it loads anew where none may write that down.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What an example takes on a machine that others use too says nothing about the code. A developer's runs look for new
# examples; continuous integration repeats the same ones, so that what fails there fails everywhere.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

Tree = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep keys, caches and settings of the person who runs the tests out of them, in child processes too."""
    for name, value in folders_in(tmp_path_factory.mktemp("home")).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return a function that lays out `{"a.py": "text", "sub/b.bin": b"bytes"}` in a fresh folder and returns it."""
    count = 0

    def plant(files: Mapping[str, str | bytes]) -> Path:
        nonlocal count
        root = tmp_path / f"tree{count}"
        count += 1
        root.mkdir()
        return laid_out(root, files)

    return plant


def laid_out(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Lay out files in a folder and return it; for fixtures that several tests share, which `tree` is not for."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for the session, from the first test on that asks for it."""
    if reason := missing():
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def ray_nodes() -> Iterator[Any]:
    """Run a Ray cluster of one node with two processors for the session, be connected to it, and yield its handle."""
    with ray_cluster() as cluster, connected_to(cluster.address):
        yield cluster


@pytest.fixture
def ray_address(ray_nodes: Any) -> str:
    """The address of the session's Ray cluster."""
    return str(ray_nodes.address)
