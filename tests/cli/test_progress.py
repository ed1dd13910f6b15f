"""What is shown while indexing, and the page about it: true, bounded, and safe whatever the tree holds."""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conftest import Tree
from treemill.cli import run
from treemill.cli.live import Live
from treemill.cli.progress import listener_for
from treemill.cli.report_page import Recorder, page
from treemill.events import Committed, Ended, Event, Finished, Heartbeat, Passed, Planned, Queued, Started, Worked
from treemill.records import Coverage, Recipe
from treemill.reports import IndexReport, LanguageStats, ProcessingStats
from treemill.types import Failure, Skipped, SkipReason

FILES = {"shop/cart.py": "def add(): ...\n", "shop/pay.py": "def pay(): ...\n", "logo.py": b"\0"}

NASTY = "</title><script>alert(1)</script>\x1b[2J&\udcff\"'"


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR", "inline")
    monkeypatch.delenv("NO_COLOR", raising=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The lines that are to be seen, without their styles."""
        drawn = re.split(r"\x1b\[\d+F\x1b\[J", self.getvalue())[-1]
        return re.sub(r"\x1b\[\d+m", "", drawn).splitlines()


def beat(at: float = 0.5, **values: object) -> Heartbeat:
    given = {
        "ended": 1,
        "known": 4,
        "known_is_final": True,
        "files_per_second": 20.0,
        "megabytes_per_second": 1.5,
        "chunks_per_second": 90.0,
        "in_hand": ((0, "slow.py", 3.2), (1, "quick.py", 0.1)),
        "requests": 0,
        **values,
    }
    return Heartbeat(at, **given)  # type: ignore[arg-type]


def flags(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"quiet": False, "verbose": False, "progress": "auto", **given})


def test_the_display_has_a_bar_the_rates_and_a_line_for_each_worker() -> None:
    terminal = Terminal()
    live = Live(terminal)
    for event in (*(Queued(0, f"f{n}.py") for n in range(4)), Planned(0, 4, 0, 0), Finished(0, "f0.py", 2, 9, None)):
        live(event)
    live(Passed(0.4, "f1.py", "ParseError", "no", failed=True))
    live(beat())
    assert re.fullmatch(r"indexing ━+╸━+  50 %  2 of 4 files", terminal.screen[0])
    assert terminal.screen[1:] == [
        "20 files/s  1.5 MB/s  90 chunks/s  1 failed",
        "worker 1  slow.py  3 s",
        "worker 2  quick.py",
    ]
    live(Worked(0.9, 1, 0.5, 0.4, 1, 9, "quick.py"))
    live(beat(1.0, in_hand=((0, "slow.py", 3.7),)))
    assert terminal.screen[2:] == ["worker 1  slow.py  4 s", "worker 2  between files"]
    live.clear()
    assert terminal.screen == []


def test_the_display_says_how_long_the_rest_takes() -> None:
    terminal = Terminal()
    live = Live(terminal)
    for number in range(100):
        live(Queued(0, f"f{number}.py"))
    live(beat(0.0))
    for number in range(20):
        live(Finished(2.0, f"f{number}.py", 1, 1, None))
    live(beat(2.0))
    assert "8.0 s left" in terminal.screen[0]


def test_the_display_stays_within_the_terminal_and_cannot_be_steered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: (40, 3))
    terminal = Terminal()
    live = Live(terminal)
    for event in (Queued(0, "a.py"), Started(0, NASTY), beat(in_hand=((0, NASTY * 5, 0.1), (1, "b.py", 0.1)))):
        live(event)
    assert len(terminal.screen) == 2
    assert all(len(line) < 40 for line in terminal.screen)
    live(beat(in_hand=((0, NASTY, 0.1),)))
    assert "\x1b[2J" not in terminal.getvalue()


def test_the_way_is_chosen_by_flags_and_terminal() -> None:
    said = Heartbeat(0.5, 1, 2, True, 1, 1, 1, ((0, "slow.py", 2.0),))
    for stream, given, shown in (
        (Terminal(), {}, "indexing"),
        (Terminal(), {"quiet": True}, ""),
        (io.StringIO(), {}, ""),
        (io.StringIO(), {"verbose": True}, "slow.py: in hand for 2 s"),
        (io.StringIO(), {"progress": "live"}, "indexing"),
        (Terminal(), {"progress": "none"}, ""),
    ):
        with listener_for(stream, flags(**given)) as listener:
            listener(said)
            shown_now = stream.getvalue()
        assert shown in shown_now
        assert bool(shown) == bool(shown_now)


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treemill.cli.progress._LINE_SECONDS", 0.0)
    stream = io.StringIO()
    with listener_for(stream, flags()) as listener:
        listener(Passed(0.1, "bad.py", "ParseError", "no", failed=True))
        listener(beat())
        listener(Ended(1, 1, 1, 0, 0, 1))
        listener(beat())
    assert stream.getvalue() == "1 of 4 files, 20 files/s, 1.5 MB/s, 1 failed; slow.py in hand for 3 s\n"


def test_progress_json_is_one_event_a_line(tree: Tree, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["index", str(tree(FILES)), "--progress", "json", "--quiet"]) == 0
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds.count("queued") == kinds.count("started") == 3
    assert {event["path"] for event in events if event["event"] == "finished"} == {"shop/cart.py", "shop/pay.py"}
    assert [event["reason"] for event in events if event["event"] == "passed"] == ["binary"]
    assert kinds[-1] == "ended"
    assert events[-1]["processed"] == 2


class Checked(HTMLParser):
    """Fails on tags that do not nest; collects what is referred to and what is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "data")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is open after it."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown += data


def report_of(**values: object) -> IndexReport:
    stats = ProcessingStats(
        submitted_files=4,
        files_processed=2,
        failed_files=1,
        skipped_files=1,
        chunks_created=9,
        total_size=5000,
        start_time=100.0,
        end_time=102.0,
        stages={"read": 0.1, "chunk": 1.4, "wait": 0.0},
        languages={NASTY: LanguageStats(2, 9, 5000)},
        slowest=[(NASTY, 1.25)],
    )
    given = {
        "root": NASTY,
        "stats": stats,
        "coverage": Coverage(2, 3, complete=False),
        "recipe": Recipe("c", "w"),
        "skipped": (Skipped(NASTY, SkipReason.BINARY, NASTY),),
        "failures": (Failure(NASTY, "chunk", "ParseError", NASTY),),
        "seconds": 2.0,
        **values,
    }
    return IndexReport(**given)  # type: ignore[arg-type]


def test_the_page_shows_the_run_and_escapes_whatever_the_tree_holds() -> None:
    recorder = Recorder()
    events: list[Event] = [
        Worked(0.5, 0, 0.1, 0.3, 2, 4000, NASTY),
        Worked(1.9, 1, 0.2, 1.6, 1, 1000, "slow.py"),
        Committed(1.95, 2, 1),
        Queued(0, "ignored"),
    ]
    for event in events:
        recorder(event)
    text = page(report_of(), recorder)
    text.encode("utf-8")
    assert "<script" not in text
    assert "\x1b" not in text
    parser = Checked(text)
    assert parser.open == []
    assert parser.links == []
    assert text.count("<rect") == 2
    for shown in ("Indexed 2 files in 2.0 s; 1 failed. Searchable: 2 of 3 files.", "worker 2", "ParseError", "1.250"):
        assert shown in parser.shown


def test_the_page_of_a_run_without_work_is_short_and_whole() -> None:
    empty = report_of(root="/tree", stats=ProcessingStats(), skipped=(), failures=())
    text = page(empty, Recorder())
    assert "<svg" not in text
    assert "Failures" not in text
    assert "Indexed 0 files" in text


def test_index_writes_the_page_where_it_is_told(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "run.html"
    assert run(["index", str(tree(FILES)), "--report", str(target)]) == 0
    text = target.read_text("utf-8")
    assert "Timeline of the workers" in text
    assert "logo.py" in text
    assert run(["index", str(tree(FILES)), "--report", str(tmp_path / "no/folder.html")]) == 2
    assert "cannot write" in capsys.readouterr().err
