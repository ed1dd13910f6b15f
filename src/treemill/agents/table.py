"""Which agents there are: where each keeps its settings, and how a server is written there.

Places and forms are those of the agents' own documentation. `{root}` in a server's words is replaced by what the agent
puts there for the folder it works in; the others start servers in that folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from treemill.values import dataclass

NAME = "treemill"
"""The name of our entry in every file."""

Command = Sequence[str]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: `user_file` under the home folder, `project_file` under a project's, `signs` of being installed.

    `path` leads to our entry in the file, `entry` makes it from the words that start the server. `root` is what the
    agent replaces by the folder it works in, "" where it starts servers there.
    """

    name: str
    title: str
    user_file: Callable[[Path], Path]
    project_file: str
    signs: tuple[Callable[[Path], Path], ...]
    path: tuple[str, ...]
    entry: Callable[[Command], dict[str, Any]]
    form: Literal["json", "toml"] = "json"
    root: str = ""


def _under_home(*parts: str) -> Callable[[Path], Path]:
    return lambda home: home.joinpath(*parts)


def _config(home: Path, *parts: str) -> Path:
    """Return a place in the folder where programs of this platform keep their settings."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming").joinpath(*parts)
    if sys.platform == "darwin":
        return home.joinpath("Library", "Application Support", *parts)
    return _xdg(home, *parts)


def _xdg(home: Path, *parts: str) -> Path:
    given = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(given) if os.path.isabs(given) else home / ".config").joinpath(*parts)


def _stdio(words: Command) -> dict[str, Any]:
    return {"type": "stdio", "command": words[0], "args": list(words[1:])}


def _plain(words: Command) -> dict[str, Any]:
    return {"command": words[0], "args": list(words[1:])}


def _local(words: Command) -> dict[str, Any]:
    return {"type": "local", "command": list(words), "enabled": True}


AGENTS: tuple[Agent, ...] = (
    Agent(
        "claude",
        "Claude Code",
        _under_home(".claude.json"),
        ".mcp.json",
        (_under_home(".claude.json"), _under_home(".claude")),
        ("mcpServers", NAME),
        _stdio,
    ),
    Agent(
        "codex",
        "Codex",
        _under_home(".codex", "config.toml"),
        ".codex/config.toml",
        (_under_home(".codex"),),
        ("mcp_servers", NAME),
        _plain,
        form="toml",
    ),
    Agent(
        "cursor",
        "Cursor",
        _under_home(".cursor", "mcp.json"),
        ".cursor/mcp.json",
        (_under_home(".cursor"),),
        ("mcpServers", NAME),
        _stdio,
        root="${workspaceFolder}",
    ),
    Agent(
        "vscode",
        "VS Code",
        lambda home: _config(home, "Code", "User", "mcp.json"),
        ".vscode/mcp.json",
        (lambda home: _config(home, "Code", "User"),),
        ("servers", NAME),
        _stdio,
        root="${workspaceFolder}",
    ),
    Agent(
        "gemini",
        "Gemini CLI",
        _under_home(".gemini", "settings.json"),
        ".gemini/settings.json",
        (_under_home(".gemini"),),
        ("mcpServers", NAME),
        _plain,
    ),
    Agent(
        "opencode",
        "OpenCode",
        lambda home: _xdg(home, "opencode", "opencode.json"),
        "opencode.json",
        (lambda home: _xdg(home, "opencode"),),
        ("mcp", NAME),
        _local,
    ),
)

AGENT_OF = {agent.name: agent for agent in AGENTS}
