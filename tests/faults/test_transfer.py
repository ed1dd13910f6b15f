"""An export carries an index to another machine; one that was made to harm is refused, or comes to nothing."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Tree
from support.contents import shown
from treemill import transfer
from treemill.chunking.packing import pack_symbols, unpack_symbols
from treemill.cli import run
from treemill.errors import IndexMismatch, IndexMissing, TreemillError, UsageError
from treemill.indexing import index_tree
from treemill.places import Place
from treemill.records import Content
from treemill.reports import IndexReport
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.packed import pack_content, unpack_content
from treemill.storage.sqlite import SqliteStore
from treemill.transfer import export_index, import_index

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))
FILES = {
    f"pkg/m{n:02}.py": f"class Shop{n}:\n    def buy{n}(self, item):\n        return item * {n}\n" for n in range(30)
}
SECRET = "password = 'not in any export'\n"


def index(root: Path) -> None:
    with SqliteStore(root / ".treemill", create=True) as store:
        index_tree(root, store, INLINE)


def says(root: Path) -> object:
    with SqliteStore(root / ".treemill") as store, store.snapshot() as snapshot:
        table = snapshot.files()
        symbols = {
            path: unpack_symbols(snapshot.content(int(content)).symbols)
            for path, content in zip(table.paths, table.contents, strict=True)
        }
        return shown(snapshot), symbols


def imported(root: Path, export: Path, *, trust: bool = False) -> IndexReport:
    return import_index(Place(root, ""), export, INLINE, trust=trust)


@pytest.fixture
def export(tree: Tree, tmp_path: Path) -> Path:
    """An export of FILES and one more, made on "another machine"."""
    root = tree({**FILES, "secret.py": SECRET})
    index(root)
    target = tmp_path / "app.treemill"
    export_index(Place(root, ""), target)
    return target


def frames(export: Path) -> Iterator[bytes]:
    data = export.read_bytes()[len(b"treemill export\n") : -32]
    while data:
        (length,) = struct.unpack("<I", data[:4])
        yield data[4 : 4 + length]
        data = data[4 + length :]


def forged(export: Path, parts: list[bytes]) -> Path:
    """Write an export with these frames and the digest that fits."""
    data = b"treemill export\n" + b"".join(struct.pack("<I", len(part)) + part for part in parts)
    export.write_bytes(data + hashlib.blake2b(data, digest_size=32).digest())
    return export


def with_contents(export: Path, change: Callable[[Content], Content]) -> Path:
    head, *contents, end = frames(export)
    return forged(export, [head, *(pack_content(change(unpack_content(each))) for each in contents), end])


@pytest.mark.parametrize("trust", [False, True])
def test_an_imported_index_equals_a_fresh_one(tree, export, trust):
    root, fresh = tree(FILES), tree(FILES)
    report = imported(root, export, trust=trust)
    index(fresh)
    assert report.stats.files_processed == len(FILES)
    assert says(root) == says(fresh)
    if trust:
        assert "chunk" not in report.stats.stages


def test_what_differs_on_disk_is_parsed(tree, export):
    files = {**FILES, "pkg/m03.py": "def other(): ...\n", "new.py": "x = 1\n"}
    root, fresh = tree(files), tree(files)
    imported(root, export, trust=True)
    index(fresh)
    assert says(root) == says(fresh)


def test_an_export_holds_neither_source_nor_paths(export):
    data = b"".join(frames(export))
    assert b"password" not in data
    assert b"secret.py" not in data
    assert b"pkg/" not in data
    assert os.stat(export).st_mode & 0o077 == 0


def test_nothing_to_export_is_an_error_that_names_the_step(tree, tmp_path):
    with pytest.raises(IndexMissing, match="treemill index"):
        export_index(Place(tree(FILES), ""), tmp_path / "x")
    assert not (tmp_path / "x").exists()


# ── files that are no export, or a damaged one ──


HARM: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "text": lambda data: b"hello\n",
    "cut short": lambda data: data[:-1],
    "cut in half": lambda data: data[: len(data) // 2],
    "one bit": lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:],
    "more behind": lambda data: data + b"more",
    "a frame of 4 GB": lambda data: data[:16] + b"\xff\xff\xff\xff" + data[20:],
    "a database": lambda data: b"SQLite format 3\0" + bytes(5_000),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_damaged_export_is_refused_and_changes_nothing(tree, export, harm):
    root = tree(FILES)
    index(root)
    before = says(root)
    export.write_bytes(harm(export.read_bytes()))
    with pytest.raises(UsageError):
        imported(root, export)
    assert says(root) == before


@pytest.mark.parametrize("head", [b"\xfd" * 40, b"no json", b"[" * 4000], ids=["no text", "no JSON", "deep"])
def test_a_content_whose_head_is_none_is_told_in_words(tree, export, head):
    first, *_ = frames(export)
    one = json.dumps({**json.loads(first), "contents": 1}).encode()
    forged(export, [one, struct.pack("<I", len(head)) + head])
    with pytest.raises(UsageError, match=r"cannot be imported: no content: a head that is none\. Export it again"):
        imported(tree(FILES), export)


@pytest.mark.parametrize("kind", ["a FIFO", "a device", "a folder", "nothing"])
def test_what_is_no_file_is_refused_at_once(tree, tmp_path, kind):
    place = tmp_path / "x"
    match kind:
        case "a FIFO":
            os.mkfifo(place)
        case "a device":
            place = Path("/dev/zero")
        case "a folder":
            place.mkdir()
    with pytest.raises(UsageError):
        imported(tree(FILES), place)


def test_another_version_is_named(tree, export):
    head, *rest = frames(export)
    forged(export, [json.dumps({**json.loads(head), "version": 99}).encode(), *rest])
    with pytest.raises(IndexMismatch, match=r"version 99.*Export it again"):
        imported(tree(FILES), export)


def test_another_recipe_is_named(tree, export):
    head, *rest = frames(export)
    values = json.loads(head)
    forged(export, [json.dumps({**values, "recipe": {**values["recipe"], "chunker": "other"}}).encode(), *rest])
    with pytest.raises(IndexMismatch, match="was made with other"):
        imported(tree(FILES), export)


HEADS = [
    "[]",
    "{}",
    "null",
    "[" * 50_000,
    '{"version": 1}',
    '{"version": 1, "treemill": 1, "recipe": {}, "contents": 1}',
]


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_is_none_is_refused(tree, export, head):
    _, *rest = frames(export)
    forged(export, [head.encode(), *rest])
    with pytest.raises(TreemillError):
        imported(tree(FILES), export)


def test_more_contents_than_the_file_can_hold_are_refused(tree, export):
    head, *rest = frames(export)
    forged(export, [json.dumps({**json.loads(head), "contents": 10**12}).encode(), *rest])
    with pytest.raises(UsageError, match="cannot be"):
        imported(tree(FILES), export)


# ── contents made to harm ──


def bomb(content: Content) -> Content:
    return replace(content, symbols=zlib.compress(b'["a",' * 2_000_000, 9))


def outside(content: Content) -> Content:
    return replace(content, symbols=pack_symbols([s._replace(end=10**9) for s in unpack_symbols(content.symbols)]))


CONTENTS: dict[str, Callable[[Content], Content]] = {
    "symbols that unpack to megabytes": bomb,
    "symbols outside the text": outside,
    "a text of its own": lambda content: replace(content, text=b"x"),
    "chunks that leave the text": lambda content: replace(content, ends=b"\xff\xff\xff\xff" * content.chunk_count),
    "a size that is none": lambda content: replace(content, size=-1),
    "a count of billions": lambda content: replace(content, chunk_count=2**31),
    "postings of noise": lambda content: replace(content, postings=os.urandom(200)),
    "vectors where there is no model": lambda content: replace(content, vectors=b"x" * 128),
    "a key of another length": lambda content: replace(content, key=b"x"),
}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("change", CONTENTS.values(), ids=CONTENTS)
def test_a_content_that_does_not_fit_itself_is_refused(tree, export, change, trust):
    with pytest.raises(UsageError, match="cannot be imported"):
        imported(tree(FILES), with_contents(export, change), trust=trust)


def lying(content: Content) -> Content:
    """Say that every definition is called something else."""
    return replace(
        content, symbols=pack_symbols([s._replace(name="HttpClient") for s in unpack_symbols(content.symbols)])
    )


def test_what_a_doctored_export_says_of_other_bytes_is_of_no_use(tree, export):
    root, fresh = tree(FILES), tree(FILES)
    with_contents(export, lambda content: replace(content, key=os.urandom(16)))
    imported(root, export)
    index(fresh)
    assert says(root) == says(fresh)


def test_a_lie_that_is_looked_into_ends_all_trust(tree, export, monkeypatch, caplog):
    monkeypatch.setattr(transfer, "SPOT_CHECK", 1)
    root, fresh = tree(FILES), tree(FILES)
    imported(root, with_contents(export, lying))
    index(fresh)
    assert says(root) == says(fresh)
    assert "nothing more is taken" in caplog.text


def test_a_lie_that_nobody_looks_into_still_shows_the_files_own_text_and_words(tree, export, monkeypatch):
    monkeypatch.setattr(transfer, "SPOT_CHECK", 10**12)
    root, fresh = tree(FILES), tree(FILES)
    imported(root, with_contents(export, lambda content: replace(lying(content), lengths=content.lengths[::-1])))
    index(fresh)
    (lied, _), (true, _) = says(root), says(fresh)
    assert {path: (file.text, file.lengths) for path, file in lied.items()} == {
        path: (file.text, file.lengths) for path, file in true.items()
    }


# ── the commands ──


def test_export_and_import_on_the_command_line(tree, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR", "inline")
    first, second = tree(FILES), tree(FILES)
    assert run(["index", str(first), "-q"]) == 0
    assert run(["export", str(tmp_path / "x"), str(first)]) == 0
    assert "wrote 30 contents" in capsys.readouterr().err
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "another machine"))
    assert run(["import", str(tmp_path / "x"), str(second)]) == 0
    assert "indexed 30 files" in capsys.readouterr().err
    assert run(["search", "Shop7", str(second), "--no-update"]) == 0
    assert "pkg/m07.py:1" in capsys.readouterr().out
    assert not list((Path(os.environ["XDG_CACHE_HOME"]) / "treemill").glob("import-*"))
