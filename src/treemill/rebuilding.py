"""Build an index anew while the old one answers, and swap them when the new one is whole.

That is how an index gets another model, another chunker or another format: recipes do not mix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from treemill.errors import EmbeddingError, IndexMissing, StorageError
from treemill.reports import IndexReport
from treemill.storage import IndexStore
from treemill.storage.folders import rebuild
from treemill.storage.opening import Replacing
from treemill.storage.ownership import read_mark
from treemill.storage.replacing import Replacement
from treemill.storage.sqlite import SqliteStore

# A file whose text a model refuses is no reason to keep the old index; a service that went away is.
_MOST_NOT_EMBEDDED = 0.01

_INTERRUPTED = "the rebuild was interrupted: the old index stays. Run again: treemill index --rebuild"


def rebuilt(folder: Path, build: Callable[[IndexStore], IndexReport], *, wait_seconds: float = 0.0) -> IndexReport:
    """Have `build` fill an empty store, put it in the place of the index in a folder, and return its report.

    The old index answers until then. It stays if the run is killed or raises, or is cancelled, which a warning in the
    report says. Where there is no index of this user's, nothing could answer, and the new one grows in its place.

    Raises:
        EmbeddingError: more than one file in a hundred could not be embedded; the old index stays.
        IndexLocked: somebody is writing to the old index.
        StorageError: the new one cannot be written; and whatever `build` raises.
    """
    try:
        read_mark(folder)
    except (IndexMissing, StorageError):
        rebuild(folder, wait_seconds=wait_seconds)
        with SqliteStore(folder, create=True) as store:
            return build(store)
    return replaced(lambda: Replacement(folder, wait_seconds=wait_seconds), build)


def replaced(begin: Callable[[], Replacing], build: Callable[[IndexStore], IndexReport]) -> IndexReport:
    """Have `build` fill the empty store that `begin` lays out beside another, and put it in that one's place.

    Raises:
        EmbeddingError, IndexLocked, StorageError: as `rebuilt` does.
    """
    with begin() as replacement:
        report = build(replacement.store)
        if not report.stats.cancelled:
            _check_embedded(report)
            replacement.finish()
            return report
    return replace(report, warnings=(*report.warnings, _INTERRUPTED))


def _check_embedded(report: IndexReport) -> None:
    """Raise EmbeddingError where a new index lacks too many files for want of vectors."""
    failures = [failure for failure in report.failures if failure.stage == "embed"]
    if len(failures) > _MOST_NOT_EMBEDDED * report.stats.submitted_files:
        count = f"{len(failures):,} of {report.stats.submitted_files:,} files"
        raise EmbeddingError(
            f"{count} could not be embedded, so the old index stays; {failures[0].path}: {failures[0].message}",
            suggestion="When that is mended, run: treemill index --rebuild",
        )
