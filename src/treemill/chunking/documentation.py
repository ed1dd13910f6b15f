"""Where a definition's documentation stands: in its body, in a comment in front, or in a quoted text in front.

Comments are read from the text backwards, line by line, which needs no nodes. A blank line ends them.
"""

from __future__ import annotations

from tree_sitter import Node

from treemill.chunking.vocabulary import Comments

_QUOTES = frozenset(b"\"'")
_PREFIXES = frozenset(b"rRuU")
_HEREDOC = b'"""'

Range = tuple[int, int]


def docstring(text: bytes, body: Node) -> Range | None:
    """Return the range of the string that a body begins with."""
    start = body.start_byte
    if text[start] not in _QUOTES and not (text[start] in _PREFIXES and text[start + 1 : start + 2] in (b'"', b"'")):
        return None
    statement = body.named_child(0)
    string = statement.named_child(0) if statement is not None and statement.named_child_count == 1 else None
    if string is None or string.type != "string":
        return None
    return string.start_byte, string.end_byte


def comment_before(text: bytes, start: int, comments: Comments) -> tuple[Range | None, int]:
    """Return the comment right in front of a definition, and where the definition begins with its attributes.

    The comment stands on lines of its own and no blank line follows it.
    """
    line = text.rfind(b"\n", 0, start) + 1
    if line == 0 or (line < start and not text[line:start].isspace()):
        return None, start
    begin = finish = -1
    end = line - 1  # of the line before, its line feed left out
    while end >= 0:
        line = text.rfind(b"\n", 0, end) + 1
        content = text[line:end].strip()
        if content.startswith(comments.line) and comments.line:
            if comments.attribute is not None and content.startswith(comments.attribute):
                break
            begin = text.find(content[:1], line, end)
            if finish < 0:
                finish = begin + len(content)
        elif begin < 0 and comments.attribute is not None and content.startswith(comments.attribute):
            if content[-1:] != b"]":
                break
            start = text.find(content[:1], line, end)
        elif begin < 0 and comments.block is not None and content.endswith(comments.block[1]):
            opening = text.rfind(comments.block[0], 0, end)
            head = text.rfind(b"\n", 0, max(opening, 0)) + 1
            if opening >= 0 and not text[head:opening].strip():
                begin, finish = opening, text.rfind(comments.block[1], opening, end) + len(comments.block[1])
            break
        else:
            break
        end = line - 1
    return (None if begin < 0 else (begin, finish)), start


def heredoc_before(text: bytes, start: int) -> Range | None:
    """Return the text in triple quotes in front of a definition: Julia's docstring, Elixir's `@doc`.

    Lines that begin with `@` may stand between the two.
    """
    end = text.rfind(b"\n", 0, start)
    while end > 0:
        line = text.rfind(b"\n", 0, end) + 1
        content = text[line:end].strip()
        if content.startswith(b"@doc") and content.endswith(b'"') and content.count(b'"') == 2:
            return text.find(b'"', line, end), line + len(text[line:end].rstrip())
        if content == _HEREDOC:
            opening = text.rfind(_HEREDOC, 0, line)
            head = text[text.rfind(b"\n", 0, max(opening, 0)) + 1 : max(opening, 0)].strip()
            if opening < 0 or head not in (b"", b"@doc", b"@doc ~S", b"@doc raw", b"raw"):
                return None
            return opening, line + len(text[line:end].rstrip())
        if not content.startswith(b"@") or content.startswith(b"@moduledoc"):
            return None
        end = line - 1
    return None
