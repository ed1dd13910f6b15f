"""Writing Treemill into agents' settings, and out of them again.

A plan reads every file and works out every change before anything is written; a file that cannot be understood ends the
plan, not half of the work. Each change leaves a receipt (the bytes before, a digest of the bytes after) among this
user's state: while a file is as we left it, undoing puts the old bytes back; once somebody has changed it since, our
entry alone is taken out of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from treemill.agents.jsonc import NotJson, parse, remove_member, set_member
from treemill.agents.table import AGENT_OF, AGENTS, Agent
from treemill.agents.tomls import NotToml, remove_table, set_table
from treemill.errors import UsageError
from treemill.storage.ownership import state_folder
from treemill.values import dataclass

_LARGEST_FILE = 16_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a settings file: `before` and `after` are its bytes, None where there is no file."""

    agent: Agent
    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def needed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after


def agents_named(names: Sequence[str], home: Path) -> list[Agent]:
    """Return the agents of these names; without names, those that show signs of being installed.

    Raises:
        UsageError: there is no such agent, or none is found.
    """
    unknown = [name for name in names if name not in AGENT_OF]
    if unknown:
        raise UsageError(f"there is no agent {unknown[0]!r}", suggestion=f"Name some of: {', '.join(AGENT_OF)}")
    if names:
        return [AGENT_OF[name] for name in names]
    found = [agent for agent in AGENTS if any(sign(home).exists() for sign in agent.signs)]
    if not found:
        raise UsageError("no agent was found for this user", suggestion=f"Name some of: {', '.join(AGENT_OF)}")
    return found


def server_words(project: bool) -> list[str]:
    """Return the words that start the server: a path that holds wherever the agent runs, but plain in a project's file.

    A project's file is shared, and other machines have Treemill elsewhere.
    """
    if project:
        return ["treemill", "mcp"]
    found = shutil.which("treemill")
    return [str(Path(found).absolute()), "mcp"] if found else [sys.executable, "-m", "treemill", "mcp"]


def file_of(agent: Agent, home: Path, project: Path | None) -> Path:
    """Return the settings file of an agent: the user's, or a project's."""
    return agent.user_file(home) if project is None else project / agent.project_file


def plan_install(agents: Iterable[Agent], home: Path, project: Path | None = None) -> list[Change]:
    """Return what installing would change; nothing is written.

    Raises:
        UsageError: a file cannot be read or understood; the message names it and the line.
    """
    words = server_words(project is not None)
    changes = []
    for agent in agents:
        path = file_of(agent, home, project)
        before = _read(path)
        entry = agent.entry([*words, agent.root] if agent.root else words)
        text = _text(path, before or b"")
        try:
            after = set_table(text, agent.path, entry) if agent.form == "toml" else _set(text, agent, entry)
        except (NotJson, NotToml) as error:
            raise _not_understood(agent, path, error) from error
        changes.append(Change(agent, path, before, after.encode()))
    return changes


def plan_uninstall(agents: Iterable[Agent], home: Path, project: Path | None = None) -> list[Change]:
    """Return what uninstalling would change; nothing is written.

    Raises:
        UsageError: a file cannot be read or understood.
    """
    changes = []
    for agent in agents:
        path = file_of(agent, home, project)
        now = _read(path)
        if now is None:
            continue
        receipt = _receipt(path)
        if receipt is not None and receipt["after"] == _digest(now):
            old = receipt["before"]
            changes.append(Change(agent, path, now, None if old is None else base64.b64decode(old)))
            continue
        text = _text(path, now)
        try:
            after = remove_table(text, agent.path) if agent.form == "toml" else remove_member(text, agent.path)
        except (NotJson, NotToml) as error:
            raise _not_understood(agent, path, error) from error
        changes.append(Change(agent, path, now, after.encode()))
    return changes


def apply_install(change: Change) -> None:
    """Write a change, and the receipt that undoes it; a file that was edited in between is left alone.

    Raises:
        UsageError: the file changed since the plan, or cannot be written.
    """
    if not change.needed or change.after is None:
        return
    _check_unchanged(change)
    receipt = _receipt(change.path)
    # A second installation over the first keeps what was there before both.
    again = receipt is not None and change.before is not None and receipt["after"] == _digest(change.before)
    before = receipt["before"] if again and receipt is not None else _encoded(change.before)
    _write_receipt(change.path, {"path": str(change.path), "before": before, "after": _digest(change.after)})
    _write(change.path, change.after)


def apply_uninstall(change: Change) -> None:
    """Write a change that undoes an installation, and forget its receipt.

    Raises:
        UsageError: the file changed since the plan, or cannot be written.
    """
    if change.needed:
        _check_unchanged(change)
        if change.after is None:
            try:
                change.path.unlink()
            except OSError as error:
                raise _cannot("remove", change.path, error) from error
        else:
            _write(change.path, change.after)
    _receipt_path(change.path).unlink(missing_ok=True)


def _set(text: str, agent: Agent, entry: dict[str, Any]) -> str:
    node: Any = parse(text).value
    for key in agent.path:
        node = node.get(key) if isinstance(node, dict) else None
    return text if node == entry else set_member(text, agent.path, entry)


def _read(path: Path) -> bytes | None:
    try:
        entry = path.stat()
        if not stat.S_ISREG(entry.st_mode) or entry.st_size > _LARGEST_FILE:
            raise UsageError(f"{path} is no settings file", suggestion="Move it away, and try again")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not in UTF-8", suggestion="Mend it, and try again") from error


def _write(path: Path, data: bytes) -> None:
    """Replace a file whole, keeping its mode; a link stays, and what it points to is replaced."""
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, target)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _cannot("write", path, error) from error


def _check_unchanged(change: Change) -> None:
    if _read(change.path) != change.before:
        raise UsageError(f"{change.path} was changed meanwhile", suggestion="Run the command again")


def _receipt_path(path: Path) -> Path:
    return state_folder() / "installed" / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}.json"


def _receipt(path: Path) -> dict[str, Any] | None:
    """Return the receipt of a file; a damaged one is as good as none."""
    try:
        receipt = json.loads(_receipt_path(path).read_bytes())
    except (OSError, ValueError):
        return None
    return receipt if isinstance(receipt, dict) and {"before", "after"} <= receipt.keys() else None


def _write_receipt(path: Path, receipt: dict[str, Any]) -> None:
    place = _receipt_path(path)
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot("write", place, error) from error
    _write(place, json.dumps(receipt, indent=1).encode())


def _encoded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _not_understood(agent: Agent, path: Path, error: ValueError) -> UsageError:
    return UsageError(
        f"the settings of {agent.title} in {path} cannot be understood: {error}",
        suggestion="Mend the file, or leave this agent out by naming others; nothing was written",
    )


def _cannot(what: str, path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot {what} {path}: {error.strerror}", suggestion="Check its permissions")
