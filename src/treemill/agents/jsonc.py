"""Editing JSON as text: a member is set or removed, and every other byte stays, comments and trailing commas included.

Settings files of editors are JSON with comments. Reading one into values and writing it back would lose what people
wrote, so a file is read into a tree of positions, and the text is cut and joined there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from treemill.values import dataclass

_DEEPEST = 64  # as deep as no settings file is; what is deeper is refused before the stack ends

_BLANK = re.compile(r"(?:[\s\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?\d[\d.eE+-]*|true|false|null")


class NotJson(ValueError):
    """A text is no JSON, even with comments; the message names the line."""


@dataclass()
class Node:
    """A value in a text: `text[start:end]`. An object has `members` (key → its position and value), in order."""

    start: int
    end: int
    value: Any
    members: dict[str, tuple[int, Node]] = field(default_factory=dict)

    @property
    def is_object(self) -> bool:
        """Whether members can be set in it."""
        return isinstance(self.value, dict)


def parse(text: str) -> Node:
    """Return the value of a text, with positions. A text of blanks is an empty object at its end.

    Raises:
        NotJson: it is none.
    """
    start = _after_blank(text, 0)
    if start == len(text):
        return Node(start, start, {})
    node = _value(text, start, 0)
    rest = _after_blank(text, node.end)
    if rest != len(text):
        raise _error(text, rest, "something stands behind the end")
    return node


def set_member(text: str, path: Sequence[str], value: Any) -> str:
    """Return a text in which the member at a path has a value; objects on the way are made where there are none.

    Raises:
        NotJson: the text is no JSON, or something on the way is no object.
    """
    node = parse(text)
    if node.start == node.end:
        return text + _dump(_nested(path, value), "  ", "\n", "") + "\n"
    for depth, key in enumerate(path):
        if not node.is_object:
            raise _error(text, node.start, f"{'.'.join(path[:depth]) or 'the whole'} is no object")
        known = node.members.get(key)
        if known is None:
            return _insert(text, node, key, _nested(path[depth + 1 :], value))
        node = known[1]
    unit, newline = _style(text)
    return text[: node.start] + _dump(value, unit, newline, _indent(text, node.start)) + text[node.end :]


def remove_member(text: str, path: Sequence[str]) -> str:
    """Return a text without the member at a path; as it is where there is none.

    Raises:
        NotJson: the text is no JSON.
    """
    node = parse(text)
    for key in path[:-1]:
        known = node.members.get(key)
        if known is None:
            return text
        node = known[1]
    keys = list(node.members)
    if path[-1] not in keys:
        return text
    place = keys.index(path[-1])
    start, member = node.members[path[-1]]
    if place:
        # The comma behind the one before goes along, and the blanks; comments that stand there stay.
        comma = _after_blank(text, node.members[keys[place - 1]][1].end)
        return text[:comma] + text[comma + 1 : start].rstrip() + text[member.end :]
    comma = _after_blank(text, member.end)
    if text[comma] == ",":
        return text[:start] + text[_after_blank(text, comma + 1) :]
    return text[: node.start + 1] + text[node.end - 1 :]


def _insert(text: str, node: Node, key: str, value: Any) -> str:
    """Put a member behind the last one of an object, in the style of the text."""
    unit, newline = _style(text)
    if not node.members:
        outer = _indent(text, node.start)
        inner = newline + outer + unit + _pair(key, value, unit, newline, outer + unit)
        comments = text[node.start + 1 : node.end - 1]
        rest = comments if comments.strip() else newline + outer
        return text[: node.start + 1] + inner + rest + text[node.end - 1 :]
    first_start = next(iter(node.members.values()))[0]
    last_end = list(node.members.values())[-1][1].end
    if "\n" not in text[node.start : first_start]:
        return text[:last_end] + ", " + f"{json.dumps(key)}: {json.dumps(value)}" + text[last_end:]
    indent = _indent(text, first_start)
    pair = newline + indent + _pair(key, value, unit, newline, indent)
    comma = _after_blank(text, last_end)
    if text[comma] == ",":
        return text[: comma + 1] + pair + "," + text[comma + 1 :]
    return text[:last_end] + "," + pair + text[last_end:]


def _pair(key: str, value: Any, unit: str, newline: str, indent: str) -> str:
    return f"{json.dumps(key)}: {_dump(value, unit, newline, indent)}"


def _dump(value: Any, unit: str, newline: str, indent: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", newline + indent)


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _style(text: str) -> tuple[str, str]:
    """Return what one level is indented by, and how lines end."""
    found = re.search(r"\n([ \t]+)\S", text)
    unit = "  " if found is None else "\t" if found[1].startswith("\t") else found[1]
    return unit, "\r\n" if "\r\n" in text else "\n"


def _indent(text: str, position: int) -> str:
    """Return the blanks that the line of a position begins with."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return position if found is None else found.end()


def _value(text: str, start: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise _error(text, start, "it is nested too deeply")
    opening = text[start : start + 1]
    if opening == "{":
        return _object(text, start, depth)
    if opening == "[":
        return _array(text, start, depth)
    found = (_STRING if opening == '"' else _SCALAR).match(text, start)
    if found is None:
        raise _error(text, start, "a value is missing" if opening in ",}]" else f"{opening!r} begins no value")
    try:
        return Node(start, found.end(), json.loads(found[0]))
    except ValueError as error:
        raise _error(text, start, "it is no value") from error


def _object(text: str, start: int, depth: int) -> Node:
    members: dict[str, tuple[int, Node]] = {}
    place = _after_blank(text, start + 1)
    while text[place : place + 1] != "}":
        found = _STRING.match(text, place)
        if found is None:
            raise _error(text, place, "a name in quotes is missing")
        key = json.loads(found[0])
        if key in members:
            raise _error(text, place, f"{key!r} stands there twice")
        colon = _after_blank(text, found.end())
        if text[colon : colon + 1] != ":":
            raise _error(text, colon, "a colon is missing")
        node = _value(text, _after_blank(text, colon + 1), depth + 1)
        members[key] = (place, node)
        place = _after_comma(text, node.end, "}")
    values: Mapping[str, Any] = {key: node.value for key, (_, node) in members.items()}
    return Node(start, place + 1, values, members)


def _array(text: str, start: int, depth: int) -> Node:
    values: list[Any] = []
    place = _after_blank(text, start + 1)
    while text[place : place + 1] != "]":
        node = _value(text, place, depth + 1)
        values.append(node.value)
        place = _after_comma(text, node.end, "]")
    return Node(start, place + 1, values)


def _after_comma(text: str, end: int, closing: str) -> int:
    """Return where the next element, or the closing bracket, stands behind an element."""
    place = _after_blank(text, end)
    if text[place : place + 1] == ",":
        return _after_blank(text, place + 1)
    if text[place : place + 1] != closing:
        raise _error(text, place, f"a comma or {closing!r} is missing")
    return place


def _error(text: str, position: int, what: str) -> NotJson:
    return NotJson(f"line {text.count(chr(10), 0, position) + 1}: {what}")
