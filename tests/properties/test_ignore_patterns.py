"""What is translated without pathspec matches what pathspec says it matches."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

from hypothesis import example, given
from hypothesis import strategies as st

from treemill import ignore_engine, ignore_patterns

NAMES = ("a", "b", "ab", "a.b", ".a", "a-b", "aab", "~", "+a")
PATHS = tuple(
    "/".join(names) + end for depth in (1, 2, 3) for names in product(NAMES[:5], repeat=depth) for end in ("", "/")
)
SOME = (*PATHS, *(name + end for name in NAMES for end in ("", "/")))

patterns = st.text(alphabet="aab.*?/!-~+ \\[]#", max_size=9).map(str.encode)


def matched(regex: bytes | None) -> list[str]:
    """Return which paths an expression matches, as `Rules` would have it; one that RE2 takes for none matches none."""
    found = ignore_engine.new_set()
    if regex is None or not ignore_engine.added(found, regex):
        return []
    automaton = ignore_engine.compiled(found, [regex])
    return [path for path in SOME if automaton.Match(path.encode())]


@given(patterns)
@example(b"[[-?]")
def test_a_pattern_matches_what_it_matches_for_pathspec(line: bytes) -> None:
    regex, ignores = ignore_engine.translated(line)
    expected, as_expected = ignore_patterns.translated(line)
    assert (regex is None) == (expected is None)
    if expected is not None:
        assert ignores == as_expected
        assert matched(regex) == matched(expected)


def test_what_people_write_is_translated_without_pathspec() -> None:
    lines = ["*.py[cod]", "**/x", "a b", r"\#x", "*/", "/", "[", "**"]
    plain = ["# a comment", "", "  ", "*.pyc", "build/", "/dist", "!keep.txt", "docs/_build/", "*~", "*", "/*", ".env"]
    program = (
        "import sys; from treemill.ignore_engine import translated\n"
        "for line in sys.argv[1:]: translated(line.encode())\n"
        "print('pathspec' in sys.modules)"
    )
    for given_lines, loads in ((plain, "False"), (lines, "True")):
        command = [sys.executable, "-c", program, *given_lines]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == loads
