"""Package registries, each through its own client: what a download holds, and what its metadata says of it.

`Client.fetch` runs `pip download`, `npm pack` or `apt-get source --download-only` for one package, reads the archive
without unpacking it to disk, and deletes it. Nothing is installed and no package's code runs.
"""

from __future__ import annotations

import email
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from treemill.languages import language_of_name  # noqa: E402

# Languages whose definitions `extract.py` knows.
TAUGHT = frozenset(
    (
        "python javascript typescript tsx go rust java c cpp csharp ruby php scala kotlin haskell lua elixir swift"
        " ocaml bash"
    ).split()
)

# A file outside these sizes is data, generated, or an empty shell. A package's share is bounded so that none dominates.
SMALLEST, LARGEST = 150, 300_000
MOST_BYTES_OF_A_PACKAGE = 5_000_000

# Where Debian's binary packages put what is source and program at once.
_INSTALLED = re.compile(
    r"usr/(?:share/(?:cargo/registry|gocode/src|nodejs|php|ruby|lua|scala|java|rubygems-integration/[^/]+/gems)"
    r"|lib/(?:ruby/vendor_ruby|python3/dist-packages|ocaml|prosody))/"
)
_LICENCE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|unlicense|copyright)[^/]*$", re.IGNORECASE)
DOCUMENT = re.compile(r"(readme|changelog|changes|history|news|releases?)[^/]*$|\.(md|rst|markdown)$", re.IGNORECASE)


# Images for containers often forbid apt its caches, and reading the lists anew costs most of a small download's time.
_CACHES = ["-o", "Dir::Cache::pkgcache=pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=srcpkgcache.bin"]
_APT_GET = ["apt-get", *_CACHES]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package to try: its registry, its name there, the language it is listed under, its pinned version."""

    registry: str
    name: str
    group: str
    version: str | None

    @property
    def key(self) -> str:
        return f"{self.registry}:{self.name}"


@dataclass(slots=True)
class Unpacked:
    """What a download held: text files by path, licence texts, and what its metadata says.

    `whole_only`: the paths are not those of debian/copyright, so every part it names has to be allowed.
    """

    version: str
    files: dict[str, bytes] = field(default_factory=dict)
    licence_texts: list[str] = field(default_factory=list)
    licence: str = ""
    addresses: str = ""
    copyright: str = ""
    whole_only: bool = False


class Refused(Exception):
    """The package is not taken; the message says why."""


class Client:
    """The three registries' own clients, each called for one package at a time, in a folder of its own."""

    def __init__(self, work: Path, lane: int = 0) -> None:
        self._downloads = work / "downloads" / str(lane)
        self._apt = work / "apt"
        self._apt_environment: dict[str, str] | None = None

    def fetch(self, candidate: Candidate) -> Unpacked:
        """Download and unpack one package.

        Raises:
            Refused: the client cannot have it.
        """
        shutil.rmtree(self._downloads, ignore_errors=True)
        self._downloads.mkdir(parents=True)
        try:
            return {"pypi": self._pypi, "npm": self._npm, "debian": self._debian}[candidate.registry](candidate)
        finally:
            shutil.rmtree(self._downloads, ignore_errors=True)

    def _run(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        done = subprocess.run(
            command, cwd=self._downloads, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        if done.returncode:
            raise Refused(
                f"not to be had: {done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else command}"
            )

    def _pypi(self, candidate: Candidate) -> Unpacked:
        wanted = candidate.name + (f"=={candidate.version}" if candidate.version else "")
        flags = ["--no-deps", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
        self._run([sys.executable, "-m", "pip", "download", *flags, wanted])
        unpacked = Unpacked("")
        with zipfile.ZipFile(next(self._downloads.glob("*.whl"))) as wheel:
            for info in wheel.infolist():
                if info.file_size > LARGEST:
                    continue
                if re.search(r"\.dist-info/METADATA$", info.filename):
                    _read_wheel_metadata(wheel.read(info).decode("utf-8", "replace"), unpacked)
                else:
                    _take(unpacked, info.filename, lambda info=info: wheel.read(info), ".dist-info/" in info.filename)  # type: ignore[misc]
        return unpacked

    def _npm(self, candidate: Candidate) -> Unpacked:
        wanted = candidate.name + (f"@{candidate.version}" if candidate.version else "")
        self._run(["npm", "pack", "--silent", "--ignore-scripts", wanted])
        unpacked = Unpacked("")
        for path, read in _members(next(self._downloads.glob("*.tgz"))):
            if path == "package.json":
                _read_package_json(json.loads(read()), unpacked)
            else:
                _take(unpacked, path, read)
        if any(path.endswith((".ts", ".tsx")) and not path.endswith(".d.ts") for path in unpacked.files):
            unpacked.files = {
                path: data for path, data in unpacked.files.items() if not re.match(r"(dist|lib|build|es)/.*js$", path)
            }
        return unpacked

    def _debian(self, candidate: Candidate) -> Unpacked:
        environment = self._apt_environment or self._prepare_apt()
        wanted = candidate.name + (f"={candidate.version}" if candidate.version else "")
        try:
            self._run([*_APT_GET, "source", "--download-only", "--only-source", "-q", wanted], environment)
        except Refused:
            return self._debian_binary(candidate, environment)
        description = next(self._downloads.glob("*.dsc")).read_text(errors="replace")
        version = re.search(r"^Version: (\S+)", description, re.MULTILINE)
        unpacked = Unpacked(version[1] if version else "", addresses=description)
        for archive in sorted(self._downloads.glob("*.tar.*")):
            if archive.suffix == ".asc":
                continue
            inside = _component(archive.name)
            for path, read in _members(archive, strip=".debian.tar" not in archive.name):
                if path == "debian/copyright":
                    unpacked.copyright = read().decode("utf-8", "replace")
                elif path in ("debian/watch", "debian/control"):
                    unpacked.addresses += _upstream_addresses(read().decode("utf-8", "replace"))
                elif not path.startswith("debian/"):
                    _take(unpacked, inside + path, read)
        unpacked.addresses += "\n".join(
            re.findall(r"^(?:Source|Upstream-Contact):.*", unpacked.copyright, re.MULTILINE)
        )
        return unpacked

    def _debian_binary(self, candidate: Candidate, environment: dict[str, str]) -> Unpacked:
        """Take the sources out of the binary package that carries them, as interpreted, Go and Rust ones do."""
        name = candidate.name
        if candidate.group == "python":
            name = f"python3-{name.removeprefix('python-')}"
        elif name.startswith("rust-"):
            name = f"lib{name}-dev"
        elif name.startswith("golang-"):
            name = f"{name}-dev"
        self._run([*_APT_GET, "download", "-q", name], environment)
        archive = next(self._downloads.glob("*.deb"))
        control = subprocess.run(["dpkg-deb", "--field", archive], capture_output=True, text=True, check=True).stdout
        version = re.search(r"^Version: (\S+)", control, re.MULTILINE)
        unpacked = Unpacked(version[1] if version else "", addresses=_upstream_addresses(control), whole_only=True)
        files = self._downloads / "files.tar"
        with open(files, "wb") as tar:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], stdout=tar, check=True)
        for path, read in _members(files, strip=False):
            if re.fullmatch(r"usr/share/doc/[^/]+/copyright", path):
                unpacked.copyright = read().decode("utf-8", "replace")
            elif match := _INSTALLED.match(path):
                _take(unpacked, path[match.end() :], read)
        unpacked.addresses += "\n".join(
            re.findall(r"^(?:Source|Upstream-Contact):.*", unpacked.copyright, re.MULTILINE)
        )
        return unpacked

    def prepare_apt(self) -> None:
        """Make the configuration and lists of apt-get that all clients of a folder share."""
        self._downloads.mkdir(parents=True, exist_ok=True)
        self._run(["apt-cache", *_CACHES, "stats"], self._prepare_apt())

    def _prepare_apt(self) -> dict[str, str]:
        """Give apt-get a configuration of its own that names only the sources of the running release."""
        release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
        for part in ("lists/partial", "cache/archives/partial"):
            (self._apt / part).mkdir(parents=True, exist_ok=True)
        mirror = f"{_archive_of(release['VERSION_CODENAME'])} {release['VERSION_CODENAME']} main\n"
        (self._apt / "sources.list").write_text(f"deb {mirror}deb-src {mirror}")
        settings = {
            "Dir::Etc::SourceList": self._apt / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": self._apt / "lists",
            "Dir::Cache": self._apt / "cache",
            "APT::Sandbox::User": "root",
        }
        (self._apt / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
        environment = self._apt_environment = {**os.environ, "APT_CONFIG": str(self._apt / "apt.conf")}
        if not any(self._apt.glob("lists/*Packages*")):
            self._run(["apt-get", "update", "-q"], environment)
        return environment


def _archive_of(codename: str) -> str:
    """Return where this machine's own apt has its release from.

    Raises:
        RuntimeError: it has it from nowhere.
    """
    wanted = ["Created-By: Packages", "Origin: Debian", f"Codename: {codename}"]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if not found:
        raise RuntimeError(f"apt-get knows no archive of {codename}: run apt-get update first")
    return found[0]


def _take(unpacked: Unpacked, path: str, read: Any, metadata: bool = False) -> None:
    """Keep a member if it is source, a document or a licence text."""
    if _LICENCE_FILE.search(path) and (metadata or path.count("/") <= 1):
        unpacked.licence_texts.append(read().decode("utf-8", "replace"))
    elif not metadata and (language_of_name(path) in TAUGHT or DOCUMENT.search(path)):
        unpacked.files[path] = read()


def _members(archive: Path, strip: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield (path, function that reads it) of an archive's regular files, the folder around them taken off."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = member.name.removeprefix("./")
                path = path.split("/", 1)[-1] if strip and "/" in path else path
                if member.isreg() and member.size <= LARGEST and ".." not in path and not path.startswith("/"):
                    yield path, lambda member=member: (tar.extractfile(member) or io.BytesIO()).read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused(f"not to be unpacked: {error}") from error


def _component(name: str) -> str:
    match = re.search(r"\.orig-([\w-]+)\.tar", name)
    return f"{match[1]}/" if match else ""


def _upstream_addresses(text: str) -> str:
    """Return the lines of debian/control or debian/watch that say where the upstream is."""
    lines = re.findall(r"^(?:Homepage:.*|\s*(?:opts=.*)?https?://.*|XS-Go-Import-Path:.*)$", text, re.MULTILINE)
    return "\n".join(lines).replace("Go-Import-Path: github.com", "https://github.com") + "\n"


def _read_wheel_metadata(text: str, unpacked: Unpacked) -> None:
    message = email.message_from_string(text)
    unpacked.version = message["Version"]
    classifiers = [
        value.split(" :: ")[-1] for value in message.get_all("Classifier", []) if value.startswith("License ::")
    ]
    stated = message.get("License-Expression") or " or ".join(classifiers) or (message.get("License") or "")[:100]
    unpacked.licence = str(stated).replace("OSI Approved", "").strip()
    unpacked.addresses = "\n".join([message.get("Home-page") or "", *message.get_all("Project-URL", [])])
    description = message.get_payload()
    if isinstance(description, str) and len(description) > SMALLEST:
        unpacked.files["README.md"] = description[:LARGEST].encode()


def _read_package_json(package: dict[str, Any], unpacked: Unpacked) -> None:
    unpacked.version = package["version"]
    licence = package.get("license") or package.get("licenses") or ""
    unpacked.licence = licence if isinstance(licence, str) else json.dumps(licence)
    unpacked.addresses = json.dumps([package.get("repository"), package.get("homepage")])
