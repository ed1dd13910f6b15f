"""A program that writes to an index until it is killed, and says after each commit what is safe.

    python -m support.store_writer FOLDER SEED

Each commit writes version `v` of some files; a line `committed v` follows once it is durable. The content of a file
says its path and version, so that whoever opens the index can tell whole files from torn ones.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from support.contents import RECIPE, prepared
from treemill.errors import TreemillError
from treemill.records import RunState
from treemill.storage import garbage, housekeeping, sqlite_writer
from treemill.storage.sqlite import SqliteStore

FILES = 40


def path_of(number: int) -> str:
    """Return the path of a file."""
    return f"folder/{number}.py"


def text_of(number: int, version: int) -> str:
    """Return the text of a file in one of its versions: several chunks, sizes that differ."""
    lines = [f"file{number} version{version} line{line} shared" for line in range(1 + (number + version) % 9)]
    return "\n".join([*lines, f"end of {number} in version {version}\n"])


def version_of(number: int, text: str) -> int:
    """Return which version of a file a text is; it must be whole."""
    version = int(text.split()[-1])
    assert text == text_of(number, version), f"file {number} is torn"
    return version


def files_of(version: int, seed: int) -> list[int]:
    """Return the numbers of the files that a version touches."""
    return random.Random(f"{seed}-{version}").sample(range(FILES), 12)


def main(folder: Path, seed: int, first: int) -> None:
    """Write versions from `first` on, with segments laid out and garbage collected all the time."""
    housekeeping.SMALL_TAIL_CHUNKS = housekeeping.SMALL_TAIL_CONTENTS = 20
    sqlite_writer.TAIL_CHUNKS = 100
    limits = garbage.GarbageLimits(days=0, share=0, floor_bytes=0)
    print("ready", flush=True)
    with SqliteStore(folder, create=True, garbage=limits) as store:
        version = first
        while True:
            with store.writer() as writer:
                writer.begin_run(RECIPE)
                for _ in range(5):
                    numbers = files_of(version, seed)
                    writer.put([prepared(path_of(n), text_of(n, version)) for n in numbers[:6]])
                    writer.put([prepared(path_of(n), text_of(n, version)) for n in numbers[6:]])
                    writer.commit()
                    print(f"committed {version}", flush=True)
                    version += 1
                writer.end_run(RunState.COMPLETE)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except TreemillError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
