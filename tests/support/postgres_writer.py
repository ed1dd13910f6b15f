"""A program that writes to a repository until it or its server is killed; and rounds of such kills.

    python -m support.postgres_writer URL NAME SEED FIRST

As `support.store_writer`: a line `committed v` follows once version `v` is durable.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from support.contents import VECTORS, expected, prepared, shown
from support.postgres_server import PostgresServer
from support.processes import environment
from support.store_writer import FILES, files_of, path_of, text_of, version_of
from treemill.errors import TreemillError
from treemill.records import RunState
from treemill.storage.garbage import GarbageLimits

_SEED = 5
_COLLECT_AT_ONCE = GarbageLimits(days=0, share=0, floor_bytes=0)


def opened(url: str, name: str) -> Any:
    """Open a repository, making it where there is none."""
    store = import_module("treemill.storage.postgres.store").PostgresStore
    return store(url, name, create=True, garbage=_COLLECT_AT_ONCE)


@dataclass
class Kills:
    """What rounds of kills came to: how many of the client and of the server, and the newest version that was seen."""

    client: int = 0
    server: int = 0
    newest: int = -1


def kill_again_and_again(server: PostgresServer, url: str, kills: int, seed: int) -> Kills:
    """Kill client or server at random moments; assert each time that whole files are there, and all that was committed.

    The first process of the server is killed as a crash would, so that the next start recovers from its log.
    """
    moments, done = random.Random(seed), Kills()
    for number in range(kills):
        command = [sys.executable, "-m", "support.postgres_writer", url, "killed", str(_SEED), str(done.newest + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            of_server = number % 2 == 1
            timer = threading.Timer(moments.uniform(0.02, 0.8), server.kill if of_server else process.kill)
            timer.start()
            said = process.stdout.read().splitlines()
            timer.join()
        if of_server:
            done.server += 1
            assert process.returncode == 6, said
            assert "StorageError" in said[-1]
            server.start()
        else:
            done.client += 1
            assert process.returncode == -signal.SIGKILL, said
        safe = max([done.newest, *(int(line.split()[1]) for line in said if line.startswith("committed"))])
        done.newest = _checked(url, safe)
    return done


def _checked(url: str, safe: int) -> int:
    """Return the newest version that is there, after making sure of it: `safe`, or the one after that, whole."""
    with opened(url, "killed") as store:
        # Of a client that is gone the server may not know yet.
        store.writer(wait_seconds=60).close()
        run = store.last_run()
        if run is None:
            assert safe < 0
            return -1
        assert run.state is not RunState.RUNNING
        with store.snapshot() as snapshot:
            files = shown(snapshot)
        assert_vectors_agree(store)
    numbers = {path_of(number): number for number in range(FILES)}
    for path, file in files.items():
        assert file == expected(file.text, dimension=VECTORS.dimension), f"what is scanned of {path} is not its text's"
    seen = {path: version_of(numbers[path], file.text) for path, file in files.items()}
    # A commit can be durable before the line that tells of it is out; it is whole as well.
    newest = max([safe, *seen.values()])
    assert newest <= safe + 1
    assert seen == {path_of(number): version for version in range(newest + 1) for number in files_of(version, _SEED)}
    return newest


def assert_vectors_agree(store: Any) -> None:
    """Assert that the table of vectors has a row for each chunk of each content, and no other."""
    with store._repository() as (connection, repository):
        statement = (
            "SELECT count(*) FROM (SELECT id, vector_count FROM treemill.contents"
            f" WHERE repository = {repository.id} AND vector_count > 0) c"
            f" FULL JOIN (SELECT content_id, count(*) AS n FROM {repository.vectors} GROUP BY 1) v"
            " ON v.content_id = c.id"
            " WHERE c.vector_count IS DISTINCT FROM v.n"
        )
        row = connection.execute(statement.encode()).fetchone()
    assert row == (0,), "the table of vectors has other rows than there are chunks"


def main(url: str, name: str, seed: int, first: int) -> None:
    """Write versions from `first` on."""
    with opened(url, name) as store:
        print("ready", flush=True)
        version = first
        while True:
            with store.writer(wait_seconds=60) as writer:
                writer.begin_run(VECTORS)
                for _ in range(5):
                    numbers = files_of(version, seed)
                    for some in (numbers[:6], numbers[6:]):
                        files = [prepared(path_of(n), text_of(n, version), dimension=VECTORS.dimension) for n in some]
                        assert not writer.put(files)
                    writer.commit()
                    print(f"committed {version}", flush=True)
                    version += 1
                writer.end_run(RunState.COMPLETE)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    except TreemillError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
