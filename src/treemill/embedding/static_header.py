"""The header of the static encoder's table: all that an index must know of a model that it does not use."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from treemill.errors import EmbeddingError

MAGIC = b"TMSM"
FORMAT = 1
HEADER = struct.Struct("<4s6I16sI")
HEADER_BYTES = 64
_ALIGNMENT = 64
# More than these a sound header does not say.
_MOST_WEIGHT = 0xFF
_MOST_NAME_COUNT = 64


class Facts(NamedTuple):
    """What the header says: all that is needed without reading the table."""

    dimension: int
    vocabulary: int
    fallbacks: int
    longest: int
    fallback_weight: int
    version: bytes
    name_count: int

    @property
    def places(self) -> tuple[int, int, int, int, int]:
        """Where counts, ids, weights and rows start, and where the file ends."""
        ids = HEADER_BYTES + 2 * self.longest
        weights = ids + 4 * self.vocabulary
        rows = -(-(weights + self.vocabulary) // _ALIGNMENT) * _ALIGNMENT
        return HEADER_BYTES, ids, weights, rows, rows + (self.vocabulary + self.fallbacks) * self.dimension


def read_facts(path: Path) -> Facts:
    """Read the header of a table.

    Raises:
        EmbeddingError: there is no such file, or it is no table of this format.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEADER_BYTES)
            length = file.seek(0, 2)
    except OSError as error:
        raise EmbeddingError(f"the model {path} cannot be read: {error.strerror}", suggestion=_REINSTALL) from error
    if len(head) < HEADER_BYTES or head[:4] != MAGIC:
        raise EmbeddingError(f"{path} is no model of the static encoder", suggestion=_REINSTALL)
    _, version, dimension, vocabulary, fallbacks, longest, fallback_weight, digest, names = HEADER.unpack_from(head)
    if version != FORMAT:
        raise EmbeddingError(f"{path} has format {version}, not {FORMAT}", suggestion=_REINSTALL)
    facts = Facts(dimension, vocabulary, fallbacks, longest, fallback_weight, digest, names)
    sound = dimension and longest and fallback_weight <= _MOST_WEIGHT and names <= _MOST_NAME_COUNT
    if not sound or facts.places[-1] != length:
        raise EmbeddingError(f"{path} is damaged: its length does not fit its header", suggestion=_REINSTALL)
    return facts


_REINSTALL = "Run: pip install --force-reinstall treemill"
