"""What stands at a place: the definition or chunk around a line of an indexed file, as it was when it was indexed."""

from __future__ import annotations

from dataclasses import replace

from treemill.ranking.question import analyse
from treemill.records import Hit, Query
from treemill.searching.hits import Found, Pages, hit_of
from treemill.searching.moment import Moment
from treemill.searching.places import place_around
from treemill.searching.related import spot_at


def standing_at(moment: Moment, query: Query) -> Hit:
    """Return the definition or chunk around a place, "FILE" or "FILE:LINE"; `line` is the one asked for.

    Raises:
        UsageError: the file is not in the index, or has no such line.
    """
    spot = spot_at(moment, query.text)
    unpacked = moment.unpacked(spot.row)
    place = place_around(unpacked, spot.chunk)
    path, language = moment.files.paths[spot.file], moment.files.languages[spot.file]
    found = Found(path, language, 0.0, {})
    return replace(hit_of(found, Pages(unpacked), [place], analyse(""), query.context), line=spot.line)
