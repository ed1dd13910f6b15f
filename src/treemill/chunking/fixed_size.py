"""The fixed-size chunker: by length alone, for text that nothing else knows how to cut.

Two uses. In the pipeline, `split` is the last resort: ends like any chunker's, no overlap. Called directly,
`FixedSizeChunker` hands out windows of 1000 characters (4096 for models with a large context), of which each begins
15 % before the end of the one before, so that no sentence is seen only in halves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from treemill.chunking.spans import Reach, hard_split
from treemill.errors import BinaryFileError
from treemill.native import compiled
from treemill.settings import check
from treemill.values import dataclass

_NATIVE = compiled("building")

# So many windows are kept from the collector of cycles at a time: fewer than make it look at what is new.
_BATCH = 500

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def split(text: bytes, limit: int, reach: Reach | None = None) -> list[int]:
    """Return the ends of chunks of at most `limit` bytes that tile `text`, behind lines or between characters.

    With `reach`, they are as long as it says instead.
    """
    return hard_split(text, 0, len(text), limit, reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedSizeSettings:
    """How long windows are, in characters, and which part of one the next repeats.

    Raises:
        SettingsError: a value is out of its bounds.
    """

    chunk_chars: int = field(default=1000, metadata={"low": 1})
    large_context_chars: int = field(default=4096, metadata={"low": 1})
    large_context: bool = False
    overlap_fraction: float = field(default=0.15, metadata={"low": 0, "high": 0.9})

    def __post_init__(self) -> None:
        check(self, "fixed_size")

    @property
    def window(self) -> int:
        """The length of a window in characters."""
        return self.large_context_chars if self.large_context else self.chunk_chars

    @property
    def overlap(self) -> int:
        """How many characters two neighbouring windows share."""
        return int(self.window * self.overlap_fraction)


@dataclass(frozen=True, slots=True)
class FixedChunk:
    """A window on a text.

    `start` and `end` are offsets in characters, `size` their difference, `overlap` how many of its first characters
    the window before holds too. Lines are 1-based and inclusive.
    """

    text: str
    start: int
    end: int
    chunk_index: int
    total_chunks: int
    file_path: str | None
    line_start: int
    line_end: int
    size: int
    overlap: int


class FixedSizeChunker:
    """Cuts a text into overlapping windows of one length; the last holds the rest.

    `read` turns a path into text; without one, `read_text` does.
    """

    def __init__(
        self,
        settings: FixedSizeSettings | None = None,
        *,
        read: Callable[[str | os.PathLike[str]], str] | None = None,
    ) -> None:
        self.settings = settings or FixedSizeSettings()
        self._read = read or read_text

    def chunk_file(self, path: str | os.PathLike[str]) -> list[FixedChunk]:
        """Read a file and cut it; none for an empty or blank file.

        Raises:
            OSError: the file cannot be read.
            BinaryFileError: it holds NUL bytes in an encoding that has none.
        """
        return self.chunk_text(self._read(path), os.fspath(path))

    def chunk_text(self, text: str, file_path: str | os.PathLike[str] | None = None) -> list[FixedChunk]:
        """Cut a text; none for an empty or blank one. The time is linear in the text."""
        if not text or text.isspace():
            return []
        window, overlap = self.settings.window, self.settings.overlap
        step, size = window - overlap, len(text)
        total = 1 + max(0, -(-(size - window) // step))
        path = None if file_path is None else os.fspath(file_path)
        line_end_mark = "\r" if "\n" not in text and "\r" in text else "\n"
        chunks: list[FixedChunk] = []
        line, shared = 1, 0
        for index in range(total):
            start = index * step
            end = min(start + window, size)
            following = line + text.count(line_end_mark, start, start + step)
            if end > start + step:
                last_line = following + text.count(line_end_mark, start + step, end - 1)
            else:
                last_line = following - (text[end - 1] == line_end_mark)
            length = window if end < size else size - start
            chunks.append(FixedChunk(text[start:end], start, end, index, total, path, line, last_line, length, shared))
            line, shared = following, overlap
            if len(chunks) % _BATCH == 0:
                _keep_from_collector(chunks[-_BATCH:])
        return chunks


def _keep_from_collector(windows: list[FixedChunk]) -> None:
    """Keep the collector of cycles from looking at windows again and again, a tenth of the time of a large text.

    A window holds numbers and texts, so that it is in no cycle; a path of the caller's own type may hold anything.
    """
    if _NATIVE is not None and type(windows[0].file_path) in (str, type(None)):
        _NATIVE.untrack(windows)


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a file as text, without its BOM: UTF-8, UTF-16 where a BOM says so, else Latin-1.

    Raises:
        OSError: the file cannot be read.
        BinaryFileError: it holds NUL bytes in an encoding that has none.
    """
    data = Path(path).read_bytes()
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    if encoding == "utf-8" and b"\0" in data:
        raise BinaryFileError(
            f"{os.fspath(path)} holds NUL bytes: it is not text",
            path=os.fspath(path),
            suggestion="Leave it out, or convert it to UTF-8",
        )
    try:
        return data[len(mark) :].decode(encoding, "strict" if encoding == "utf-8" else "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")
