"""What stands before a text that is embedded, how much of it is read, and how the place it goes to is shown."""

from __future__ import annotations

import hashlib
from typing import Self
from urllib.parse import urlsplit

from treemill.settings import EmbeddingSettings
from treemill.values import dataclass

# Code is 3 to 4 characters a token for the usual vocabularies; the low end keeps a text inside its limit.
CHARACTERS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What stands before every chunk and every question, for models that were trained so."""

    document: str = ""
    query: str = ""

    @classmethod
    def of(cls, settings: EmbeddingSettings) -> Self:
        """Return those that the settings name."""
        return cls(settings.document_prefix, settings.query_prefix)

    @property
    def mark(self) -> str:
        """What a provider's name ends with, since the prefix of documents changes their vectors; "" without one."""
        if not self.document:
            return ""
        return "+" + hashlib.blake2b(self.document.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def clipped(text: str, tokens: int) -> str:
    """Return a text as far as a limit of tokens lets it be read (0: whole), in a form that UTF-8 can say.

    Lone surrogates stand for bytes that were no text; they become question marks.
    """
    shown = text[: tokens * CHARACTERS_PER_TOKEN] if tokens else text
    return shown.encode("utf-8", "replace").decode("utf-8")


def shown_url(url: str) -> str:
    """Return a URL as messages show it: without what may be secret in it."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "") + parts.path
    except ValueError:
        return "(no URL)"
