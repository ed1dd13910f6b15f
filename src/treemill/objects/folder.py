"""A folder as a place for files: see `treemill.objects.ObjectPlace`."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treemill.errors import StorageError

_PARTIAL = ".partial"


class FolderPlace:
    """Files in a folder; a new one is written beside the old one, forced to disk, and renamed."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        if create:
            with _explained(folder, "made"):
                folder.mkdir(parents=True, exist_ok=True)

    @property
    def shown(self) -> str:
        """The folder."""
        return str(self.folder)

    def put_file(self, name: str, path: Path) -> None:
        """Copy a file in."""
        with _explained(self.folder, "written to"), self._beside(name) as beside:
            shutil.copyfile(path, beside)

    def put(self, name: str, data: bytes) -> None:
        """Write bytes."""
        with _explained(self.folder, "written to"), self._beside(name) as beside:
            beside.write_bytes(data)

    def get(self, name: str, most_bytes: int) -> bytes | None:
        """Read what is there."""
        with _explained(self.folder, "read"):
            try:
                with (self.folder / name).open("rb") as file:
                    return file.read(most_bytes)
            except FileNotFoundError:
                return None

    def get_file(self, name: str, path: Path, most_bytes: int) -> bool:
        """Copy what is there."""
        with _explained(self.folder, "read"):
            try:
                with (self.folder / name).open("rb") as file, path.open("xb") as copy:
                    left = most_bytes
                    while left and (data := file.read(min(left, 1 << 20))):
                        left -= len(data)
                        copy.write(data)
            except FileNotFoundError:
                return False
        return True

    def ages(self) -> dict[str, float]:
        """List the folder; what a writer left unfinished is in the list, too."""
        now = time.time()
        with _explained(self.folder, "read"):
            entries = os.scandir(self.folder) if self.folder.is_dir() else iter(())
            return {entry.name: now - entry.stat().st_mtime for entry in entries if entry.is_file()}

    def remove(self, name: str) -> None:
        """Remove a file."""
        with _explained(self.folder, "written to"):
            (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def _beside(self, name: str) -> Iterator[Path]:
        beside = self.folder / f"{name}.{secrets.token_hex(4)}{_PARTIAL}"
        try:
            yield beside
            with beside.open("rb+") as written:
                os.fsync(written.fileno())
            os.replace(beside, self.folder / name)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def _explained(folder: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be {what}: {error.strerror or error}",
            suggestion="Look at its path, permissions and free space",
        ) from error
