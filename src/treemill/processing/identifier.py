"""What a file is, before anything of it is read: its project, its place in it, its size and age, and git's facts."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from treemill.errors import UsageError
from treemill.git import GitFacts, git_facts
from treemill.processing.given import below, prefixes_of
from treemill.values import dataclass

_NO_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What is known of a file by its directory entry. `path` is POSIX and relative to `root`.

    `size` is in bytes, `mtime_ns` in nanoseconds; both are 0 where there is no such file. `branch` and `commit` are
    the repository's that the root belongs to, None without one.
    """

    project_id: str
    root: str
    path: str
    size: int
    mtime_ns: int
    branch: str | None
    commit: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return asdict(self)


class FileIdentifier:
    """Tells what the files of a root are. Git is asked once a root, when the first file is."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Stand at a root.

        Raises:
            UsageError: there is no such folder.
        """
        self.root = Path(root).absolute()
        self._prefixes = prefixes_of(root)
        if not self.root.is_dir():
            raise UsageError(f"there is no folder {os.fspath(root)}", suggestion="Name a folder that exists")

    @cached_property
    def git(self) -> GitFacts | None:
        """What git knows of the root, or None outside a repository."""
        return git_facts(self.root)

    @cached_property
    def project_id(self) -> str:
        """The name of the repository's folder, else of the root, in lower-case words joined by dashes."""
        name = Path(self.git.top).name if self.git is not None else self.root.name
        return _NO_WORD.sub("-", name.lower()).strip("-") or "root"

    def get_file_metadata(self, path: str | os.PathLike[str]) -> FileMetadata:
        """Describe a file, whether or not it still exists; its content is never opened.

        A relative path counts from the root, unless it begins with the root as it was given.

        Raises:
            ValueError: it lies outside the root.
        """
        absolute = self.root / below(str(self.root), self._prefixes, os.fspath(path))
        try:
            entry = os.stat(absolute)
            size, mtime_ns = entry.st_size, entry.st_mtime_ns
        except OSError:
            size = mtime_ns = 0
        facts = self.git
        return FileMetadata(
            project_id=self.project_id,
            root=str(self.root),
            path=absolute.relative_to(self.root).as_posix(),
            size=size,
            mtime_ns=mtime_ns,
            branch=None if facts is None else facts.branch,
            commit=None if facts is None else facts.commit,
        )
