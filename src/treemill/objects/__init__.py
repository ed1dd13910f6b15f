"""Places that keep files under names and swap one at once: a folder, or a bucket of an S3-compatible service.

Which one a URL means is decided here; the module of each kind is loaded when it is used, so that a service that nobody
asked for costs no import and needs no package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from treemill.errors import UsageError
from treemill.extras import module_of_extra

KINDS = {"": "treemill.objects.folder", "file": "treemill.objects.folder", "s3": "treemill.objects.s3"}
"""The module of each kind of place, by the scheme of its URL; a path has none."""

# The package that a kind of place comes from, and what installs it.
_EXTRAS = {"boto3": "s3", "botocore": "s3"}


class ObjectPlace(Protocol):
    """Files under names, without order. A name has no folder in it.

    A file is there whole or not at all, and one that is put under a name in use takes its place at once: whoever reads
    sees the old one or the new one.

    Every method raises StorageError where the place does not answer or refuses.
    """

    @property
    def shown(self) -> str:
        """What people call it."""

    def put_file(self, name: str, path: Path) -> None:
        """Keep a copy of a file."""

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes."""

    def get(self, name: str, most_bytes: int) -> bytes | None:
        """Return what is kept, or None where nothing is; at most so many bytes of it."""

    def get_file(self, name: str, path: Path, most_bytes: int) -> bool:
        """Copy what is kept, at most so many bytes of it, into a new file; tell whether anything is kept."""

    def ages(self) -> dict[str, float]:
        """Return the names, and how many seconds ago each was put."""

    def remove(self, name: str) -> None:
        """Keep it no longer; nothing happens where it is not kept."""


def is_place(target: str) -> bool:
    """Whether what a user names is a place, and not a file: a URL, or a folder, there or named as one."""
    return "://" in target or target.endswith(("/", "\\")) or Path(target).is_dir()


def open_place(url: str, *, create: bool = False) -> ObjectPlace:
    """Return the place that a URL or path names; `create` makes a folder that is not there.

    Raises:
        UsageError: the URL is of no kind that is known, or the packages for it are not installed.
        StorageError: a folder cannot be made.
    """
    parts = urlsplit(url) if "://" in url else urlsplit("")
    if parts.scheme not in KINDS:
        raise UsageError(
            f"{parts.scheme}:// is no kind of place that Treemill knows",
            suggestion="It looks like s3://bucket/prefix, file:///folder, or the path of a folder",
        )
    module = module_of_extra(KINDS[parts.scheme], f"{parts.scheme}:// needs", _EXTRAS)
    if parts.scheme == "s3":
        place: ObjectPlace = module.S3Place(parts.netloc, parts.path.strip("/"))
    else:
        place = module.FolderPlace(Path(url2pathname(parts.path) if parts.scheme else url), create=create)
    return place
