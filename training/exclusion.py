"""What must not teach the encoder: the repositories that judge it, however they are packaged.

The list holds `owner/name` lines. A package is left out by its name (`rust-tokio`, `ruby-sinatra`, `redis`), or when an
address in its metadata is one of the repositories; a file is left out when a folder on its path carries such a name
(a vendored copy) or, outside Go, whose imports are addresses, when its first lines name such an address. Rather
too much is left out than too little: a folder called `json` goes, whoever wrote it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

# Names under which the listed repositories' code is shipped elsewhere, where the repository's own name does not tell.
_ALSO_KNOWN: dict[str, tuple[str, ...]] = {
    "apache/commons-lang": ("lang3", "libcommons-lang3-java", "libcommons-lang-java", "commons-lang3"),
    "google/gson": ("libgoogle-gson-java",),
    "nlohmann/json": ("nlohmann", "nlohmann-json3"),
    "rails/rails": (
        "activerecord", "activesupport", "actionpack", "actionview", "actionmailer", "activejob", "activemodel",
        "actioncable", "railties",
    ),
    "laravel/framework": ("laravel", "illuminate", "php-laravel-framework"),
    "guzzle/guzzle": ("guzzlehttp",),
    "libuv/libuv": ("libuv1", "uv"),
    "Kotlin/kotlinx.coroutines": ("kotlinx-coroutines", "coroutines"),
    "JamesNK/Newtonsoft.Json": ("newtonsoft-json", "json-net"),
    "scikit-learn/scikit-learn": ("sklearn",),
    "nvim-telescope/telescope.nvim": ("telescope",),
    "echasnovski/mini.nvim": ("mini",),
    "FasterXML/jackson-databind": ("databind",),
    "abseil/abseil-cpp": ("abseil", "absl"),
    "ziglang/zig": ("ziglang",),
}  # fmt: skip

_DISTRIBUTION_PREFIX = re.compile(
    r"^(golang-(github|golang|google|gopkg)?-?|rust-|haskell-|ruby-|php-|node-|python-|python3-|lua-|elixir-|ocaml-|lib)"
)


def _normal(name: str) -> str:
    return re.sub(r"[-_. ]+", "-", name.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The list, read: `names` of packages and folders, `address` matching any of the repositories, and its digest."""

    names: frozenset[str]
    address: re.Pattern[str]
    digest: str

    def leaves_out_package(self, name: str, addresses: str) -> bool:
        """Tell whether a package is one of the repositories, by its name or by the addresses in its metadata."""
        normal = _normal(name.split("/")[-1])
        bare = _normal(_DISTRIBUTION_PREFIX.sub("", normal))
        candidates = {
            normal,
            bare,
            bare.removesuffix("-java"),
            bare.split("-", 1)[-1] if normal.startswith("golang-") else bare,
        }
        return bool(candidates & self.names) or bool(self.address.search(addresses))

    def leaves_out_file(self, path: str, opening: str, language: str | None) -> bool:
        """Tell whether a file of a package is a vendored copy, by the names on its path or an address at its top."""
        parts = path.split("/")
        return any(_normal(part) in self.names for part in parts[:-1]) or (
            language != "go" and bool(self.address.search(opening))
        )


def read_exclusion(path: Path) -> Exclusion:
    """Read a list of `owner/name` lines; `#` opens a comment."""
    data = path.read_bytes()
    repositories = [line.strip() for line in data.decode().splitlines() if line.strip() and not line.startswith("#")]
    names = {_normal(repository.split("/")[1]) for repository in repositories}
    names |= {_normal(repository.replace("/", "-")) for repository in repositories}
    for repository in repositories:
        names.update(_ALSO_KNOWN.get(repository, ()))
    addresses = "|".join(re.escape(repository) for repository in repositories)
    pattern = re.compile(rf"git(?:hub|lab)\.com[/:](?:{addresses})(?![\w-])", re.IGNORECASE)
    return Exclusion(frozenset(names), pattern, hashlib.sha256(data).hexdigest())
