"""Working trees of repositories that a URL names: fetched without history, and brought up to date by the next fetch.

Git is run as the user would run it, with the user's keys and proxies, but never asks anything, runs no hooks and
downloads no large files that a filter stands for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from treemill.errors import UsageError

# A fetch that stands still is ended by git itself; this is for whatever git does not end.
_FETCH_SECONDS = 3600.0
_ASK_SECONDS = 60.0

_QUIET = (
    *("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false"),
    *("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60", "-c", "gc.auto=0"),
)
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GCM_INTERACTIVE": "never", "LC_ALL": "C"}

_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:.+")


def is_url(source: str) -> bool:
    """Whether a repository is named by a URL that git fetches from, and not by the path of a working tree."""
    if "://" in source or _SCP_LIKE.fullmatch(source):
        return True
    return os.path.isfile(os.path.join(source, "HEAD")) and os.path.isdir(os.path.join(source, "objects"))


def without_secrets(source: str) -> str:
    """Return a URL as it may be shown and kept: without a password or token in it."""
    if "://" not in source:
        return source
    try:
        parts = urlsplit(source)
        if parts.password is None and not (parts.username and parts.scheme in ("http", "https")):
            return source
        host = parts.hostname or ""
        name = f"[{host}]" if ":" in host else host
        place = name if parts.port is None else f"{name}:{parts.port}"
    except ValueError:
        return source
    user = "" if parts.scheme in ("http", "https") else f"{parts.username}@"
    return urlunsplit((parts.scheme, f"{user}{place}", parts.path, "", ""))


def remote_commit(url: str, revision: str | None) -> str:
    """Return the commit that a revision (a branch or tag, None for the remote's HEAD) is at now.

    Raises:
        UsageError: the remote does not answer, or has no such revision.
    """
    name = revision or "HEAD"
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision):
        return revision
    said = _git(url, _ASK_SECONDS, "ls-remote", "--", url, name, f"{name}^{{}}")
    lines = [line.split("\t") for line in said.splitlines() if "\t" in line]
    # The last line of an annotated tag is the commit that it is for.
    wanted = [f"refs/tags/{name}^{{}}", f"refs/heads/{name}", f"refs/tags/{name}", name]
    found = {reference: commit for commit, reference in lines}
    commit = next((found[each] for each in wanted if each in found), None)
    if commit is None:
        raise UsageError(f"{without_secrets(url)} has no {name}", suggestion="Name a branch, a tag, or a whole commit")
    return commit


def check_out(url: str, revision: str | None, folder: Path) -> str:
    """Bring a folder to a revision of a remote, making it where there is none; return the commit.

    A folder is there whole or not at all.

    Raises:
        UsageError: the remote does not answer, or has no such revision; git is missing; the disk is full.
    """
    name = revision or "HEAD"
    if (folder / ".git").is_dir():
        _fetch(url, name, folder)
        return _git(url, _ASK_SECONDS, "-C", str(folder), "rev-parse", "HEAD").strip()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{folder.name}.partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
    try:
        _git(url, _ASK_SECONDS, "init", "--quiet", str(partial))
        _fetch(url, name, partial)
        commit = _git(url, _ASK_SECONDS, "-C", str(partial), "rev-parse", "HEAD").strip()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return commit


def _fetch(url: str, name: str, folder: Path) -> None:
    place = ("-C", str(folder))
    _git(
        url,
        _FETCH_SECONDS,
        *place,
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--no-recurse-submodules",
        "--",
        url,
        name,
    )
    _git(url, _FETCH_SECONDS, *place, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")


def _git(url: str, patience: float, *words: str) -> str:
    shown = without_secrets(url)
    try:
        done = subprocess.run(
            ["git", *_QUIET, *words],
            capture_output=True,
            timeout=patience,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
    except FileNotFoundError as error:
        raise UsageError("there is no git to fetch repositories with", suggestion="Install git") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"git did not end within {patience:.0f} s: {shown}", suggestion="Try: git ls-remote"
        ) from error
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().replace(url, shown).splitlines()
        reason = next((line for line in told if line.startswith(("fatal:", "error:"))), told[-1] if told else "")
        raise UsageError(f"git cannot fetch {shown}: {reason}", suggestion=f"Try: git ls-remote {shown}")
    return done.stdout.decode("utf-8", "replace")
