"""The compiled halves do what their namesakes in Python do, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.native import compiled
from treemill.preparing import first_lines

WORDS = compiled("words")
needs_words = pytest.mark.skipif(WORDS is None, reason="this installation has no compiled halves")


def test_the_environment_switches_the_compiled_halves_off():
    program = "from treemill.native import compiled; print(compiled('words'))"
    environment = {**os.environ, "TREEMILL_NATIVE": "off"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "None"


@needs_words
@given(pieces=st.lists(st.text("ab\r\n", min_size=1), max_size=8))
def test_pieces_begin_on_the_same_lines(pieces):
    text = "".join(pieces).encode()
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    assert np.frombuffer(WORDS.first_lines(text, ends), "<u4").tolist() == first_lines(text, ends)


@needs_words
@pytest.mark.parametrize("ends", [[3], [2, 1], [-1], ["a"], 7])
def test_ends_that_are_none_are_refused(ends):
    with pytest.raises((TypeError, ValueError)):
        WORDS.first_lines(b"ab", ends)
