"""`treemill install` and `uninstall` from outside: shown first, asked for, and undone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import environment


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder in which one agent keeps its settings."""
    (tmp_path / ".claude.json").write_text('{"theme": "dark"}')
    return tmp_path


def treemill(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line for a user with that home folder and no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "treemill", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env=environment(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config")),
    )


def test_what_will_be_written_is_shown_and_written_only_when_agreed(home: Path) -> None:
    shown = treemill(home, "install", "--dry-run")
    assert shown.returncode == 0
    assert '+  "mcpServers": {' in shown.stdout or '"treemill"' in shown.stdout
    asked = treemill(home, "install")
    assert asked.returncode == 2
    assert "-y" in asked.stderr
    assert json.loads((home / ".claude.json").read_text()) == {"theme": "dark"}


def test_installing_and_uninstalling_leaves_the_home_as_it_was(home: Path) -> None:
    installed = treemill(home, "install", "-y")
    assert "Claude Code" in installed.stdout
    entry = json.loads((home / ".claude.json").read_text())["mcpServers"]["treemill"]
    assert entry["args"][-1] == "mcp"
    assert "already there" in treemill(home, "install", "-y").stdout
    assert treemill(home, "uninstall", "-y").returncode == 0
    assert (home / ".claude.json").read_text() == '{"theme": "dark"}'
    assert "nothing of Treemill's" in treemill(home, "uninstall", "-y").stdout


def test_the_words_that_are_written_start_a_server(home: Path) -> None:
    treemill(home, "install", "-y")
    entry = json.loads((home / ".claude.json").read_text())["mcpServers"]["treemill"]
    served = subprocess.run(
        [entry["command"], *entry["args"], str(home)],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(HOME=str(home)),
    )
    assert served.returncode == 0, served.stderr


def test_an_unknown_agent_and_a_missing_project_are_named(home: Path) -> None:
    assert "Name some of: claude" in treemill(home, "install", "emacs").stderr
    assert "there is no folder" in treemill(home, "install", "claude", "--project", "nowhere").stderr
