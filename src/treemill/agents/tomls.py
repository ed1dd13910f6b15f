"""Editing TOML as text: a table of our own is added at the end or taken out, and every other byte stays."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any


class NotToml(ValueError):
    """A text is no TOML, or our table cannot be told from the rest of it; the message says where."""


def set_table(text: str, path: Sequence[str], table: Mapping[str, Any]) -> str:
    """Return a text whose table at a path holds these texts and lists of texts, and nothing else.

    Raises:
        NotToml: the text is no TOML, or the table is not written as a table of its own.
    """
    before = _parse(text)
    if _at(before, path) == dict(table):
        return text
    rest = remove_table(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [
        f"[{'.'.join(path)}]",
        *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()),
    ]
    gap = "" if not rest else newline if rest.endswith(("\n", "\r")) else newline * 2
    result = rest + gap + newline.join(lines) + newline
    try:
        holds = _at(_parse(result), path) == dict(table)
    except NotToml:
        holds = False
    if not holds:
        raise NotToml(f"{'.'.join(path[:-1])} is written in a way that cannot be added to")
    return result


def remove_table(text: str, path: Sequence[str]) -> str:
    """Return a text without the table at a path; as it is where there is none.

    Raises:
        NotToml: the text is no TOML, or the table is not written as a table of its own.
    """
    if _at(_parse(text), path) is None:
        return text
    name = r"\s*\.\s*".join(rf'(?:{re.escape(key)}|"{re.escape(key)}")' for key in path)
    header = re.compile(rf"^[ \t]*\[[ \t]*{name}[ \t]*\][ \t]*(?:#[^\n]*)?\r?$", re.MULTILINE)
    found = header.search(text)
    if found is not None:
        following = re.search(r"^[ \t]*\[", text[found.end() :], re.MULTILINE)
        end = len(text) if following is None else found.end() + following.start()
        start = found.start()
        # The empty line that was put before a table at the end goes along.
        blank = re.search(r"(?<=\n)\r?\n$", text[:start])
        if following is None and blank is not None:
            start = blank.start()
        result = text[:start] + text[end:]
        try:
            if _at(_parse(result), path) is None:
                return result
        except NotToml:
            pass  # what was taken for the next header stands inside a text
    raise NotToml(f"{'.'.join(path)} is not written as a table of its own")


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotToml(str(error)) from error


def _at(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = values
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return found
