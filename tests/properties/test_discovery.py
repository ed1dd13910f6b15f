"""Discovery agrees with git about any tree and any ignore files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemill.discovery import discover, why_ignored
from treemill.settings import DiscoverySettings
from treemill.types import DiscoveredFile

GIT = shutil.which("git")

names = st.sampled_from(["a", "b", "ab", "a.c", "b.c", "é", "x y", "#h", "a\nb"])
folders = st.lists(names, max_size=3).map(lambda parts: "".join(part + "/" for part in parts))
globs = st.sampled_from(
    ["a", "b", "*", "*.c", "a*", "?", "[ab]", "[!a]", "**", "a?", "é", "x y", "\\#h", "a.[c-d]", "*b"]
)
patterns = st.builds(
    lambda bang, slash, parts, end: bang + slash + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(globs, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
ignore_files = st.lists(patterns, max_size=5).map("\n".join)


@st.composite
def trees(draw):
    """Draw files, none of which is another's folder, and ignore files in some of the folders."""
    tree: dict[str, str] = {}
    for folder, name in draw(st.lists(st.tuples(folders, names), min_size=1, max_size=12)):
        tree[folder + name] = ""
    for folder in draw(st.lists(folders, max_size=3)):
        tree[folder + ".gitignore"] = draw(ignore_files)
    return {path: text for path, text in tree.items() if not any(other.startswith(path + "/") for other in tree)}


@pytest.fixture(scope="module")
def quiet_home(tmp_path_factory):
    """A home without rules of its own."""
    home = str(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", home)
        patch.setenv("XDG_CONFIG_HOME", home)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.delenv("GIT_CONFIG_GLOBAL", raising=False)
        yield home


@pytest.mark.skipif(GIT is None, reason="git is the oracle here")
@settings(max_examples=120, deadline=None)
@given(tree=trees(), data=st.data())
def test_the_files_found_are_those_that_git_lists_also_in_a_part_of_the_tree(tree, data, quiet_home):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        for path, text in tree.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        subprocess.run([str(GIT), "init", "-q", str(root)], check=True, env=os.environ)
        listed = subprocess.run(
            [str(GIT), "ls-files", "-z", "--others", "--exclude-standard"], cwd=root, check=True, capture_output=True
        )
        by_git = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
        ours = {
            each.name for each in discover(root, DiscoverySettings(hidden=True)) if isinstance(each, DiscoveredFile)
        }
        assert ours == by_git
        some = data.draw(st.lists(st.one_of(st.sampled_from(sorted(tree)), folders, names), max_size=4))
        within = [path.rstrip("/") for path in some]
        seen: list[str] = []
        part = {
            each.name
            for each in discover(root, DiscoverySettings(hidden=True), within=within, entered=seen.append)
            if isinstance(each, DiscoveredFile)
        }
        assert part == {path for path in ours if any(f"{path}/".startswith(f"{top}/" if top else "") for top in within)}
        assert {path[: path.rfind("/") + 1] for path in part} <= set(seen)
        for path in tree:
            assert (why_ignored(root, path, DiscoverySettings(hidden=True)) is None) == (path in ours)
