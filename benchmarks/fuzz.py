"""Bytes from strangers, guided by coverage: chunking, ignore rules, settings, questions, exports.

    pip install atheris                            # CPython on Linux
    python -m benchmarks.fuzz                      every target, ten minutes each
    python -m benchmarks.fuzz --seconds 60 chunking questions

Each target runs in a process of its own until its time is over or something is found: an exception that is none of
those that the function promises, a broken promise, an input that takes more than ten seconds or 2 GB. What was found
is kept as a file, whose name is printed. The exit code is 1 where anything was.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

from benchmarks.results import Check, Run, Table, publish

with atheris.instrument_imports(include=["treemill"]):
    from treemill.chunking import chunk
    from treemill.chunking.governor import ChunkGovernor
    from treemill.configuration import load_settings
    from treemill.errors import ChunkingError, TreemillError, UsageError
    from treemill.glance import NAME, checksum, context_of, glance
    from treemill.ignoring import Rules
    from treemill.indexing import index_tree
    from treemill.languages import LANGUAGES
    from treemill.places import Place
    from treemill.ranking.asking import path_asked
    from treemill.ranking.occurrences import TextToIndex
    from treemill.ranking.plain_pass import PlainPass
    from treemill.ranking.postings import pack, plain, unpack
    from treemill.ranking.question import analyse
    from treemill.ranking.word_pass import WordPass
    from treemill.reading import source_of
    from treemill.searching import Index
    from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
    from treemill.siblings import cache_folder, indexes_alike
    from treemill.storage.exported import ExportReader
    from treemill.storage.memory import MemoryStore
    from treemill.storage.packed import check_content, text_of, unpack_content
    from treemill.storage.sqlite import SqliteStore
    from treemill.transfer import export_index

_SECONDS_AN_INPUT = 10
_MEGABYTES = 2_000
_MOST_BYTES = 8_192

_NAMES = tuple(LANGUAGES)
_GOVERNOR = ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=200))
_INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
_PATHS = (b"a", b"a/", b"src/deep/er/file.py", b"\xff\xfe", b"[x]", b"a" * 300)


def chunking(data: bytes) -> None:
    """Whatever is cut is cut without gap or overlap, or fails with an error that is a chunker's."""
    if len(data) < 2:
        return
    source = source_of(data[2:], _NAMES[int.from_bytes(data[:2]) % len(_NAMES)])
    if source is None:
        return
    with suppress(ChunkingError):
        ends = chunk(source, _GOVERNOR).ends
        assert list(ends) == sorted(set(ends)), "ends out of order"
        assert not ends or ends[-1] == len(source.data), "the file is not tiled"


def ignoring(data: bytes) -> None:
    """Any file is rules, and any path gets an answer."""
    rules = Rules(data.split(b"\n"), "fuzz", skip=0)
    for path in _PATHS:
        number = rules.ask(path)
        if number is not None:
            assert str(rules.verdict(number))


def settings(data: bytes) -> None:
    """A settings file is taken, or is an error of ours."""
    root = Path(tempfile.gettempdir(), "treemill-fuzz-settings")
    root.mkdir(exist_ok=True)
    (root / "treemill.toml").write_bytes(data)
    with suppress(TreemillError):
        load_settings(root)


def _tree() -> Path:
    root = Path(tempfile.mkdtemp(prefix="treemill-fuzz-"))
    (root / "cart.py").write_text("class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n")
    (root / "notes.md").write_text("# How carts are charged\n\nAll at once.\n")
    return root


def _exported() -> bytes:
    """Return an export of a small tree: what a fuzzer would not come upon by itself."""
    place = Place(_tree(), "")
    with SqliteStore(place.folder, create=True) as store:
        index_tree(place.root, store, _INLINE)
    export_index(place, place.root / "export")
    return (place.root / "export").read_bytes()


def _asked() -> Index:
    root = _tree()
    store = MemoryStore()
    index_tree(root, store, _INLINE)
    return Index(store)


def questions(data: bytes, handle: list[Index] = []) -> None:  # noqa: B006 - made once, when first asked
    """Any text is a question; as an expression or a place it is answered or refused."""
    if not handle:
        handle.append(_asked())
    text = data.decode("utf-8", "surrogateescape")
    analyse(text)
    path_asked(text)
    for mode in ("ask", "symbol", "regex", "related"):
        with suppress(UsageError):
            handle[0].search(text, mode=mode)


def exports(data: bytes) -> None:
    """A content that was packed by anybody fits itself, or is refused; an export likewise."""
    with suppress(ValueError):
        content = unpack_content(data)
        check_content(content, dimension=0)
        text_of(content)
    path = Path(tempfile.gettempdir(), "treemill-fuzz.export")
    path.write_bytes(data)
    with suppress(TreemillError), ExportReader(path) as reader:
        list(reader.contents())


def words(data: bytes) -> None:
    """The two halves of the word pass find the same in any text, and what they found is packed, and unpacked again.

    The first bytes say where chunks end; anything else taken for packed postings is refused or is some.
    """
    count = data[0] % 8 if data else 0
    text = data[1 + 2 * count :]
    told = {int.from_bytes(data[1 + 2 * n : 3 + 2 * n]) for n in range(count)}
    ends = sorted({end % (len(text) + 1) for end in told} - {0, len(text)}) + [len(text)] * bool(text)
    names = [(n, text[:20].decode("latin-1")) for n in range(0, len(ends), 2)]
    files = [TextToIndex(text, ends, names), TextToIndex(text[::-1], ends, ())]
    (one, _), (other, _) = WordPass().read(files), PlainPass().read(files)
    for ours, theirs in zip(one, other, strict=True):
        assert plain(ours.postings) == plain(theirs.postings), "the halves find other words"
        assert ours.lengths.tolist() == theirs.lengths.tolist(), "the halves count other words"
        assert ours.spellings == theirs.spellings, "the halves spell other words"
        assert plain(unpack(pack(ours.postings), len(ends))) == plain(ours.postings), "packing loses something"
    with suppress(ValueError):
        unpack(data, 5)


def notes(data: bytes) -> None:
    """Whatever stands in the notes that are kept beside indexes, they are obeyed or passed over."""
    place = Path(tempfile.gettempdir(), "treemill-fuzz-notes")
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    (cache_folder() / "roots.json").parent.mkdir(parents=True, exist_ok=True)
    (cache_folder() / "roots.json").write_bytes(data)
    indexes_alike(place)
    bodies = [data, zlib.compress(data, 1)]
    head, _, paths = data.partition(b"\n")
    with suppress(ValueError, TypeError):
        said = {**json.loads(head), "context": context_of(place, _INLINE.discovery), "generation": 1}
        bodies.append(zlib.compress(json.dumps(said).encode() + b"\n" + paths, 1))
    for body in bodies:
        (place / NAME).write_bytes(checksum(body) + body)
        glance(place, _INLINE.discovery, place, 1)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (chunking, ignoring, settings, questions, exports, words, notes)
}
SEEDS: dict[str, tuple[bytes, ...]] = {
    "chunking": (b"\0\0def f(a):\n    return a\n", b"\0\x05{ int x; }\n// end\n" * 20),
    "ignoring": (b"*.py\n!/a/**/b\n# c\n\\#d\n[a-z]?/\n",),
    "settings": (
        b"[chunker]\nmax_chunk_bytes = 900\n[discovery]\nhidden = true\n",
        b'[[chunker.languages]]\nname="x"\n',
    ),
    "questions": (b"how is add_item called", b"Cart.add_item", b"cart.py:2", rb"\badd_\w+\(.*\)"),
    "exports": (b"\2\0\0\0[]",),
    "words": (
        b"\2\0\10\0\20def getHTTPResponse_code(self): return 'gr\xc3\xb6\xc3\x9fe', x2y \xff\n",
        b"\0" + b"word " * 90,
    ),
    "notes": (
        b'{"/r": ["/r/.treemill", "005218b9", "1260fc5e/"]}',
        b'{"context": "", "generation": 1, "known": 1, "links": {}, "stamps": ""}\na\0b',
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets one after another, print what came of it, and return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description="Feed strangers' bytes.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=600, help="how long each (default: 600)")
    parser.add_argument("--keep", type=Path, default=Path("fuzz"), help="where inputs are kept (default: fuzz)")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    rows = [_fuzz(name, given.seconds, given.keep / name) for name in given.targets or TARGETS]
    found = sum(bool(row[-1]) for row in rows)
    columns = ("target", "seconds", "inputs", "features reached", "found")
    publish(
        Run(
            "fuzz", (Table("Bytes from strangers", columns, tuple(rows)),), (Check("findings", found, "0", not found),)
        ),
        write=given.write,
    )
    return 1 if found else 0


def _fuzz(name: str, seconds: int, folder: Path) -> tuple[str | int, ...]:
    """Run one target in a process of its own; the last column names the input that it stumbled over, if any."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = (*SEEDS[name], _exported()) if name == "exports" else SEEDS[name]
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    options = (
        f"-max_total_time={seconds}",
        f"-timeout={_SECONDS_AN_INPUT}",
        f"-rss_limit_mb={_MEGABYTES}",
        f"-max_len={_MOST_BYTES}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    )
    command = [sys.executable, "-c", f"from benchmarks.fuzz import child; child({name!r})", *options, str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    inputs = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    features = re.findall(r"\bft: (\d+)", done.stderr)
    wrong = re.search(r"Test unit written to (\S+)", done.stderr)
    if wrong or done.returncode:
        print(done.stderr[-6_000:], file=sys.stderr)
    what = wrong[1] if wrong else f"exit code {done.returncode}" if done.returncode else ""
    return name, seconds, int(inputs[1]) if inputs else 0, int(features[-1]) if features else 0, what


def child(name: str) -> None:
    """Fuzz one target with the options of libFuzzer that stand on the command line; does not return."""
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
