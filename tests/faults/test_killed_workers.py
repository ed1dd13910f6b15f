"""Workers that are killed from outside while `treemill index` runs: no file is lost, and nobody is blamed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Tree


def workers_of(pid: int) -> list[int]:
    """Return the child processes of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# By then a worker has started and has files in hand.
WORKING_AFTER_SECONDS = 0.7


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found through /proc")
def test_killing_workers_during_a_run_loses_no_file(tree: Tree) -> None:
    body = "".join(f"def f{i}(a, b):\n    return a + b * {i}\n\n" for i in range(600))
    root = tree({f"m{n:03}.py": f"def g{n}(): ...\n{body}" for n in range(120)})
    running = subprocess.Popen(
        [sys.executable, "-m", "treemill", "index", str(root), "--json", "--executor", "process", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killed: set[int] = set()
    deadline = time.monotonic() + 60
    while running.poll() is None and len(killed) < 4 and time.monotonic() < deadline:
        for pid in workers_of(running.pid):
            if pid not in killed and cpu_seconds(pid) > WORKING_AFTER_SECONDS:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.02)
    out, err = running.communicate(timeout=90)
    assert running.returncode == 0, err
    assert len(killed) >= 2
    report = json.loads(out)
    assert (report["stats"]["files_processed"], report["stats"]["failed_files"]) == (120, 0)
    assert report["coverage"]["searchable"] == 120
