"""What breaks chunkers, each input with what is to become of it: through worker processes, all beside each other.

Whatever is cut is cut whole: no byte lost, no chunk over the limit, lines as they are. The rest is named, with its
reason. No input stops another.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from treemill import (
    ChunkerSettings,
    ChunkGovernor,
    CodeChunk,
    DiscoveredFile,
    Failure,
    PerformanceSettings,
    Skipped,
    chunk_files_parallel,
)
from treemill.reading import source_of

LIMIT = 1800

# For all of the inputs of a run together, on a machine that does other things at the same time.
SECONDS = 120


@dataclass(frozen=True)
class Cut:
    """The file is cut, by this chunker; or by a lesser one for this error."""

    source: str = "semantic"
    fallback: str | None = None


@dataclass(frozen=True)
class NoChunks:
    """The file is fine and has no chunks."""


@dataclass(frozen=True)
class Fails:
    """The file fails with this error."""

    error: str


Outcome = Cut | NoChunks | Fails

noise = random.Random(0)
STATEMENTS = "".join(f"var a{i}=function(b,c){{return b[{i}]+c({i})||'x{i}'}};" for i in range(120_000))
GREETING = "def grüße(name):\n    return f'hallo {name}'\n\n"
TOO_DEEP = Cut("delimiter", "ASTDepthExceededError")
TREE_TOO_BIG = Cut("delimiter", "MemoryLimitExceededError")

CASES: dict[str, tuple[bytes, Outcome]] = {
    # nothing
    "empty.py": (b"", NoChunks()),
    "spaces.py": (b" " * 2_000_000, NoChunks()),
    "blank_lines.py": (b"\n" * 1_000_000, NoChunks()),
    "carriage_returns_only.py": (b"\r\n\r" * 100_000, NoChunks()),
    "wide_spaces.py": (("\u3000\u2028\xa0" * 1000).encode(), NoChunks()),
    "bom_only.py": (b"\xef\xbb\xbf", NoChunks()),
    "bom_and_spaces.py": (b"\xef\xbb\xbf  \n", NoChunks()),
    "utf16_bom_only.py": (b"\xff\xfe", NoChunks()),
    # next to nothing
    "one_character.py": (b"x", Cut()),
    "no_newline_at_the_end.py": (b"x = 1", Cut()),
    "no_grammar.txt": (b"text", Cut("delimiter")),
    "no_language_at_all": (b"text", Cut("fixed")),
    "shebang_alone": (b"#!/usr/bin/env python3", Cut()),
    # not text
    "nul_in_the_middle.c": (b"int a;\n" * 1000 + b"\0" + b"int b;\n" * 1000, Fails("BinaryFileError")),
    "nul_at_the_end.py": (b"x = 1\n" * 100_000 + b"\0", Fails("BinaryFileError")),
    "nul_alone.py": (b"\0", Fails("BinaryFileError")),
    "random_bytes.py": (noise.randbytes(1_000_000), Fails("BinaryFileError")),
    "utf32.py": (GREETING.encode("utf-32"), Fails("BinaryFileError")),
    "utf16_with_half_a_character.py": (GREETING.encode("utf-16") + b"\0", Fails("BinaryFileError")),
    "utf16_with_a_lone_surrogate.py": (b"\xff\xfex\0\0\xd8y\0", Fails("BinaryFileError")),
    # in other encodings
    "utf8_bom.py": (b"\xef\xbb\xbf" + GREETING.encode() * 200, Cut()),
    "utf16_le.py": (("\ufeff" + GREETING * 2000).encode("utf-16-le"), Cut()),
    "utf16_be.py": (("\ufeff" + GREETING * 2000).encode("utf-16-be"), Cut()),
    "utf16_without_bom.py": ((GREETING * 2000).encode("utf-16-le"), Cut()),
    "latin1.c": (b"/* \xe9\xe8\xfc */ int f(void) { return 1; }\n" * 2000, Cut()),
    "damaged_utf8.py": (GREETING.encode() * 500 + b"# \xff\n" + GREETING.encode() * 500, Cut()),
    "cut_off_utf8.py": (GREETING.encode() * 500 + b"# \xf0\x9f\x98", Cut()),
    "surrogates_in_utf8.py": (GREETING.encode() * 50 + b"x = '\xed\xa0\x80\xed\xb0\x80'\n", Cut()),
    "every_byte_but_nul.py": (bytes(range(1, 256)) * 400, Cut()),
    "random_high_bytes.py": (bytes(noise.choices(range(1, 256), k=300_000)), Cut()),
    "random_letters.py": (bytes(noise.choices(range(32, 127), k=300_000)), Cut()),
    # ends of lines
    "cr.py": (b"def f():\r    return 1\r" * 2000, Cut()),
    "crlf.py": (b"def f():\r\n    return 1\r\n" * 2000, Cut()),
    "mixed_ends.py": (b"def f():\r\n    return 1\r    # c\n\r\n" * 2000, Cut()),
    "crlf_at_every_border.txt": (b"x\r\n" * 100_000, Cut("delimiter")),
    "odd_separators.py": (("x = 1 \x0b\x0c\x1c\x85\u2028\u2029\n" * 2000).encode(), Cut()),
    # characters that must not be parted
    "four_byte_characters.txt": ("😀".encode() * 50_000, Cut("delimiter")),
    "one_base_many_accents.txt": (("e" + "\u0301" * 50_000).encode(), Cut("delimiter")),
    "continuation_bytes_only.txt": (b"\x80" * 20_000, Cut("delimiter")),
    # without lines
    "long_string.py": (b"TABLE = '" + b"abcdefghij" * 20_000 + b"'\n", Cut()),
    "long_comment.py": (b"# " + b"word " * 40_000 + b"\n", Cut()),
    "long_name.py": (b"x" * 200_000 + b" = 1\n", Cut()),
    "one_line.txt": (b"word " * 1_000_000, Cut("delimiter")),
    "one_line.css": (b"a{b:c}" * 100_000, Cut()),
    "one_line_of_5_mb.js": (STATEMENTS[:5_000_000].encode(), TREE_TOO_BIG),
    "one_line_of_1_mb.js": (STATEMENTS[:1_000_000].encode(), Cut()),
    # nested
    "deep.json": (b"[" * 100_000 + b"]" * 100_000, TOO_DEEP),
    "deep.py": (b"x = " + b"(" * 100_000 + b"1" + b")" * 100_000 + b"\n", TOO_DEEP),
    "deep.c": (b"int f(void) {" + b"{" * 100_000 + b"}" * 100_000 + b"}\n", TOO_DEEP),
    "else_if.c": (b"void f(int x) {" + b"if (x) {} else " * 20_000 + b"{} }\n", TOO_DEEP),
    "plus.py": (b"x = " + b"1 + " * 50_000 + b"1\n", TOO_DEEP),
    "deep.html": (b"<div>" * 2_000 + b"</div>" * 2_000, TOO_DEEP),
    "quotes_in_quotes.md": (b"> " * 20_000 + b"x\n", TOO_DEEP),
    "templates_in_templates.js": (b"`${" * 20_000 + b"1" + b"}`" * 20_000, TOO_DEEP),
    "brackets_that_never_close.js": (b"f(" * 50_000, Cut()),
    "brackets_that_never_open.js": (b")" * 100_000, Cut()),
    "strings_that_never_close.py": (b'"""' + b"x = 'y\n" * 20_000, Cut()),
    "anchors.yaml": (
        b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 300)),
        Cut(),
    ),
    # The grammar's scanner would write beyond its buffer; it is not let near this.
    "indentation.yaml": (b"".join(b" " * i + b"a:\n" for i in range(600)), Cut("delimiter", "ParseError")),
    "continued_lines.c": (b"#define X \\\n" * 20_000 + b"1\n", Cut()),
    "heredocs.sh": (b"".join(b"cat <<E%d\n" % i for i in range(2000)), Cut()),
    # small texts, large trees: their estimates pass, and they are given up while they grow
    "ones.json": (b"[" + b",".join([b"1"] * 550_000) + b"]", TREE_TOO_BIG),
    "names.js": (b"a;" * 550_000, TREE_TOO_BIG),
    "names.py": (b"a\n" * 550_000, TREE_TOO_BIG),
    # too much
    "one_byte_too_large.py": (b"#" * 10_000_001, Fails("FileTooLargeError")),
    "too_many_chunks.py": (b"x = 1\n" * 1_600_000, Fails("ChunkLimitExceededError")),
}


def governor(**raised: float) -> ChunkGovernor:
    return ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=LIMIT, performance=PerformanceSettings(**raised)))


Found = list[CodeChunk] | Failure | Skipped


def run(files: list[DiscoveredFile], limits: ChunkGovernor) -> dict[str, Found]:
    """Chunk files in two processes and return what became of each."""
    began = time.monotonic()
    with chunk_files_parallel(files, limits, max_workers=2, executor_type="process") as stream:
        found: dict[str, Found] = {str(path): chunks for path, chunks in stream}
    assert time.monotonic() - began < SECONDS
    found.update((each.path, each) for each in stream.report.failures)
    found.update((each.path, each) for each in stream.report.skips)
    assert len(found) == len(files)
    return found


def plant(root: Path, contents: Mapping[str, bytes]) -> list[DiscoveredFile]:
    for name, content in contents.items():
        (root / name).write_bytes(content)
    files = [DiscoveredFile.from_path(name, root=root) for name in contents]
    return [file for file in files if file is not None]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """Return what became of all cases, chunked in one stream."""
    root = tmp_path_factory.mktemp("hostile")
    return run(plant(root, {name: content for name, (content, _) in CASES.items()}), governor())


def assert_whole(content: bytes, chunks: list[CodeChunk]) -> None:
    """Assert that chunks are the file: no byte missing or twice, none over the limit, lines as they are."""
    source = source_of(content)
    assert source is not None
    assert [chunk.byte_range[0] for chunk in chunks] == [0, *(chunk.byte_range[1] for chunk in chunks[:-1])]
    assert chunks[-1].byte_range[1] == len(content)
    assert "".join(chunk.content for chunk in chunks) == source.text()
    assert max(len(chunk.content.encode("utf-8", "surrogateescape")) for chunk in chunks) <= LIMIT
    text = source.text().replace("\r\n", "\n").replace("\r", "\n")
    assert chunks[0].line_range[0] == 1
    assert chunks[-1].line_range[1] == text.count("\n") + (not text.endswith("\n"))


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_comes_to_what_it_should(outcomes, name):
    content, expected = CASES[name]
    found = outcomes[name]
    match expected:
        case Cut(source=source, fallback=fallback):
            assert isinstance(found, list), found
            assert {(chunk.source, chunk.fallback) for chunk in found} == {(source, fallback)}
            assert_whole(content, found)
        case NoChunks():
            assert found == []
        case Fails(error=error):
            assert isinstance(found, Failure)
            assert found.error_type == error
            assert name in found.message


# ── with other limits ──


def dump(size: int) -> bytes:
    """Return SQL that inserts rows, of about that many bytes."""
    row = "INSERT INTO events VALUES (%d, 'name %d', 'a note that somebody wrote');\n"
    rows = "".join(row % (i, i) for i in range(20_000)).encode()
    return b"CREATE TABLE events (id integer, name text, note text);\n" + rows * (size // len(rows) + 1)


def test_a_dump_of_50_mb_fails_by_its_size_and_is_cut_whole_once_the_limits_allow_it(tmp_path):
    content = dump(50_000_000)
    files = plant(tmp_path, {"dump.sql": content, "small.py": b"x = 1\n"})
    found = run(files, governor())
    assert isinstance(found["dump.sql"], Failure)
    assert found["dump.sql"].error_type == "FileTooLargeError"
    assert isinstance(found["small.py"], list)
    found = run(files, governor(max_file_size_mb=100, max_chunks_per_file=100_000))
    chunks = found["dump.sql"]
    assert isinstance(chunks, list), chunks
    assert {(chunk.source, chunk.fallback) for chunk in chunks} == {("delimiter", "MemoryLimitExceededError")}
    assert_whole(content, chunks)


def test_a_parse_that_takes_too_long_is_stopped_from_inside_and_the_file_cut_by_its_delimiters(tmp_path):
    content = b"<div>" * 100_000
    files = plant(tmp_path, {"quadratic.html": content})
    found = run(files, governor(parse_timeout_seconds=0.5))["quadratic.html"]
    assert isinstance(found, list), found
    assert {(chunk.source, chunk.fallback) for chunk in found} == {("delimiter", "ChunkingTimeoutError")}
    assert_whole(content, found)


def test_a_large_file_is_cut_by_its_tree_once_the_limits_allow_it(tmp_path):
    content = STATEMENTS[:3_000_000].encode()
    files = plant(tmp_path, {"large.js": content})
    found = run(files, governor(max_memory_mb_per_operation=1000))["large.js"]
    assert isinstance(found, list), found
    assert {(chunk.source, chunk.fallback) for chunk in found} == {("semantic", None)}
    assert_whole(content, found)


# ── what is no file, or not the file it was ──


def no_folder(path: Path) -> None:
    path.mkdir()


def no_fifo(path: Path) -> None:
    os.mkfifo(path)


def no_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def no_link_in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def no_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def no_socket(path: Path) -> None:
    there = os.getcwd()
    os.chdir(path.parent)  # a socket's path has to be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(there)


NO_FILES = (no_folder, no_fifo, no_device, no_link_in_a_circle, no_link_to_nowhere, no_socket)


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_no_file_to_chunk(tmp_path, make):
    make(tmp_path / "x.py")
    assert DiscoveredFile.from_path("x.py", root=tmp_path) is None


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        *((each, "not a regular file") for each in NO_FILES if each is not no_device),
        (no_device, "not a regular file"),
        (lambda path: None, "vanished"),
        (lambda path: path.symlink_to("/etc/hostname"), "outside the root"),
    ],
)
def test_a_file_that_is_something_else_when_it_is_read_is_skipped(tmp_path, make, reason):
    files = plant(tmp_path, {"x.py": b"x = 1\n", "y.py": b"y = 2\n"})
    (tmp_path / "x.py").unlink()
    make(tmp_path / "x.py")
    found = run(files, governor())
    assert isinstance(found["x.py"], Skipped)
    assert found["x.py"].reason == reason
    assert isinstance(found["y.py"], list)


@pytest.mark.parametrize("size", [0, 3, 100_000])
def test_a_file_that_shrank_or_grew_since_it_was_found_is_chunked_as_it_is_now(tmp_path, size):
    files = plant(tmp_path, {"x.py": b"x = 1\n" * 100})
    (tmp_path / "x.py").write_bytes(b"#" * size)
    found = run(files, governor())["x.py"]
    assert isinstance(found, list)
    assert "".join(chunk.content for chunk in found) == "#" * size


def test_a_file_that_grew_over_the_limit_since_it_was_found_fails(tmp_path):
    files = plant(tmp_path, {"x.py": b"x = 1\n"})
    with (tmp_path / "x.py").open("r+b") as file:
        file.truncate(5_000_000_000)  # sparse: it takes no room, and must not be read
    found = run(files, governor())["x.py"]
    assert isinstance(found, Failure)
    assert found.error_type == "FileTooLargeError"


def test_a_file_that_is_written_to_all_the_time_is_chunked_whole_or_skipped(tmp_path):
    files = plant(tmp_path, {"x.py": b"x = 1\n", "y.py": b"y = 2\n"})
    done = threading.Event()

    def write() -> None:
        with (tmp_path / "x.py").open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"x = 1\n" * 10)
                time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = run(files, governor(max_file_size_mb=1000))
    finally:
        done.set()
        writer.join()
    assert isinstance(found["y.py"], list)
    got = found["x.py"]
    if isinstance(got, Skipped):
        assert got.reason == "changing"
    else:
        assert isinstance(got, list)
        assert set("".join(chunk.content for chunk in got).split("\n")) == {"x = 1", ""}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_skipped(tmp_path):
    files = plant(tmp_path, {"x.py": b"x = 1\n"})
    (tmp_path / "x.py").chmod(0)
    found = run(files, governor())["x.py"]
    assert isinstance(found, Skipped)
    assert found.reason == "unreadable"


@pytest.mark.parametrize(
    "name",
    [
        *(b"\xff\xfe.py", b"two\nlines.py", b" .py", b"-rf.py", b"\x1b[2J.py", b"'\".py"),
        *("größe 😀.py".encode(), b"a" * 252 + b".py"),
    ],
)
def test_a_file_of_any_name_is_chunked_under_its_name(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"x = 1\n")
    file = DiscoveredFile.from_path(path.name, root=tmp_path)
    assert file is not None
    with chunk_files_parallel([file], governor(), executor_type="process") as stream:
        ((found, (chunk,)),) = list(stream)
    assert os.fsencode(found) == name
    assert chunk.path == found
    assert len(chunk.id) == 32


def test_hundreds_of_files_that_fail_do_not_slow_down_the_others(tmp_path):
    contents = {f"{i:03}.py": (b"\0" if i % 2 else b"x = 1\n") for i in range(600)}
    found = run(plant(tmp_path, contents), governor())
    assert sum(isinstance(each, list) for each in found.values()) == 300
    assert sum(isinstance(each, Failure) for each in found.values()) == 300
