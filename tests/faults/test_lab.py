"""The bounded form of `python -m benchmarks.faults`: a few kills, failing calls, full disks and flips of each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.fault_lab import preload

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, kills and limits as Linux has them")


def survived(*, stopped: int = 0, **counts: int) -> str:
    words = [word for name, count in {**counts, "stopped": stopped}.items() for word in (f"--{name}", str(count))]
    command = [sys.executable, "-m", "benchmarks.faults", "--no-write", *words]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_runs_of_every_kind_killed_at_random_moments_lose_nothing():
    assert "SIGKILL" in survived(kills=8, faults=0, flips=0)


def test_a_writer_that_stops_is_named_and_what_is_read_meanwhile_is_whole():
    assert "SIGSTOP" in survived(kills=0, faults=0, flips=0, stopped=1)


def test_flipped_and_cut_bytes_never_make_a_wrong_answer():
    assert "segment flipped" in survived(kills=0, faults=0, flips=16)


@pytest.mark.skipif(preload() is None, reason="libfiu is not installed (Debian: libfiu0 and fiu-utils)")
def test_system_calls_that_fail_and_disks_that_are_full_lose_nothing():
    assert "libfiu" in survived(kills=0, faults=12, flips=0)
