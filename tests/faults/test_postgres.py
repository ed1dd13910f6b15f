"""A server and its clients, killed at any moment: whole files only, and nothing committed is lost."""

from __future__ import annotations

import sys

import pytest

from support.postgres_server import needs_postgres, running_server
from support.postgres_writer import kill_again_and_again

pytestmark = [
    needs_postgres,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals"),
]

KILLS = 4


def test_clients_and_servers_killed_at_any_moment_leave_whole_files_and_everything_committed():
    with running_server() as server:
        done = kill_again_and_again(server, server.new_database(), KILLS, seed=20)
    assert (done.client, done.server) == (KILLS // 2, KILLS // 2)
    assert done.newest > 0
