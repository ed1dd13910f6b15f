"""Where settings come from: the user's file, the tree's, the environment, flags.

The user's file is `config.toml` in the platform's place for Treemill, or what TREEMILL_CONFIG names. The tree's is
`treemill.toml` in the root, else `[tool.treemill]` of its `pyproject.toml`. Variables are TREEMILL_SECTION__KEY; an
empty one counts as unset, and TREEMILL_STORE is short for that of `storage.url`. What a tree says is data: fields
declared `trusted_only` are not taken from it, unless the user's file names the tree in `embedding.trusted_projects`,
and its files are read without following links or waiting.

The variables that every program knows (OPENAI_API_KEY, OLLAMA_HOST, …) fill in what nobody has set for Treemill.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from treemill.errors import SettingsError
from treemill.layers import Layer, Resolved, resolve
from treemill.settings import Settings
from treemill.small_files import read_small_file
from treemill.wellknown import offline, well_known

PROJECT_FILE = "treemill.toml"
_PREFIX = "TREEMILL_"

# Loaded where there is a settings file.
_PARSER = "tomllib"

STORE_VARIABLE = "TREEMILL_STORE"
"""Where indexes are kept, like the setting `storage.url`."""


def load_settings(
    root: str | Path,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    user_file: Path | None = None,
) -> Settings:
    """Return the settings that hold for a root.

    `flags` maps sections or dotted names to values; None stands for a flag that was not given. `environ` is the
    process's own by default, `user_file` the platform's.

    Raises:
        SettingsError: a file is no TOML or cannot be read, a name is unknown, a value is bad. The message names the
            file and line, or the variable.
    """
    return explain_settings(root, flags=flags, environ=environ, user_file=user_file).settings


def explain_settings(
    root: str | Path,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    user_file: Path | None = None,
) -> Resolved[Settings]:
    """Return the settings with the origin of each, and warnings about what was not obeyed.

    Raises:
        SettingsError: as `load_settings` does.
    """
    env = os.environ if environ is None else environ
    project, unused = _project_layers(os.fspath(root))
    own = list(_user_layers(env, user_file))
    others = [_environment(env), Layer(origin="a flag", values=flags or {})]
    trusts = resolve([*own, *others], Settings).settings.embedding.trusted_projects
    project = [_entrusted(layer, os.fspath(root), trusts) for layer in project]
    layers = [*own, *project, *others]
    known, told = well_known(env, resolve(layers, Settings).settings.embedding)
    resolved = resolve([known, *layers, offline(env)], Settings)
    return Resolved(resolved.settings, resolved.origins, (*unused, *told, *resolved.warnings))


def _entrusted(layer: Layer, root: str, trusts: Sequence[str]) -> Layer:
    """Return a tree's layer with what the user trusts it with, and how to have it trusted."""
    place = os.path.realpath(root)
    if place in {os.path.realpath(os.path.expanduser(each)) for each in trusts}:
        return replace(layer, entrusted=frozenset({"embedding"}))
    advice = (
        "a tree does not choose where its code is sent. Set it in your own settings file, or, "
        f"if you trust this tree, add {place!r} to embedding.trusted_projects there"
    )
    return replace(layer, advice=advice)


def user_settings_file(environ: Mapping[str, str]) -> Path:
    """Return where this user's settings are looked for when TREEMILL_CONFIG does not say."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    if sys.platform == "win32":
        folder = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin" and not environ.get("XDG_CONFIG_HOME"):
        folder = home / "Library" / "Application Support"
    else:
        folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return folder / "treemill" / "config.toml"


def settings_file(environ: Mapping[str, str]) -> Path:
    """Return where this user's settings are looked for: what TREEMILL_CONFIG names, or the platform's place."""
    named = environ.get("TREEMILL_CONFIG")
    return Path(named) if named else user_settings_file(environ)


def _user_layers(environ: Mapping[str, str], user_file: Path | None) -> Iterator[Layer]:
    named = environ.get("TREEMILL_CONFIG")
    place = user_file or settings_file(environ)
    data = read_small_file(os.fspath(place), follow=True)
    if data is not None:
        yield _layer(data, os.fspath(place), trusted=True)
    elif user_file is not None or named or place.exists():
        raise SettingsError(f"the settings file {place} cannot be read", suggestion="Check its name and permissions")


def _project_layers(root: str) -> tuple[list[Layer], list[str]]:
    """Return the layer of a tree's own settings, if any, and a warning where some of them are not used."""
    place = os.path.join(root, PROJECT_FILE)
    data = read_small_file(place)
    if data is None and os.path.lexists(place):
        raise SettingsError(f"{PROJECT_FILE} cannot be read: it must be a readable, regular file, and no link")
    shared = _pyproject_layer(read_small_file(os.path.join(root, "pyproject.toml")))
    if data is None:
        return ([] if shared is None else [shared]), []
    unused = [f"[tool.treemill] of pyproject.toml is not used, as there is a {PROJECT_FILE}"] if shared else []
    return [_layer(data, PROJECT_FILE, trusted=False)], unused


def _pyproject_layer(data: bytes | None) -> Layer | None:
    """Return what [tool.treemill] says; a file that does not mention it is no matter of ours, broken or not."""
    if data is None or b"treemill" not in data:
        return None
    if not re.search(rb"^[ \t]*\[{1,2}[ \t]*tool[ \t]*\.[ \t]*treemill\b", data, re.MULTILINE):
        return None
    return _layer(data, "pyproject.toml", trusted=False, within=("tool", "treemill"))


def _layer(data: bytes, origin: str, *, trusted: bool, within: tuple[str, ...] = ()) -> Layer:
    try:
        text = data.decode("utf-8-sig")
        values: Any = import_module(_PARSER).loads(text)
    except UnicodeDecodeError:
        raise SettingsError(f"{origin} is not UTF-8", suggestion="Save it as UTF-8") from None
    except ValueError as error:
        raise SettingsError(f"{origin} is not valid TOML: {error}", suggestion="Correct that line") from None
    except RecursionError:
        raise SettingsError(f"{origin} is nested too deeply to be settings") from None
    for part in within:
        values = values.get(part, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{'.'.join(within)} must be a section ({origin})")
    return Layer(origin=origin, values=values, places=_places(text, origin, within), trusted=trusted)


def _places(text: str, origin: str, within: tuple[str, ...]) -> dict[str, str]:
    """Return the line on which each name is set, as far as plain `[section]` and `key =` lines tell."""
    places: dict[str, str] = {}
    above = ".".join(within) + "." if within else ""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = re.sub(r"[\s\"']", "", header[1]) + "."
            key = section.rstrip(".")
        elif pair := _PAIR.match(line):
            key = section + re.sub(r"[\s\"']", "", pair[1])
        else:
            continue
        if key.startswith(above):
            places.setdefault(key[len(above) :], f"{origin} line {number}")
    return places


_HEADER = re.compile(r"\s*\[{1,2}([^\[\]]+)\]")
_PAIR = re.compile(r"\s*([\w\"'.-]+)\s*=")


def _environment(environ: Mapping[str, str]) -> Layer:
    """Return what the variables say; one without a double underscore is no setting (TREEMILL_CONFIG)."""
    values, places = {}, {}
    if store := environ.get(STORE_VARIABLE):
        values["storage.url"] = store
        places["storage.url"] = f"environment variable {STORE_VARIABLE}"
    for variable, text in environ.items():
        section, divider, key = variable.removeprefix(_PREFIX).partition("__")
        if variable.startswith(_PREFIX) and divider and section and text:
            name = f"{section}.{key.replace('__', '.')}".lower()
            values[name] = text
            places[name] = f"environment variable {variable}"
    return Layer(origin="the environment", values=values, places=places, as_text=True)
