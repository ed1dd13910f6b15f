r"""Offsets in a text at which something may be defined, found without a tree.

Searching bytes by a pattern with a literal in front runs three times as fast as by any other pattern: so cues begin
with literals, and the hits of one that is too common are looked at more closely, by what stands in front of them on the
line. Hits are listed by `finditer`, which takes two thirds of what a loop around `find` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from treemill.values import dataclass

_Search = Callable[[bytes], Iterator[re.Match[bytes]]]

Cues = Callable[[bytes], list[int]]
"""Returns offsets in ascending order. The byte at an offset, the one before and the one behind lie in the definition,
and not all three in one of its parts: the blank between `def` and a name is a cue."""

# How far back a line's beginning is looked for: minified code has none.
_LINE_BYTES = 200

# What may stand in front of `(…) {` and `(…): T {`, and what does most often without being a method.
_METHOD = re.compile(
    rb"\s*(?:(?:public|private|protected|async|get|set|static|override)\s+)*\*?"
    rb"(?!(?:if|for|while|switch|catch|with|return|function|await)\b)[#\w$]+\??\s*[(<]"
)
_OPENING = re.compile(rb"\)(?: ?\{|: [^\n{};=()]{1,60} \{)")
_NO_METHOD = (b"if (", b"if(", b"} else", b"for (", b"for(", b"while (", b"while(", b"function", b"} catch", b"switch")
_SHORT_METHOD = re.compile(rb"[,{}](?:async |get |set )?\*?(?!(?:if|for|while|switch|catch|with)\b)[\w$]+\Z")

_ARROW = re.compile(rb"=>")
_CLASS = re.compile(rb"class ")
_FUNCTION = re.compile(rb"function")
_GIVEN = (b"=", b":")


def nothing(text: bytes) -> list[int]:
    """Find nothing: for languages whose definitions all stand in containers."""
    return []


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds the last byte of each word and each match of a pattern. The first line has a line feed in front of it.

    What the patterns find is known to the compiled half by `name`, where there is one.
    """

    words: tuple[bytes, ...]
    patterns: tuple[bytes, ...]
    name: str
    _searches: tuple[_Search, ...]
    _by_pattern: tuple[_Search, ...]

    def __call__(self, text: bytes) -> list[int]:
        """Return the offsets of all cues, ascending."""
        return sorted(_found(self._searches, text))

    def by_pattern(self, text: bytes) -> list[int]:
        """Return the offsets of what the patterns match, pattern by pattern: the compiled half finds the words."""
        return _found(self._by_pattern, text)


def finder(words: tuple[bytes, ...], patterns: tuple[bytes, ...], name: str = "") -> Finder:
    """Make a finder of these words and patterns."""
    by_word = tuple(re.compile(re.escape(each)).finditer for each in words)
    by_pattern = tuple(re.compile(each).finditer for each in patterns)
    return Finder(words, patterns, name, by_word + by_pattern, by_pattern)


def _found(searches: tuple[_Search, ...], text: bytes) -> list[int]:
    text = b"\n" + text
    cues: list[int] = []
    for search in searches:
        cues += [found.end() - 2 for found in search(text)]
    return cues


def script(text: bytes) -> list[int]:
    """Find what JavaScript and TypeScript may define below the top level.

    An arrow or a `function` counts where it is named or stands behind `=` or `:`; a parenthesis and a brace where
    what stands in front on the line looks like a method.
    """
    cues = [found.end() - 1 for found in _CLASS.finditer(text)]
    _add_functions(text, cues)
    _add_arrows(text, cues)
    _add_methods(text, cues)
    cues.sort()
    return cues


def _add_functions(text: bytes, cues: list[int]) -> None:
    """Add every `function` that has a name, or is given to one."""
    for at in [found.start() for found in _FUNCTION.finditer(text)]:
        name = text[at + 8 : at + 12].lstrip(b" *")[:1]
        if name != b"(" or text[max(0, at - 8) : at].rstrip().removesuffix(b"async").rstrip()[-1:] in _GIVEN:
            cues.append(at + 8)


def _add_arrows(text: bytes, cues: list[int]) -> None:
    """Add every arrow that may be given to a name: its line has `=` or `:` in front, or begins with `)`."""
    rfind = text.rfind
    for at in [found.start() for found in _ARROW.finditer(text)]:
        line = rfind(b"\n", at - _LINE_BYTES if at > _LINE_BYTES else 0, at) + 1
        head = text[line or max(0, at - 40) : at]
        if b"=" in head or b":" in head or head.lstrip()[:1] in (b")", b"}"):
            cues.append(at + 1)


def _add_methods(text: bytes, cues: list[int]) -> None:
    """Add every `) {` and `): T {` behind something like `name(…`."""
    rfind = text.rfind
    for at in [found.start() for found in _OPENING.finditer(text)]:
        line = rfind(b"\n", at - _LINE_BYTES if at > _LINE_BYTES else 0, at) + 1
        if not line:
            opening = rfind(b"(", max(0, at - _LINE_BYTES), at)
            wanted = opening > 0 and _SHORT_METHOD.search(text, max(0, opening - 40), opening) is not None
        elif text[line:at].lstrip().startswith(_NO_METHOD):
            wanted = False
        else:
            wanted = _METHOD.match(text, line, at) is not None or text[line:at].isspace()
        if wanted:
            cues.append(at + 1)
