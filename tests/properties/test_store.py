"""Any series of changes, commits, rollbacks and runs leaves every store showing what a dictionary would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from support.contents import RECIPE, expected, prepared, shown
from treemill.records import RecordedFile, RunState, Status
from treemill.storage import IndexStore, Snapshot, Writer, segment_files, sqlite_writer
from treemill.storage.garbage import GarbageLimits
from treemill.storage.memory import MemoryStore
from treemill.storage.sqlite import SqliteStore

PATHS = st.sampled_from(["a.py", "b.py", "sub/a.py", "sub", "ä.py", "z"])
WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta"])
TEXTS = st.lists(st.lists(WORDS, max_size=3).map(" ".join), max_size=4).map(
    lambda lines: "".join(f"{x}\n" for x in lines)
)


class StoreMachine(RuleBasedStateMachine):
    """A store beside what it should hold: `committed`, and `draft` for what the writer has seen since."""

    garbage: GarbageLimits | None = None

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.committed: dict[str, str | None] = {}
        self.store = self.make_store()
        self.begin()

    def make_store(self) -> IndexStore:
        return SqliteStore(self.folder / ".treemill", create=True, garbage=self.garbage)

    def begin(self) -> None:
        self.writer: Writer = self.store.writer()
        self.writer.begin_run(RECIPE)
        self.draft = dict(self.committed)
        self.moment: tuple[Snapshot, dict[str, str | None]] | None = None

    @rule(files=st.lists(st.tuples(PATHS, TEXTS), max_size=6), sizes=st.integers(1, 4))
    def put(self, files: list[tuple[str, str]], sizes: int) -> None:
        lookup = self.store.lookup()
        batch = [prepared(path, text) for path, text in files]
        for start in range(0, len(batch), sizes):
            some = [
                prepared(path, text, known=lookup.known(file.key))
                for file, (path, text) in zip(batch[start:], files[start : start + sizes], strict=False)
            ]
            assert not self.writer.put(some)
        self.draft.update(files)

    @rule(paths=st.lists(PATHS, max_size=3))
    def remove(self, paths: list[str]) -> None:
        assert self.writer.remove(paths) == len(set(paths) & self.draft.keys())
        for path in paths:
            self.draft.pop(path, None)

    @rule(path=PATHS)
    def mark(self, path: str) -> None:
        self.writer.mark([RecordedFile(path, 1, 2, b"", 3, Status.SKIPPED, "binary", "")])
        self.draft[path] = None

    @rule()
    def commit(self) -> None:
        self.writer.commit()
        self.committed = dict(self.draft)

    @rule()
    def roll_back(self) -> None:
        self.writer.rollback()
        self.draft = dict(self.committed)

    @rule()
    def end_run_and_begin_another(self) -> None:
        self.writer.end_run(RunState.COMPLETE)
        self.writer.close()
        self.committed = dict(self.draft)
        self.release()
        self.begin()

    @rule()
    def abandon_the_run(self) -> None:
        self.writer.close()
        self.store.close()
        self.release()
        if not isinstance(self.store, MemoryStore):
            self.store = self.make_store()
        self.begin()

    @rule()
    def hold_a_moment(self) -> None:
        self.release()
        self.moment = self.store.snapshot(), dict(self.committed)

    def release(self) -> None:
        if self.moment is not None:
            self.moment[0].close()
            self.moment = None

    @invariant()
    def what_is_shown_is_what_is_committed(self) -> None:
        with self.store.snapshot() as snapshot:
            self.check(snapshot, self.committed)
        records = {record.path: record.status is Status.INDEXED for record in self.store.recorded()}
        assert records == {path: text is not None for path, text in self.committed.items()}

    @invariant()
    def a_moment_does_not_change(self) -> None:
        if self.moment is not None:
            self.check(*self.moment)

    def check(self, snapshot: Snapshot, files: dict[str, str | None]) -> None:
        assert shown(snapshot) == {path: expected(text) for path, text in files.items() if text is not None}
        assert snapshot.coverage().searchable == sum(text is not None for text in files.values())

    def teardown(self) -> None:
        if hasattr(self, "writer"):
            self.release()
            self.writer.close()
            self.store.close()
            shutil.rmtree(self.folder)


class MemoryMachine(StoreMachine):
    def make_store(self) -> IndexStore:
        return MemoryStore()


class ImpatientMachine(StoreMachine):
    """The same with garbage collected at once."""

    garbage = GarbageLimits(days=0, share=0, floor_bytes=0)


@pytest.fixture
def _eager_segments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lay out segments after every other change, so that few steps see merges, dead contents and stray files."""
    monkeypatch.setenv("TREEMILL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(segment_files, "SMALL_TAIL_CHUNKS", 2)
    monkeypatch.setattr(segment_files, "SMALL_TAIL_CONTENTS", 2)
    monkeypatch.setattr(segment_files, "_GRACE_SECONDS", 0)
    monkeypatch.setattr(sqlite_writer, "TAIL_CHUNKS", 4)


@pytest.mark.usefixtures("_eager_segments")
@pytest.mark.parametrize("machine", [StoreMachine, ImpatientMachine, MemoryMachine])
def test_a_store_shows_what_a_dictionary_would(machine: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
