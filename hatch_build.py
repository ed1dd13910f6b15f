"""Builds the compiled halves of hot paths into the wheel; where that fails, the wheel does without them.

`TREEMILL_NATIVE=off` leaves them out, `TREEMILL_NATIVE=on` fails instead of doing without. The extensions keep to the
stable interface of CPython 3.11, so that one wheel a platform serves all later versions.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension

EXTENSIONS = {
    "_words": ("words.c",),
    "_vectors": ("vectors.c",),
    "_packing": ("packing.c",),
    "_spellings": ("spellings.c",),
    "_layout": ("layout.c",),
    "_passing": ("tables.c", "reading.c", "learning.c", "counting.c"),
}
HOME = Path("src", "treemill", "native")


class NativeHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles each extension beside its source, and takes it into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        wanted = os.environ.get("TREEMILL_NATIVE", "").lower()
        if self.target_name != "wheel" or wanted in ("off", "0", "no"):
            return
        try:
            built = [self._compiled(name, sources) for name, sources in EXTENSIONS.items()]
        except (Exception, SystemExit) as error:  # whatever a compiler or its absence raises
            if wanted in ("on", "1", "yes"):
                raise
            self.app.display_warning(f"The compiled halves are left out, everything works without: {error}")
            return
        build_data["artifacts"] += [path.as_posix() for path in built]
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def _compiled(self, name: str, sources: tuple[str, ...]) -> Path:
        """Compile one extension; return where it is, relative to the project."""
        extension = Extension(
            f"treemill.native.{name}",
            [str(HOME / source) for source in sources],
            depends=[str(header) for header in HOME.glob("*.h")],
            extra_compile_args=[] if os.name == "nt" else ["-std=c11", "-O3"],
            py_limited_api=True,
        )
        command = Distribution({"name": "treemill", "ext_modules": [extension]}).get_command_obj("build_ext")
        command.build_lib = "src"
        command.build_temp = str(Path("build", "native"))
        command.ensure_finalized()
        command.run()
        return HOME / Path(command.get_ext_filename(extension.name)).name
