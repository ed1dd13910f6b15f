"""Builds the compiled halves of hot paths into the wheel; what cannot be built, the wheel does without.

`TREEMILL_NATIVE=off` leaves them out, `TREEMILL_NATIVE=on` fails instead of doing without. The extensions keep to the
stable interface of CPython 3.11, so that one wheel a platform serves all later versions.

`_trees` takes tree-sitter's runtime in, which its Python package hides. Its source is in that package's source
distribution, of a version and with a digest that stand here: pip fetches it from wherever it is set up to look. A
folder or an archive with that source, named in `TREEMILL_TREE_SITTER_SOURCE`, serves where there is no index to ask.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension

# What needs nothing but its own sources.
PLAIN = {
    "_words": ("words.c",),
    "_building": ("building.c", "symbols.c"),
    "_vectors": ("vectors.c",),
    "_packing": ("packing.c", "squeezing.c"),
    "_spellings": ("spellings.c", "tables.c", "tokens.c"),
    "_layout": ("layout.c",),
    "_files": ("files.c", "digesting.c", "slots.c"),
    "_listing": ("listing.c", "walking.c", "telling.c", "slots.c"),
    "_sums": ("sums.c", "filerows.c", "recorded.c"),
    "_passing": ("tables.c", "tokens.c", "splitting.c", "reading.c", "learning.c", "counting.c", "dealing.c"),
}
HOME = Path("src", "treemill", "native")
SCRATCH = Path("build", "native")

RUNTIME = "tree-sitter"
RUNTIME_VERSION = "0.26.1"
RUNTIME_SHA256 = "9919cbaf02d17fa9a4cd0e6da496aecf901b758e6eacf122eee393e3ef08aacd"
SOURCE_SWITCH = "TREEMILL_TREE_SITTER_SOURCE"

# Where the runtime may be in a folder: as Python's package has it, and as its own repository has it.
_LIBRARIES = ("tree_sitter/core/lib", "core/lib", "lib", ".")
_LICENSES = ("LICENSE", "tree_sitter/core/LICENSE")
_FETCH_SECONDS = 300


class Native(NamedTuple):
    """What an extension is made of: sources and headers below HOME, and what else the compiler is told."""

    sources: tuple[str, ...]
    headers: tuple[str, ...] = ()
    more: Mapping[str, Any] = MappingProxyType({})
    licenses: tuple[Path, ...] = ()


class NativeHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles each extension beside its source, and takes it into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        wanted = os.environ.get("TREEMILL_NATIVE", "").lower()
        if self.target_name != "wheel" or wanted in ("off", "0", "no"):
            return
        build_data["artifacts"].append(_noted_sources().as_posix())
        for name in (*PLAIN, "_trees"):
            try:
                built = _compiled(name, _plain(PLAIN[name]) if name in PLAIN else _trees())
            except (Exception, SystemExit) as error:  # whatever a compiler, pip or their absence raises
                if wanted in ("on", "1", "yes"):
                    raise
                _place_of(name).unlink(missing_ok=True)
                self.app.display_warning(f"{name} is left out, everything works without: {error}")
                continue
            build_data["artifacts"] += [path.as_posix() for path in built]
            build_data["pure_python"] = False
            # The headers of some versions give the stable interface what older interpreters do not have: a wheel is for
            # the one that builds it and newer ones.
            python, platform = f"cp{sys.version_info.major}{sys.version_info.minor}", sysconfig.get_platform()
            build_data["tag"] = f"{python}-abi3-{platform.replace('-', '_').replace('.', '_')}"


def _noted_sources() -> Path:
    """Note what the extensions are built from, for the check in `treemill.native`; return where."""
    found = importlib.util.spec_from_file_location("native", HOME / "__init__.py")
    assert found is not None
    assert found.loader is not None
    native = importlib.util.module_from_spec(found)
    found.loader.exec_module(native)
    note = HOME / native.BUILT_FROM
    note.write_text(native.sources_digest(str(HOME)), encoding="ascii")
    return note


def _plain(sources: tuple[str, ...]) -> Native:
    headers = tuple(sorted(path.name for path in HOME.glob("*.h")))
    return Native(sources, headers, {"extra_compile_args": [] if sys.platform == "win32" else ["-std=c11", "-O3"]})


def _trees() -> Native:
    """Describe the extension that has tree-sitter's runtime in it.

    Raises:
        RuntimeError: the source of the runtime is not to be had, or is not what was asked for.
    """
    folder = _runtime()
    library = next((folder / each for each in _LIBRARIES if (folder / each / "src" / "lib.c").is_file()), None)
    if library is None:
        raise RuntimeError(f"{folder} holds no source of tree-sitter's runtime: there is no src/lib.c")
    licenses = [path for each in _LICENSES if (path := folder / each).is_file()][:1]
    unicode = library / "src" / "unicode" / "LICENSE"
    if sys.platform == "win32":
        flags = ["/std:c11", "/O2"]
    else:
        flags = ["-std=c11", "-O3", "-fvisibility=hidden", "-g0"]
    if platform.machine().startswith("aarch64") and sys.platform != "win32":
        flags.append("--param=early-inlining-insns=9")  # as tree-sitter's own package does, for a fault of GCC's
    return Native(
        tuple(sorted(path.relative_to(HOME).as_posix() for path in (HOME / "trees").glob("*.c"))),
        tuple(sorted(path.relative_to(HOME).as_posix() for path in (HOME / "trees").glob("*.h"))),
        {
            "runtime": str(library / "src" / "lib.c"),
            "include_dirs": [str(library / "include"), str(library / "src")],
            "define_macros": [("_DEFAULT_SOURCE", None), ("_POSIX_C_SOURCE", "200809L"), ("NDEBUG", None)],
            "undef_macros": ["TREE_SITTER_FEATURE_WASM"],
            "extra_compile_args": flags,
        },
        (*licenses, *([unicode] if unicode.is_file() else [])),
    )


def _compiled(name: str, native: Native) -> list[Path]:
    """Compile one extension; return what the wheel takes in for it, relative to the project."""
    more = dict(native.more)
    runtime = [more.pop("runtime")] if "runtime" in more else []
    extension = Extension(
        f"treemill.native.{name}",
        [str(HOME / source) for source in native.sources] + runtime,
        depends=[str(HOME / header) for header in native.headers],
        py_limited_api=True,
        **more,
    )
    command = Distribution({"name": "treemill", "ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib = "src"
    command.build_temp = str(SCRATCH)
    command.ensure_finalized()
    command.run()
    built = [HOME / Path(command.get_ext_filename(extension.name)).name]
    if native.licenses:
        license_file = HOME / f"LICENSE.{RUNTIME}"
        license_file.write_text("\n\n".join(path.read_text(encoding="utf-8") for path in native.licenses))
        built.append(license_file)
    return built


def _place_of(name: str) -> Path:
    """Return where an extension is when it is built."""
    suffix = ".pyd" if sys.platform == "win32" else ".abi3.so"
    return HOME / f"{name}{suffix}"


def _runtime() -> Path:
    """Return the folder that holds the source of the runtime, fetching it where it is not there yet.

    Raises:
        RuntimeError: it is not to be had, or is not what was asked for.
    """
    given = os.environ.get(SOURCE_SWITCH)
    if given and Path(given).is_dir():
        return Path(given)
    kept = SCRATCH / f"{RUNTIME}-{RUNTIME_VERSION}"
    if given:
        kept = SCRATCH / f"{RUNTIME}-given"
        _unpack(Path(given), kept)
    elif not (kept / "LICENSE").is_file():  # which is unpacked last
        with tempfile.TemporaryDirectory() as scratch:
            _unpack(_fetched(Path(scratch)), kept)
    return kept


def _fetched(scratch: Path) -> Path:
    """Have pip fetch the source distribution into an empty folder; return the archive.

    pip is told the digest, and holds the archive against it before it looks into it.

    Raises:
        RuntimeError: pip cannot.
    """
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{RUNTIME}=={RUNTIME_VERSION} --hash=sha256:{RUNTIME_SHA256}\n")
    options = ("--no-deps", "--no-binary=:all:", "--no-build-isolation", "--require-hashes", "--retries=1")
    command = [sys.executable, "-m", "pip", "download", "-q", *options, "-r", str(wanted), "-d", str(scratch)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_FETCH_SECONDS
    )
    archives = list(scratch.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(
            f"pip cannot fetch the source of {RUNTIME} {RUNTIME_VERSION} ({said[-1] if said else 'without a word'}). "
            f"Set {SOURCE_SWITCH} to a folder or an archive that holds it"
        )
    digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
    if digest != RUNTIME_SHA256:
        raise RuntimeError(f"{archives[0].name} is not what was asked for: its SHA-256 is {digest}")
    return archives[0]


def _unpack(archive: Path, target: Path) -> None:
    """Take the runtime's source and licences out of an archive; nothing in it says where they go.

    Raises:
        RuntimeError: it is no archive.
    """
    try:
        with tarfile.open(archive) as opened:
            members = [each for each in opened if each.isfile()]
            members.sort(key=lambda each: each.name.endswith("LICENSE"))
            for member in members:
                parts = PurePosixPath(member.name).parts[1:]
                inside = "/".join(parts)
                if ".." in parts or not (
                    inside.endswith("LICENSE") or "lib/src/" in inside or "lib/include/" in inside
                ):
                    continue
                content = opened.extractfile(member)
                if content is not None:
                    place = target.joinpath(*parts)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content.read())
    except (OSError, tarfile.TarError) as error:
        raise RuntimeError(f"{archive} cannot be unpacked: {error}") from error
