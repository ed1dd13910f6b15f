"""What each signal counts for, by kind of question: learned by `python -m benchmarks.fit_ranking --write`.

The reason behind a signal stands with its function in `treemill.ranking.signals`.
"""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "symbol": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 1.684,
        # The chunk whose definitions have most of the words in their names
        "defining passage": 1.588,
        # How much there is in the file: of two that say the same, the longer one does it, the other passes it on
        "length": 2.225,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": 1.977,
        # The file is called as an identifier that the question names
        "asked names file": 2.133,
        # The best definition of the asked name in the file: its kind, letter case, size and parents
        "definition": 2.373,
        # The definition proper is larger than what declares it or exports it again
        "size of definition": 2.019,
        # The definition lies in what the question qualifies it with: `Session.send` in `Session`
        "definition in parent": 0.285,
        # How many folders lie above the file: what is general stands near the root
        "depth": -0.476,
        # Tests show a thing from outside, over and over
        "test": -0.716,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -0.564,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -0.514,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.725,
    },
    "sentence": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 3.930,
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages beside the best": 2.238,
        # The chunk that fits best, by words, names of definitions and path: where the answer is
        "best passage beside the best": 2.133,
        # The words in the file's first chunk: where a file says what it is about
        "head": 0.412,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": -8.137,
        # All words of the file's name are asked for: `migration.py` before `migration_helpers.py`
        "name asked whole": 2.632,
        # The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration
        "name likeness beside the best": 1.414,
        # The same, with synonyms for half: `loader.py` for what is read
        "name meaning": 5.592,
        # The words in the folders above the file: what a group of files is about
        "folders beside the best": 1.201,
        # The file defines an identifier that the question names; the fewer do, the more it says
        "asked defined": 1.538,
        # The file uses an identifier that the question names
        "asked used": 3.242,
        # The file is called as an identifier that the question names
        "asked names file": 1.350,
        # The file defines what neighbouring words of the question make in one; the fewer do, the more it says
        "neighbours defined": 0.434,
        # The file is called as neighbouring words of the question, in one: `RateLimiter.kt` for a rate limiter
        "neighbours name file": 0.944,
        # How many folders lie above the file: what is general stands near the root
        "depth": -3.848,
        # Tests show a thing from outside, over and over
        "test": -2.092,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -2.589,
        # What calls itself internal is seldom what someone means who asks about the thing
        "internal": -0.919,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -1.773,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.040,
    },
}
