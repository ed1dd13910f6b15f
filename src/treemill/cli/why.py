"""`treemill why FILE`: whether a file is in the index, and why or why not."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from treemill.chunking.packing import unpack_symbols
from treemill.cli.given import store_flags
from treemill.cli.words import ago, count, on_one_line, printable
from treemill.configuration import load_settings
from treemill.discovery import why_ignored
from treemill.errors import UsageError
from treemill.places import place_of, seated
from treemill.records import RecordedFile, Status
from treemill.storage import Snapshot
from treemill.storage.opening import open_store
from treemill.types import changed_ns

NOT_INDEXED = 1


def run(arguments: argparse.Namespace) -> int:
    """Print the reason; 0 if the file is indexed, 1 if it is not."""
    file = Path(arguments.file).absolute()
    folder = next((above for above in file.parents if above.is_dir()), file.parent)
    place = place_of(folder)
    settings = load_settings(place.root, flags=store_flags(arguments)).storage
    place = seated(place, settings)
    path = _relative(file, place.root)
    with open_store(place.root, place.folder, settings) as store, store.snapshot() as snapshot:
        record = snapshot.file(path)
        indexed = record is not None and record.status is Status.INDEXED
        reason = _explained(path, file, place.root, record, snapshot)
    if arguments.json:
        print(json.dumps({"file_path": path, "indexed": indexed, "reason": reason}))
    else:
        print(f"{on_one_line(path)}: {printable(reason)}")
    return 0 if indexed else NOT_INDEXED


def _relative(file: Path, root: Path) -> str:
    parent = file.parent.resolve() if file.parent.exists() else file.parent
    try:
        return (parent / file.name).relative_to(root).as_posix()
    except ValueError:
        raise UsageError(f"{file} is not below {root}", suggestion="Name a file of an indexed folder") from None


def _explained(path: str, file: Path, root: Path, record: RecordedFile | None, snapshot: Snapshot) -> str:
    if record is not None and record.status is Status.INDEXED:
        return _as_indexed(path, record, file, snapshot)
    if record is not None:
        return f"{record.status}: {record.reason}: {record.detail}"
    if not file.exists() and not file.is_symlink():
        return "there is no such file"
    rule = why_ignored(root, path, load_settings(root).discovery)
    return f"left out: {rule}" if rule else "not indexed yet: run `treemill index`"


def _as_indexed(path: str, record: RecordedFile, file: Path, snapshot: Snapshot) -> str:
    files = snapshot.files()
    content = snapshot.content(int(files.contents[files.paths.index(path)]))
    chunks = len(np.frombuffer(content.ends, "<u4"))
    symbols = len(unpack_symbols(content.symbols))
    text = (
        f"indexed {ago(record.seen_ns)} as {content.language or 'text'}: {count(chunks, 'chunk')} by the"
        f" {content.source} chunker, {count(symbols, 'symbol')}"
    )
    if content.fallback:
        text += f" (a better chunker gave up: {content.fallback})"
    if not file.exists():
        text += "; it is gone from the disk since"
    elif (stat := file.stat()).st_size != record.size or stat.st_mtime_ns != record.stamp:
        text += "; it has changed since: run `treemill index`"
    elif changed_ns(stat) != record.changed_ns:
        text += "; it may have changed since: `treemill index` finds out"
    return text
