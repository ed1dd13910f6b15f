"""Makes the source trees that benchmarks run on, from the package registries, the same everywhere.

    python -m benchmarks.corpora NAME [--into FOLDER]

A corpus is a folder with one folder a package, unpacked from archives whose versions and digests stand in
`packages.toml`; `monorepo` and `pathological` are made from rules instead (`generated.py`). Archives come through pip
and npm, which know the machine's registries. A corpus that exists is not made again.

Corpora live in `benchmarks/corpora/`, or in the folder that TREEMILL_BENCH_CORPORA names. Beside each stands
`NAME.json`, its facts: files, bytes, and both by suffix.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks import generated

PACKAGES = Path(__file__).with_name("packages.toml")

# What packages carry and source trees do not: source maps, compiled code, archives, golden output in bulk.
GENERATED = ("*.map", "*.output", "*.jsbundle", "*.bundle")
COMPILED = ("*.cmt", "*.cmti", "*.cmi", "*.node", "*.dll", "*.exe", "*.darwin", "*.linux", "*.win32", "*.jar", "*.aar")
NOT_SOURCE = (*GENERATED, *COMPILED, "*.tbz")


class CorpusError(Exception):
    """A corpus cannot be made; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Package:
    """A published archive: `registry` is "pypi" (its source distribution) or "npm"; `leave_out` are glob patterns."""

    registry: str
    name: str
    version: str
    sha256: str
    corpora: tuple[str, ...]
    leave_out: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name of the folder that the package is unpacked into."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}".lower()


def packages(corpus: str) -> list[Package]:
    """Return the packages that a corpus is made of, in the order of the table."""
    table = tomllib.loads(PACKAGES.read_text("utf-8"))["package"]
    return [each for each in map(_package, table) if corpus in each.corpora]


def _package(entry: dict[str, Any]) -> Package:
    lists = {key: tuple(entry.get(key, ())) for key in ("corpora", "leave_out")}
    return Package(**{**entry, **lists})


def home() -> Path:
    """Return the folder that holds the corpora."""
    given = os.environ.get("TREEMILL_BENCH_CORPORA")
    return Path(given) if given else Path(__file__).with_name("corpora")


def corpus(name: str, *, into: Path | None = None) -> Path:
    """Return the folder of a corpus, making it where it does not exist yet.

    Raises:
        CorpusError: the name is unknown, an archive cannot be fetched, or it is not the one that is pinned.
    """
    if name not in MAKERS:
        raise CorpusError(f"there is no corpus {name!r}; there are: {', '.join(MAKERS)}")
    base = into or home()
    root = base / name
    if not (base / f"{name}.json").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        MAKERS[name](root, base)
        (base / f"{name}.json").write_text(json.dumps(facts(root), indent=1) + "\n", "utf-8")
    return root


def facts(root: Path) -> dict[str, Any]:
    """Count a tree's files and bytes, in all and by suffix (most bytes first)."""
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for path in walk(root):
        suffix = path.suffix.lower()
        files[suffix] += 1
        sizes[suffix] += path.stat().st_size
    by_suffix = {suffix: {"files": files[suffix], "bytes": size} for suffix, size in sizes.most_common()}
    return {"files": files.total(), "bytes": sizes.total(), "by_suffix": by_suffix}


def walk(root: Path) -> Iterator[Path]:
    """Yield the regular files below a folder, sorted within each folder."""
    for folder, below, names in os.walk(root):
        below.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _make_from_packages(root: Path, base: Path) -> None:
    archives = base / "archives"
    archives.mkdir(exist_ok=True)
    for package in packages(root.name):
        print(f"{package.name} {package.version}", file=sys.stderr)
        _unpack(_archive(package, archives), root / package.folder, NOT_SOURCE + package.leave_out)


def _make_monorepo(root: Path, base: Path) -> None:
    generated.monorepo(root, list(walk(corpus("languages", into=base))), base / "languages")


def _make_pathological(root: Path, base: Path) -> None:
    generated.pathological(root)


MAKERS: dict[str, Callable[[Path, Path], None]] = {
    "small": _make_from_packages,
    "django": _make_from_packages,
    "languages": _make_from_packages,
    "monorepo": _make_monorepo,
    "pathological": _make_pathological,
}


def _archive(package: Package, archives: Path) -> Path:
    """Return the package's archive, fetched through its registry's own client unless it is there already."""
    kept = archives / f"{package.registry}-{package.folder}.tar.gz"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=archives) as folder:
            shutil.move(_fetch(package, Path(folder)), kept)
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()
    if digest != package.sha256:
        kept.unlink()
        raise CorpusError(f"{package.name} {package.version}: the registry's archive is {digest}, not {package.sha256}")
    return kept


def _fetch(package: Package, into: Path) -> Path:
    if package.registry == "pypi":
        # pip asks the package for its metadata before it saves a source distribution, which is what takes the time.
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command = [*pip, "--no-deps", "--no-binary", ":all:", f"{package.name}=={package.version}"]
    else:
        command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise CorpusError(f"{command[0]} is needed to fetch {package.name}: {error}") from error
    fetched = [path for path in into.iterdir() if path.name.endswith((".tgz", ".tar.gz"))]
    if done.returncode or len(fetched) != 1:
        raise CorpusError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return fetched[0]


def _unpack(archive: Path, into: Path, leave_out: tuple[str, ...]) -> None:
    """Lay out an archive's regular files below `into`, without the folder that it wraps them in."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isreg() and not any(fnmatch(str(name), pattern) for pattern in leave_out):
                tar.extract(member.replace(name=str(name), mode=0o644, deep=False), into, filter="data")


def main(arguments: list[str] | None = None) -> int:
    """Make a corpus and print where it is and what it holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpora", description="Make a benchmark corpus.")
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("--into", type=Path, help="the folder that holds the corpora")
    parser.add_argument("--top", type=int, default=20, help="how many suffixes to list")
    given = parser.parse_args(arguments)
    try:
        root = corpus(given.name, into=given.into)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    found = json.loads(root.with_name(f"{given.name}.json").read_text("utf-8"))
    print(f"{root}: {found['files']:,} files, {found['bytes'] / 1e6:.1f} MB")
    for suffix, counted in list(found["by_suffix"].items())[: given.top]:
        print(f"  {suffix or '(none)':12} {counted['files']:7,} files {counted['bytes'] / 1e6:8.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
