"""How much of the source a worker takes at a time: small batches first and last, and in between what pays best."""

from __future__ import annotations

from treemill.types import DiscoveredFile

# Workers take about this much source at a time. One file each costs a quarter of the parse; with 200 kB word pass,
# encoder and rows take a tenth more than with this much, which a worker has in hand for a tenth of a second all the
# same, and whose results fit a pipe. The first batches are small, so that the first files are searchable soon.
BATCH_BYTES = 600_000
FIRST_BATCH_BYTES = 25_000

# What a file costs a worker besides its bytes: opening it, a row, a result.
_FILE_WEIGHT = 600

# What is left goes out in so many batches a worker, none above the size that pays best: two are with a worker at a
# time, so that otherwise one could be done two large batches before the other.
_LAST_BATCHES_A_WORKER = 4


class Portions:
    """Weighs files, and tells how much a batch of them may weigh."""

    def __init__(self) -> None:
        self._weighed = 0

    def weigh(self, file: DiscoveredFile) -> int:
        """Return what a file weighs."""
        weight = file.size + _FILE_WEIGHT
        self._weighed += weight
        return weight

    def fair_share(self, taken: int, left: int, workers: int) -> int:
        """Return how much a batch may weigh at most, where so many files are taken, and so many left."""
        weight_left = left * self._weighed // max(1, taken)
        return max(FIRST_BATCH_BYTES, weight_left // (_LAST_BATCHES_A_WORKER * workers))
