"""What an index holds, file by file, and a file as it was when it was indexed: for those who look around in it."""

from __future__ import annotations

from treemill.errors import UsageError
from treemill.records import FileText, IndexedFile, Status
from treemill.searching.hits import Pages
from treemill.searching.moment import Moment
from treemill.storage import IndexStore


def inventory(moment: Moment, store: IndexStore, under: str = "") -> list[IndexedFile]:
    """Return all indexed files below a folder ("" for all), in order of path."""
    prefix = f"{under}/" if under else ""
    chunks = (moment.first[1:] - moment.first[:-1])[moment.row_of_file].tolist() if len(moment.contents) else []
    facts = dict(zip(moment.files.paths, zip(moment.files.languages, chunks, strict=True), strict=True))
    return [
        IndexedFile(record.path, facts[record.path][0], record.size, facts[record.path][1], record.stamp)
        for record in store.recorded()
        if record.status is Status.INDEXED and record.path in facts and record.path.startswith(prefix)
    ]


def file_text(moment: Moment, path: str) -> FileText:
    """Return an indexed file as it was when it was indexed.

    Raises:
        UsageError: it is not in the index.
    """
    try:
        file = moment.files.paths.index(path)
    except ValueError:
        raise UsageError(f"{path} is not in the index", suggestion="Name a file relative to the root") from None
    unpacked = moment.unpacked(int(moment.row_of_file[file]))
    return FileText(path, moment.files.languages[file], Pages(unpacked).whole(), unpacked.symbols)
