"""`treemill config`: each setting, its value and where it came from, and which embedding provider is used and why."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from treemill.checking import ProviderState, check_provider, describe_provider
from treemill.cli.words import printable
from treemill.configuration import PROJECT_FILE, explain_settings, settings_file
from treemill.embedding.texts import shown_url
from treemill.layers import Resolved
from treemill.places import place_of
from treemill.settings import Settings

PROVIDER_FAILED = 7

_WIDEST_VALUE = 40


def run(arguments: argparse.Namespace) -> int:
    """Print the settings that hold for a folder, and return 0, or 7 where the provider cannot be used."""
    if arguments.file:
        print(printable(str(settings_file(os.environ))))
        return 0
    place = place_of(arguments.path)
    resolved = explain_settings(place.root)
    look = check_provider if arguments.check else describe_provider
    state = look(resolved.settings, resolved.origins)
    if arguments.json:
        print(json.dumps(as_json(str(place.root), resolved, state), indent=1))
    else:
        for line in lines(resolved, state):
            print(printable(line))
        for warning in resolved.warnings:
            print(f"treemill: {printable(warning)}", file=sys.stderr)
    return PROVIDER_FAILED if state.trouble else 0


def as_json(root: str, resolved: Resolved[Settings], state: ProviderState) -> dict[str, Any]:
    """Return the settings as JSON-ready values; keys as in docs/cli.md."""
    return {
        "root": root,
        "files": {"user": str(settings_file(os.environ)), "project": PROJECT_FILE},
        "settings": {
            name: {"value": _plain(name, value), "origin": origin} for name, value, origin in resolved.explain()
        },
        "provider": asdict(state),
        "warnings": list(resolved.warnings),
    }


def lines(resolved: Resolved[Settings], state: ProviderState) -> list[str]:
    """Return the settings as a table for people, and the provider in a sentence or two."""
    rows = [(name, _shown(_plain(name, value)), origin) for name, value, origin in resolved.explain()]
    wide = max(len(name) for name, _, _ in rows)
    width = min(_WIDEST_VALUE, max(len(value) for _, value, _ in rows))
    table = [f"{name:<{wide}}  {value:<{width}}  {origin}" for name, value, origin in rows]
    return [*table, "", *_provider_lines(state)]


def _provider_lines(state: ProviderState) -> list[str]:
    told = [f"provider   {state.name}: {state.why}"]
    if state.model is not None:
        length = f"{state.dimension} numbers a vector" if state.dimension else "length known when it is asked"
        told.append(f"model      {state.model}, {length}, runs in {state.runs_in}s")
        told.append("texts      " + (f"are sent to {state.where}" if state.where else "stay on this machine"))
    if state.answers:
        told.append(f"answers    in {1000 * state.seconds:.0f} ms")
    if state.trouble:
        told.append(f"wrong      {state.trouble}")
    return told


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON has it; what may be a password inside a URL is left out."""
    if name == "embedding.base_url":
        return shown_url(value) if value else value
    if isinstance(value, tuple):
        return [asdict(each) if hasattr(each, "__dataclass_fields__") else each for each in value]
    if hasattr(value, "items"):
        return {key: list(each) for key, each in value.items()}
    return value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value else value
