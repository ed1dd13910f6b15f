"""Files that are asked for by their path: those whose path ends like it, and the line behind it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from treemill.ranking.asking import AskedPath, path_fit
from treemill.ranking.paths import kinds_of
from treemill.ranking.question import as_symbol
from treemill.records import Hit, Query
from treemill.searching.filters import wanted
from treemill.searching.hits import Found, Pages, hit_of
from treemill.searching.moment import Moment
from treemill.searching.places import place_around

# How many files with the same last part are looked at: every package has an `index.js`.
_MOST_FILES = 5_000

_NOTHING = as_symbol("")


def located(moment: Moment, query: Query, asked: AskedPath) -> list[tuple[float, int]]:
    """Return (fit, file) of the files whose path is like the asked one, the best first.

    Of equal ones, those with fewer folders above come first, then what is no test, then in order of path.
    """
    kept = wanted(moment.files, query)
    last = asked.parts[-1]
    possible = moment.path_text.holding(last, _MOST_FILES).tolist()
    fits = ((path_fit(moment.files.paths[file], asked), file) for file in possible if kept is None or bool(kept[file]))
    paths = moment.files.paths
    return sorted(
        (each for each in fits if each[0] > 0),
        key=lambda each: (-each[0], paths[each[1]].count("/"), "test" in kinds_of(paths[each[1]]), each[1]),
    )


def hits_at(
    moment: Moment, query: Query, asked: AskedPath, found: list[tuple[float, int]], skipped: int
) -> Iterator[Hit]:
    """Yield a hit for each file: what stands at the asked line, or where the file begins."""
    moment.expect(int(moment.row_of_file[file]) for _, file in found[skipped : skipped + query.limit])
    for fit, file in found[skipped:]:
        row = int(moment.row_of_file[file])
        path, language = moment.files.paths[file], moment.files.languages[file]
        why = {"path": round(fit, 4)}
        if moment.first[row] == moment.first[row + 1]:
            yield Hit(path, 1, 1, "", language, None, None, round(fit, 6), why, 1)
            continue
        unpacked = moment.unpacked(row)
        line = asked.line or 1
        chunk = max(0, bisect_right(unpacked.lines, line) - 1)
        pages = Pages(unpacked)
        hit = hit_of(Found(path, language, fit, why), pages, [place_around(unpacked, chunk)], _NOTHING, query.context)
        yield hit if asked.line is None else replace(hit, line=line)
