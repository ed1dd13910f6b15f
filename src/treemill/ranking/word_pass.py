"""The one pass over the words of a batch of files: postings for the text index, occurrences for an encoder.

It has two halves that find the same: `plain_pass` in numpy, which runs everywhere, and `compiled_pass`.
"""

from __future__ import annotations

from collections.abc import Sequence

from treemill.native import compiled
from treemill.ranking.compiled_pass import CompiledPass
from treemill.ranking.occurrences import IndexedText, Occurrences, TextToIndex
from treemill.ranking.plain_pass import PlainPass

# Distinct tokens a worker remembers, about 300 bytes each with their terms and vectors. What is forgotten is learned
# again: three times as many take half a percent less of the processor, and 40 MB more of the memory.
_MOST_TOKENS = 100_000

_NATIVE = compiled("passing")


class WordPass:
    """Turns batches of files into postings; keeps the tokens it has seen, so use one a worker.

    The result of a file depends on that file alone, whatever else is in its batch or was seen before.
    """

    def __init__(self) -> None:
        self._half = _fresh()

    def read(self, files: Sequence[TextToIndex]) -> tuple[list[IndexedText], Occurrences]:
        """Return the postings of each file, in order, and the occurrences in all of them.

        A call takes at most 16,383 files of at most 65,535 chunks.
        """
        if len(self._half) > _MOST_TOKENS:
            self._half = _fresh()
        try:
            return self._half.read(files)
        except BaseException:
            # What was half learned is no ground to go on from.
            self._half = _fresh()
            raise


def _fresh() -> PlainPass | CompiledPass:
    return PlainPass() if _NATIVE is None else CompiledPass(_NATIVE)
