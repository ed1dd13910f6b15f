"""A new index that grows beside the one that is there, and takes its place at once when it is whole.

    .treemill/
      owner               names <old>; replaced by a mark that names <new>, in one step
      <old>/              answers until then
      new-1a2b3c4d/       an index folder of its own while it grows; <new>/ moves out of it before the mark is replaced

The lease of the old index is held all the while: nobody writes to what is about to go, and whoever wants to is told who
builds. A process that is killed leaves the old index as it was; what it had built is removed by the next writer.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from treemill.errors import IndexMismatch, StorageError
from treemill.storage.connection import explained
from treemill.storage.folders import lay_out, remove_strays
from treemill.storage.lease import Lease
from treemill.storage.ownership import data_folder, read_mark, replace_mark
from treemill.storage.sqlite import SqliteStore


class Replacement:
    """Use it in a `with`: `store` is empty, and goes in the place of the index in `folder` when `finish` is called."""

    def __init__(self, folder: Path, *, wait_seconds: float = 0.0) -> None:
        """Take the lease of the index in a folder, and lay out an empty one beside it.

        Raises:
            IndexMissing: there is no index.
            IndexLocked: somebody is writing to it.
            StorageError: it is not this user's, or the new one cannot be made.
        """
        self._folder = folder
        self._old = read_mark(folder)
        self._lease = Lease.acquire(data_folder(folder, self._old), wait_seconds=wait_seconds)
        self._beside = folder / f"new-{secrets.token_hex(4)}"
        try:
            remove_strays(folder, self._old)
            with explained(self._beside):
                lay_out(self._beside, _generation(folder))
            self.store = SqliteStore(self._beside)
        except BaseException:
            self._lease.release()
            raise

    def finish(self) -> None:
        """Put the new index in the place of the old one, at once, and remove that.

        Raises:
            StorageError: it cannot be done; the old index is as it was.
        """
        self.store.close()
        new = read_mark(self._beside)
        place = data_folder(self._folder, new)
        with explained(place):
            os.rename(data_folder(self._beside, new), place)
            replace_mark(self._folder, new)
        # Whoever reads it has it open and goes on; where an open file cannot be removed, the next writer does it.
        shutil.rmtree(data_folder(self._folder, self._old), ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()
        shutil.rmtree(self._beside, ignore_errors=True)
        self._lease.release()


def _generation(folder: Path) -> int:
    """Return the generation of the index in a folder, so that readers see the new one as newer; 0 if unreadable."""
    with contextlib.suppress(StorageError, IndexMismatch), SqliteStore(folder) as store:
        return store.generation()
    return 0
