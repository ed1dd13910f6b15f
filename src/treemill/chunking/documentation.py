"""Where a definition's documentation stands: in its body, in a comment in front, or in a quoted text in front.

Comments are read from the text backwards, line by line, which needs no nodes. A blank line ends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treemill.chunking.vocabulary import Comments

if TYPE_CHECKING:
    from tree_sitter import Node

# Minified code has lines of megabytes, and a comment that was never opened has no end: how far back is looked at most.
_LINE_BYTES = 2_000
_COMMENT_BYTES = 50_000

_LF = ord("\n")
_QUOTES = frozenset(b"\"'")
_HEREDOC = b'"""'

Range = tuple[int, int]


def opens_string(text: bytes, start: int) -> bool:
    """Tell whether a string of Python may begin here."""
    return any(byte in _QUOTES for byte in text[start : start + 2])


def docstring(body: Node) -> Range | None:
    """Return the range of the string that a body begins with."""
    statement = body.named_child(0)
    if statement is None or statement.named_child_count != 1:
        return None
    string = statement.named_child(0)
    if string is None or string.type != "string":
        return None
    return string.start_byte, string.end_byte


def comment_before(text: bytes, start: int, comments: Comments) -> tuple[Range | None, int]:
    """Return the comment right in front of a definition, and where the definition begins with its attributes.

    The comment stands on lines of its own and no blank line follows it.
    """
    end = text.rfind(b"\n", start - _LINE_BYTES if start > _LINE_BYTES else 0, start)  # of the line before
    if end < 1 or text[end - 1] == _LF or not (end + 1 == start or text[end + 1 : start].isspace()):
        return None, start
    marks, attribute, (opening, closing) = comments
    begin = finish = -1
    while end >= 0:
        earliest = end - _LINE_BYTES if end > _LINE_BYTES else 0  # asked for every definition: `max` takes longer
        line = text.rfind(b"\n", earliest, end) + 1 or earliest
        content = text[line:end].strip()
        if content.startswith(marks) and not (attribute and content.startswith(attribute)):
            begin = text.find(content[:1], line, end)
            if finish < 0:
                finish = begin + len(content)
        elif begin >= 0 or not content:
            break
        elif attribute and content.startswith(attribute) and content.endswith(b"]"):
            start = line + len(text[line:end]) - len(text[line:end].lstrip())
        elif closing and content.endswith(closing):
            first = text.rfind(opening, max(0, end - _COMMENT_BYTES), end)
            if first >= 0 and not text[text.rfind(b"\n", max(0, first - _LINE_BYTES), first) + 1 : first].strip():
                return (first, line + len(text[line:end].rstrip())), start
            break
        else:
            break
        end = line - 1
    return (None if begin < 0 else (begin, finish)), start


def heredoc_before(text: bytes, start: int) -> Range | None:
    """Return the text in triple quotes in front of a definition: Julia's docstring, Elixir's `@doc`.

    Lines that begin with `@` may stand between the two.
    """
    end = text.rfind(b"\n", max(0, start - _LINE_BYTES), start)
    while end > 0:
        line = text.rfind(b"\n", max(0, end - _LINE_BYTES), end) + 1 or max(0, end - _LINE_BYTES)
        content = text[line:end].strip()
        if content.startswith(b"@doc") and content.endswith(b'"') and content.count(b'"') == 2:
            return text.find(b'"', line, end), line + len(text[line:end].rstrip())
        if content == _HEREDOC:
            opening = text.rfind(_HEREDOC, max(0, line - _COMMENT_BYTES), line)
            head = text[text.rfind(b"\n", max(0, opening - _LINE_BYTES), max(0, opening)) + 1 : max(0, opening)].strip()
            if opening < 0 or head not in (b"", b"@doc", b"@doc ~S", b"@doc raw", b"raw"):
                return None
            return opening, line + len(text[line:end].rstrip())
        if not content.startswith(b"@") or content.startswith(b"@moduledoc"):
            return None
        end = line - 1
    return None
