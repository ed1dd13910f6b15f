"""Which folders evidently hold what tools generated: build results, caches, installed packages.

Rules of thumb, weaker than everything that a person wrote: an ignore file or a setting brings any of them back. A name
that people also give to folders of their own (`build`, `bin`) needs evidence beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from fnmatch import fnmatchcase

# Folders that tools generate, by name: None where the name alone tells, else the names (patterns) of which one must
# stand beside the folder. `vendor` is not here: what is in it was written by people, and is searched.
GENERATED: dict[str, tuple[str, ...] | None] = {
    "node_modules": None,
    "bower_components": None,
    "jspm_packages": None,
    "__pycache__": None,
    "__pypackages__": None,
    "htmlcov": None,
    "elm-stuff": None,
    "dist-newstyle": None,
    "zig-out": None,
    "zig-cache": None,
    "DerivedData": None,
    ".bundle": None,
    ".dart_tool": None,
    ".eggs": None,
    ".gradle": None,
    ".hg": None,
    ".mypy_cache": None,
    ".next": None,
    ".nox": None,
    ".nuxt": None,
    ".parcel-cache": None,
    ".pytest_cache": None,
    ".ruff_cache": None,
    ".stack-work": None,
    ".svelte-kit": None,
    ".svn": None,
    ".terraform": None,
    ".tox": None,
    ".venv": None,
    ".zig-cache": None,
    "target": ("Cargo.toml", "pom.xml", "build.sbt", "project.clj"),
    "dist": ("package.json", "setup.py", "pyproject.toml", "*.cabal"),
    "build": ("build.gradle", "build.gradle.kts", "pubspec.yaml"),
    "_build": ("mix.exs", "dune-project", "rebar.config", "conf.py"),
    "deps": ("mix.exs",),
    "bin": ("*.csproj", "*.fsproj", "*.vbproj"),
    "obj": ("*.csproj", "*.fsproj", "*.vbproj"),
    "Pods": ("Podfile",),
}

# A folder with one of these in it was generated, whatever its name: a virtual environment, a cache that says so, the
# work folders of CMake and ninja, a Python build.
GENERATED_INSIDE = frozenset({"pyvenv.cfg", "CACHEDIR.TAG", "CMakeCache.txt", ".ninja_log", "bdist.linux-x86_64"})

GENERATED_SUFFIX = ".egg-info"


def generated_by_name(name: str, beside: Iterable[str]) -> str | None:
    """Return what shows that a folder of this name was generated, or None."""
    if name.endswith(GENERATED_SUFFIX):
        return "a folder of that name holds generated files"
    if name not in GENERATED:
        return None
    wanted = GENERATED[name]
    if wanted is None:
        return "a folder of that name holds generated files"
    proof = next((other for other in beside for pattern in wanted if fnmatchcase(other, pattern)), None)
    return None if proof is None else f"a folder of that name beside {proof} holds generated files"


def generated_by_content(names: Set[str]) -> str | None:
    """Return what in a folder, given the names in it, shows that it was generated, or None."""
    return None if GENERATED_INSIDE.isdisjoint(names) else min(GENERATED_INSIDE & names)
