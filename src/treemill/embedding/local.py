"""Models in folders: which folder a setting means, what tells two versions of a model apart, and the length of rows.

Nothing is downloaded unless the user's settings allow it: a hub id is what was downloaded before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from treemill.errors import SettingsError
from treemill.settings import EmbeddingSettings

# Files up to this are digested whole, larger ones by their size and their ends: enough to tell trained models apart.
_WHOLE_BYTES = 64_000_000
_END_BYTES = 4_000_000


def model_folder(settings: EmbeddingSettings, needed: Sequence[str]) -> Path:
    """Return the folder with a model's files.

    Raises:
        SettingsError: there is none, a file is missing, or it would have to be downloaded, which the settings forbid.
    """
    provider, name = settings.provider, settings.model
    if not name:
        raise SettingsError(
            f"the {provider} provider does not know its model", suggestion="Set embedding.model to a folder"
        )
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _from_hub(settings, needed)
    missing = [each for each in needed if not (folder / each).is_file()]
    if missing:
        raise SettingsError(
            f"the {provider} model in {folder} lacks {', '.join(missing)}",
            suggestion="Name the folder that holds these files in embedding.model",
        )
    return folder.resolve()


def _from_hub(settings: EmbeddingSettings, needed: Sequence[str]) -> Path:
    """Return the folder of a hub id: what was downloaded before, or, where that is allowed, is now.

    Raises:
        SettingsError: it is no hub id, is not there and may not be downloaded, or cannot be.
    """
    name = settings.model
    absent = f"there is no folder {name} with a model"
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise SettingsError(absent, suggestion="Set embedding.model to the folder of the model")
    try:
        hub = import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{absent}, and a hub id needs the package huggingface_hub",
            suggestion="Set embedding.model to the folder of the model, or run: pip install huggingface_hub",
        ) from error
    patterns = ["*.json", *needed]
    try:
        return Path(hub.snapshot_download(name, allow_patterns=patterns, local_files_only=not settings.allow_downloads))
    except Exception as error:
        if settings.allow_downloads:
            raise SettingsError(
                f"the model {name} cannot be downloaded: {type(error).__name__}",
                suggestion="Check the name and the network, or set embedding.model to a folder",
            ) from error
        raise SettingsError(
            f"{absent}, none of that name was downloaded to this machine, and nothing is downloaded by default",
            suggestion="Download it yourself and set embedding.model to its folder, or set embedding.allow_downloads = "
            "true in your own settings file (and leave HF_HUB_OFFLINE unset)",
        ) from error


def fingerprint(folder: Path, names: Sequence[str], *more: str) -> str:
    """Return eight hexadecimal digits that tell a model's files, and whatever else changes its vectors, apart.

    Raises:
        SettingsError: a file cannot be read.
    """
    digest = hashlib.blake2b(repr(more).encode("utf-8", "surrogatepass"), digest_size=4)
    for name in names:
        path = folder / name
        if not path.is_file():
            continue
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                digest.update(f"\0{name}\0{size}\0".encode())
                if size <= _WHOLE_BYTES:
                    digest.update(file.read())
                else:
                    digest.update(file.read(_END_BYTES))
                    file.seek(-_END_BYTES, os.SEEK_END)
                    digest.update(file.read())
        except OSError as error:
            raise SettingsError(f"the model file {path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def asked_dimension(settings: EmbeddingSettings, own: int) -> int:
    """Return how long the vectors are to be.

    Raises:
        SettingsError: longer ones are asked for than the model makes.
    """
    if settings.dimension > own:
        raise SettingsError(
            f"embedding.dimension is {settings.dimension}, but the model {settings.model} makes {own}",
            suggestion="Set embedding.dimension to 0 or less than that",
        )
    return settings.dimension or own
