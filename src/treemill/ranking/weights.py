"""What each signal counts for, by kind of question: learned by `python -m benchmarks.fit_ranking --write`,
descriptions by `python -m benchmarks.fit_descriptions --write`.

The reason behind a signal stands with its function in `treemill.ranking.signals`.
"""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "symbol": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 2.189,
        # How much there is in the file: of two that say the same, the longer one does it, the other passes it on
        "length": 2.076,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": 1.969,
        # The file is called as an identifier that the question names
        "asked names file": 1.961,
        # The best definition of the asked name in the file: its kind, letter case, size and parents
        "definition": 4.176,
        # The definition lies in what the question qualifies it with: `Session.send` in `Session`, or in its file
        "definition in parent": 0.284,
        # How many folders lie above the file: what is general stands near the root
        "depth": -0.285,
        # Tests show a thing from outside, over and over
        "test": -0.826,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -0.684,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -0.671,
    },
    "sentence": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 3.985,
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages beside the best": 2.104,
        # The chunk that fits best, by words, names of definitions and path: where the answer is
        "best passage beside the best": 2.316,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": -7.875,
        # All words of the file's name are asked for: `migration.py` before `migration_helpers.py`
        "name asked whole": 2.936,
        # The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration
        "name likeness beside the best": 1.311,
        # The same, with synonyms for half: `loader.py` for what is read
        "name meaning": 5.847,
        # The words in the folders above the file: what a group of files is about
        "folders beside the best": 1.245,
        # The file defines an identifier that the question names; the fewer do, the more it says
        "asked defined": 1.597,
        # The file uses an identifier that the question names
        "asked used": 2.838,
        # The file is called as an identifier that the question names
        "asked names file": 1.242,
        # How many folders lie above the file: what is general stands near the root
        "depth": -3.984,
        # Tests show a thing from outside, over and over
        "test": -2.102,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -2.499,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -1.828,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.080,
    },
    "sentence, with vectors": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 3.192,
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages beside the best": 1.774,
        # The chunk that fits best, by words, names of definitions and path: where the answer is
        "best passage beside the best": 1.532,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": -7.122,
        # All words of the file's name are asked for: `migration.py` before `migration_helpers.py`
        "name asked whole": 2.798,
        # The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration
        "name likeness beside the best": 0.433,
        # The same, with synonyms for half: `loader.py` for what is read
        "name meaning": 5.154,
        # The words in the folders above the file: what a group of files is about
        "folders beside the best": 0.834,
        # The file defines an identifier that the question names; the fewer do, the more it says
        "asked defined": 1.380,
        # The file uses an identifier that the question names
        "asked used": 3.098,
        # The file is called as an identifier that the question names
        "asked names file": 1.156,
        # How many folders lie above the file: what is general stands near the root
        "depth": -4.015,
        # Tests show a thing from outside, over and over
        "test": -1.894,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -2.304,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -1.844,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.292,
        # The chunk that is nearest in meaning, by vectors
        "meaning beside the best": 2.445,
        # All that the file holds is near in meaning, by vectors: what the file is about, not one line of it
        "file meaning beside the best": 0.869,
        # The words of the file's path are near in meaning, by vectors: names that no list of synonyms has
        "path meaning beside the best": 1.326,
    },
    "description": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 0.104,
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages beside the best": 1.453,
        # The chunk that fits best, by words, names of definitions and path: where the answer is
        "best passage beside the best": 3.957,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": -1.849,
        # All words of the file's name are asked for: `migration.py` before `migration_helpers.py`
        "name asked whole": 0.875,
        # The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration
        "name likeness beside the best": 0.493,
        # The same, with synonyms for half: `loader.py` for what is read
        "name meaning": 3.481,
        # The words in the folders above the file: what a group of files is about
        "folders beside the best": 0.813,
        # The file defines an identifier that the question names; the fewer do, the more it says
        "asked defined": 0.739,
        # The file uses an identifier that the question names
        "asked used": 3.458,
        # The file is called as an identifier that the question names
        "asked names file": 1.326,
        # How many folders lie above the file: what is general stands near the root
        "depth": -1.806,
        # Tests show a thing from outside, over and over
        "test": -3.957,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -2.499,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -1.360,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.080,
        # The name of a definition and the question cover each other: `load_credentials` for how credentials are loaded
        "defined likeness": 2.346,
        # The name of a definition and the question cover each other: `load_credentials` for how credentials are loaded
        "defined likeness beside the best": 1.113,
    },
    "description, with vectors": {
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages": 0.948,
        # The eight chunks that fit best, each for less than the one before: a file about it has it in several places
        "passages beside the best": 0.917,
        # The chunk that fits best, by words, names of definitions and path: where the answer is
        "best passage beside the best": 2.594,
        # How much of the question stands in the file's own name: names are chosen to tell what is in a file
        "name recall": -1.610,
        # All words of the file's name are asked for: `migration.py` before `migration_helpers.py`
        "name asked whole": 1.112,
        # The file's name and the question cover each other, beginnings of words counted: `config.py` for configuration
        "name likeness beside the best": 0.269,
        # The same, with synonyms for half: `loader.py` for what is read
        "name meaning": 2.968,
        # The words in the folders above the file: what a group of files is about
        "folders beside the best": 0.817,
        # The file defines an identifier that the question names; the fewer do, the more it says
        "asked defined": 0.525,
        # The file uses an identifier that the question names
        "asked used": 3.660,
        # The file is called as an identifier that the question names
        "asked names file": 0.746,
        # How many folders lie above the file: what is general stands near the root
        "depth": -1.973,
        # Tests show a thing from outside, over and over
        "test": -3.773,
        # Documentation, translations and data say a word more often than the code that is asked for
        "prose": -2.304,
        # Benchmarks, examples, stubs, vendored and outdated code repeat the words of what they are about
        "aside": -1.624,
        # A copy of an older version (`v3/` where there is a `v4/`): the newest is meant unless another is named
        "older version": -3.292,
        # The name of a definition and the question cover each other: `load_credentials` for how credentials are loaded
        "defined likeness": 1.601,
        # The name of a definition and the question cover each other: `load_credentials` for how credentials are loaded
        "defined likeness beside the best": 0.830,
        # The chunk that is nearest in meaning, by vectors
        "meaning beside the best": 3.415,
        # All that the file holds is near in meaning, by vectors: what the file is about, not one line of it
        "file meaning beside the best": 1.018,
        # The words of the file's path are near in meaning, by vectors: names that no list of synonyms has
        "path meaning beside the best": 0.099,
    },
}
