"""The arguments of a tool call: what was given, checked against the tool's schema, with messages a model can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treemill.errors import UsageError
from treemill.mcp.tools import TOOL_OF, Tool


def tool_named(name: str) -> Tool:
    """Return a tool.

    Raises:
        UsageError: there is none of that name.
    """
    tool = TOOL_OF.get(name)
    if tool is None:
        raise UsageError(f"there is no tool {name!r}", suggestion=f"Use one of: {', '.join(TOOL_OF)}")
    return tool


def checked(tool: Tool, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments that were given; null counts as not given.

    Raises:
        UsageError: one is missing, unknown, of another type or out of range; the message says which and what it takes.
    """
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    properties: Mapping[str, Mapping[str, Any]] = tool.schema["properties"]
    for name in tool.schema["required"]:
        if name not in given:
            raise UsageError(f"{tool.name} needs {name!r}", suggestion=properties[name]["description"])
    for name, value in given.items():
        if name not in properties:
            raise UsageError(f"{tool.name} takes no {name!r}", suggestion=f"It takes: {', '.join(properties)}")
        _check(f"{name} of {tool.name}", properties[name], value)
    return given


def _check(what: str, schema: Mapping[str, Any], value: Any) -> None:
    match schema["type"]:
        case "string":
            _expect(isinstance(value, str), what, "a text", value)
            _expect(value in schema.get("enum", (value,)), what, f"one of {schema.get('enum')}", value)
        case "boolean":
            _expect(isinstance(value, bool), what, "true or false", value)
        case "integer":
            low, high = schema.get("minimum", 0), schema.get("maximum", 2**31)
            numeric = isinstance(value, int) and not isinstance(value, bool)
            _expect(numeric and low <= value <= high, what, f"a whole number from {low} to {high}", value)
        case "array":
            texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
            _expect(texts, what, "a list of texts", value)


def _expect(holds: bool, what: str, expected: str, value: Any) -> None:
    if not holds:
        raise UsageError(f"{what} must be {expected}, not {str(value)[:80]!r}")
