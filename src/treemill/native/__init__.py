"""The compiled halves of hot paths, where this installation has them.

Each is one small extension module in C that does what functions in Python beside it do, byte for byte, faster. A
package built where there is no compiler has none, and everything works without.

`TREEMILL_NATIVE=off` in the environment leaves them out, for comparison. In a checkout, where their sources stand
beside them, those built from other sources are left out too: run `pip install -e .` again.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

SWITCH = "TREEMILL_NATIVE"

BUILT_FROM = "built-from"
"""The file in which the build notes the digest of the sources."""


def compiled(name: str) -> ModuleType | None:
    """Return the extension module of that name (`words`), or None where it is not built or is switched off.

    None fits a machine that keeps the high byte of a number first: what they give is stored as it is.
    """
    if sys.byteorder != "little" or os.environ.get(SWITCH, "").lower() in ("off", "0", "no") or _outdated():
        return None
    try:
        return importlib.import_module(f"treemill.native._{name}")
    except ImportError:
        return None


def sources_digest(folder: str) -> str:
    """Return the digest of the C sources below a folder; an empty text where there are none."""
    found = sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith((".c", ".h"))
    )
    digest = hashlib.blake2b(digest_size=16)
    for path in found:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest() if found else ""


@cache
def _outdated() -> bool:
    """Whether these extension modules were built from other sources than those that stand beside them."""
    folder = os.path.dirname(__file__)
    digest = sources_digest(folder)
    if not digest:
        return False
    try:
        with open(os.path.join(folder, BUILT_FROM), encoding="ascii") as file:
            return file.read() != digest
    except OSError:
        return True


def built() -> tuple[str, ...]:
    """Return the names of the extension modules that this installation has and uses, in order."""
    files = os.listdir(os.path.dirname(__file__))
    names = {
        file[1:].partition(".")[0] for file in files if file[0] == "_" and file.endswith(tuple(EXTENSION_SUFFIXES))
    }
    return tuple(sorted(name for name in names if compiled(name) is not None))
