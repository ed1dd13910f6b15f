"""`treemill find-related`: code like that at a place."""

from __future__ import annotations

import argparse
import os

from treemill.cli.answering import answer
from treemill.cli.search import target
from treemill.places import place_of
from treemill.records import Query


def run(arguments: argparse.Namespace) -> int:
    """Refresh the index of the place's folder if need be, answer, and return the exit code."""
    path, separator, line = arguments.place.rpartition(":")
    if not separator or not line.isdecimal():
        path, line = arguments.place, "1"
    folder, name = os.path.split(path)
    place = place_of(folder or ".")
    asked = target("", place, arguments)
    under = asked.place.under
    inside = f"{under}/{name}" if under else name
    limit = asked.settings.search.top_k if arguments.top_k is None else arguments.top_k
    query = Query(f"{inside}:{line}", mode="related", limit=limit, threshold=arguments.threshold)
    return answer([asked._replace(place=asked.place._replace(under=""))], query, arguments)
