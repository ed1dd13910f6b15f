"""Work on a Ray cluster: nodes and actors that die, nodes that see no files, and clusters that cannot do the work."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import Tree
from support.postgres_server import PostgresServer, needs_postgres
from support.ray_cluster import LOOPBACK, NODE, needs_ray, quiet_ray
from support.timing import rest
from treemill.chunking.governor import ChunkGovernor
from treemill.cli import run
from treemill.errors import UsageError, WorkersError
from treemill.flow import Done, Limits, Lost
from treemill.flow.remote import RemoteCrew
from treemill.indexing import index_tree
from treemill.parallel import chunk_files_parallel_dict
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore
from treemill.types import DiscoveredFile
from unit.test_flow import Deeds

pytestmark = [needs_ray, *quiet_ray]

FILES = {
    "app/retry.py": "def backoff(attempt):\n    return 2**attempt\n",
    "app/main.go": "package main\n\nfunc main() {}\n",
    "web/page.ts": "export const page = 1\n",
    "bild.py": b"\x89PNG\0\0",
    "latin.txt": "Größe\n".encode("latin-1"),
}


def on_ray(address: str, **concurrency: Any) -> Settings:
    return Settings(
        chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="ray", cluster=address, **concurrency))
    )


def contents(store: MemoryStore) -> list[tuple[Any, ...]]:
    with store.snapshot() as snapshot:
        files = snapshot.files()
        return [
            (path, snapshot.content(number)) for path, number in zip(files.paths, files.contents.tolist(), strict=True)
        ]


@pytest.mark.parametrize("files", ["shared", "carried"])
def test_files_are_read_by_the_nodes_or_carried_to_them_and_the_index_is_the_same(
    files: str, tree: Tree, ray_address: str
) -> None:
    root = tree(FILES)
    rest()
    here, there = MemoryStore(), MemoryStore()
    local = index_tree(root, here, Settings())
    remote = index_tree(root, there, on_ray(ray_address, cluster_files=files))
    assert contents(there) == contents(here)
    assert remote.skipped == local.skipped
    assert [each.path for each in remote.skipped] == ["bild.py"]
    assert [(r.path, r.stamp, r.changed_ns) for r in there.recorded()] == [
        (r.path, r.stamp, r.changed_ns) for r in here.recorded()
    ]
    assert index_tree(root, there, on_ray(ray_address)).unchanged == len(FILES)


def test_files_are_chunked_on_a_cluster_as_they_are_here(tree: Tree, ray_address: str) -> None:
    root = tree(FILES)
    files = [DiscoveredFile.from_path(name, root=root) for name in FILES]
    settings = on_ray(ray_address).chunker
    reports: list[Any] = []
    remote = chunk_files_parallel_dict(
        files, ChunkGovernor(settings=settings), max_workers=2, executor_type="ray", on_report=reports.append
    )
    assert remote == chunk_files_parallel_dict(files, ChunkGovernor(), executor_type="inline")
    assert (reports[0].executor, reports[0].failures_by_type) == ("ray", {"BinaryFileError": 1})


def test_a_cluster_whose_processors_others_have_taken_in_part_is_looked_at_and_used_where_it_is_free(
    ray_nodes: Any,
) -> None:
    """Somebody else has all processors of the first node; those of the second are free."""

    class Elsewhere:
        pass

    ray, hosts = importlib.import_module("ray"), importlib.import_module("treemill.cluster.hosts")
    outposts = importlib.import_module("treemill.cluster.outposts")
    second = ray_nodes.add_node(**NODE)
    first = next(node for node in outposts.nodes() if node.id != second.node_id)
    other = ray.remote(num_cpus=NODE["num_cpus"])(Elsewhere).options(scheduling_strategy=outposts.on_node(first))
    taken = other.remote()
    ray.get(taken.__ray_ready__.remote())
    crew: RemoteCrew[str, list[object]] = RemoteCrew(4, Deeds(), Limits(), hosts.RayHosts(ray_nodes.address, 4))
    with crew:
        done = [outcome for outcome in crew.map([f"double {n}"] for n in range(20)) if isinstance(outcome, Done)]
    assert sorted(each.value for each in done) == [[2 * n] for n in range(20)]
    ray.kill(taken)
    ray_nodes.remove_node(second)


def test_an_actor_and_then_a_node_that_die_lose_nothing_and_nothing_is_done_twice(ray_nodes: Any) -> None:
    """Two nodes have two workers each. The actor of one is killed; when work goes on, the second node."""
    hosts = importlib.import_module("treemill.cluster.hosts")
    second = ray_nodes.add_node(**NODE)
    crew: RemoteCrew[str, list[object]] = RemoteCrew(4, Deeds(), Limits(), hosts.RayHosts(ray_nodes.address, 4))
    results: list[int] = []
    killed = removed = False
    with crew:
        for outcome in crew.map([f"double {n}", "sleep 0.03"] for n in range(300)):
            assert not isinstance(outcome, Lost)
            if isinstance(outcome, Done):
                results += [value for value in outcome.value if isinstance(value, int)]
            if len(results) >= 20 and not killed:
                killed = True
                os.kill(parent_of(crew.pids()[0]), signal.SIGKILL)
            if len(results) >= 100 and not removed:
                removed = True
                ray_nodes.remove_node(second, allow_graceful=False)
    assert killed
    assert removed
    assert sorted(results) == [2 * n for n in range(300)]


@needs_postgres
def test_a_fleet_on_a_cluster_fetches_and_indexes_on_the_nodes_into_the_database(
    tree: Tree, ray_address: str, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is read here or by all nodes; what a URL names is fetched by a node. One URL leads nowhere."""
    root = tree({f"here/{name}": content for name, content in FILES.items()})
    remote = tree({"lib/parse.py": "def parse(text):\n    return text.split()\n"})
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b.org", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", "-C", str(remote), *words], check=True)
    file = root / "team.txt"
    file.write_text(f"here\nfile://{remote}\nfile:///nowhere/at/all\n")
    told = ["--store", postgres_server.new_database()]
    assert run(["fleet", str(file), "--cluster", ray_address, "--no-cache", *told]) == 8
    said = capsys.readouterr().err
    assert "complete: 2 of 3 repositories" in said, said
    assert "git cannot fetch file:///nowhere/at/all" in said
    assert run(["search", "parse", str(remote), "--repository", remote.name, "-l", "-k1", "--no-update", *told]) == 0
    assert capsys.readouterr().out == "lib/parse.py\n"
    assert not (root / "team.fleet" / "checkouts").exists()


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("PPid:")[2].split()[0])


def test_code_is_sent_along_to_nodes_that_have_what_it_needs_but_not_the_package(tree: Tree, tmp_path: Path) -> None:
    """The cluster runs in an environment without treemill; a program that has it indexes there."""
    root = tree(FILES)
    with cluster_of(environment_without(tmp_path, "treemill", "_editable_impl_treemill", "__editable__")) as address:
        command = [sys.executable, "-m", "treemill", "index", str(root), "--cluster", address, "--no-cache"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "indexed 4 files" in done.stderr


def environment_without(folder: Path, *left_out: str) -> Path:
    """Make a virtual environment with all that is installed here but for some; return its interpreter."""
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    for entry in os.scandir(sysconfig.get_path("purelib")):
        if not entry.name.startswith(left_out):
            (packages / entry.name).symlink_to(entry.path)
    return python


@contextmanager
def cluster_of(python: Path) -> Iterator[str]:
    """Run a cluster of one node, in another environment."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    start = [str(python), "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--node-ip-address={LOOPBACK}"]
    options = [f"--port={port}", "--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats"]
    memory = f"--object-store-memory={NODE['object_store_memory']}"
    with subprocess.Popen(
        [*start, *options, memory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any("Ray runtime started" in line for line in process.stdout)
            yield f"{LOOPBACK}:{port}"
        finally:
            process.terminate()
            process.stdout.read()


def test_nodes_that_cannot_do_the_work_are_told_of_with_what_helps() -> None:
    connecting = importlib.import_module("treemill.cluster.connecting")
    sight = importlib.import_module("treemill.cluster.looking").Sight
    node = connecting.Node("1", "10.0.0.7", 4)
    python = ".".join(map(str, sys.version_info[:3]))
    own = {name: importlib.metadata.version(name) for name in connecting.requirements()}
    for seen, message, help_ in (
        (sight(python, "", {**own, "numpy": None}, False), "10.0.0.7 of the cluster lacks numpy", "pip install"),
        (sight("3.9.1", "", own, False), "has Python 3.9.1, this program runs on", "same version of Python"),
        (sight(python, "", {**own, "tree-sitter-go": "0.1"}, False), "has tree-sitter-go 0.1", "tree-sitter-go=="),
    ):
        with pytest.raises(WorkersError) as told:
            connecting.runtime_environment([node], {"1": seen})
        assert message in told.value.message
        assert help_ in (told.value.suggestion or "")
    assert connecting.runtime_environment([node], {"1": sight(python, "", own, False)})["py_modules"]


def test_a_cluster_that_is_not_there_is_told_of_before_anything_is_written(tree: Tree, capsys: Any) -> None:
    root = tree(FILES)
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        address = f"{LOOPBACK}:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "treemill", "index", str(root), "--cluster", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == WorkersError("").exit_code
    assert f"there is no cluster at {address}" in done.stderr
    assert "ray start --head" in done.stderr
    assert run(["status", str(root)]) == 3, "an index was begun"
    capsys.readouterr()
    assert run(["index", str(root), "--cluster", "1.2.3.4:1", "--executor", "thread"]) == UsageError("").exit_code
    assert "exclude each other" in capsys.readouterr().err
    # What a tree says does not decide who gets its code.
    (root / "treemill.toml").write_text('[chunker.concurrency]\nexecutor = "ray"\ncluster = "1.2.3.4:1"\n')
    assert run(["index", str(root), "--no-cache", "--workers", "1"]) == 0
    warned = capsys.readouterr().err
    assert "chunker.concurrency.executor is not taken from" in warned
    assert "chunker.concurrency.cluster is not taken from" in warned
