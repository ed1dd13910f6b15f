"""Patterns of ignore files to what an entry looks like that they can match at all.

    *.py[co]  !/src/keep-*  docs/_build/  .idea/*   ─▶   endings .pyc .pyo, beginning keep-, name _build, within .idea

A pattern is asked about an entry itself, so that the last part of the one must match the last part of the other. Of an
entry that no hint fits, no rule says anything: nobody has to be asked, and most entries of a tree are such. A hint may
fit where no pattern does, never the other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

# A character behind a backslash, a class in which nothing is special, or any character.
_PART = re.compile(rb"\\.|\[[!^]?[^][\\!^][^][\\]*\]|.", re.DOTALL)
_SIMPLE_CLASS = re.compile(rb"\[([A-Za-z0-9._]{1,16})\]")

# A single character stands in nearly every name.
_SHORTEST_PIECE = 2


# Each name is compared with so many at most, and so many are looked up at most: more were made by a program, or to
# harm, and are left to the engine that takes time in the length of a path alone.
_MOST_COMPARED = 200
_MOST = 2_000
_LONGEST = 512


class Hints(NamedTuple):
    """What entries look like of which rules may say something.

    Their names are one of `names`, or have one of the others at their beginning, at their end or in them; or they lie
    in a folder whose name is one of `within`, or at any depth in one whose name is one of `below`.
    """

    names: frozenset[bytes] = frozenset()
    beginnings: frozenset[bytes] = frozenset()
    endings: frozenset[bytes] = frozenset()
    pieces: frozenset[bytes] = frozenset()
    within: frozenset[bytes] = frozenset()
    below: frozenset[bytes] = frozenset()


def hints_of(patterns: Iterable[bytes]) -> Hints | None:
    """Return the hints of some lines of an ignore file; None where one of them may match whatever there is.

    A pattern that is bound to the folder of its file has no hint: what lies in that folder is asked about anyway.
    """
    said = [pattern for pattern in patterns if pattern.strip() and not pattern.startswith(b"#")]
    if len(said) > _MOST or max(map(len, said), default=0) > _LONGEST:
        return None
    return together(map(_hints_of_one, said))


def together(hints: Iterable[Hints | None]) -> Hints | None:
    """Return the hints of several patterns or ignore files as one; None where they would take more than they spare."""
    kinds: tuple[set[bytes], ...] = tuple(set() for _ in Hints._fields)
    for each in hints:
        if each is None:
            return None
        for kind, more in zip(kinds, each, strict=True):
            kind |= more
    found = Hints(*map(frozenset, kinds))
    compared = len(found.beginnings) + len(found.endings) + len(found.pieces)
    return found if compared <= _MOST_COMPARED and sum(map(len, kinds)) <= _MOST else None


def _hints_of_one(pattern: bytes) -> Hints | None:
    said = pattern.rstrip(b" \r")
    names = list(map(_PART.findall, said.removeprefix(b"!").rstrip(b"/").split(b"/")))
    # What is read in one way or another, by git or by who translates it: ends in white space or a backslash, and
    # classes in which something is special, or with a slash in them.
    if pattern[:1].isspace() or said[-1:].isspace() or b"\0" in pattern or not names[-1]:
        return None
    if any(part in (b"[", b"]", b"\\") for name in names for part in name):
        return None
    if len(names) == 2 and not names[0] and b"**" not in said:
        return Hints()
    last = list(map(_literal, names[-1]))
    return _hints_of_name(names[-1], last) or _hints_of_way(names, last)


def _hints_of_name(parts: Sequence[bytes], literal: Sequence[bytes | None]) -> Hints | None:
    """Return what the last part of a pattern says, if it says something."""
    if None not in literal:
        return Hints(names=_only(_text(literal)))
    if endings := _beginnings(parts[::-1]):
        return Hints(endings=frozenset(_text(ending[::-1]) for ending in endings))
    if b"**" in b"".join(parts):
        return None
    if beginnings := _beginnings(parts):
        return Hints(beginnings=frozenset(map(_text, beginnings)))
    longest = max((_text(run) for _, run in groupby(literal, lambda part: part is None)), key=len)
    return Hints(pieces=_only(longest)) if len(longest) >= _SHORTEST_PIECE else None


def _beginnings(parts: Sequence[bytes]) -> list[list[bytes | None]]:
    """Return what a name that fits begins with, a list of parts for each possibility; none where it may be anything."""
    literal = list(map(_literal, parts))
    one = _SIMPLE_CLASS.fullmatch(parts[0])
    first = [literal[0]] if one is None else [bytes((each,)) for each in one[1]]
    rest = literal[1 : 1 + _run(literal[1:])]
    return [] if first == [None] else [[each, *rest] for each in first]


def _hints_of_way(names: Sequence[Sequence[bytes]], last: Sequence[bytes | None]) -> Hints | None:
    """Return what the way to the last part of a pattern says."""
    way = [list(map(_literal, name)) for name in names[:-1]]
    plain = [_text(name) for name in way if name and None not in name]
    if not plain:
        return None
    is_parent = None not in way[-1] and names[-1] != [b"*", b"*"]
    return Hints(within=_only(plain[-1])) if is_parent else Hints(below=_only(plain[-1]))


def _literal(part: bytes) -> bytes | None:
    """Return what a part of a pattern stands for, None for one that stands for several things."""
    if part in (b"*", b"?") or part[:1] == b"[":
        return None
    return part[1:] if part[:1] == b"\\" else part


def _run(literal: Sequence[bytes | None]) -> int:
    """Return how many parts at the beginning stand for one thing each."""
    return next((place for place, part in enumerate(literal) if part is None), len(literal))


def _text(parts: Iterable[bytes | None]) -> bytes:
    return b"".join(part for part in parts if part is not None)


def _only(text: bytes) -> frozenset[bytes]:
    return frozenset((text,))
