"""One moment of an index, with what every question needs of it worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from treemill.ranking.lexical import Collection, collection_of
from treemill.storage import FileTable, Segment, Snapshot


@dataclass(frozen=True)
class Moment:
    """A snapshot, its segments and files, and which files hold which content.

    `order` sorts the files by content, `sorted_contents` are their contents in that order. `live` tells for each
    segment which chunks belong to a content that some file holds.
    """

    snapshot: Snapshot
    segments: Sequence[Segment]
    collection: Collection
    files: FileTable
    order: npt.NDArray[np.int64]
    sorted_contents: npt.NDArray[np.int64]
    live: Sequence[npt.NDArray[np.bool_] | None] = field(default=())

    @classmethod
    def of(cls, snapshot: Snapshot) -> Moment:
        """Work out what questions need of a snapshot."""
        segments = snapshot.segments()
        files = snapshot.files()
        order = np.argsort(files.contents, kind="stable")
        contents = files.contents[order]
        return cls(
            snapshot,
            segments,
            collection_of(segments),
            files,
            order,
            contents,
            [_live_chunks(segment, contents) for segment in segments],
        )

    def files_of(self, content: int) -> list[int]:
        """Return the numbers of the files that hold a content, in order of path."""
        low, high = np.searchsorted(self.sorted_contents, [content, content + 1])
        found: list[int] = self.order[low:high].tolist()
        return found

    def content_of(self, segment: int, chunk: int) -> tuple[int, int]:
        """Return the content that holds a segment's chunk, and the chunk's number in it."""
        first_chunk = self.segments[segment].first_chunk
        place = int(np.searchsorted(first_chunk, chunk, side="right")) - 1
        return int(self.segments[segment].contents[place]), chunk - int(first_chunk[place])


def _live_chunks(segment: Segment, contents: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_] | None:
    """Return which chunks belong to one of the sorted contents; None where all do."""
    places = np.searchsorted(contents, segment.contents)
    held = np.zeros(len(segment.contents), np.bool_)
    inside = places < len(contents)
    held[inside] = contents[places[inside]] == segment.contents[inside]
    return None if held.all() else np.repeat(held, np.diff(segment.first_chunk))
