"""Files whose contents are known already: read, recognised and passed on by the run itself, without a worker.

    batches ─▶ read ─▶ digest ─▶ key ─▶ held by the index or the cache? ─▶ outcome
                │                 └── no ─▶ the crew
                └── binary, gone, too large: outcome

After a switch of branches, a move or in a new worktree nearly every file is one of these. Reading and hashing one takes
less time than handing it to another process, and where all are known no worker is started at all. Where few are, only
now and then one is tried, so that new files cost nothing more; a first run has no use for this crew.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial

from treemill.flow import Before, Crew, Done, Hand, Idle, Lost
from treemill.records import PreparedFile
from treemill.types import DiscoveredFile, Skipped
from treemill.work import KnownOf, Prepare, Prepared, read_ahead, recognise

# Files are tried in groups of so many; after a group of which nobody knows any, so many go to the workers untried.
_GROUP = 64
_UNTRIED = 15 * _GROUP

# While all are known, so many files of several batches are tried as one group: what a group costs besides its files,
# statements above all, is more than half of what small batches do. A run looks whether it is cancelled after each.
_TOGETHER = 512

# So many groups are read ahead, by so many threads: to read takes longer than to look up and to write.
_AHEAD = 4
_READERS = 2


class KnownFirst(Before[DiscoveredFile, Prepared]):
    """A crew before which the caller's thread takes out the files whose contents are known.

    Their outcomes bear the number behind those of the crew's own workers, and come as soon as there are any, also where
    an order is asked for.
    """

    def __init__(
        self,
        inner: Crew[DiscoveredFile, Prepared],
        work: Prepare,
        known_of: KnownOf | None,
    ) -> None:
        """Stand before a crew; `known_of` asks the index, in the thread that maps: None where that has no contents."""
        super().__init__(inner)
        self._prepare = work
        self._known_of = known_of
        self._untried = 0
        self._all_known = False

    def map(
        self, batches: Iterable[Sequence[DiscoveredFile]], *, ordered: bool = False, waiting: int = 0
    ) -> Generator[Done[DiscoveredFile, Prepared] | Lost[DiscoveredFile] | Idle, None, None]:
        """As `Crew.map`."""
        known: deque[Done[DiscoveredFile, Prepared]] = deque()
        with closing(self.inner.map(self._others(batches, known), ordered=ordered, waiting=waiting)) as outcomes:
            for outcome in outcomes:
                while known:
                    yield known.popleft()
                yield outcome
            yield from known

    def _others(
        self, batches: Iterable[Sequence[DiscoveredFile]], known: deque[Done[DiscoveredFile, Prepared]]
    ) -> Iterator[Sequence[DiscoveredFile]]:
        """Yield what is left of each batch for the workers; an empty one says that somebody shall look at `known`.

        While all are known, groups are read ahead, while the one before is looked up and written.
        """
        together: list[Sequence[DiscoveredFile]] = []
        ahead: deque[_Group] = deque()
        with Hand[Sequence[PreparedFile | None]](_READERS) as hand:
            for batch in batches:
                together.append(batch)
                if batch and self._all_known and sum(map(len, together)) < _TOGETHER:
                    continue
                group, together = self._begun(together, hand), []
                ahead.append(group)
                most = _AHEAD if batch and group.read else 0
                while len(ahead) > most:
                    yield from self._left_of(ahead.popleft(), known)
            if together:
                ahead.append(self._begun(together, hand))
            for group in ahead:
                yield from self._left_of(group, known)

    def _begun(self, batches: Sequence[Sequence[DiscoveredFile]], hand: Hand[Sequence[PreparedFile | None]]) -> _Group:
        """Return batches as a group, which is read ahead while all are known."""
        group = _Group(batches)
        if self._all_known and group.files:
            group.read_by(hand, self._prepare)
        return group

    def _left_of(self, group: _Group, known: deque[Done[DiscoveredFile, Prepared]]) -> list[Sequence[DiscoveredFile]]:
        """Return what is left of batches, by batch; one that is empty where all are known."""
        left = self._try(group.files, known, group.read) if group.read else self._take_known(group.files, known)
        if not left:
            return [()]
        kept = set(map(id, left))
        by_batch = ([file for file in batch if id(file) in kept] for batch in group.batches)
        return [batch for batch in by_batch if batch] or [()]

    def _take_known(
        self, batch: Sequence[DiscoveredFile], known: deque[Done[DiscoveredFile, Prepared]]
    ) -> Sequence[DiscoveredFile]:
        """Put the outcome for the known files of a batch to the others, and return the rest of the batch."""
        left: list[DiscoveredFile] = []
        place = 0
        while place < len(batch):
            passed = min(self._untried, len(batch) - place)
            self._untried -= passed
            left += batch[place : place + passed]
            tried = batch[place + passed :][: None if self._all_known else _GROUP]
            place += passed + len(tried)
            if tried:
                left += self._try(tried, known)
        return left

    def _try(
        self,
        files: Sequence[DiscoveredFile],
        known: deque[Done[DiscoveredFile, Prepared]],
        read: Callable[[], Sequence[PreparedFile | None]] | None = None,
    ) -> list[DiscoveredFile]:
        """Put the outcome for those files that are known to the others, and return the rest.

        `read` gives them as they were read, if that was done ahead.
        """
        started = time.monotonic()
        results = recognise(files, self._prepare, self._known_of, None if read is None else read())
        found = [(file, result) for file, result in zip(files, results, strict=True) if result is not None]
        left = [file for file, result in zip(files, results, strict=True) if result is None]
        if found:
            known.append(self._outcome(found, started))
        self._all_known = not left
        if left and not any(isinstance(result, PreparedFile) for _, result in found):
            self._untried = _UNTRIED
        return left

    def _outcome(
        self, found: Sequence[tuple[DiscoveredFile, PreparedFile | Skipped]], started: float
    ) -> Done[DiscoveredFile, Prepared]:
        files, results = zip(*found, strict=True)
        shapes = tuple(
            (each.content.chunk_count, each.content.language)
            if isinstance(each, PreparedFile) and each.content is not None
            else (0, None)
            for each in results
        )
        seconds = time.monotonic() - started
        each = (seconds / len(files),) * len(files)
        prepared = Prepared(results, shapes, {"look up": seconds}, each)
        return Done(files, prepared, self.count, started, seconds)


class _Group:
    """Files of several batches that are tried together; `read` gives them as they were read ahead, if they were."""

    def __init__(self, batches: Sequence[Sequence[DiscoveredFile]]) -> None:
        self.batches = batches
        self.files = [file for batch in batches for file in batch]
        self.read: Callable[[], Sequence[PreparedFile | None]] | None = None

    def read_by(self, hand: Hand[Sequence[PreparedFile | None]], work: Prepare) -> None:
        """Have the files read."""
        self.read = hand.begin(partial(read_ahead, self.files, work))
