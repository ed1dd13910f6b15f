"""A folder's entries, by both halves."""

from __future__ import annotations

import os
import socket

import pytest

from treemill.listing import FOLDER, list_folder, list_plainly
from treemill.native import compiled
from treemill.stamps import entry_of

LISTING = compiled("listing")
needs_listing = pytest.mark.skipif(LISTING is None, reason="this installation has no compiled halves")


@pytest.fixture
def motley(tree):
    """A folder of files, folders, names that sort around a slash, links, a FIFO, a socket, a name that is no UTF-8."""
    root = tree({"b.py": "b = 1\n", "b/inside.py": "", "b-c": "", "b.d/x": "", "é": "é"})
    os.symlink("b.py", root / "link")
    os.symlink("nowhere", root / "broken")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(root / "socket"))
    (root / os.fsdecode(b"odd\xff")).write_bytes(b"")
    return root


def test_entries_come_in_the_order_of_whole_paths_with_what_lstat_says(motley):
    listed = list_folder(str(motley))
    assert [place for place, *_ in listed] == sorted(place for place, *_ in listed)
    assert {name for _, name, *_ in listed} == set(os.listdir(motley))
    for place, name, *said in listed:
        if name in ("b", "b.d"):
            assert (place, said) == (name + "/", [FOLDER, 0, 0, 0, 0, 0])
        else:
            assert (place, said) == (name, list(entry_of(os.lstat(motley / name))))


@needs_listing
def test_the_compiled_half_says_what_the_other_says(motley):
    assert sorted(LISTING.list_folder(os.fsencode(motley))) == sorted(list_plainly(str(motley)))


def test_of_names_that_are_not_wanted_only_the_names_are_told(motley):
    listed = {name: said for _, name, *said in list_folder(str(motley), {"b.py"})}
    assert listed.keys() == set(os.listdir(motley))
    assert [name for name, said in listed.items() if said[0] != FOLDER] == ["b.py"]


@pytest.mark.parametrize("half", [list_folder, list_plainly])
def test_what_is_no_folder_cannot_be_listed(half, motley):
    with pytest.raises(NotADirectoryError):
        half(str(motley / "b.py"))
    with pytest.raises(FileNotFoundError):
        half(str(motley / "gone"))
