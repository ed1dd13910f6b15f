"""The fixed-size chunker called directly: windows of one length that overlap."""

from __future__ import annotations

import gc
import pickle
import weakref
from itertools import pairwise

import pytest

from treemill.chunking.fixed_size import FixedChunk, FixedSizeChunker, FixedSizeSettings, split
from treemill.errors import BinaryFileError, SettingsError
from treemill.native import compiled


def test_windows_are_1000_characters_and_begin_850_behind_each_other():
    text = "".join(f"{number:07d}\n" for number in range(500))
    chunks = FixedSizeChunker().chunk_text(text, "numbers.txt")
    assert [(chunk.start, chunk.end) for chunk in chunks] == [
        (0, 1000),
        (850, 1850),
        (1700, 2700),
        (2550, 3550),
        (3400, 4000),
    ]
    assert [chunk.overlap for chunk in chunks] == [0, 150, 150, 150, 150]
    assert all(a.text[-150:] == b.text[:150] for a, b in pairwise(chunks))


def test_a_window_knows_its_place():
    text = "ab\n" * 400
    first, second = FixedSizeChunker().chunk_text(text, "a.txt")
    assert first == FixedChunk(text[:1000], 0, 1000, 0, 2, "a.txt", 1, 334, 1000, 0)
    assert second == FixedChunk(text[850:], 850, 1200, 1, 2, "a.txt", 284, 400, 350, 150)


@pytest.mark.parametrize(("length", "count"), [(1, 1), (999, 1), (1000, 1), (1001, 2), (1850, 2), (1851, 3)])
def test_the_last_window_holds_the_rest(length: int, count: int):
    chunks = FixedSizeChunker().chunk_text("x" * length)
    assert len(chunks) == count
    assert {chunk.total_chunks for chunk in chunks} == {count}
    assert chunks[-1].end == length


def test_a_large_context_has_windows_of_4096_characters():
    chunks = FixedSizeChunker(FixedSizeSettings(large_context=True)).chunk_text("x" * 10_000)
    assert [(chunk.start, chunk.size) for chunk in chunks] == [(0, 4096), (3482, 4096), (6964, 3036)]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\n"])
def test_an_empty_or_blank_text_has_no_chunks(text: str):
    assert FixedSizeChunker().chunk_text(text) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(line_end: str):
    chunks = FixedSizeChunker(FixedSizeSettings(chunk_chars=8, overlap_fraction=0)).chunk_text(f"one{line_end}" * 9)
    assert chunks[0].line_start == 1
    assert chunks[-1].line_end == 9


def test_sizes_are_characters_not_bytes():
    [chunk] = FixedSizeChunker().chunk_text("日" * 1000)
    assert chunk.size == 1000


@pytest.mark.parametrize(
    "data",
    [
        "grüße".encode(),
        b"\xef\xbb\xbf" + "grüße".encode(),
        b"\xff\xfe" + "grüße".encode("utf-16-le"),
        b"\xfe\xff" + "grüße".encode("utf-16-be"),
        "grüße".encode("latin-1"),
    ],
)
def test_a_file_is_read_in_its_own_encoding(tmp_path, data: bytes):
    path = tmp_path / "greeting.txt"
    path.write_bytes(data)
    [chunk] = FixedSizeChunker().chunk_file(path)
    assert (chunk.text, chunk.file_path) == ("grüße", str(path))


def test_a_file_of_half_a_character_loses_nothing(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_bytes(b"\xff\xfea\0b")
    [chunk] = FixedSizeChunker().chunk_file(path)
    assert chunk.text.encode("latin-1") == b"\xff\xfea\0b"


def test_a_file_with_nul_bytes_is_not_text(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF\0\0")
    with pytest.raises(BinaryFileError, match=r"program holds NUL bytes.*Leave it out") as caught:
        FixedSizeChunker().chunk_file(path)
    assert caught.value.path == str(path)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FixedSizeChunker().chunk_file(tmp_path / "missing")


def test_another_reader_may_be_handed_in(tmp_path):
    chunker = FixedSizeChunker(read=lambda path: f"text of {path}")
    assert [chunk.text for chunk in chunker.chunk_file("x")] == ["text of x"]


@pytest.mark.parametrize(
    "values", [{"chunk_chars": 0}, {"large_context_chars": -1}, {"overlap_fraction": 1.0}, {"overlap_fraction": -0.1}]
)
def test_a_setting_out_of_bounds_is_an_error(values):
    with pytest.raises(SettingsError, match=f"fixed_size.{next(iter(values))}"):
        FixedSizeSettings(**values)


def test_the_last_resort_of_the_pipeline_overlaps_nothing_and_prefers_lines():
    assert split(b"one\ntwo\nthree\n", 9) == [8, 14]
    assert split("日本語".encode(), 4) == [3, 6, 9]
    assert split(b"", 9) == []


def test_the_windows_of_a_large_text_are_nothing_to_the_collector_of_cycles():
    if compiled("building") is None:
        pytest.skip("this installation has no compiled halves")
    chunks = FixedSizeChunker().chunk_text("word " * 200_000, "words.txt")
    tracked = [gc.is_tracked(chunk) for chunk in chunks]
    assert len(chunks) > 1000
    assert not any(tracked[:1000])
    assert pickle.loads(pickle.dumps(chunks[0])) == chunks[0]  # noqa: S301 what we pickled ourselves
    gc.collect()
    assert chunks[0].text == "word " * 200


def test_a_path_of_the_callers_own_type_may_stand_in_a_cycle_that_is_collected():
    class Named(str):
        """A path that may hold more."""

    path = Named("words.txt")
    chunks = FixedSizeChunker().chunk_text("word " * 200_000, path)
    path.chunks = chunks  # type: ignore[attr-defined]
    gone = weakref.ref(path)
    del path, chunks
    gc.collect()
    assert gone() is None
