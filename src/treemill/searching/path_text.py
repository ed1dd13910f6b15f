"""All paths of an index, to look for a part of a word in: `pars` finds `src/json/parser.py`.

A path is a name and a folder, and of both there are far fewer than paths: each distinct one stands once in a text that
is searched as a whole. A handle that is asked again and again pays once for a much smaller text, that of the words in
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_WORD = re.compile(r"[^\W_]+")

# After this many lookups the words are worth taking apart: a command asks one question.
_MANY_LOOKUPS = 24


class PathText:
    """Paths, numbered in their order. Threads may share it: what it works out late, it works out the same."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Take the paths apart."""
        split = [path.rpartition("/") for path in paths]
        self._parts = [_Texts([each[2] for each in split]), _Texts([each[0] for each in split])]

    def holding(self, fragment: str, most: int) -> Numbers:
        """Return which paths hold a fragment, in lower case and without "/" in it, ascending.

        None because of their names where more than `most` of these hold it, and so for folders: what stands everywhere
        does not tell one from another.
        """
        return _distinct(np.concatenate([part.holding(fragment, most) for part in self._parts]))


class _Texts:
    """Texts of which many are equal, as distinct lines in lower case."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._lookups = 0
        self._lines = _Owned(texts, range(len(texts)))

    @cached_property
    def _words(self) -> _Owned:
        """The words of the lines, each owned by the lines that have it."""
        pairs = [(word, number) for number, line in enumerate(self._lines.keys) for word in _WORD.findall(line)]
        return _Owned([word for word, _ in pairs], [number for _, number in pairs])

    def holding(self, fragment: str, most: int) -> Numbers:
        """Return the numbers of the texts that hold a fragment; none where more than `most` distinct ones do."""
        self._lookups += 1
        if self._lookups > _MANY_LOOKUPS and _WORD.fullmatch(fragment):
            lines = _distinct(self._words.owners(self._words.holding(fragment, most)))
        else:
            lines = self._lines.holding(fragment, most)
        return self._lines.owners(lines if len(lines) <= most else lines[:0])


class _Owned:
    """Distinct keys in lower case, each with the numbers of those that have it."""

    def __init__(self, keys: Sequence[str], owners: Iterable[int]) -> None:
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        key_of = np.fromiter(map(numbers.__getitem__, keys), np.int64, len(keys))
        self.keys = list(map(str.lower, numbers))
        self._text = "\n".join(self.keys)
        self._starts = np.cumsum([0, *map(len, self.keys)])
        self._starts += np.arange(len(self._starts))
        order = np.argsort(key_of, kind="stable")
        self._owners = np.fromiter(owners, np.int64, len(keys))[order]
        self._firsts = np.searchsorted(key_of[order], np.arange(len(self.keys) + 1))

    def holding(self, fragment: str, most: int) -> Numbers:
        """Return which keys hold a fragment, ascending; none where it occurs much more than `most` times."""
        if not 0 < self._text.count(fragment) <= 2 * most:
            return np.zeros(0, np.int64)
        at = [match.start() for match in re.finditer(re.escape(fragment), self._text)]
        keys = np.searchsorted(self._starts, at, side="right") - 1
        return keys[np.concatenate(([True], keys[1:] != keys[:-1]))]

    def owners(self, keys: Numbers) -> Numbers:
        """Return who has any of these keys, key by key."""
        sizes = self._firsts[keys + 1] - self._firsts[keys]
        ends = np.cumsum(sizes)
        return self._owners[np.repeat(self._firsts[keys] - ends + sizes, sizes) + np.arange(int(sizes.sum()))]


def _distinct(numbers: Numbers) -> Numbers:
    ordered = np.sort(numbers)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(ordered)]]
