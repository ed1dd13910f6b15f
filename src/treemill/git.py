"""What git knows of a root, read from its files without running git.

Only plain facts: where the repository begins, its branch, its head commit, and the ignore files it names. A `.git` that
is a file (worktree, submodule) is followed to the folder it names. Nothing of the repository's own configuration is
obeyed: what a tree brings along is data.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from treemill.small_files import read_small_file

_HEX = frozenset("0123456789abcdef")


class GitFacts(NamedTuple):
    """The repository that a root belongs to.

    `top` is the folder that holds `.git`. `branch` is None when the head is detached, `commit` (hexadecimal) None
    before the first commit.
    """

    top: str
    branch: str | None
    commit: str | None


def git_facts(root: str | os.PathLike[str]) -> GitFacts | None:
    """Return the facts of the repository at or above `root`, or None where there is none."""
    top = repository_top(os.path.realpath(root))
    folder = None if top is None else git_folder(top)
    if top is None or folder is None:
        return None
    head = _text(os.path.join(folder, "HEAD"))
    if not head.startswith("ref:"):
        return GitFacts(top, None, _commit(head))
    name = head.removeprefix("ref:").strip()
    branch = name.removeprefix("refs/heads/")
    return GitFacts(top, branch, _resolve(folder, name))


def repository_top(folder: str) -> str | None:
    """Return the nearest folder at or above an absolute one that holds a `.git`, or None."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def git_folder(top: str) -> str | None:
    """Return the folder with git's own files for a repository or worktree at `top`, or None."""
    entry = os.path.join(top, ".git")
    if os.path.isdir(entry):
        return entry
    named = _text(entry)
    if not named.startswith("gitdir:"):
        return None
    folder = os.path.normpath(os.path.join(top, named.removeprefix("gitdir:").strip()))
    return folder if os.path.isdir(folder) else None


def exclude_file(top: str) -> str | None:
    """Return the path of `info/exclude`, which a worktree shares with its repository; None without a repository."""
    folder = git_folder(top)
    return None if folder is None else os.path.join(_common(folder), "info", "exclude")


def global_excludes() -> str:
    """Return the path of the user's own ignore file: `core.excludesFile`, else git's default place."""
    home = os.path.expanduser("~")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    given = os.environ.get("GIT_CONFIG_GLOBAL")
    places = [given] if given is not None else [os.path.join(home, ".gitconfig"), os.path.join(config, "git", "config")]
    for place in places:
        named = _excludes_of(_text(place, follow=True))
        if named:
            return os.path.join(home, os.path.expanduser(named))
    return os.path.join(config, "git", "ignore")


def _excludes_of(config: str) -> str | None:
    """Return the value of core.excludesFile in a git configuration; the last one counts."""
    section, found = "", None
    for raw in config.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.partition("]")[0][1:].strip().lower()
        elif section == "core" and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            if key.strip().lower() == "excludesfile":
                found = value.strip().strip('"')
    return found


def _resolve(folder: str, name: str) -> str | None:
    """Return the commit a reference names: its own file, else the packed list."""
    if not name.startswith("refs/") or ".." in name.split("/"):
        return None
    common = _common(folder)
    for place in (folder, common):
        commit = _commit(_text(os.path.join(place, name)))
        if commit is not None:
            return commit
    for line in _text(os.path.join(common, "packed-refs")).splitlines():
        value, _, packed = line.partition(" ")
        if packed == name:
            return _commit(value)
    return None


def _common(folder: str) -> str:
    """Return the folder that all worktrees of a repository share."""
    named = _text(os.path.join(folder, "commondir"))
    return os.path.normpath(os.path.join(folder, named)) if named else folder


def _commit(text: str) -> str | None:
    return text if len(text) in (40, 64) and _HEX.issuperset(text) else None


def _text(path: str, *, follow: bool = False) -> str:
    data = read_small_file(path, follow=follow)
    return "" if data is None else data.decode("utf-8", "surrogateescape").strip()
