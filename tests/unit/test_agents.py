"""Settings files of agents: our entry goes in and out, and nothing else changes."""

from __future__ import annotations

import contextlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.agents.installing import (
    Change,
    agents_named,
    apply_install,
    apply_uninstall,
    plan_install,
    plan_uninstall,
)
from treemill.agents.jsonc import NotJson, parse, remove_member, set_member
from treemill.agents.table import AGENT_OF, AGENTS, Agent
from treemill.agents.tomls import NotToml, remove_table, set_table
from treemill.errors import UsageError

# Files as people have them: other servers, comments, trailing commas, tabs, CRLF, settings that are none of ours.
FILES: dict[str, dict[str, str]] = {
    "claude": {
        "with servers": '{\n  "numStartups": 12,\n  "mcpServers": {\n    "github": {"command": "gh-mcp"}\n  },\n'
        '  "projects": {"/home/me/app": {"allowedTools": []}}\n}\n',
        "without": '{"numStartups": 1, "theme": "dark"}',
        "empty": "{}",
    },
    "codex": {
        "with servers": 'model = "o4"\n\n[mcp_servers.docs]\ncommand = "docs-mcp"\n\n[tui]\nnotify = true\n',
        "without": 'model = "o4" # the best\napproval_policy = "on-request"',
        "empty": "",
    },
    "cursor": {
        "with servers": '{\n\t"mcpServers": {\n\t\t"db": {\n\t\t\t"url": "http://localhost:1/sse"\n\t\t}\n\t}\n}'
    },
    "vscode": {
        "comments": '{\r\n  // my servers\r\n  "inputs": [],\r\n  "servers": {\r\n    /* none yet */\r\n  },\r\n}\r\n',
        "trailing commas": '{\n    "servers": {\n        "a": {\n            "command": "a",\n        },\n    },\n}\n',
    },
    "gemini": {"with settings": '{\n  "selectedAuthType": "oauth",\n  "mcpServers": {}\n}\n'},
    "opencode": {"with a schema": '{\n  "$schema": "https://opencode.ai/config.json",\n  "model": "x/y"\n}\n'},
}
CASES = [(agent, name) for agent, files in FILES.items() for name in files]

MALFORMED = {
    "cut off": '{"mcpServers": {"a": ',
    "no quotes": "{mcpServers: {}}",
    "two values": "{} {}",
    "twice": '{"mcpServers": {}, "mcpServers": {}}',
    "a list": '{"mcpServers": []}',
    "no object": '"mcpServers"',
    "deep": "[" * 100_000,
}


def planted(agent: Agent, home: Path, data: bytes) -> Path:
    """Write an agent's settings file and return its path."""
    path = agent.user_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def install(agent: Agent, home: Path) -> list[Change]:
    """Install for one agent and return the plan."""
    changes = plan_install([agent], home)
    for change in changes:
        apply_install(change)
    return changes


def uninstall(agent: Agent, home: Path) -> None:
    """Uninstall for one agent."""
    for change in plan_uninstall([agent], home):
        apply_uninstall(change)


def values_of(agent: Agent, text: str) -> Any:
    """Return what a settings file says."""
    return tomllib.loads(text) if agent.form == "toml" else parse(text).value


@pytest.mark.parametrize(("name", "case"), CASES)
def test_an_entry_goes_in_once_and_the_file_comes_back_to_the_byte(name: str, case: str, tmp_path: Path) -> None:
    agent, old = AGENT_OF[name], FILES[name][case].encode()
    path = planted(agent, tmp_path, old)
    install(agent, tmp_path)
    installed = path.read_text()
    values = values_of(agent, installed)
    for key in agent.path:
        values = values[key]
    assert "mcp" in str(values)
    assert not any(change.needed for change in install(agent, tmp_path)), "a second time changes nothing"
    uninstall(agent, tmp_path)
    assert path.read_bytes() == old


@pytest.mark.parametrize(("name", "case"), CASES)
def test_other_settings_stay_as_they_are_while_it_is_installed(name: str, case: str, tmp_path: Path) -> None:
    agent, old = AGENT_OF[name], FILES[name][case]
    path = planted(agent, tmp_path, old.encode())
    install(agent, tmp_path)
    before, after = values_of(agent, old), values_of(agent, path.read_bytes().decode())
    after[agent.path[0]].pop(agent.path[1])
    assert {**before, agent.path[0]: before.get(agent.path[0], {})} == after
    for line in old.splitlines():
        if "//" in line or "/*" in line or "#" in line:
            assert line.strip() in path.read_text()


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_a_file_that_was_made_for_the_entry_goes_with_it(agent: Agent, tmp_path: Path) -> None:
    install(agent, tmp_path)
    path = agent.user_file(tmp_path)
    assert path.exists()
    uninstall(agent, tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_what_was_added_since_stays_when_it_is_undone(agent: Agent, tmp_path: Path) -> None:
    install(agent, tmp_path)
    path = agent.user_file(tmp_path)
    if agent.form == "toml":
        path.write_text(path.read_text() + "\n[later]\nkept = 1\n")
    else:
        path.write_text(set_member(path.read_text(), ["later"], {"kept": 1}))
    uninstall(agent, tmp_path)
    values = values_of(agent, path.read_text())
    assert values["later"] == {"kept": 1}
    assert "treemill" not in path.read_text()


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_file_that_is_no_settings_file_is_named_and_nothing_is_written(text: str, tmp_path: Path) -> None:
    path = planted(AGENT_OF["claude"], tmp_path, text.encode())
    with pytest.raises(UsageError, match="nothing was written"):
        plan_install([AGENT_OF["cursor"], AGENT_OF["claude"]], tmp_path)
    assert path.read_bytes() == text.encode()
    assert not AGENT_OF["cursor"].user_file(tmp_path).exists()


@pytest.mark.parametrize("text", ["[mcp_servers", "mcp_servers = 3", 'mcp_servers = {a = {command = "a"}}'])
def test_toml_that_cannot_be_added_to_is_named(text: str, tmp_path: Path) -> None:
    planted(AGENT_OF["codex"], tmp_path, text.encode())
    with pytest.raises(UsageError, match=r"config\.toml"):
        plan_install([AGENT_OF["codex"]], tmp_path)


def test_bytes_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    planted(AGENT_OF["gemini"], tmp_path, b'{"a": "\xff"}')
    with pytest.raises(UsageError, match="UTF-8"):
        plan_install([AGENT_OF["gemini"]], tmp_path)


def test_a_file_that_changes_between_plan_and_writing_is_left_alone(tmp_path: Path) -> None:
    path = planted(AGENT_OF["claude"], tmp_path, b"{}")
    (change,) = plan_install([AGENT_OF["claude"]], tmp_path)
    path.write_text('{"new": 1}')
    with pytest.raises(UsageError, match="changed meanwhile"):
        apply_install(change)
    assert path.read_text() == '{"new": 1}'


def test_a_link_to_the_settings_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o640)
    path = AGENT_OF["claude"].user_file(tmp_path)
    path.symlink_to(real)
    install(AGENT_OF["claude"], tmp_path)
    assert path.is_symlink()
    assert "treemill" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / ".codex").write_text("a file, where a folder should be")
    with pytest.raises(UsageError, match=r"cannot read .*config\.toml"):
        plan_install([AGENT_OF["codex"]], tmp_path)


def test_agents_are_found_by_what_they_leave_in_the_home(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no agent was found"):
        agents_named([], tmp_path)
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".cursor").mkdir()
    assert [agent.name for agent in agents_named([], tmp_path)] == ["codex", "cursor"]
    with pytest.raises(UsageError, match="claude, codex"):
        agents_named(["emacs"], tmp_path)


def test_a_project_gets_a_file_of_its_own_that_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    project = tmp_path / "app"
    project.mkdir()
    for change in plan_install(AGENTS, tmp_path, project):
        apply_install(change)
    for agent in AGENTS:
        text = (project / agent.project_file).read_text()
        assert "treemill" in text
        assert str(tmp_path) not in text


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=4), plain, max_size=4),
    st.dictionaries(st.text(max_size=4), plain, max_size=3),
    st.sampled_from([None, 2, 4, "\t"]),
    plain,
)
def test_setting_and_removing_a_member_changes_nothing_else(
    outer: dict[str, Any], inner: dict[str, Any], indent: int | str | None, value: Any
) -> None:
    inner.pop("treemill", None)
    before = {**outer, "mcpServers": inner}
    text = json.dumps(before, indent=indent)
    path = ("mcpServers", "treemill")
    with_it = set_member(text, path, value)
    assert json.loads(with_it) == {**before, "mcpServers": {**inner, "treemill": value}}
    assert json.loads(remove_member(with_it, path)) == before


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(NotJson):
        parse(text)
    with contextlib.suppress(NotToml):
        remove_table(set_table(text, ("mcp_servers", "treemill"), {"command": "x"}), ("mcp_servers", "treemill"))
