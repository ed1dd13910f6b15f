"""`treemill search`: ask about the code in a folder.

Where to ask and what is settled first, with little loaded; whether the tree still stands as it stood is asked beside,
while what answers is loaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import NamedTuple

from treemill.cli.given import settings_for
from treemill.errors import IndexMissing, StorageError
from treemill.flow.aside import Aside
from treemill.glance import Standing, standing
from treemill.places import Place, named, places_of, seated
from treemill.settings import Settings
from treemill.storage.ownership import data_folder, read_mark

_ANSWERING = "treemill.cli.answering"


class Target(NamedTuple):
    """A place to ask: how its root is named among several, the settings that hold there, and whether it stands still.

    `standing` gives what `treemill.glance.standing` says of the place.
    """

    name: str
    place: Place
    settings: Settings
    standing: Callable[[], Standing | None]


def run(arguments: argparse.Namespace) -> int:
    """Refresh what is asked if need be, answer, and return the exit code."""
    targets = [target(given, place, arguments) for given, place in places_of(arguments.paths or ["."])]
    answering = import_module(_ANSWERING)
    code: int = answering.answer(targets, answering.asked(arguments, targets[0].settings), arguments)
    return code


def target(given: str, place: Place, arguments: argparse.Namespace) -> Target:
    """Return what is asked where a place was given, under the settings that hold there."""
    settings = settings_for(place, arguments)
    place = seated(place, settings.storage)
    return Target(named(given, place), place, settings, _standing(place, settings, arguments))


def _standing(place: Place, settings: Settings, arguments: argparse.Namespace) -> Callable[[], Standing | None]:
    """Begin to look whether a place stands as it stood, where that will be asked."""
    if arguments.no_update or settings.storage.url:
        return _unknown
    try:
        folder = data_folder(place.folder, read_mark(place.folder))
    except (IndexMissing, StorageError):
        return _unknown  # opening it says what is wrong, or makes it
    return Aside(partial(standing, place.root, folder))


def _unknown() -> None:
    """Nothing is said of a place."""
