"""Chunkers from outside, which worker processes can import: good ones and ones that misbehave where a text says so."""

from __future__ import annotations

import os
import signal
import time

from treemill.chunking.fixed_size import FixedChunk, FixedSizeChunker


def line_chunker(text: str) -> list[str]:
    """Return a piece for each line."""
    return text.splitlines(keepends=True)


class DirectedChunker:
    """Cuts by lines, and does what the first line of a text asks for.

    `raise`: an error · `die`: the worker process is killed · `hang`: nothing happens for a minute · `slow`: it takes
    a tenth of a second · `lie`: pieces that are not in the text.
    """

    recipe = "directed"

    def chunk_text(self, text: str) -> list[str]:
        match text.split(maxsplit=1)[0]:
            case "raise":
                raise ValueError("asked to raise")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(60)
            case "slow":
                time.sleep(0.1)
            case "lie":
                return ["this is not in the file"]
        return text.splitlines(keepends=True)


class PickyChunker(FixedSizeChunker):
    """Treemill's own, but it reads files by itself and refuses those called `bad`."""

    def chunk_file(self, path: str | os.PathLike[str]) -> list[FixedChunk]:
        if "bad" in os.path.basename(path):
            raise LookupError(f"will not cut {os.path.basename(path)}")
        return super().chunk_file(path)
