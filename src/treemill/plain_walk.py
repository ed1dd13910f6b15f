"""A folder → what lies below it, as far as nobody has to think about it: most of most trees.

Discovery knows what belongs and why. Here is what it leaves to the compiled half: folders that bring no rules, in which
no name looks like one of which a rule, or a rule of thumb, may say something (`treemill.ignore_hints`).
"""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from functools import lru_cache

from treemill.belonging import MARKS
from treemill.generated import GENERATED_SUFFIX
from treemill.ignore_hints import Hints
from treemill.languages import language_of_name, plain_names
from treemill.listing import Listed
from treemill.native import compiled
from treemill.types import DiscoveredFile

# Names are compared as bytes.
_NATIVE = compiled("listing") if sys.getfilesystemencoding() == "utf-8" else None

# So much is walked at a time: little at first, so that the first files come at once; and never so much that what is
# found ahead takes much memory.
_FIRST = 100
_MOST = 1_000

_MARKS = (b"".join(sorted(os.fsencode(mark) + b"\0" for mark in MARKS)), os.fsencode(GENERATED_SUFFIX) + b"\0")
_SLOTS = tuple(getattr(DiscoveredFile, field.name) for field in fields(DiscoveredFile))

Below = DiscoveredFile | str | tuple[str, Listed]
"""A file that belongs; a folder to be walked, by its path with a slash behind; a folder and an entry to look at."""


@lru_cache(64)
def _tables(hints: Hints) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
    """Return hints as texts, each ended by a NUL and in order, and the names of folders that are not walked here."""
    folders = hints.within | hints.below
    kinds = (hints.names, hints.beginnings, hints.endings, hints.pieces, folders)
    return tuple(b"".join(text + b"\0" for text in sorted(kind)) for kind in kinds), folders


class PlainWalk:
    """Walks below folders of one tree. `root` is its folder, `most` how large a file may be."""

    def __init__(self, root: str, most: int) -> None:
        self._root = root
        self._prefix = os.path.join(root, "")
        self._most = most
        self._enough = _FIRST

    @property
    def possible(self) -> bool:
        """Whether this installation has what walks."""
        return _NATIVE is not None

    def below(self, folder: str, hints: Hints) -> list[Below]:
        """Return what lies below a folder, given by its path with a slash behind, in order of path.

        Every file and folder that belongs is among it, or below a folder that is. A folder that cannot be walked comes
        itself.
        """
        assert _NATIVE is not None, "below is for where it is possible"
        tables, not_walked = _tables(hints)
        if os.fsencode(folder[:-1].rpartition("/")[2]) in not_walked:
            return [folder]
        found: list[Below] | None = _NATIVE.walk_plain(
            os.fsencode(self._prefix + folder[:-1]),
            os.fsencode(folder),
            self._most,
            self._enough,
            _MARKS,
            tables,
            (*plain_names(), language_of_name),
            (DiscoveredFile, _SLOTS, self._root),
        )
        self._enough = min(2 * self._enough, _MOST)
        return [folder] if found is None else found
