"""What a file's bytes are said to be: encoding, language, digest, size."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from treemill.native import compiled
from treemill.reading import ReadFile, detect_encoding, over_the_cap, read_file, read_files, source_of
from treemill.types import DiscoveredFile, Skipped, SkipReason


def read(root, name: str, **options) -> ReadFile | Skipped:
    file = DiscoveredFile.from_path(name, root=root)
    assert file is not None
    return read_file(file, **options)


def test_a_file_is_read_whole_with_its_digest_size_and_stamp(tree):
    root = tree({"a.py": "print()\n"})
    before = time.time_ns()
    got = read(root, "a.py")
    assert isinstance(got, ReadFile)
    assert got.source.data == b"print()\n"
    assert got.source.digest == hashlib.blake2b(b"print()\n", digest_size=16).digest()
    assert (got.source.encoding, got.source.bom, got.source.language) == ("utf-8", 0, "python")
    assert (got.size, got.stamp) == (8, (root / "a.py").stat().st_mtime_ns)
    assert before <= got.seen_ns <= time.time_ns()


def test_an_empty_file_is_a_file(tree):
    got = read(tree({"a.py": ""}), "a.py")
    assert isinstance(got, ReadFile)
    assert (got.source.data, got.size) == (b"", 0)


def test_a_file_without_a_root_is_read_by_its_name(tree):
    file = DiscoveredFile.from_path(tree({"a.py": "1"}) / "a.py")
    assert file is not None
    got = read_file(file)
    assert isinstance(got, ReadFile)
    assert got.source.data == b"1"


@pytest.mark.parametrize(
    "given", ["b/a.py", "./b/a.py", "b//a.py", "b/./a.py", "b/../b/a.py", "b/.hidden.py", "b/..a.py", ".b/a.py"]
)
def test_a_file_is_named_alike_however_its_path_is_written(tree, given):
    root = tree({"b/a.py": "", "b/.hidden.py": "", "b/..a.py": "", ".b/a.py": ""})
    expected = Path(root, given).relative_to(root).as_posix()
    for path in (given, Path(given), root / given, f"{root}/{given}"):
        file = DiscoveredFile.from_path(path, root=root)
        assert file is not None
        assert file.name == expected


@pytest.mark.skipif(os.name != "posix", reason="needs links and FIFOs")
def test_many_files_are_read_as_each_is(tree, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.py").write_text("key = 1\n")
    texts = {"a.py": "x\n", "empty.py": "", "deep/er/b.py": "y\n", "script": "#!/bin/sh\n", "large.py": "z" * 101}
    root = tree({**texts, "picture.py": b"\x89\0\1", "latin.py": b"# caf\xe9\n", os.fsdecode(b"n\xff.py"): "odd\n"})
    (root / "folder.py").mkdir()
    (root / "inside.py").symlink_to("a.py")
    (root / "outside.py").symlink_to(elsewhere / "secret.py")
    (root / "nowhere.py").symlink_to("gone")
    (root / "way").symlink_to(elsewhere)
    os.mkfifo(root / "fifo.py")
    names = [*(path.name for path in root.iterdir()), "deep/er/b.py", "way/secret.py", "vanished.py", "a.py/b", "nul\0"]
    files = [DiscoveredFile(name, str(root), "python" if name.endswith("py") else None, 1, 1) for name in names]
    together = read_files(files, max_bytes=100)
    each = [read_file(file, max_bytes=100) for file in files]
    assert list(map(timeless, together)) == list(map(timeless, each))
    reasons = {file.name: read.reason for file, read in zip(files, together, strict=True) if isinstance(read, Skipped)}
    assert reasons["way/secret.py"] is reasons["outside.py"] is SkipReason.OUTSIDE_ROOT
    assert sum(isinstance(read, ReadFile) for read in together) == 7
    assert timeless(read_files(files)[0]) == timeless(read_file(files[0]))
    assert read_files([]) == []


def timeless(read: ReadFile | Skipped) -> ReadFile | Skipped:
    return replace(read, seen_ns=0) if isinstance(read, ReadFile) else read


@pytest.mark.skipif(sys.platform != "linux" or compiled("files") is None, reason="no compiled half here")
def test_the_compiled_half_leaves_to_the_other_what_there_is_something_to_say_about(tree):
    native, root = compiled("files"), tree({"a.py": "x\n", "large.py": "z" * 101})
    entry = (root / "a.py").stat()
    names, real = b"a.py\0large.py\0gone.py", os.fsencode(os.path.realpath(root)) + b"/"
    assert native.read_plain(real, names, 3, 100) == [(b"x\n", entry.st_mtime_ns, entry.st_ctime_ns), None, None]
    assert native.read_plain(b"/elsewhere/", names, 3, 100) == [None, None, None]
    assert native.read_plain(real, b"", 0, 100) == []
    for count in (-1, 2, 4):
        with pytest.raises(ValueError, match="as many paths"):
            native.read_plain(real, names, count, 100)
    with pytest.raises(TypeError):
        native.read_plain(real, "a.py", 1, 100)


@pytest.mark.parametrize("asks", [False, True], ids=["opened below", "asked where it lies"])
@pytest.mark.skipif(sys.platform != "linux" or compiled("files") is None, reason="no compiled half here")
def test_the_compiled_half_reads_nothing_outside_of_the_root(tree, tmp_path_factory, asks):
    native, root, elsewhere = compiled("files"), tree({"in/a.py": "x\n"}), tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "secret.py").write_text("s\n")
    (root / "inside.py").symlink_to("in/a.py")
    (root / "outside.py").symlink_to(elsewhere / "secret.py")
    (root / "way").symlink_to(elsewhere)
    up = os.path.relpath(elsewhere / "secret.py", root)
    names = ["in/a.py", "inside.py", "outside.py", "way/secret.py", up, str(elsewhere / "secret.py"), "in", "gone"]
    place = os.fsencode(os.path.realpath(root)) + b"/", os.fsencode("\0".join(names))
    read = native.read_plain(*place, len(names), 100, asks)
    assert [None if each is None else each[0] for each in read] == [b"x\n", b"x\n", *[None] * 6]


ENCODINGS = {
    "ascii": (b"x = 1\n", "utf-8", 0),
    "utf8": ("x = 'é 漢 🙂'\n".encode(), "utf-8", 0),
    "utf8_bom": (b"\xef\xbb\xbfx = 1\n", "utf-8", 3),
    "utf8_bom_only": (b"\xef\xbb\xbf", "utf-8", 3),
    "utf8_bom_then_damage": (b"\xef\xbb\xbfcaf\xe9\n", "utf-8", 3),
    "utf16_le": ("\ufeffx = 'é'\r\n".encode("utf-16-le"), "utf-16-le", 2),
    "utf16_be": ("\ufeffx = 'é'\r\n".encode("utf-16-be"), "utf-16-be", 2),
    "utf16_le_without_bom": ("class A: pass\n".encode("utf-16-le"), "utf-16-le", 0),
    "utf16_be_without_bom": ("class A: pass\n".encode("utf-16-be"), "utf-16-be", 0),
    "utf16_bom_but_odd_length": (b"\xff\xfea", "latin-1", 0),
    "utf16_bom_but_a_lone_surrogate": (b"\xff\xfe\x41\xd8\x41\x42", "latin-1", 0),
    "latin1": ("# Grüße an José, Zoë und François\n".encode("latin-1"), "latin-1", 0),
    "one_latin1_letter": (b"# caf\xe9\n", "latin-1", 0),
    "windows_1252": ("“quoted” – dash".encode("cp1252"), "latin-1", 0),
    "nearly_utf8": ("# Grüße, Füße, Öl\n".encode() + b"\xff\n", "utf-8", 0),
    "cut_off_utf8": ("# Grüße, Füße, 漢".encode()[:-1], "utf-8", 0),
    "control_characters": (b"\x1b[0m\x07\x0c\n", "utf-8", 0),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_encoding_is_told_and_no_byte_is_lost(name):
    data, encoding, bom = ENCODINGS[name]
    source = source_of(data)
    assert source is not None
    assert (source.encoding, source.bom) == (encoding, bom)
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    assert source.text().encode(encoding, errors) == data[bom:]


BINARIES = {
    "a NUL in text": b"x = 1\0\n",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "elf": b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0",
    "NUL behind a UTF-8 BOM": b"\xef\xbb\xbfx\0",
    "all NUL": b"\0" * 100,
    "UTF-32": "abc".encode("utf-32-le"),
    "UTF-16 whose text holds NUL": "\ufeffa\0b".encode("utf-16-le"),
    "UTF-16 without BOM, cut in the middle": "class A: pass".encode("utf-16-le")[:-1],
    "NUL far behind": b"x" * 100_000 + b"\0",
}


@pytest.mark.parametrize("name", BINARIES)
def test_binary_files_are_skipped_as_such(name, tree):
    assert detect_encoding(BINARIES[name]) is None
    assert read(tree({"a.py": BINARIES[name]}), "a.py") == Skipped("a.py", SkipReason.BINARY, "it holds NUL bytes")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_shebang_tells_the_language_where_the_name_does_not(tree, bom):
    root = tree({"tool": bom + b"#!/usr/bin/env python3\nprint()\n", "tool.rb": "#!/bin/sh\n", "plain": "text\n"})
    languages = [
        got.source.language for name in ("tool", "tool.rb", "plain") if isinstance(got := read(root, name), ReadFile)
    ]
    assert languages == ["python", "ruby", None]


def test_a_file_at_the_limit_is_read_and_one_byte_over_is_not(tree):
    root = tree({"a.py": b"x" * 100})
    assert isinstance(read(root, "a.py", max_bytes=100), ReadFile)
    assert read(root, "a.py", max_bytes=99) == Skipped("a.py", SkipReason.TOO_LARGE, "100 bytes, the cap is 99 bytes")


@pytest.mark.parametrize(
    ("size", "cap", "said"),
    [
        (3_200_000, 1_000_000, "3.2 MB, the cap is 1 MB"),
        (1_000_001, 1_000_000, "1,000,001 bytes, the cap is 1,000,000"),
        (2_000_000_000, 500_000, "2 GB, the cap is 500 kB"),
    ],
)
def test_a_size_is_said_as_people_say_it(size, cap, said):
    assert over_the_cap(size, cap) == said
