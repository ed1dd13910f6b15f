"""Stamps of many entries, asked of the file system at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from conftest import Tree
from treemill.native import compiled
from treemill.stamps import entry_of, stamps_below, stamps_plainly

NATIVE = compiled("files")

FILES = {"a.py": "a", "pkg/b.py": "bb", "pkg/deep/é.txt": "é"}


def paths_of(*names: str) -> bytes:
    return "\0".join(names).encode("utf-8", "surrogateescape")


def test_stamps_are_those_of_each_entry(tree: Tree) -> None:
    root = tree(FILES)
    (root / "link").symlink_to("pkg")
    (root / "gone").symlink_to("nowhere")
    names = ["", "pkg", *FILES, "link", "gone", "link/b.py"]
    found = memoryview(stamps_below(root, paths_of(*names))).cast("q").tolist()
    expected = [entry_of(os.lstat(root / name)).stamp for name in names]
    assert [tuple(found[at : at + 5]) for at in range(0, len(found), 5)] == expected


@pytest.mark.skipif(sys.platform != "linux" or NATIVE is None, reason="no compiled half here")
def test_the_compiled_half_says_what_the_one_in_python_does(tree: Tree, tmp_path: Path) -> None:
    assert NATIVE is not None
    root = tree(FILES)
    os.close(os.open(os.path.join(os.fsencode(root), b"\xff"), os.O_CREAT))
    (tmp_path / "way").symlink_to(root)
    for place in (root, tmp_path / "way"):
        paths = paths_of("", *FILES, "\udcff")
        assert NATIVE.stamps(os.fsencode(place), paths) == stamps_plainly(place, paths)
        assert NATIVE.stamps(os.fsencode(place), b"") == stamps_plainly(place, b"")


@pytest.mark.parametrize("missing", ["c.py", "a.py/c", "x" * 300])
def test_what_is_not_there_has_no_stamp(tree: Tree, missing: str) -> None:
    root = tree(FILES)
    if NATIVE is not None:
        assert NATIVE.stamps(os.fsencode(root), paths_of("a.py", missing)) is None
        assert NATIVE.stamps(os.fsencode(root / missing), b"") is None
    with pytest.raises(OSError, match=missing[:5]):
        stamps_below(root, paths_of("a.py", missing))
