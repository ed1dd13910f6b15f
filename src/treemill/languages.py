"""One table of languages: name, suffixes, file names, interpreters → grammar and delimiter family."""

from __future__ import annotations


def language_of_name(name: str) -> str | None:
    """Return the language that a file's name tells, or None."""
    return "python" if name.endswith(".py") else None
