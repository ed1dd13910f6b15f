"""What each signal counts for, by kind of question: learned by `python -m benchmarks.fit_ranking --write`.

The reason behind a signal stands with its function in `treemill.ranking.signals`.
"""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "symbol": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 2.229,
        # How much there is in the file: of two that say the same, the longer one does it, the other passes it on
        "length": 2.078,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": 1.989,
        # The file is called as an identifier that the question names
        "asked names file": 1.984,
        # The best definition of the asked name in the file: its kind, letter case, size and parents
        "definition": 4.174,
        # The definition lies in what the question qualifies it with: `Session.send` in `Session`
        "definition in parent": 0.278,
        # How many folders lie above the file: what is general stands near the root
        "depth": -0.281,
        # Tests show a thing from outside, over and over
        "test": -0.824,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -0.684,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -0.661,
    },
    "sentence": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 3.931,
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages beside the best": 2.136,
        # The chunk that fits best, by words, names of definitions and path: where the answer is
        "best passage beside the best": 2.306,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": -7.878,
        # All words of the file's name are asked for: `migration.py` before `migration_helpers.py`
        "name asked whole": 2.942,
        # The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration
        "name likeness beside the best": 1.305,
        # The same, with synonyms for half: `loader.py` for what is read
        "name meaning": 5.877,
        # The words in the folders above the file: what a group of files is about
        "folders beside the best": 1.245,
        # The file defines an identifier that the question names; the fewer do, the more it says
        "asked defined": 1.558,
        # The file uses an identifier that the question names
        "asked used": 2.927,
        # The file is called as an identifier that the question names
        "asked names file": 1.294,
        # How many folders lie above the file: what is general stands near the root
        "depth": -3.984,
        # Tests show a thing from outside, over and over
        "test": -2.108,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -2.503,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -1.818,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.092,
    },
}
