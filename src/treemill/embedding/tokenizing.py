"""The tokenizers of models, for chunks whose size is counted in tokens.

A provider may have a `tokenizer`: a function that returns the tokens of a text as its model reads them, special tokens
included. Models in folders have theirs beside them; for a service, the settings can name the file. The model in the
package reads words, and needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from treemill.embedding import EmbeddingProvider, TermEncoder
from treemill.embedding.local import fingerprint
from treemill.errors import SettingsError
from treemill.settings import EmbeddingSettings

_ENGINE = "tokenizers"

TOKENIZER_FILE = "tokenizer.json"
"""What the file is called in a model's folder."""


class FileTokenizer:
    """A tokenizer in a file, as the tokenizers library saves it. It survives pickling as the name of that file.

    `name` tells files with other contents apart. Truncation and padding that the file asks for are left out: a text
    has as many tokens as it has.
    """

    def __init__(self, path: Path, *, special: bool = True) -> None:
        """Take note of a file; it is opened at first use. `special` counts the tokens that the model adds.

        Raises:
            SettingsError: it cannot be read.
        """
        self._path = path
        self._special = special
        self.name = fingerprint(path.parent, (path.name,), str(special))

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._path, self._special, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileTokenizer) and (self._path, self.name) == (other._path, other.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def __call__(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self._opened.encode(text, add_special_tokens=self._special))

    def check(self) -> None:
        """Open the file.

        Raises:
            SettingsError: it holds no tokenizer, or the library is not installed.
        """
        try:
            self("")
        except ModuleNotFoundError as error:
            raise SettingsError(
                "sizes in the model's tokens need the tokenizers library",
                suggestion="Run: pip install 'treemill[tokens]', or set chunker.max_chunk_characters instead",
            ) from error
        except Exception as error:
            raise SettingsError(
                f"the tokenizer in {self._path} cannot be opened: {error}",
                suggestion=f"Name a {TOKENIZER_FILE} as the tokenizers library saves it in embedding.tokenizer",
            ) from error

    @cached_property
    def _opened(self) -> Any:
        tokenizer = import_module(_ENGINE).Tokenizer.from_file(str(self._path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def _again(path: Path, special: bool, name: str) -> FileTokenizer:
    """Restore a tokenizer in another process, without reading its file for the name."""
    tokenizer = FileTokenizer.__new__(FileTokenizer)
    tokenizer._path, tokenizer._special, tokenizer.name = path, special, name
    return tokenizer


def tokenizer_of(
    provider: EmbeddingProvider | None, settings: EmbeddingSettings
) -> Callable[[str], int | Sized] | None:
    """Return the tokenizer of a provider's model; None for the model in the package, which is also where none is.

    That is the file that the settings name, else the provider's own `tokenizer`.

    Raises:
        SettingsError: the provider has none and the settings name none, or the file cannot be used.
    """
    if settings.tokenizer:
        path = Path(settings.tokenizer).expanduser()
        if not path.is_file():
            raise SettingsError(
                f"there is no tokenizer {settings.tokenizer}", suggestion="Set embedding.tokenizer to its file"
            )
        found: Any = FileTokenizer(path.resolve())
    elif provider is None or isinstance(provider, TermEncoder):
        return None
    else:
        found = getattr(provider, "tokenizer", None)
    if found is None:
        raise SettingsError(
            f"the provider {provider.name if provider else 'none'} has no tokenizer to count chunks with",
            suggestion=f"Set embedding.tokenizer to its model's {TOKENIZER_FILE}, or chunker.max_chunk_characters "
            "instead of chunker.max_chunk_tokens",
        )
    if isinstance(found, FileTokenizer):
        found.check()
    tokenizer: Callable[[str], int | Sized] = found
    return tokenizer
