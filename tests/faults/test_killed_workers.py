"""Workers that are killed from outside while `treemill index` runs: no file is lost, and nobody is blamed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Tree
from support.processes import environment


def workers_of(pid: int) -> list[int]:
    """Return the child processes of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:  # the thread has ended meanwhile
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found through /proc")
def test_killing_workers_during_a_run_loses_no_file(tree: Tree) -> None:
    """The next one is killed when all that was in hand at the time of the last is committed: twice is a fault."""
    body = "".join(f"def f{i}(a, b):\n    return a + b * {i}\n\n" for i in range(600))
    root = tree({f"m{n:03}.py": f"def g{n}(): ...\n{body}" for n in range(400)})
    command = [sys.executable, "-m", "treemill", "index", str(root), "--json", "--progress", "json"]
    running = subprocess.Popen(
        [*command, "--executor", "process", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TREEMILL_STORAGE__COMMIT_SECONDS="0.05"),
    )
    assert running.stderr is not None
    killed: set[int] = set()
    under_way: set[str] = set()
    at_risk: set[str] = set()
    for line in running.stderr:
        event = json.loads(line) if line.startswith("{") else {"event": "?"}
        if event["event"] == "started":
            under_way.add(event["path"])
        elif event["event"] == "finished":
            under_way.discard(event["path"])
            at_risk.discard(event["path"])
        elif event["event"] == "worked" and not at_risk and len(killed) < 4:
            victim = next((pid for pid in workers_of(running.pid) if pid not in killed), None)
            if victim is not None:
                at_risk |= under_way
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)
    out, _ = running.communicate(timeout=90)
    assert running.returncode == 0
    assert len(killed) >= 2
    report = json.loads(out)
    assert (report["stats"]["files_processed"], report["stats"]["failed_files"]) == (400, 0)
    assert report["coverage"]["searchable"] == 400
