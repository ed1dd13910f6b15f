"""(what discovery finds, what the store recorded) → what is stale, what is gone, what stays.

    planned = Plan(discover_together(root, settings.discovery), store.recorded())
    for file in planned:          # stale files, as the walk goes
        ...
    planned.unchanged, planned.gone, planned.to_mark, planned.known      # whole once the loop has ended

A file is unchanged where the record has its size and both its stamps, the time of modification and, where the file
system says it, that of any change. The former can be set by anyone (archives, build tools, `touch`), the latter by
nobody, so that an edit is seen although its modification time was put back. Stamps are trusted where they are well
older than the moment the file was seen (TRUST_NS, or FINE_TRUST_NS where the file system evidently counts finely). A
younger stamp proves nothing (another write may fit in the same tick of the file system's clock), nor does one from the
future (the clock was set back): such files are stale, and their digest decides.

Pure: no file is touched, no clock read.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TypeGuard

from treemill.errors import StorageError
from treemill.records import RecordedFile, Status
from treemill.types import DiscoveredFile, Skipped, SkipReason, Unreadable

TRUST_NS = 2_000_000_000
"""How much older than its reading a stamp must be: FAT counts in two seconds, every other file system finer."""


FINE_TRUST_NS = 100_000_000
"""The same for a stamp of change with more than milliseconds in it: kernels tick at least every ten milliseconds."""

_COARSE_NS = 1_000_000

_PATH_OF = attrgetter("path")


def is_unchanged(file: DiscoveredFile, record: RecordedFile) -> bool:
    """Whether the record proves that a file still holds what it held."""
    _, size, stamp, _, seen_ns, _, _, _, changed_ns = record
    return (
        file.size == size
        and file.mtime_ns == stamp
        and file.changed_ns == changed_ns
        # what is older than any trust needs no closer look
        and (max(stamp, changed_ns) + TRUST_NS <= seen_ns or is_trusted(stamp, changed_ns, seen_ns))
    )


def is_trusted(stamp: int, changed_ns: int, seen_ns: int) -> bool:
    """Whether stamps are so much older than the moment they were seen at that any later change shows in them."""
    trust = FINE_TRUST_NS if changed_ns % _COARSE_NS else TRUST_NS
    return max(stamp, changed_ns) + trust <= seen_ns


def is_of_the_machine(error_type: str) -> bool:
    """Whether an error of that type tells of a disk, a store or a limit of the system rather than of a file's content.

    Such a failure may be over although the file is as it was.
    """
    if error_type == StorageError.__name__:
        return True
    found = getattr(builtins, error_type, None)
    return isinstance(found, type) and issubclass(found, OSError)


class Plan:
    """The difference between a tree and its index, worked out while the tree is walked.

    Iterating pulls from `discovered`, what was found together, and yields the files to process; nothing is looked
    ahead. It can be iterated once. Memory is one entry for each recorded path.

    `retry` also yields unchanged files that are recorded as skipped or failed; `everything` yields all files. A file
    that could not be read, for reasons that need not show in its stamps, is tried again once `readable` says so; one
    that the machine failed (`is_of_the_machine`), with every plan.
    """

    def __init__(
        self,
        discovered: Iterable[Sequence[DiscoveredFile | Skipped | Unreadable]],
        recorded: Iterable[RecordedFile],
        *,
        retry: bool = False,
        everything: bool = False,
        readable: Callable[[DiscoveredFile], bool] = lambda file: False,
    ) -> None:
        self._discovered = discovered
        records = list(recorded)
        self._missing = dict(zip(map(_PATH_OF, records), records, strict=True))
        self._retry = retry
        self._everything = everything
        self._readable = readable
        self._skipped: list[Skipped] = []
        self._to_mark: list[Skipped] = []
        self._unreadable: list[Unreadable] = []
        self._unchanged = self._left_out = self._stale = self._below_unreadable = 0
        self._started = self._ended = False

    def __iter__(self) -> Iterator[DiscoveredFile]:
        """Yield each file to process, in the order of discovery.

        Raises:
            RuntimeError: the plan was iterated before.
        """
        return chain.from_iterable(self.together())

    def together(self) -> Iterator[list[DiscoveredFile]]:
        """Yield the files to process, in the order of discovery, those together that were discovered so.

        Raises:
            RuntimeError: the plan was iterated before.
        """
        if self._started:
            raise RuntimeError("a plan can be iterated only once: build another one from a new walk")
        self._started = True
        return self._stale_files()

    @property
    def stale(self) -> int:
        """How many files were yielded so far."""
        return self._stale

    @property
    def unchanged(self) -> int:
        """How many files were found as the index has them so far."""
        return self._unchanged

    @property
    def known(self) -> int:
        """How many files to index were found so far; at the end also those that the index holds and nobody can see.

        Unchanged files that are recorded as skipped (binary, say) are not among them: there is nothing to index.
        """
        return self._stale + self._unchanged - self._left_out + self._below_unreadable

    @property
    def skipped(self) -> Sequence[Skipped]:
        """What discovery left out so far, each with its reason."""
        return self._skipped

    @property
    def to_mark(self) -> Sequence[Skipped]:
        """Those of `skipped` that the index does not record so yet."""
        return self._to_mark

    @property
    def unreadable(self) -> Sequence[Unreadable]:
        """The folders and entries that could not be looked into so far."""
        return self._unreadable

    @property
    def ended(self) -> bool:
        """Whether the walk was followed to its end."""
        return self._ended

    @property
    def gone(self) -> Sequence[str]:
        """The recorded paths that are not in the tree any more, in order of path; empty until the walk has ended.

        What lies at or below something unreadable is not gone, but unknown.
        """
        return sorted(self._missing) if self._ended else ()

    def _stale_files(self) -> Iterator[list[DiscoveredFile]]:
        for some in self._discovered:
            stale = [each for each in some if self._is_stale(each)]
            if stale:
                yield stale
        self._spare_the_unknown()
        self._ended = True

    def _is_stale(self, found: DiscoveredFile | Skipped | Unreadable) -> TypeGuard[DiscoveredFile]:
        """Take in what was found, and tell whether it is a file to process."""
        if isinstance(found, DiscoveredFile):
            stale = self._is_to_process(found)
            self._stale += stale
            self._unchanged += not stale
            return stale
        if isinstance(found, Skipped):
            self._skipped.append(found)
            if not _says(self._missing.pop(found.path, None), found):
                self._to_mark.append(found)
        else:
            self._unreadable.append(found)
        return False

    def _is_to_process(self, file: DiscoveredFile) -> bool:
        record = self._missing.pop(file.name, None)
        if record is None or self._everything or not is_unchanged(file, record):
            return True
        if record.status is Status.INDEXED:
            return False
        if self._retry or self._may_have_passed(file, record):
            return True
        self._left_out += record.status is Status.SKIPPED
        return False

    def _may_have_passed(self, file: DiscoveredFile, record: RecordedFile) -> bool:
        """Whether what kept a file out may be over although the file is as it was."""
        if record.status is Status.FAILED:
            return is_of_the_machine(record.reason)
        if record.reason == SkipReason.UNREADABLE:
            return self._readable(file)
        return record.reason == SkipReason.CHANGING

    def _spare_the_unknown(self) -> None:
        """Take what lies below something unreadable out of what is missing."""
        if not self._unreadable:
            return
        closed = {found.path for found in self._unreadable}
        hidden = [path for path in self._missing if not closed.isdisjoint(_at_and_above(path))]
        for path in hidden:
            if self._missing.pop(path).status is Status.INDEXED:
                self._below_unreadable += 1


def _says(record: RecordedFile | None, skipped: Skipped) -> bool:
    """Whether a record already tells that a path is skipped, and why."""
    return (
        record is not None
        and record.status is Status.SKIPPED
        and record.reason == skipped.reason
        and record.detail == skipped.detail
    )


def _at_and_above(path: str) -> Iterator[str]:
    """Yield a path and each folder above it, up to the root, which is ""."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""
