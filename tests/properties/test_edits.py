"""Any series of edits ends equal to a fresh index: what is recorded, and what is answered."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from treemill.freshness import look
from treemill.glance import glance
from treemill.indexing import index_tree
from treemill.plan import FINE_TRUST_NS
from treemill.records import Query, Status
from treemill.searching import Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, DiscoverySettings, Settings
from treemill.settled import look_unless_settled
from treemill.storage import IndexStore
from treemill.storage.memory import MemoryStore
from treemill.storage.sqlite import SqliteStore

WORDS = ("apple", "grape", "lemon", "melon")

names = st.sampled_from(["a.py", "b.py", "B.py", "c.md", "x", "pkg", "sub"])
places = st.lists(names, min_size=1, max_size=2).map("/".join)
# All of one size, so that only stamps and digests can tell them apart.
texts = st.sampled_from([f"def {word}(): ...\n" for word in WORDS] + [b"\0binary", "", " \n"])
stamps = st.sampled_from([0, 1_700_000_000_000_000_000, 4_000_000_000_000_000_000])
rules = st.sampled_from(["", "*.py\n", "pkg/\n!pkg/a.py\n", "/x\n", "sub\n", "!*.py\n"])


def settings_with(*, hidden: bool) -> Settings:
    inline = ConcurrencySettings(executor="inline")
    return Settings(chunker=ChunkerSettings(concurrency=inline), discovery=DiscoverySettings(hidden=hidden))


class Edits(RuleBasedStateMachine):
    """A tree that anything may happen to, and its index, which is brought up to date now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.root = self.place / "root"
        self.root.mkdir()
        self.settings = settings_with(hidden=False)
        self.store: IndexStore = MemoryStore()
        self.touched: set[str] = set()
        self.fresh = True

    @initialize(on_disk=st.booleans())
    def open(self, on_disk: bool) -> None:
        if on_disk:
            self.store = SqliteStore(self.place / "index", create=True)
        self.index()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.place)

    # ── what happens to the tree ──

    @rule(path=places, text=texts)
    def write(self, path: str, text: str | bytes) -> None:
        target = self.make_way(path)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        self.touch(path)

    @rule(path=places, text=texts, stamp=stamps)
    def write_and_set_the_clock(self, path: str, text: str | bytes, stamp: int) -> None:
        self.write(path, text)
        os.utime(self.root / path, ns=(stamp, stamp))

    @rule(path=places, words=st.permutations(WORDS), everywhere=st.booleans())
    def edit_a_settled_file_and_put_the_time_back(self, path: str, words: list[str], everywhere: bool) -> None:
        """Only of a file whose stamps are trusted does anything depend on the time of its last change."""
        self.write(path, f"def {words[0]}(): ...\n")
        before = (self.root / path).stat()
        self.look_after_a_rest()
        (self.root / path).write_text(f"def {words[1]}(): ...\n")
        os.utime(self.root / path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.touch(path)
        self.what_a_glance_says_a_look_says_too()
        if everywhere:
            self.index()
        else:
            self.index_where_something_happened()

    @rule(number=st.integers(0, 9), word=st.sampled_from(WORDS))
    def edit_and_put_the_time_back(self, number: int, word: str) -> None:
        files = sorted(path for path in self.root.rglob("*.*") if path.is_file() and not path.is_symlink())
        if files:
            path = files[number % len(files)]
            before = path.stat()
            path.write_text(f"def {word}(): ...\n")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            self.touch(path.relative_to(self.root).as_posix() if path.name != ".gitignore" else "")

    @rule(path=places, text=texts)
    def replace_as_editors_do(self, path: str, text: str | bytes) -> None:
        target = self.make_way(path)
        beside = target.with_name(target.name + "~")
        beside.write_bytes(text.encode() if isinstance(text, str) else text)
        beside.replace(target)
        self.touch(path)

    @rule(old=places, new=places)
    def move(self, old: str, new: str) -> None:
        if (self.root / old).exists() and not f"{new}/".startswith(f"{old}/") and not f"{old}/".startswith(f"{new}/"):
            (self.root / old).rename(self.make_way(new))
            self.touch(old)
            self.touch(new)

    @rule(path=places)
    def delete(self, path: str) -> None:
        self.remove(self.root / path)
        self.touch(path)

    @rule(path=places, mode=st.sampled_from([0o600, 0o644, 0o755]))
    def change_permissions(self, path: str, mode: int) -> None:
        if (self.root / path).is_file():
            (self.root / path).chmod(mode)
            self.touch(path)

    @rule(path=places, stamp=stamps)
    def set_the_clock(self, path: str, stamp: int) -> None:
        if (self.root / path).exists():
            os.utime(self.root / path, ns=(stamp, stamp))
            self.touch(path)

    @rule(path=places, to=places)
    def link(self, path: str, to: str) -> None:
        if path != to:
            way = self.make_way(path)
            os.symlink(self.root / to, way)
            self.touch(path)

    @rule(folder=st.one_of(st.just(""), names), text=rules)
    def set_rules(self, folder: str, text: str) -> None:
        if (self.root / folder).is_dir() and not (self.root / folder).is_symlink():
            (self.root / folder / ".gitignore").write_text(text)
            self.touch("")

    @rule(hidden=st.booleans())
    def switch_mode(self, hidden: bool) -> None:
        self.settings = settings_with(hidden=hidden)
        self.touch("")

    # ── what brings the index up to date ──

    @rule()
    def index(self) -> None:
        index_tree(self.root, self.store, self.settings)
        self.touched, self.fresh = set(), True

    @precondition(lambda self: not self.fresh)
    @rule()
    def index_where_something_happened(self) -> None:
        """As a watch does, which is told where to look."""
        survey = look(self.root, self.store, self.settings, within=sorted(self.touched))
        index_tree(self.root, self.store, self.settings, survey=survey)
        self.touched, self.fresh = set(), True

    @precondition(lambda self: self.fresh)
    @invariant()
    def equals_a_fresh_index(self) -> None:
        fresh = MemoryStore()
        index_tree(self.root, fresh, self.settings)
        assert manifest(self.store) == manifest(fresh)
        with self.store.snapshot() as ours, fresh.snapshot() as theirs:
            assert ours.coverage().known == theirs.coverage().known
            assert ours.coverage().complete
        with Index(self.store) as ours, Index(fresh) as theirs:
            for word in WORDS:
                query = Query(word, limit=50)
                found = [(hit.path, hit.start_line, hit.content) for hit in ours.ask(query).hits]
                assert found == [(hit.path, hit.start_line, hit.content) for hit in theirs.ask(query).hits]

    @rule()
    def look_after_a_rest(self) -> None:
        """As a question does, which keeps what shows that there was nothing to do; whatever comes next must be seen."""
        time.sleep(1.05 * FINE_TRUST_NS / 1e9)
        self.index()
        if isinstance(self.store, SqliteStore) and (recipe := self.store.recipe()):
            look_unless_settled(self.root, self.store, self.settings, recipe)

    @invariant()
    def what_a_glance_says_a_look_says_too(self) -> None:
        if isinstance(self.store, SqliteStore):
            folder, generation = self.store.private_folder(), self.store.generation()
            known = glance(self.root, self.settings.discovery, folder, generation)
            if known is not None:
                survey = look(self.root, self.store, self.settings)
                assert (survey.found_work, survey.known) == (False, known)

    # ── small steps ──

    def touch(self, path: str) -> None:
        self.touched.add(path)
        self.fresh = False

    def make_way(self, path: str) -> Path:
        """Clear a place and give it folders; what stands in the way makes room."""
        target = self.root / path
        for above in reversed(target.relative_to(self.root).parents[:-1]):
            folder = self.root / above
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                folder.unlink()
                self.touch(str(above))
            if not folder.is_dir():
                folder.mkdir()
        self.remove(target)
        return target

    def remove(self, target: Path) -> None:
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif os.path.lexists(target) and not any(above.is_symlink() for above in target.parents):
            target.unlink()


def manifest(store: IndexStore) -> dict[str, tuple[Status, bytes, str]]:
    """Return what is recorded of each path, without what differs from one reading to the next."""
    return {record.path: (record.status, record.key, record.reason) for record in store.recorded()}


TestEdits = Edits.TestCase
TestEdits.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
