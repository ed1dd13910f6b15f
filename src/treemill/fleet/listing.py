"""The repositories of a fleet, read from a file: one a line, or as TOML or JSON.

    ~/src/app                              [[repository]]                         ["~/src/app",
    https://git.example/team/lib.git       source = "https://git.example/…"        {"source": "…", "revision": "v2"}]
    # a comment                            name = "lib"
                                           revision = "v2"

Paths are relative to the file's folder.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from treemill.checkouts import is_url
from treemill.errors import UsageError
from treemill.values import dataclass

_FIELDS = ("source", "name", "revision")
_MOST_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Repository:
    """One of a fleet: what it is called, the path or URL that it comes from, and which revision of a URL is wanted."""

    name: str
    source: str
    revision: str | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it is fetched from a URL."""
        return is_url(self.source)


def read_listing(file: Path) -> tuple[Repository, ...]:
    """Return the repositories that a file lists, each under a name of its own.

    Raises:
        UsageError: it cannot be read, is not what its name says, or lists one twice.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{file} is too large to be a list of repositories")
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(
            f"the list {file} cannot be read: {reason}", suggestion="Name a file, one repository a line"
        ) from None
    entries = list(_entries(file, text))
    if not entries:
        raise UsageError(f"{file} lists no repository", suggestion="Write one path or URL a line")
    return tuple(_named(file, entries))


def _entries(file: Path, text: str) -> Iterator[Mapping[str, Any]]:
    try:
        if file.suffix == ".toml":
            listed = tomllib.loads(text).get("repository", [])
        elif file.suffix == ".json":
            listed = json.loads(text)
            listed = listed.get("repository", listed) if isinstance(listed, dict) else listed
        else:
            listed = [line.strip() for line in text.splitlines()]
            listed = [line for line in listed if line and not line.startswith("#")]
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not valid {file.suffix[1:].upper()}: {error}") from None
    if not isinstance(listed, list):
        raise UsageError(f"{file} holds no list of repositories", suggestion="See docs/fleet.md for its form")
    for each in listed:
        yield _checked(file, {"source": each} if isinstance(each, str) else each)


def _checked(file: Path, entry: Any) -> Mapping[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("source"), str) or not entry["source"].strip():
        raise UsageError(f"{file}: a repository without a source: {str(entry)[:80]}", suggestion='Give it source = "…"')
    unknown = sorted(set(entry) - set(_FIELDS))
    if unknown:
        raise UsageError(f"{file}: {unknown[0]!r} is no field of a repository", suggestion=f"Use {', '.join(_FIELDS)}")
    bad = [key for key in _FIELDS if entry.get(key) is not None and not isinstance(entry[key], str)]
    if bad or str(entry["source"]).startswith("-") or str(entry.get("revision") or "").startswith("-"):
        raise UsageError(f"{file}: {bad[0] if bad else 'source or revision'} of {entry['source']!r} makes no sense")
    return entry


def _named(file: Path, entries: list[Mapping[str, Any]]) -> Iterator[Repository]:
    """Yield the repositories; what the file does not name is called by the end of its source."""
    given = [each["name"] for each in entries if each.get("name")]
    taken = set(given)
    if len(taken) < len(given):
        twice = next(name for name in given if given.count(name) > 1)
        raise UsageError(f"{file}: two repositories are called {twice!r}", suggestion="Give each a name of its own")
    seen: set[tuple[str, str | None]] = set()
    for entry in entries:
        source, revision = _resolved(file, entry["source"].strip()), entry.get("revision") or None
        if (source, revision) in seen:
            raise UsageError(f"{file} lists {source} twice", suggestion="Leave one of them out")
        seen.add((source, revision))
        name = entry.get("name") or _free(_short(source), taken)
        if not re.fullmatch(r"[^\s/\\.][^/\\\x00-\x1f]{0,99}", name):
            raise UsageError(f"{file}: {name!r} cannot be a name", suggestion="Use letters, digits, '-', '_' and '.'")
        taken.add(name)
        yield Repository(name, source, revision)


def _resolved(file: Path, source: str) -> str:
    if "://" in source or is_url(source):
        return source
    return os.path.normpath(os.path.join(os.path.abspath(file.parent), os.path.expanduser(source)))


def _short(source: str) -> str:
    last = re.split(r"[/\\:]", source.rstrip("/\\"))[-1].removesuffix(".git")
    return re.sub(r"[^\w.-]", "-", last).strip(".-")[:80] or "repository"


def _free(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
