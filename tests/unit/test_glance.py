"""A question asked again of a tree that stands still walks nothing, and whatever happens to the tree is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Tree
from treemill.glance import NAME, glance
from treemill.indexing import index_tree
from treemill.plan import FINE_TRUST_NS
from treemill.settings import ChunkerSettings, ConcurrencySettings, DiscoverySettings, Settings
from treemill.settled import look_unless_settled
from treemill.storage.segment_files import SMALL_TAIL_CONTENTS
from treemill.storage.sqlite import SqliteStore

SETTINGS = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

FILES = {
    "a.py": "def a(): ...\n",
    "pkg/b.py": "def b(): ...\n",
    "pkg/notes.txt": "notes\n",
    ".gitignore": "*.log\n",
    "build.log": "ignored",
}


class Seen:
    """A tree that was indexed, has come to rest, and at which a question has looked."""

    def __init__(self, root: Path, place: Path) -> None:
        self.root = root
        self.store = SqliteStore(place / "index", create=True)
        self.folder = self.store.private_folder()
        self.settle()

    def settle(self) -> None:
        """Bring the index up to date, and look until it finds nothing, all stamps being old enough."""
        time.sleep(1.5 * FINE_TRUST_NS / 1e9)
        index_tree(self.root, self.store, SETTINGS)
        assert self.look()

    def look(self) -> bool:
        """Whether the tree is found to be as the index has it."""
        recipe = self.store.recipe()
        assert recipe is not None
        return look_unless_settled(self.root, self.store, SETTINGS, recipe) is None

    def glance(self, settings: DiscoverySettings = SETTINGS.discovery) -> int | None:
        """Return what a glance says."""
        return glance(self.root, settings, self.folder, self.store.generation())


@pytest.fixture
def seen(tree: Tree, tmp_path: Path) -> Seen:
    return Seen(tree(FILES), tmp_path)


def test_a_tree_that_stands_still_is_known_at_a_glance(seen: Seen) -> None:
    assert seen.glance() == 3
    assert seen.look()


def replace_with_the_same_stamp(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


HAPPENINGS: dict[str, Callable[[Path], object]] = {
    "an edit": lambda root: (root / "a.py").write_text("def other(): ...\n"),
    "an edit of the same size with the time put back": lambda root: replace_with_the_same_stamp(
        root / "pkg/b.py", "def c(): ...\n"
    ),
    "a new file": lambda root: (root / "pkg/new.py").write_text(""),
    "a new file that is ignored": lambda root: (root / "pkg/new.log").write_text(""),
    "a deletion": lambda root: (root / "a.py").unlink(),
    "another name": lambda root: (root / "a.py").rename(root / "pkg/a.py"),
    "another name for a folder": lambda root: (root / "pkg").rename(root / "package"),
    "an edit of the ignore file": lambda root: (root / ".gitignore").write_text("*.txt\n"),
    "a new ignore file below": lambda root: (root / "pkg/.treemillignore").write_text("*.py\n"),
    "a link in the place of a folder": lambda root: (
        (root / "pkg").rename(root.parent / "pkg"),
        (root / "pkg").symlink_to(root.parent / "pkg"),
    ),
    "a repository around the root": lambda root: (root / ".git").mkdir(),
}


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_a_glance_misses_nothing_that_happens_to_the_tree(seen: Seen, happening: str) -> None:
    HAPPENINGS[happening](seen.root)
    assert seen.glance() is None
    seen.settle()
    assert seen.glance() is not None


def test_rules_from_above_the_root_are_seen(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    seen = Seen(tree(FILES), tmp_path)
    assert seen.glance() == 3
    (tmp_path / "config" / "git").mkdir(parents=True)
    (tmp_path / "config" / "git" / "ignore").write_text("*.txt\n")
    assert seen.glance() is None


def test_a_link_that_leads_elsewhere_now_is_seen(tree: Tree, tmp_path: Path) -> None:
    root = tree(FILES)
    (tmp_path / "way").symlink_to(root / "pkg")
    (root / "link.py").symlink_to(tmp_path / "way" / "b.py")
    seen = Seen(root, tmp_path)
    assert seen.glance() == 3
    (tmp_path / "way").unlink()
    (tmp_path / "way").symlink_to(tmp_path)
    assert seen.glance() is None


def test_other_settings_and_another_state_of_the_index_are_no_longer_what_was_looked_at(seen: Seen) -> None:
    assert seen.glance(DiscoverySettings(hidden=True)) is None
    generation = seen.store.generation()
    assert glance(seen.root, SETTINGS.discovery, seen.folder, generation + 1) is None


def test_where_a_stamp_is_too_young_to_be_trusted_nothing_is_kept(tree: Tree, tmp_path: Path) -> None:
    seen = Seen(tree(FILES), tmp_path)
    # A stamp from the future is younger than any look, however slow the machine.
    os.utime(seen.root / "pkg", (4_000_000_000, 4_000_000_000))
    assert seen.look()
    assert seen.glance() is None
    os.utime(seen.root / "pkg", (1_700_000_000, 1_700_000_000))
    time.sleep(1.5 * FINE_TRUST_NS / 1e9)
    assert seen.look()
    assert seen.glance() == 3


def test_below_a_repository_within_the_root_nothing_is_concluded(tree: Tree, tmp_path: Path) -> None:
    seen = Seen(tree({**FILES, "vendor/.git/HEAD": "", "vendor/v.py": "def v(): ...\n"}), tmp_path)
    assert seen.glance() is None
    assert seen.look()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:20] + b"?" + data[21:], lambda data: b""]
)
def test_a_damaged_or_missing_note_costs_a_look_and_nothing_else(seen: Seen, damage: Callable[[bytes], bytes]) -> None:
    note = seen.folder / NAME
    note.write_bytes(damage(note.read_bytes()))
    assert seen.glance() is None
    assert seen.look()
    assert seen.glance() == 3
    note.unlink()
    assert seen.glance() is None


def test_a_tree_that_stands_still_is_run_over_where_a_segment_is_gone(tree: Tree, tmp_path: Path) -> None:
    root = tree({f"f{number:03}.py": f"def function_{number}(): ...\n" for number in range(SMALL_TAIL_CONTENTS + 1)})
    seen = Seen(root, tmp_path)
    (segment,) = (tmp_path / "index").rglob("*.segment")
    segment.unlink()
    assert not seen.look()
    seen.settle()
    assert seen.store.is_laid_out()
