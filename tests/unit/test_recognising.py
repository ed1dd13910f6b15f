"""Files whose contents are known need no worker, and files that are new cost nothing more."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Tree
from treemill.chunking.governor import ChunkGovernor
from treemill.events import Event, Worked
from treemill.flow import Done, InlineCrew, Limits
from treemill.indexing import index_tree
from treemill.languages import language_of_name
from treemill.native import compiled
from treemill.processing.recognising import KnownFirst
from treemill.reading import ReadFile, detect_encoding, read_file
from treemill.records import PreparedFile, Status
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.content_cache import ContentCache
from treemill.storage.memory import MemoryStore
from treemill.types import DiscoveredFile, Skipped, SkipReason
from treemill.work import Prepare, Prepared, content_key, read_ahead, recognise

WORKERS = 1
SETTINGS = Settings(
    chunker=ChunkerSettings(concurrency=ConcurrencySettings(max_parallel_files=WORKERS, executor="process"))
)
BY_THE_RUN = WORKERS

FILES = {f"old/f{i:03}.py": f"def function_{i}(): ...\n" for i in range(150)}


def workers_of(root: Path, store: MemoryStore, cache: ContentCache | None = None) -> set[int]:
    """Index a tree and return who did it: the numbers of workers, and `BY_THE_RUN`."""
    seen: list[Event] = []
    index_tree(root, store, SETTINGS, listener=seen.append, cache=cache)
    return {event.worker for event in seen if isinstance(event, Worked)}


def paths(store: MemoryStore) -> list[str]:
    with store.snapshot() as snapshot:
        return list(snapshot.files().paths)


def test_known_files_that_moved_start_no_worker(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    assert workers_of(root, store) == {0}
    (root / "old").rename(root / "new")
    assert workers_of(root, store) == {BY_THE_RUN}
    assert paths(store) == [path.replace("old", "new") for path in FILES]


def test_known_files_that_moved_load_nothing_that_computes_or_has_workers(tree: Tree) -> None:
    root = tree(FILES)
    program = (
        "import sys; from treemill.cli import run; code = run(sys.argv[1:]);"
        " print(code, *{'numpy', 'subprocess', 'treemill.flow.processes'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, "index", "--quiet", str(root)]
    subprocess.run(command, check=True, capture_output=True)
    (root / "old").rename(root / "new")
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0"]


def test_new_files_among_known_ones_go_to_the_workers(tree: Tree) -> None:
    root, store = tree(FILES), MemoryStore()
    workers_of(root, store)
    (root / "old").rename(root / "new")
    for name in ("a.py", "new/f007.py", "z.py"):
        (root / name).write_text(f"def fresh(): return {name!r}\n")
    assert workers_of(root, store) == {0, BY_THE_RUN}
    assert paths(store) == sorted(["a.py", *(path.replace("old", "new") for path in FILES), "z.py"])


def test_a_copy_of_a_tree_is_made_from_the_cache_without_a_worker(tree: Tree, tmp_path: Path) -> None:
    with ContentCache(100, tmp_path / "cache") as cache:
        workers_of(tree(FILES), MemoryStore(), cache)
        store = MemoryStore()
        assert workers_of(tree(FILES), store, cache) == {BY_THE_RUN}
        assert paths(store) == list(FILES)


def test_what_turns_out_to_be_binary_starts_no_worker_either(tree: Tree) -> None:
    root, store = tree({**FILES, "old/picture.dat": b"\x89\0\1"}), MemoryStore()
    workers_of(root, store)
    (root / "old").rename(root / "new")
    assert workers_of(root, store) == {BY_THE_RUN}
    assert [each.path for each in store.recorded() if each.status is Status.SKIPPED] == ["new/picture.dat"]


class Counting:
    """Knows the content of everything but some files, and counts what it is asked and how often."""

    def __init__(self, *, but: Sequence[bytes] = ()) -> None:
        self.asked = self.times = 0
        self._unknown = frozenset(but)

    def known_of(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        self.asked += len(keys)
        self.times += 1
        return frozenset(keys) - self._unknown


def keys_of_contents(files: Sequence[DiscoveredFile]) -> list[bytes]:
    """Return the keys of the contents of files."""
    reads = [read_file(file) for file in files]
    return [
        content_key(read.source.digest, read.source.language, ChunkGovernor().recipe)
        for read in reads
        if isinstance(read, ReadFile)
    ]


def planted(tree: Tree, count: int) -> list[DiscoveredFile]:
    root = tree({f"f{i:04}.py": f"a = {i}\n" for i in range(count)})
    return [DiscoveredFile(f"f{i:04}.py", str(root), "python", 0, 0) for i in range(count)]


def passed_on(files: Sequence[DiscoveredFile], lookup: Counting, size: int) -> list[Done[DiscoveredFile, Prepared]]:
    """Pass files on in batches of a size, and return what became of them."""
    work = Prepare(ChunkGovernor())
    with KnownFirst(InlineCrew(1, work, Limits()), work, lookup.known_of) as crew:
        outcomes = list(crew.map([files[i : i + size] for i in range(0, len(files), size)]))
    done = [each for each in outcomes if isinstance(each, Done)]
    assert sorted(file.name for each in done for file in each.items) == [file.name for file in files]
    return done


def test_a_first_run_reads_no_file_before_the_workers_do(tree: Tree) -> None:
    root = tree({**FILES, "old/picture.dat": b"\x89\0\1"})
    assert BY_THE_RUN not in workers_of(root, MemoryStore())


def test_of_many_new_files_few_are_looked_up_in_vain(tree: Tree) -> None:
    files = planted(tree, 3_000)
    lookup = Counting(but=keys_of_contents(files))
    passed_on(files, lookup, 100)
    assert 0 < lookup.asked <= len(files) / 10


def test_many_known_files_are_asked_for_together_however_small_their_batches_are(tree: Tree) -> None:
    lookup = Counting()
    done = passed_on(planted(tree, 1_000), lookup, 5)
    assert lookup.asked == 1_000
    assert lookup.times <= 12
    assert {each.worker for each in done} == {1}


def test_a_new_file_among_known_ones_that_were_asked_for_together_goes_on_in_a_batch_like_its_own(tree: Tree) -> None:
    files = planted(tree, 400)
    new = [files[200], files[203], files[290]]
    done = passed_on(files, Counting(but=keys_of_contents(new)), 5)
    assert [each.items for each in done if each.worker == 0] == [tuple(new[:2]), tuple(new[2:])]


# ── keys that are made without the interpreter ──

SIZES = (0, 1, 2, 127, 128, 129, 255, 256, 257, 1_000, 99_999)

ODD = {
    "tool": "#!/usr/bin/env python3\n",
    "marked": b"\xef\xbb\xbf#!/bin/sh\n",
    "wide": "\ufeff#!/bin/sh\n".encode("utf-16-le"),
    "large.py": "z" * 100_001,
}


@pytest.mark.skipif(sys.platform != "linux" or compiled("files") is None, reason="no compiled half here")
def test_keys_are_those_of_the_files_as_they_are_read_and_what_tells_more_has_none(tree: Tree) -> None:
    contents = {f"f{size}.py": bytes((size + 7 * i) % 251 + 1 for i in range(size)) for size in SIZES}
    root = tree({**contents, **ODD, "notes": "no language, no first line that tells one\n", "short": "#"})
    (root / "out.py").symlink_to(Path(__file__))
    work = Prepare(ChunkGovernor(), max_bytes=100_000)
    files = [DiscoveredFile.from_path(name, root=root) for name in (*contents, "notes", "short")]
    known = [file for file in files if file is not None]
    reads = [read_file(file) for file in known]
    expected = [
        PreparedFile(
            file.name,
            read.size,
            read.stamp,
            content_key(read.source.digest, read.source.language, ChunkGovernor().recipe),
            None,
            read.changed_ns,
        )
        for file, read in zip(known, reads, strict=True)
        if isinstance(read, ReadFile)
    ]
    assert read_ahead(known, work) == expected
    odd = [DiscoveredFile(name, str(root), language_of_name(name), 1, 1) for name in (*ODD, "out.py", "gone.py")]
    assert read_ahead(odd, work) == [None] * len(odd)
    assert list(read_ahead([*known, replace(known[0], name="no\0path.py")], work)) == [None] * (len(known) + 1)


@pytest.mark.parametrize("lanes", [0, 1, 4, 8])
@pytest.mark.skipif(sys.platform != "linux" or compiled("files") is None, reason="no compiled half here")
def test_keys_do_not_hang_on_how_many_files_are_digested_at_a_time(tree: Tree, lanes: int) -> None:
    native, rng = compiled("files"), random.Random(lanes)
    room = 512 << 10  # in which files are read one behind the other
    large = [5_000_000, 3, 700_000, room - 1, 3, room, 9, room // 2, room // 2, room // 4 * 3, room // 4, 1]
    sizes = [*SIZES, *range(120, 136), *(rng.randrange(3_000) for _ in range(150)), *large]
    contents = {f"f{place:03}": rng.randbytes(size).replace(b"\0", b"0") for place, size in enumerate(sizes)}
    root = os.fsencode(os.path.realpath(tree(contents))) + b"/"
    made = [(b"made of %d" % place, True) for place in range(len(sizes))]
    slots = tuple(getattr(PreparedFile, name) for name in PreparedFile.__match_args__)
    files = native.prepare_plain(
        root, "\0".join(contents).encode(), list(contents), made, 1 << 30, (PreparedFile, slots), lanes
    )
    digest = functools.partial(hashlib.blake2b, digest_size=16)
    expected = [
        digest(digest(data).digest() + text).digest() for data, (text, _) in zip(contents.values(), made, strict=True)
    ]
    assert [(file.path, file.key) for file in files] == list(zip(contents, expected, strict=True))
    for wrong in [(PreparedFile, slots[:5]), (7, slots), (PreparedFile, (1,) * 6)]:
        with pytest.raises(TypeError):
            native.prepare_plain(root, b"f000", ["f000"], made[:1], 1, wrong)
    with pytest.raises(ValueError, match="as many"):
        native.prepare_plain(root, b"f000", [], made[:1], 1, (PreparedFile, slots))


@pytest.mark.skipif(sys.platform != "linux" or compiled("files") is None, reason="no compiled half here")
def test_files_that_are_read_are_left_with_their_times_of_access(tree: Tree) -> None:
    root = tree({f"f{n}.py": f"a = {n}\n" for n in range(3)})
    for path in root.iterdir():
        os.utime(path, ns=(1_000, 2_000))  # older than the last change: any file system would note an access
    files = [DiscoveredFile(path.name, str(root), "python", 1, 1) for path in sorted(root.iterdir())]
    assert all(read_ahead(files, Prepare(ChunkGovernor())))
    assert {path.stat().st_atime_ns for path in root.iterdir()} == {1_000}


@pytest.mark.skipif(sys.platform != "linux" or compiled("files") is None, reason="no compiled half here")
@given(
    head=st.sampled_from((b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff", b"ab")),
    body=st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-16-le", "replace")),
    times=st.sampled_from((1, 2, 300)),
)
def test_what_has_an_empty_key_is_binary_however_it_is_looked_at(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, body: bytes, times: int
) -> None:
    #  bytes ─┬─ empty key ──▶ binary
    #         └─ no text, and no mark in front ──▶ empty key
    root = tmp_path_factory.mktemp("tree")
    data = head + body * times
    (root / "f.py").write_bytes(data)
    (file,) = read_ahead([DiscoveredFile("f.py", str(root), "python", 0, 0)], Prepare(ChunkGovernor()))
    told = detect_encoding(data)
    if file is not None and not file.key:
        assert told is None
    if told is None and not head and data[:1] < b"\xef":
        assert file is not None
        assert (file.key, file.size) == (b"", len(data)) or utf16_like(data)


def utf16_like(data: bytes) -> bool:
    """Whether every other byte of the beginning is NUL: then it has to be decoded to know."""
    even, odd = data[:4096:2].count(0), data[1:4096:2].count(0)
    return max(even, odd) > 0.7 * max(1, min(len(data), 4096) // 2)


def test_binary_files_are_passed_over_without_being_read_again(tree: Tree) -> None:
    root = tree({"a.dat": b"\x89\0\1", "b.py": "a = 1\n"})
    files = [DiscoveredFile(name, str(root), None, 0, 0) for name in ("a.dat", "b.py")]
    work, index = Prepare(ChunkGovernor()), Counting()
    read = [PreparedFile("a.dat", 3, 7, b"", None, 8), PreparedFile("b.py", 6, 7, b"k" * 16, None, 8)]
    (root / "a.dat").unlink()
    skipped, known = recognise(files, work, index.known_of, read)
    assert skipped == Skipped("a.dat", SkipReason.BINARY, "it holds NUL bytes")
    assert known == PreparedFile("b.py", 6, 7, b"k" * 16, None, 8)
    told = recognise(files, replace(work, tell_refused=True), index.known_of, read)
    assert told[0] is None or (isinstance(told[0], Skipped) and told[0].reason is SkipReason.VANISHED)


def test_without_keys_files_are_recognised_all_the_same(tree: Tree) -> None:
    files = planted(tree, 5)
    (Path(str(files[3].root)) / files[3].name).write_bytes(b"\0")
    binary = content_key(hashlib.blake2b(b"\0", digest_size=16).digest(), "python", ChunkGovernor().recipe)
    work, index = Prepare(ChunkGovernor()), Counting(but=[*keys_of_contents(files[:1]), binary])
    assert recognise(files, work, index.known_of, [None] * 5) == recognise(files, work, index.known_of)
    assert [type(each) for each in recognise(files, work, index.known_of)] == [
        type(None),
        PreparedFile,
        PreparedFile,
        Skipped,
        PreparedFile,
    ]
