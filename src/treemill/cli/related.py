"""`treemill find-related`: code like that at a place."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from treemill.cli.given import settings_for
from treemill.cli.search import Target, answer
from treemill.places import place_of, seated
from treemill.records import Query


def run(arguments: argparse.Namespace) -> int:
    """Refresh the index of the place's folder if need be, answer, and return the exit code."""
    path, separator, line = arguments.place.rpartition(":")
    if not separator or not line.isdecimal():
        path, line = arguments.place, "1"
    folder, name = os.path.split(path)
    place = place_of(folder or ".")
    settings = settings_for(place, arguments)
    place = seated(place, settings.storage)
    inside = f"{place.under}/{name}" if place.under else name
    limit = settings.search.top_k if arguments.top_k is None else arguments.top_k
    query = Query(f"{inside}:{line}", mode="related", limit=limit, threshold=arguments.threshold)
    return answer([Target("", replace(place, under=""), settings)], query, arguments)
