"""A folder's entries, by both halves."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from treemill.listing import FOLDER, list_folder, list_folders, list_plainly
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
    places = [motley, motley / "gone", motley / "b", motley / "b.py"]
    first, gone, second, no_folder = LISTING.list_folders(b"\0".join(map(os.fsencode, places)), 4, 99)
    assert sorted(first) == sorted(list_plainly(str(motley)))
    assert second == list_plainly(str(motley / "b"))
    assert (gone, no_folder) == (errno.ENOENT, errno.ENOTDIR)
    assert LISTING.list_folders(b"", 0, 99) == []
    for count in (-1, 2, 4):
        with pytest.raises(ValueError, match="as many paths"):
            LISTING.list_folders(b"a\0b\0c", count, 99)


@needs_listing
def test_several_folders_are_listed_as_each_is_and_none_behind_enough_entries(motley):
    paths = [str(motley / name) for name in ("b", "gone", "b.d", "b.py")] + [str(motley)]
    listed = list_folders(paths, 99)
    assert [listed[0], listed[2], listed[4]] == [list_folder(paths[0]), list_folder(paths[2]), list_folder(paths[4])]
    assert [type(listed[1]), type(listed[3])] == [FileNotFoundError, NotADirectoryError]
    assert [each is None for each in list_folders(paths, 2)] == [False, False, False, True, True]
    assert [each is None for each in list_folders(paths[::-1], 2)] == [False, True, True, True, True]
    assert list_folders([]) == []
    with pytest.raises(ValueError, match="embedded null"):
        list_folders([str(motley) + "\0", "path"])


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
