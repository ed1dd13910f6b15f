"""Any pattern of an ignore file to an expression, by pathspec, which knows git's rules to the last corner."""

from __future__ import annotations

from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern


def translated(line: bytes) -> tuple[bytes | None, bool]:
    """Translate a line into an expression that matches the entry itself, and whether it leaves out.

    pathspec's expressions also match everything below a folder; closing them at the end leaves the folder alone.
    The expression that matches all, and the one that ends in a bare slash ("everything below x"), stay open.
    """
    if line.rstrip().endswith(b"/**/"):  # the folders below; pathspec takes it for the folder itself
        line = line.rstrip() + b"*/"
    try:
        regex, ignores = GitIgnoreSpecPattern.pattern_to_regex(line)
    except GitIgnorePatternError:
        return None, False
    if regex is None or ignores is None:
        return None, False
    if regex == b".":
        return regex, ignores
    return (regex + b"." if regex.endswith(b"/") else regex + b"$"), ignores
