"""The compiled halves of hot paths, where this installation has them.

Each is one small extension module in C that does what functions in Python beside it do, byte for byte, faster. A
package built where there is no compiler has none, and everything works without.

`TREEMILL_NATIVE=off` in the environment leaves them out, for comparison.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

SWITCH = "TREEMILL_NATIVE"


def compiled(name: str) -> ModuleType | None:
    """Return the extension module of that name (`words`), or None where it is not built or is switched off.

    None fits a machine that keeps the high byte of a number first: what they give is stored as it is.
    """
    if sys.byteorder != "little" or os.environ.get(SWITCH, "").lower() in ("off", "0", "no"):
        return None
    try:
        return importlib.import_module(f"treemill.native._{name}")
    except ImportError:
        return None


def built() -> tuple[str, ...]:
    """Return the names of the extension modules that this installation has and uses, in order."""
    files = os.listdir(os.path.dirname(__file__))
    names = {
        file[1:].partition(".")[0] for file in files if file[0] == "_" and file.endswith(tuple(EXTENSION_SUFFIXES))
    }
    return tuple(sorted(name for name in names if compiled(name) is not None))
