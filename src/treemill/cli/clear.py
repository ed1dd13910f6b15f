"""`treemill clear`: remove the index of a folder, after asking."""

from __future__ import annotations

import argparse
import sys

from treemill.cli.given import store_flags
from treemill.cli.words import printable
from treemill.configuration import load_settings
from treemill.errors import UsageError
from treemill.places import Place, place_of, seated
from treemill.settings import StorageSettings
from treemill.storage.content_cache import ContentCache
from treemill.storage.folders import remove
from treemill.storage.opening import open_store, remove_index
from treemill.storage.ownership import read_mark

NOT_DONE = 1


def run(arguments: argparse.Namespace) -> int:
    """Remove what was asked for; 1 if the person says no."""
    if arguments.cache:
        cache = ContentCache(0)
        if not _agreed(f"remove the content cache in {cache.folder}?", arguments):
            return NOT_DONE
        cache.remove()
        return 0
    place = place_of(arguments.path)
    settings = load_settings(place.root, flags=store_flags(arguments)).storage
    place = seated(place, settings)
    if settings.url:
        return _clear_elsewhere(place, settings, arguments)
    read_mark(place.folder)
    if not _agreed(f"remove the index of {place.root} in {place.folder}?", arguments):
        return NOT_DONE
    left = remove(place.folder)
    if left:
        names = ", ".join(path.name for path in left[:5])
        print(printable(f"treemill: {place.folder} stays: it holds what is not Treemill's ({names})"), file=sys.stderr)
    return 0


def _clear_elsewhere(place: Place, settings: StorageSettings, arguments: argparse.Namespace) -> int:
    with open_store(place.root, place.folder, settings) as store:
        question = f"remove the index of {place.root} in {store.described()}?"
    if not _agreed(question, arguments):
        return NOT_DONE
    remove_index(place.root, settings)
    return 0


def _agreed(question: str, arguments: argparse.Namespace) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("clear asks before it removes anything, and there is nobody to ask", suggestion="Add -y")
    print(printable(f"{question} [y/N] "), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
